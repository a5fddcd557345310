"""Failures of the store: requests are refused with a clear reason, and nothing is forwarded without a
reservation."""

import os
import pathlib
import subprocess
import threading

import pytest

from harness import Client, StartFailed, eventually, policy, request
from harness.client import once
from harness.faults import Faults


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
def faulty(stage, directory):
    """Makes a proxy whose disk can be full, and what makes it so."""

    def make(upstream, policies):
        data = directory / "data"
        faults = Faults(directory, data)
        proxy = stage.proxy(upstream, policies, variables=faults.variables,
                            store={"rocksdb": {"path": str(data)}})
        return proxy, faults

    return make


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


def large(exchange):
    """An answer that takes room and does not compress."""
    exchange.answer(200, os.urandom(100_000))


def store_error_series(metrics):
    return {series for series in metrics.samples if series[0] == "onceproxy_store_errors_total"}


def test_a_full_disk_forwards_nothing_without_a_reservation_and_heals(stage, faulty):
    upstream = stage.upstream(large)
    proxy, faults = faulty(upstream, [policy(lease="1h")])
    known = once(proxy.data, request(key="known"))
    assert known.decision == "forwarded"
    watched = store_error_series(proxy.metrics())
    answers = {}

    def send():
        key = f"key-{len(answers)}"
        answers[key] = once(proxy.data, request(key=key))
        return key, answers[key]

    def refused():
        key, answer = send()
        return answer.status == 503 and upstream.executions[key] == 0

    faults.set(disk_full=1)
    eventually(refused, "a request refused before it was forwarded")
    for _ in range(20):
        send()
    for key, answer in answers.items():
        assert upstream.executions[key] <= 1
        if answer.decision != "forwarded":
            assert (answer.status, answer.decision) == (503, "store-error"), answer
            assert answer.problem == "store-unavailable"
            assert int(answer["retry-after"]) >= 1
    assert once(proxy.data, request(target="/uncovered")).status == 200
    metrics = proxy.metrics()
    assert metrics.sum("onceproxy_store_errors_total") > 0
    assert store_error_series(metrics) == watched, "an alert sees no rise in a series that is new"

    assert faults.get("failed") > 0
    faults.set(disk_full=0)
    eventually(lambda: once(proxy.data, request(key="healed")).decision in ("forwarded", "replayed"),
               "the store serves again once there is room")

    def check_memory():
        again = once(proxy.data, request(key="known"))
        assert (again.decision, again.body) == ("replayed", known.body)
        for key, answer in answers.items():
            executions = upstream.executions[key]
            again = once(proxy.data, request(key=key))
            if answer.decision == "forwarded":
                assert (again.decision, again.body) == ("replayed", answer.body)
            # What was forwarded had a reservation, so it is known; what was not may go now.
            allowed = {"replayed", "held"} if executions else {"forwarded"}
            assert again.decision in allowed, (key, answer.decision, again.decision)
            assert upstream.executions[key] == 1, key

    check_memory()
    proxy.kill9()
    proxy.restart()
    check_memory()


def test_on_store_error_forward_forwards_unprotected(stage, faulty):
    proxy, faults = faulty(stage.upstream(large), [policy(on_store_error="forward", lease="1h")])
    faults.set(disk_full=1)
    count = 0

    def passed():
        nonlocal count
        count += 1
        return once(proxy.data, request(key=f"key-{count}")).decision == "passed"

    eventually(passed, "a request passes unprotected")
    proxy.decided("passed", 1)


def test_without_the_store_what_is_under_way_is_still_forwarded_once(stage, faulty):
    finish = threading.Event()

    def handler(exchange):
        if exchange.request["idempotency-key"] == "slow":
            finish.wait(60)
        large(exchange)

    upstream = stage.upstream(handler)
    proxy, faults = faulty(upstream, [policy(on_store_error="forward", lease="1h")])
    count = 0

    def passed():
        nonlocal count
        count += 1
        return once(proxy.data, request(key=f"key-{count}")).decision == "passed"

    with Client(proxy.data) as first:
        first.send(request(key="slow"))
        upstream.wait_for_requests(1)
        faults.set(disk_full=1)
        for _ in range(5):
            eventually(passed, "the store fails")
            assert once(proxy.data, request(key="slow")).decision == "in-flight"
        finish.set()
        first.read("POST")
    assert upstream.executions["slow"] == 1


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
