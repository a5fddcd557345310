"""When the store cannot promise anything: a clear word, and nothing forwarded without a reservation."""

import os
import pathlib
import subprocess

import pytest

from harness import StartFailed, eventually, policy, request
from harness.client import once


@pytest.fixture
def mount(directory):
    """Mounts small file systems; skips where that is not permitted."""
    mounted = []

    def mount(options):
        point = directory / f"mount-{len(mounted)}"
        point.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", options, "onceproxy-test", str(point)]
        result = subprocess.run(command, capture_output=True, text=True)
        if result.returncode != 0:
            pytest.skip(f"mounting is not permitted here: {result.stderr.strip()}")
        mounted.append(point)
        return point

    yield mount
    for point in mounted:
        subprocess.run(["umount", "--lazy", str(point)], check=True)


@pytest.fixture
def start_on(stage, upstream):
    """A proxy whose data lie in the given directory."""

    def start(path, **kwargs):
        return stage.proxy(upstream, store={"rocksdb": {"path": str(path)}}, **kwargs)

    return start


def check_refuses_to_start(start, path, *words):
    with pytest.raises(StartFailed) as failed:
        start(path)
    assert failed.value.code not in (0, None) and failed.value.code > 0, "an exit, not a signal"
    output = failed.value.output
    assert str(path) in output, f"the directory is named:\n{output}"
    assert any(word in output.lower() for word in words), output


def test_a_directory_in_use_by_another_process_is_refused(start_on, directory, upstream):
    first = start_on(directory / "data")
    check_refuses_to_start(start_on, directory / "data", "in use", "lock", "another process")
    assert once(first.data, request(key="a")).decision == "forwarded"


def test_a_directory_that_is_a_file_is_refused(start_on, directory):
    (directory / "data").write_text("not a directory")
    check_refuses_to_start(start_on, directory / "data", "not a directory")


def test_a_read_only_directory_is_refused(start_on, mount):
    path = mount("ro,size=1m")
    check_refuses_to_start(start_on, path / "data", "read-only", "cannot be written", "permission")


def fill(path):
    """Takes what is left of the file system; the file's path."""
    filler = path / "filler"
    with open(filler, "wb", buffering=0) as file:
        size = 64 * 1024
        while size >= 1:
            try:
                written = file.write(b"x" * size)
                if written < size:
                    raise OSError
            except OSError:
                size //= 4
    return filler


def test_a_full_disk_refuses_new_keys_and_heals(start_on, mount, upstream):
    path = mount("size=96m")
    proxy = start_on(path / "data", policies=[policy(lease="1h")])
    assert once(proxy.data, request(key="known", body="x" * 1000)).decision == "forwarded"
    filler = fill(path)

    answers = {}

    def refused():
        key = f"key-{len(answers)}"
        fill(path)
        answers[key] = once(proxy.data, request(key=key, body="x" * 100_000))
        return answers[key].status == 503

    # Its files are allocated ahead: it may take a while until it needs more.
    eventually(refused, "the disk's end")
    for n in range(20):
        answers[f"late-{n}"] = once(proxy.data, request(key=f"late-{n}"))
    for key, answer in answers.items():
        assert answer.decision in ("forwarded", "store-error"), answer
        assert upstream.executions[key] <= 1
        if key.startswith("late"):
            assert (answer.status, answer.decision) == (503, "store-error")
            assert answer.problem == "store-unavailable"
            assert int(answer["retry-after"]) >= 1
            assert upstream.executions[key] == 0, "forwarded without a reservation"
    assert once(proxy.data, request(target="/uncovered")).status == 200
    assert proxy.metrics().sum("onceproxy_store_errors_total") > 0

    filler.unlink()
    (path / "filler").unlink(missing_ok=True)
    eventually(lambda: once(proxy.data, request(key="healed")).decision in ("forwarded", "replayed"),
               "the store serves again once there is room")
    again = once(proxy.data, request(key="known", body="x" * 1000))
    assert again.decision == "replayed"
    # What was refused can go through now, and still only once.
    for key in [k for k in answers if k.startswith("late")]:
        assert once(proxy.data, request(key=key)).decision == "forwarded"
        assert upstream.executions[key] == 1


def test_on_store_error_forward_forwards_unprotected(start_on, mount, upstream):
    path = mount("size=96m")
    proxy = start_on(path / "data", policies=[policy(on_store_error="forward", lease="1h")])
    once(proxy.data, request(key="known"))
    count = 0

    def passed():
        nonlocal count
        count += 1
        fill(path)
        answer = once(proxy.data, request(key=f"key-{count}", body="x" * 100_000))
        return answer.decision == "passed"

    eventually(passed, "a request passes unprotected")
    proxy.decided("passed", 1)


def test_above_the_soft_cap_new_keys_are_refused_and_known_ones_answer(stage):
    body = os.urandom(200_000)
    upstream = stage.upstream(lambda exchange: exchange.answer(200, body))
    proxy = stage.proxy(upstream, store={"rocksdb": {"max_bytes": "8MiB", "sync": "none"}})
    first = once(proxy.data, request(key="key-0"))
    assert first.decision == "forwarded"
    count = 0

    def refused():
        nonlocal count
        count += 1
        answer = once(proxy.data, request(key=f"key-{count}"))
        return answer if answer.decision != "forwarded" else None

    answer = eventually(refused, "the cap")
    assert (answer.status, answer.decision) == (503, "store-error")
    assert answer.problem == "store-unavailable"
    assert upstream.executions[f"key-{count}"] == 0
    again = once(proxy.data, request(key="key-0"))
    assert (again.decision, again.body) == ("replayed", body)
    assert 8 * 1024 * 1024 * 0.5 < proxy.metrics().sum("onceproxy_store_bytes") < 64 * 1024 * 1024


@pytest.fixture
def stopped(stage, upstream):
    """A proxy that did 300 operations and was stopped."""
    proxy = stage.proxy(upstream, [policy(lease="1h")], store={"rocksdb": {"sync": "none"}})
    for n in range(300):
        assert once(proxy.data, request(key=f"key-{n}", body="x" * 100)).decision == "forwarded"
    return proxy


def data_of(proxy):
    return pathlib.Path(proxy.settings["store"]["rocksdb"]["path"])


def check_starts_or_refuses(proxy, upstream, executed):
    """After damage: an error that names the directory, or no second execution of a known key."""
    try:
        proxy.restart()
    except StartFailed as failed:
        assert failed.code > 0, failed.output
        assert str(data_of(proxy)) in failed.output
        return False
    for n in range(300):
        answer = once(proxy.data, request(key=f"key-{n}", body="x" * 100))
        assert answer.decision in ("replayed", "store-error"), answer
    assert upstream.executions == executed
    return True


@pytest.mark.parametrize("name", ["CURRENT", "MANIFEST-*"])
def test_a_corrupt_manifest_is_a_clear_error(stopped, upstream, name):
    stopped.terminate()
    files = sorted(data_of(stopped).rglob(name))
    assert files, sorted(data_of(stopped).rglob("*"))
    for file in files:
        file.write_bytes(b"\xde\xad\xbe\xef" * 64)
    assert not check_starts_or_refuses(stopped, upstream, dict(upstream.executions))


def test_a_write_ahead_log_corrupt_in_its_middle_names_the_way_out(stopped, upstream):
    stopped.kill9()
    log = max(data_of(stopped).rglob("*.log"), key=lambda file: file.stat().st_size)
    data = bytearray(log.read_bytes())
    middle = len(data.rstrip(b"\0")) // 2
    data[middle : middle + 64] = bytes(b ^ 0xFF for b in data[middle : middle + 64])
    log.write_bytes(data)
    executed = dict(upstream.executions)
    with pytest.raises(StartFailed) as failed:
        stopped.restart()
    assert failed.value.code > 0
    assert "--accept-wal-loss" in failed.value.output
    assert str(data_of(stopped)) in failed.value.output
    assert upstream.executions == executed
    # The operator's decision: it starts, and says so.
    stopped.arguments.append("--accept-wal-loss")
    stopped.restart()
    assert once(stopped.data, request(key="new")).decision == "forwarded"


def test_a_write_ahead_log_cut_off_at_its_end_is_what_a_crash_leaves(stopped, upstream):
    stopped.kill9()
    log = max(data_of(stopped).rglob("*.log"), key=lambda file: file.stat().st_size)
    data = log.read_bytes().rstrip(b"\0")
    log.write_bytes(data[:-7])
    stopped.restart()
    answers = [once(stopped.data, request(key=f"key-{n}", body="x" * 100)) for n in range(299)]
    assert {answer.decision for answer in answers} == {"replayed"}


def test_corrupt_table_files_answer_503_or_refuse_to_start(stopped, upstream):
    stopped.terminate()
    tables = sorted(data_of(stopped).rglob("*.sst")) + sorted(data_of(stopped).rglob("*.blob"))
    if not tables:
        pytest.skip("this run left everything in the write-ahead log")
    for table in tables:
        data = bytearray(table.read_bytes())
        for at in range(0, min(len(data), 16_384), 97):
            data[at] ^= 0xFF
        table.write_bytes(data)
    check_starts_or_refuses(stopped, upstream, dict(upstream.executions))
