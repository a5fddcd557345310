"""The store's files: who may read them, and what happens when one is truncated, removed or replaced."""

import os
import pathlib
import shutil
import time

import pytest

from harness import StartFailed, eventually, policy, request
from harness.admin import Admin
from harness.client import once


def data_of(proxy):
    return pathlib.Path(proxy.settings["store"]["rocksdb"]["path"])


def modes(directory):
    """Of the directory and of everything in it, by relative path."""
    everything = [directory, *directory.rglob("*")]
    return {str(path.relative_to(directory)): (path.is_dir(), path.stat().st_mode & 0o777)
            for path in everything}


def check_private(directory):
    found = modes(directory)
    assert len(found) > 5, found
    for name, (is_directory, mode) in found.items():
        assert mode == (0o700 if is_directory else 0o600), (name, oct(mode))


@pytest.fixture
def open_umask():
    earlier = os.umask(0)
    yield
    os.umask(earlier)


def test_only_the_owner_may_read_the_store_whatever_the_umask(stage, upstream, open_umask):
    proxy = stage.proxy(upstream)
    for n in range(20):
        once(proxy.data, request(key=f"key-{n}"))
    check_private(data_of(proxy))
    # As an earlier version left it.
    proxy.terminate()
    for path in [data_of(proxy), *data_of(proxy).rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    proxy.restart()
    assert once(proxy.data, request(key="key-0")).decision == "replayed"
    check_private(data_of(proxy))


def readiness(proxy):
    """(status, reason)."""
    return Admin(proxy.telemetry).call("GET", "/ready")


def check_stops(proxy, upstream, key, reason):
    """Within two seconds, and by name; nothing is forwarded from then on."""
    began = time.monotonic()
    eventually(lambda: readiness(proxy)[0] == 503, "not ready")
    took = time.monotonic() - began
    assert reason in readiness(proxy)[1]
    answer = once(proxy.data, request(key=key))
    assert (answer.status, answer.decision, answer.problem) == (503, "store-error",
                                                                "store-unavailable")
    assert upstream.executions[key] == 0
    metrics = proxy.metrics()
    assert metrics.sum("onceproxy_store_healthy") == 0
    assert metrics.sum("onceproxy_store_errors_total", operation="files") == 1
    eventually(lambda: reason in proxy.stderr.text(), "the reason in the log")
    # Generous: the machine may be busy. It looks once a second.
    assert took < 10


def test_a_store_that_was_removed_is_noticed_and_never_made_anew(stage, upstream):
    proxy = stage.proxy(upstream)
    assert once(proxy.data, request(key="before")).decision == "forwarded"
    shutil.rmtree(data_of(proxy))
    check_stops(proxy, upstream, "during", "the directory is gone")
    assert not data_of(proxy).exists()
    proxy.terminate()
    assert not data_of(proxy).exists()


def test_a_store_that_comes_back_goes_on_where_it_was(stage, upstream):
    proxy = stage.proxy(upstream)
    assert once(proxy.data, request(key="before")).decision == "forwarded"
    away = data_of(proxy).with_name("away")
    data_of(proxy).rename(away)
    check_stops(proxy, upstream, "during", "the directory is gone")
    away.rename(data_of(proxy))
    eventually(lambda: readiness(proxy)[0] == 200, "ready again")
    assert once(proxy.data, request(key="before")).decision == "replayed"
    assert once(proxy.data, request(key="during")).decision == "forwarded"


def test_removing_lock_lets_no_second_process_in(stage, upstream):
    proxy = stage.proxy(upstream)
    pid = proxy.process.pid
    (data_of(proxy) / "LOCK").unlink()
    with pytest.raises(StartFailed) as failed:
        stage.proxy(upstream, store={"rocksdb": {"path": str(data_of(proxy))}})
    assert failed.value.code == 3
    assert f"in use by another process ({pid}); stop that process" in failed.value.output
    check_stops(proxy, upstream, "key", "LOCK is gone")


def test_an_audit_log_that_was_removed_is_reported_and_begun_anew(stage, upstream):
    proxy = stage.proxy(upstream)
    assert once(proxy.data, request(key="one")).decision == "forwarded"
    shutil.rmtree(data_of(proxy) / "audit")
    eventually(lambda: proxy.metrics().sum("onceproxy_store_errors_total", operation="audit") >= 1,
               "the loss is counted")
    assert once(proxy.data, request(key="two")).decision == "forwarded"
    eventually(lambda: list((data_of(proxy) / "audit").glob("forwards-*.audit")), "a new file")


@pytest.fixture
def killed(stage, upstream):
    """A proxy that did 100 operations, each synced, and was killed; and its log."""
    proxy = stage.proxy(upstream, [policy(lease="1h")], store={"rocksdb": {"sync": "all"}})
    for n in range(100):
        assert once(proxy.data, request(key=f"key-{n}")).decision == "forwarded"
    proxy.kill9()
    log = max(data_of(proxy).rglob("*.log"), key=lambda file: file.stat().st_size)
    return proxy, log


def cut(log):
    used = len(log.read_bytes().rstrip(b"\0"))
    os.truncate(log, used // 2)


@pytest.mark.parametrize("damage, words", [(cut, "was cut"), (os.unlink, "is gone")])
def test_a_log_that_was_cut_or_removed_names_the_way_out(killed, upstream, damage, words):
    proxy, log = killed
    damage(log)
    executed = dict(upstream.executions)
    with pytest.raises(StartFailed) as failed:
        proxy.restart()
    assert failed.value.code == 3
    for part in (str(data_of(proxy)), log.name, words, "--accept-wal-loss"):
        assert part in failed.value.output
    assert upstream.executions == executed
    proxy.arguments.append("--accept-wal-loss")
    proxy.restart()
    assert once(proxy.data, request(key="new")).decision == "forwarded"


def test_a_killed_store_with_all_its_logs_starts(killed):
    proxy, _ = killed
    for _ in range(3):
        proxy.restart()
        assert {once(proxy.data, request(key=f"key-{n}")).decision for n in range(100)} == {"replayed"}
        proxy.kill9()
