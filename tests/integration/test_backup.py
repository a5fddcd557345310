"""`onceproxy backup` and `restore`, under load and at rest: what a restored store knows."""

import os
import pathlib
import shutil
import threading

import pytest
import yaml

from harness import Client, eventually, policy, request, settings
from harness.client import BrokenOff, once
from harness.process import run


def text(address):
    return f"{address[0]}:{address[1]}"


def back_up(proxy, directory, *more):
    result = run("backup", directory, "--admin", text(proxy.admin), *more)
    assert result.returncode == 0, result.stderr
    return result.stdout


def restore(backup, config, *more):
    return run("restore", backup, "-c", config, *more)


def answer_of(proxy, key, **more):
    return once(proxy.data, request(key=key, **more))


class Traffic:
    """Connections that send new keys, one after the other, until told to stop; `answers` holds what
    they got, by key, in the order in which it came."""

    CONNECTIONS = 8

    def __init__(self, proxy, prefix):
        self.proxy, self.prefix = proxy, prefix
        self.answers, self.lock = {}, threading.Lock()
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self._send, args=(number,))
                        for number in range(self.CONNECTIONS)]
        for thread in self.threads:
            thread.start()

    def _send(self, number):
        count = 0
        try:
            with Client(self.proxy.data) as client:
                while not self.stopping.is_set():
                    key = f"{self.prefix}-{number}-{count}"
                    answer = client.call(key=key)
                    with self.lock:
                        self.answers[key] = answer.body
                    count += 1
        except (BrokenOff, OSError):
            pass  # the program was killed

    def so_far(self):
        with self.lock:
            return dict(self.answers)

    def wait_for(self, count):
        eventually(lambda: len(self.so_far()) >= count, f"{count} answers")

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()
        return self.so_far()


def test_a_backup_under_traffic_knows_all_that_was_answered_before(stage, directory):
    # Answers that lie apart from their records: what belongs together must come back together.
    upstream = stage.upstream(
        lambda exchange: exchange.answer(200, f"{exchange.execution} {'x' * 5000}".encode()))
    proxy = stage.proxy(upstream)
    traffic = Traffic(proxy, "a")
    traffic.wait_for(100)
    before = traffic.so_far()
    told = back_up(proxy, directory / "backup")
    assert told.startswith(f"backup in {directory}/backup: ")
    traffic.wait_for(len(before) + 100)
    proxy.kill9()
    all_of_them = traffic.stop()
    # The volume is lost, and the senders go on while the store comes back.
    shutil.rmtree(proxy.directory / "data")
    result = restore(directory / "backup", proxy.config)
    assert result.returncode == 0, result.stderr
    assert "Operations that completed after the backup are forgotten" in result.stdout
    proxy.restart()
    again = Traffic(proxy, "b")
    again.wait_for(20)
    for key, body in before.items():
        answer = answer_of(proxy, key)
        assert (answer.decision, answer.body) == ("replayed", body), key
        assert upstream.executions[key] == 1
    # Those that came later are known or forgotten, whole or not at all.
    for key in all_of_them.keys() - before.keys():
        answer = answer_of(proxy, key)
        assert answer.decision in ("replayed", "forwarded", "held"), key
        if answer.decision == "replayed":
            assert answer.body == all_of_them[key]
    again.stop()


def test_operations_after_the_backup_are_forgotten_and_fences_are_not_reused(stage, upstream,
                                                                             directory):
    proxy = stage.proxy(upstream)
    assert answer_of(proxy, "before").decision == "forwarded"
    back_up(proxy, directory / "backup")
    assert answer_of(proxy, "after").decision == "forwarded"
    assert proxy.terminate() == 0
    assert restore(directory / "backup", proxy.config, "--force").returncode == 0
    proxy.restart()
    assert answer_of(proxy, "before").decision == "replayed"
    assert answer_of(proxy, "after").decision == "forwarded"
    first = [int(each["onceproxy-fence"]) for each in upstream.requests]
    assert first == sorted(set(first))
    # The same backup once more: what was given out between is in no backup.
    assert proxy.terminate() == 0
    assert restore(directory / "backup", proxy.config, "--force").returncode == 0
    proxy.restart()
    assert answer_of(proxy, "after").decision == "forwarded"
    fences = [int(each["onceproxy-fence"]) for each in upstream.requests]
    assert fences == sorted(set(fences)) and fences[-1] < 2**53
    # A start without a restore is not affected.
    assert proxy.terminate() == 0
    proxy.restart()
    assert answer_of(proxy, "later").decision == "forwarded"
    assert int(upstream.requests[-1]["onceproxy-fence"]) - fences[-1] <= 2**21


def test_a_request_under_way_at_the_backup_is_held_and_then_unknown(stage, directory):
    finish = threading.Event()
    upstream = stage.upstream(lambda exchange: (finish.wait(60), exchange.answer(200, b"done")))
    proxy = stage.proxy(upstream, [policy(lease="60s", outcome={"unknown": "hold"})])
    with Client(proxy.data) as client:
        client.send(request(key="a"))
        upstream.wait_for_requests(1)
        back_up(proxy, directory / "backup")
        finish.set()
        assert client.read("POST").status == 200
    assert proxy.terminate() == 0
    assert restore(directory / "backup", proxy.config, "--force").returncode == 0
    proxy.restart()
    assert answer_of(proxy, "a").decision == "held", "its outcome is not known any more"
    assert upstream.executions["a"] == 1


def test_large_answers_and_the_audit_log_are_in_the_backup(stage, directory):
    body = os.urandom(200_000)
    upstream = stage.upstream(lambda exchange: exchange.answer(200, body))
    proxy = stage.proxy(upstream)
    assert answer_of(proxy, "large").body == body
    back_up(proxy, directory / "backup")
    assert proxy.terminate() == 0
    assert restore(directory / "backup", proxy.config, "--force").returncode == 0
    proxy.restart()
    assert answer_of(proxy, "large").body == body
    decisions = [item["decision"] for item in proxy.operator.get("/audit")["items"]]
    assert decisions.count("forwarded") == 1


def test_a_backup_on_the_same_file_system_is_made_of_links(stage, upstream, directory):
    proxy = stage.proxy(upstream)
    answer_of(proxy, "a")
    back_up(proxy, directory / "backup")
    tables = list((directory / "backup").glob("*.sst"))
    assert tables and all(table.stat().st_nlink == 2 for table in tables)
    assert all((path.stat().st_mode & 0o077) == 0 for path in (directory / "backup").rglob("*"))
    # What the store does later does not reach the backup.
    listed = {path: path.read_bytes() for path in (directory / "backup").rglob("*") if path.is_file()}
    for number in range(50):
        answer_of(proxy, f"later-{number}")
    assert proxy.terminate() == 0
    assert {path: path.read_bytes() for path in listed} == listed


@pytest.fixture
def other_file_system():
    """A directory on another file system than the tests' own."""
    path = f"/dev/shm/onceproxy-backup-{os.getpid()}-{threading.get_ident()}"
    yield path
    shutil.rmtree(path, ignore_errors=True)


def test_a_backup_on_another_file_system_is_a_copy(stage, upstream, directory, other_file_system):
    if os.stat("/dev/shm").st_dev == os.stat(directory).st_dev:
        pytest.skip("there is one file system here")
    proxy = stage.proxy(upstream)
    body = answer_of(proxy, "a").body
    back_up(proxy, other_file_system)
    assert not (proxy.directory / "data/.backup").exists()
    assert proxy.terminate() == 0
    shutil.rmtree(proxy.directory / "data")
    assert restore(other_file_system, proxy.config).returncode == 0
    proxy.restart()
    answer = answer_of(proxy, "a")
    assert (answer.decision, answer.body) == ("replayed", body)


def test_a_stopped_store_is_backed_up_too(stage, upstream, directory):
    proxy = stage.proxy(upstream)
    answer_of(proxy, "a")
    refused = run("backup", directory / "one", "--offline", "-c", proxy.config)
    assert refused.returncode == 1 and "in use by another process" in refused.stderr
    proxy.kill9()
    made = run("backup", directory / "two", "--offline", "-c", proxy.config)
    assert made.returncode == 0, made.stderr
    shutil.rmtree(proxy.directory / "data")
    assert restore(directory / "two", proxy.config).returncode == 0
    proxy.restart()
    assert answer_of(proxy, "a").decision == "replayed"


def test_places_where_no_backup_can_be_are_refused(stage, upstream, directory):
    proxy = stage.proxy(upstream)
    answer_of(proxy, "a")
    (directory / "file").touch()
    (directory / "full").mkdir()
    (directory / "full/mine").touch()
    for place, told in [(directory / "file", "not a directory"), (directory / "full", "not empty"),
                        (proxy.directory / "data/backup", "in the store's own directory"),
                        ("/proc/onceproxy/backup", "cannot be created")]:
        result = run("backup", place, "--admin", text(proxy.admin))
        assert result.returncode == 1 and told in result.stderr, (place, result.stderr)
    assert (directory / "full/mine").exists()
    status, told = proxy.operator.post("/backup?directory=relative")
    assert status == 400 and "absolute" in told["error"]
    errors = proxy.metrics().sum("onceproxy_store_errors_total", operation="backup")
    assert errors == 4
    assert proxy.operator.get("/backup")["state"] == "failed"
    back_up(proxy, directory / "good")
    assert proxy.operator.get("/backup")["state"] == "done"
    assert proxy.metrics().sum("onceproxy_store_backup_last_success_timestamp_seconds") > 1.7e9
    assert answer_of(proxy, "a").decision == "replayed"


def errors_of_backups(proxy):
    """The value of the series, which is there before the first failure: to an alert, a series that begins
    at 1 has not risen."""
    lines = [line for line in proxy.metrics().text.splitlines()
             if line.startswith('onceproxy_store_errors_total{operation="backup"}')]
    assert len(lines) == 1
    return float(lines[0].split()[-1])


def test_failures_are_counted_from_zero_and_the_last_success_outlives_the_program(stage, upstream, directory):
    proxy = stage.proxy(upstream)
    last = "onceproxy_store_backup_last_success_timestamp_seconds"
    assert errors_of_backups(proxy) == 0 and proxy.metrics().sum(last) == 0
    assert run("backup", "/proc/onceproxy/backup", "--admin", text(proxy.admin)).returncode == 1
    assert errors_of_backups(proxy) == 1
    back_up(proxy, directory / "good")
    made = proxy.metrics().sum(last)
    assert proxy.terminate() == 0
    proxy.restart()
    assert abs(proxy.metrics().sum(last) - made) <= 2


@pytest.mark.parametrize("there", [False, True], ids=["new", "empty"])
def test_a_backup_that_fails_leaves_nothing_and_can_be_repeated(stage, upstream, directory, there):
    proxy = stage.proxy(upstream)
    answer_of(proxy, "a")
    # What cannot be copied: a file that says it is longer than it is.
    shorter = next(path for path in sorted(pathlib.Path("/sys/kernel").iterdir())
                   if path.is_file() and path.stat().st_size > 1000 and os.access(path, os.R_OK))
    (proxy.directory / "data/audit/shorter.audit").symlink_to(shorter)
    if there:
        (directory / "day").mkdir(mode=0o750)
    result = run("backup", directory / "day", "--admin", text(proxy.admin))
    assert result.returncode == 1 and "shorter than it was" in result.stderr, result.stdout
    assert list(directory.glob("day/*")) == [] and (directory / "day").exists() == there
    (proxy.directory / "data/audit/shorter.audit").unlink()
    back_up(proxy, directory / "day")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_root_restores_and_backs_up_belongs_to_the_user_of_the_store(stage, upstream, directory):
    nobody = 65534
    proxy = stage.proxy(upstream)
    answer_of(proxy, "a")
    back_up(proxy, directory / "backup")
    assert proxy.terminate() == 0
    data = proxy.directory / "data"

    def owners():
        return {path.lstat().st_uid for path in [data, *data.rglob("*")]}

    for path in [data, *data.rglob("*")]:
        os.chown(path, nobody, nobody)
    made = run("backup", directory / "offline", "--offline", "-c", proxy.config)
    assert made.returncode == 0, made.stderr
    assert owners() == {nobody}
    assert restore(directory / "backup", proxy.config, "--force").returncode == 0
    assert owners() == {nobody}
    assert (data / "CURRENT").lstat().st_gid == nobody
    # A directory of root's stays root's.
    os.chown(data, 0, 0)
    assert restore(directory / "offline", proxy.config, "--force").returncode == 0
    assert 0 in owners()


def test_a_restore_that_was_cut_off_is_no_new_store(stage, upstream, directory):
    """Between the removal of the old store and the first file of the new one, the mark is all there is."""
    proxy = stage.proxy(upstream)
    answer_of(proxy, "a")
    back_up(proxy, directory / "backup")
    assert proxy.terminate() == 0
    data = proxy.directory / "data"
    shutil.rmtree(data)
    data.mkdir()
    (data / "RESTORED").touch()
    started = run("run", "-c", proxy.config)
    assert started.returncode == 3 and "a restore was not finished" in started.stderr
    assert restore(directory / "backup", proxy.config).returncode == 1
    assert restore(directory / "backup", proxy.config, "--force").returncode == 0
    proxy.restart()
    assert answer_of(proxy, "a").decision == "replayed"


def test_an_empty_directory_is_as_good_as_none(stage, upstream, directory):
    proxy = stage.proxy(upstream)
    (directory / "empty").mkdir()
    back_up(proxy, directory / "empty")



@pytest.mark.parametrize("harm, told", [
    (lambda backup: (backup / "BACKUP").unlink(), "not a backup, or not a whole one"),
    (lambda backup: next(backup.glob("*.sst")).unlink(), "is missing"),
    (lambda backup: os.truncate(next(backup.glob("MANIFEST-*")), 10), "has 10 bytes instead of"),
    (lambda backup: os.truncate(backup / "BACKUP", 60), "BACKUP is damaged"),
    (lambda backup: (backup / "BACKUP").write_text("onceproxy backup 2\n"), "another version"),
    (lambda backup: (backup / "BACKUP").write_text(
        "onceproxy backup 1\nfile 1 ../../x\nend 1\n"), "BACKUP is damaged"),
], ids=["no list", "a table gone", "manifest cut", "list cut", "another version", "a way out"])
def test_an_incomplete_backup_is_not_restored(stage, upstream, directory, harm, told):
    proxy = stage.proxy(upstream)
    answer_of(proxy, "a")
    back_up(proxy, directory / "backup")
    assert proxy.terminate() == 0
    harm(directory / "backup")
    result = restore(directory / "backup", proxy.config, "--force")
    assert result.returncode == 1 and told in result.stderr, result.stderr
    proxy.restart()
    assert answer_of(proxy, "a").decision == "replayed", "the store is as it was"


def test_a_store_is_replaced_only_with_force_and_never_while_it_is_in_use(stage, upstream, directory):
    proxy = stage.proxy(upstream)
    answer_of(proxy, "a")
    back_up(proxy, directory / "backup")
    for more in ([], ["--force"]):
        result = restore(directory / "backup", proxy.config, *more)
        assert result.returncode == 1 and "in use by another process" in result.stderr
    assert proxy.terminate() == 0
    result = restore(directory / "backup", proxy.config)
    assert result.returncode == 1 and "there is a store already" in result.stderr
    (proxy.directory / "data/mine").write_text("not the store's")
    assert restore(directory / "backup", proxy.config, "--force").returncode == 0
    assert (proxy.directory / "data/mine").exists()
    proxy.restart()
    assert answer_of(proxy, "a").decision == "replayed"


def test_a_backup_can_be_restored_to_another_place(stage, upstream, directory):
    proxy = stage.proxy(upstream)
    body = answer_of(proxy, "a").body
    back_up(proxy, directory / "backup")
    other = directory / "other.yaml"
    other.write_text(yaml.safe_dump(settings(upstream.address, directory / "new/place", [policy()])))
    assert restore(directory / "backup", other).returncode == 0
    assert (directory / "new/place/CURRENT").exists()
    copy = stage.proxy(upstream, store={"rocksdb": {"path": str(directory / "new/place")}})
    answer = answer_of(copy, "a")
    assert (answer.decision, answer.body) == ("replayed", body)


def test_without_a_running_program_the_exit_code_is_2(directory):
    result = run("backup", directory / "x", "--admin", f"unix:{directory}/nobody")
    assert result.returncode == 2 and "cannot connect" in result.stderr
