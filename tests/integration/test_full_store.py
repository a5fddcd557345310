"""A start with a store of ten million records: ready within two seconds, however the process before it ended.

tests/bench/fill_store fills the store in some minutes, with 4 GB of disk; ONCEPROXY_FILLED_STORE names one that
is there already, of which a copy is used.
"""

import os
import pathlib
import shutil
import subprocess
import tempfile
import time

import pytest

from harness import Client, Onceproxy, eventually, policy, settings
from harness.admin import Admin
from harness.process import PRESET

ROOT = pathlib.Path(__file__).parents[2]
FILL = ROOT / "build/release/tests/bench/fill_store"
LONG = os.environ.get("ONCEPROXY_LONG") == "1"
RECORDS = 10_000_000
READY_WITHIN = 2.0

pytestmark = pytest.mark.skipif(not (LONG and PRESET == "trained"), reason="long tier only")


@pytest.fixture(scope="module")
def filled():
    """A directory with the store in `data`. Not in /tmp, which may be memory."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="onceproxy-full-", dir="/var/tmp"))
    try:
        if there := os.environ.get("ONCEPROXY_FILLED_STORE"):
            subprocess.run(["cp", "-a", "--reflink=auto", there, path / "data"], check=True)
        else:
            subprocess.run([FILL, path / "data", str(RECORDS)], check=True, stdout=subprocess.DEVNULL,
                           timeout=3600)
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def proxy(filled, upstream):
    config = settings(upstream.address, filled / "data", [policy()])
    config["store"]["rocksdb"]["max_bytes"] = "20GiB"
    made = Onceproxy(config, filled)
    yield made
    made.abandon()


def forget_pages(directory):
    """As after a boot, or on another node: the files have to be read from the disk."""
    os.sync()
    for path in directory.rglob("*"):
        if path.is_file():
            file = os.open(path, os.O_RDONLY)
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(file)


def seconds_to_ready(proxy):
    """From the start of the process to the first success of a readiness probe."""
    began = time.monotonic()
    proxy.restart()
    status, _ = Admin(proxy.telemetry).call("GET", "/ready")
    took = time.monotonic() - began
    assert status == 200
    return took


def records(proxy):
    return sum(proxy.metrics().values("onceproxy_store_records"))


@pytest.mark.parametrize("cold", [False, True], ids=["in memory", "on disk"])
@pytest.mark.parametrize("end", ["drained", "killed"])
def test_ten_million_records_delay_no_start(filled, proxy, cold, end):
    took = []
    for _ in range(3):
        if cold:
            forget_pages(filled / "data")
        took.append(seconds_to_ready(proxy))
        eventually(lambda: records(proxy) > 0.9 * RECORDS, "the records are counted")
        with Client(proxy.data) as client:
            for _ in range(1000):
                assert client.call(key=os.urandom(8).hex()).decision == "forwarded"
        if end == "killed":
            proxy.kill9()
        else:
            assert proxy.terminate() == 0
    print(f"{end}, {'from disk' if cold else 'from memory'}: {', '.join(f'{each:.2f}' for each in took)} s")
    assert max(took) <= READY_WITHIN, took
