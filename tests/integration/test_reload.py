"""Reload by SIGHUP, POST /reload or a change of the file, without disturbing requests."""

import http.client
import json
import os
import pathlib
import re
import signal
import threading

import pytest
import yaml

from harness import Client, eventually, policy, request
from harness.client import once
from harness.config import merge
from harness.process import PRESET
from harness.upstream import executed, executed_after

FIXED = {"on_duplicate": {"status": 208}}
SUCCESSFUL = "onceproxy_config_last_reload_successful"
SUCCESS_TIME = "onceproxy_config_last_reload_success_timestamp_seconds"


def ask(proxy, method, path, body=None):
    """Status and JSON of an answer of the admin port."""
    connection = http.client.HTTPConnection(*proxy.admin, timeout=30)
    try:
        data = None if body is None else json.dumps(body)
        connection.request(method, path, body=data if data or method == "GET" else b"")
        response = connection.getresponse()
        text = response.read().decode()
        as_json = response.getheader("Content-Type") == "application/json"
        return response.status, json.loads(text) if as_json else text
    finally:
        connection.close()


def changed(proxy, policies=None, **changes):
    """The proxy's configuration with changes."""
    config = merge(proxy.settings, changes)
    if policies is not None:
        config["policies"] = policies
    return config


def rename_over(path, config):
    """Writes a file as careful programs do."""
    fresh = path.with_suffix(".new")
    fresh.write_text(config if isinstance(config, str) else yaml.safe_dump(config))
    os.replace(fresh, path)


def lines(proxy, message):
    return [line for line in proxy.stderr.json() if line["message"] == message]


def wait_for_line(proxy, message, count=1):
    return eventually(lambda: lines(proxy, message)[count - 1 : count], f"{message!r} in the log")[0]


def reload(proxy, config):
    """By POST, which answers when the file is in force."""
    rename_over(proxy.config, config)
    status, answer = ask(proxy, "POST", "/reload")
    assert status == 200, answer
    return answer


def duplicate_status(proxy, key):
    """What a duplicate of a request gets, which tells the policy's on_duplicate."""
    once(proxy.data, request(key=key))
    return once(proxy.data, request(key=key)).status


def by_signal(proxy):
    proxy.process.send_signal(signal.SIGHUP)


def by_request(proxy):
    assert ask(proxy, "POST", "/reload")[0] == 200


def by_the_file_alone(proxy):
    pass


@pytest.mark.parametrize("trigger", [by_signal, by_request, by_the_file_alone])
def test_every_trigger_loads_the_file_anew(proxy, trigger):
    before = proxy.metrics().sum(SUCCESS_TIME)
    assert duplicate_status(proxy, "k-1") == 200
    rename_over(proxy.config, changed(proxy, [policy(**FIXED)]))
    trigger(proxy)
    line = wait_for_line(proxy, "configuration reloaded")
    assert line["changed"] == "policy orders"
    assert duplicate_status(proxy, "k-2") == 208
    metrics = proxy.metrics()
    assert metrics.sum(SUCCESSFUL) == 1
    assert metrics.sum(SUCCESS_TIME) > before


def test_a_config_maps_swapped_link_is_a_change(stage, upstream):
    proxy = stage.proxy(upstream, start=False)
    mount = proxy.directory / "mount"

    def version(name, config):
        folder = mount / name
        folder.mkdir(parents=True)
        (folder / "onceproxy.yaml").write_text(yaml.safe_dump(config))
        # As the kubelet does: a new link beside the old one, renamed over it.
        (mount / "..data_tmp").symlink_to(name)
        os.replace(mount / "..data_tmp", mount / "..data")

    version("..2026_01", proxy.settings)
    (mount / "onceproxy.yaml").symlink_to("..data/onceproxy.yaml")
    proxy.config = mount / "onceproxy.yaml"
    proxy.start()
    version("..2026_02", changed(proxy, [policy(**FIXED)]))
    wait_for_line(proxy, "configuration reloaded")
    assert duplicate_status(proxy, "k-1") == 208


def test_a_bad_file_keeps_the_old_one_and_tells_every_error(proxy):
    before = proxy.metrics().sum(SUCCESS_TIME)
    bad = changed(proxy, [policy(**FIXED, lease="soon", colour="red")])
    rename_over(proxy.config, bad)
    status, answer = ask(proxy, "POST", "/reload")
    assert status == 500 and answer["status"] == "failed"
    assert [problem["path"] for problem in answer["problems"]] == [
        "policies[0].colour", "policies[0].lease"]
    assert all(problem["line"] > 0 and problem["message"] for problem in answer["problems"])
    wait_for_line(proxy, "configuration not reloaded; the configuration in force is kept")
    logged = lines(proxy, "configuration problem")
    assert [line["path"] for line in logged] == ["policies[0].colour", "policies[0].lease"]
    assert duplicate_status(proxy, "k-1") == 200
    metrics = proxy.metrics()
    assert metrics.sum(SUCCESSFUL) == 0
    assert metrics.sum(SUCCESS_TIME) == before

    # The file's watcher knows that it was read already.
    rename_over(proxy.config, proxy.settings)
    wait_for_line(proxy, "configuration unchanged")
    assert len(lines(proxy, "configuration not reloaded; the configuration in force is kept")) == 1
    assert proxy.metrics().sum(SUCCESSFUL) == 1


def test_the_watcher_reports_an_invalid_file_once(proxy):
    rename_over(proxy.config, "listen: [\n")
    wait_for_line(proxy, "configuration not reloaded; the configuration in force is kept")
    rename_over(proxy.config, "listen: [\n")
    rename_over(proxy.config, changed(proxy, [policy(**FIXED)]))
    wait_for_line(proxy, "configuration reloaded")
    assert len(lines(proxy, "configuration not reloaded; the configuration in force is kept")) == 1
    assert duplicate_status(proxy, "k-1") == 208


GONE = "the configuration file is missing or cannot be watched; the configuration in force is kept"


def test_a_missing_file_is_reported_once_and_its_return_is_noticed(proxy):
    os.unlink(proxy.config)
    wait_for_line(proxy, GONE)
    status, answer = ask(proxy, "POST", "/reload")
    assert status == 500 and "cannot read" in answer["problems"][0]["message"]
    assert proxy.metrics().sum(SUCCESSFUL) == 0
    rename_over(proxy.config, changed(proxy, [policy(**FIXED)]))
    wait_for_line(proxy, "configuration reloaded")
    assert len(lines(proxy, GONE)) == 1
    assert duplicate_status(proxy, "k-1") == 208
    assert proxy.metrics().sum(SUCCESSFUL) == 1


def test_another_file_of_the_same_content_is_not_reloaded(proxy):
    text = proxy.config.read_text()
    os.unlink(proxy.config)
    wait_for_line(proxy, GONE)
    rename_over(proxy.config, text)
    wait_for_line(proxy, "the configuration file is back with the same content")
    assert lines(proxy, "configuration unchanged") == lines(proxy, "configuration reloaded") == []


def test_an_unchanged_file_says_so(proxy):
    assert ask(proxy, "POST", "/reload") == (
        200, {"status": "unchanged", "changed": [], "kept": []})
    assert ask(proxy, "GET", "/reload")[0] == 405
    proxy.config.write_text("# a comment\n" + proxy.config.read_text())
    assert ask(proxy, "POST", "/reload")[1]["status"] == "unchanged"


def test_a_request_under_way_ends_under_the_policy_that_admitted_it(stage):
    answer_now = threading.Event()

    def failing(exchange):
        answer_now.wait()
        exchange.answer(500, b"failed")

    upstream = stage.upstream(failing)
    released = policy(outcome={"release": ["5xx"]})
    proxy = stage.proxy(upstream, [released])
    with Client(proxy.data) as client:
        client.send(request(key="k-1"))
        upstream.wait_for_requests(1)
        answer = reload(proxy, changed(proxy, [policy(outcome={"release": [429]})]))
        assert answer["changed"] == ["policy orders"]
        answer_now.set()
        assert client.read("POST").status == 500
    # It was released, as the old policy says; under the new one a 500 completes.
    assert once(proxy.data, request(key="k-1"))["onceproxy-decision"] == "forwarded"
    assert once(proxy.data, request(key="k-1"))["onceproxy-decision"] == "replayed"


def test_a_policy_that_goes_while_its_request_is_under_way_still_settles_it(stage):
    answer_now = threading.Event()
    upstream = stage.upstream(executed_after(answer_now))
    proxy = stage.proxy(upstream)
    with Client(proxy.data) as client:
        client.send(request(key="k-1"))
        upstream.wait_for_requests(1)
        assert reload(proxy, changed(proxy, []))["changed"] == ["policy orders (gone)"]
        answer_now.set()
        assert client.read("POST")["onceproxy-decision"] == "forwarded"
        # The connection goes on, under the new configuration.
        assert client.call(key="k-1")["onceproxy-decision"] is None
    reload(proxy, proxy.settings)
    assert once(proxy.data, request(key="k-1"))["onceproxy-decision"] == "replayed"


def test_keys_that_need_a_restart_are_reported_and_stay(proxy):
    answer = reload(proxy, changed(
        proxy, listen="127.0.0.1:1", workers=1, admin={"listen": "127.0.0.1:2"},
        telemetry={"listen": "127.0.0.1:3"}, limits={"pending": 7},
        store={"clock_ahead_max": "7d",
               "rocksdb": {"path": "/elsewhere", "sync": "none", "max_bytes": "1GiB"}}))
    kept = ["listen", "store.clock_ahead_max", "store.rocksdb.path", "store.rocksdb.sync",
            "store.rocksdb.max_bytes", "admin.listen", "telemetry.listen", "limits.pending",
            "workers"]
    assert answer["kept"] == kept
    wait_for_line(proxy, "configuration reloaded")
    assert [line["key"] for line in lines(proxy, "a changed key waits for a restart")] == kept
    assert ask(proxy, "GET", "/config_dump")[1]["waiting_for_restart"] == kept
    assert once(proxy.data, request(key="k-1")).status == 200
    # The warning is repeated until the change is undone.
    assert reload(proxy, proxy.settings)["kept"] == []


def test_limits_change_live(proxy):
    big = request(key="k-1", body=b"x" * 2000)
    with Client(proxy.data) as client:
        assert client.exchange(big).status == 200
        reload(proxy, changed(proxy, limits={"body_bytes": "1KiB"}))
        assert client.exchange(big).status == 413
    reload(proxy, proxy.settings)
    assert once(proxy.data, big).status == 200


@pytest.mark.parametrize("single, several", [
    ({"upstream": {"max_concurrency": 1}}, {"upstream": {"max_concurrency": 2}}),
    ({"upstream": {"max_concurrency": 1}}, {"upstream": {"max_concurrency": 0}}),
    ({"upstream": {"max_connections": 1}}, {"upstream": {"max_connections": 2}}),
    ({"policies": [policy(max_concurrency=1)]}, {"policies": [policy(max_concurrency=2)]}),
    ({"policies": [policy(max_concurrency=1)]}, {"policies": [policy()]}),
    ({"policies": [policy(max_concurrency=1)]}, {"policies": []}),
])
def test_a_limit_that_grows_lets_waiting_requests_continue(stage, single, several):
    answer_now = threading.Event()
    upstream = stage.upstream(executed_after(answer_now))
    patient = {"upstream": {"connect_timeout": "60s"}}
    proxy = stage.proxy(upstream, **merge(patient, single))
    with Client(proxy.data) as first, Client(proxy.data) as second:
        first.send(request(key="k-1"))
        upstream.wait_for_requests(1)
        second.send(request(key="k-2"))
        # The second is read and waits; a third connection's answer says that the loop came by.
        eventually(lambda: "rq_pending_active::1\n" in ask(proxy, "GET", "/clusters")[1]
                   or "policies" in single, "a request that waits")
        reload(proxy, merge(merge(proxy.settings, patient), several))
        upstream.wait_for_requests(2)
        answer_now.set()
        assert first.read("POST").status == second.read("POST").status == 200


def test_a_reload_that_fails_late_leaves_the_limits_as_they_are(stage, directory):
    answer_now = threading.Event()

    def slow_on_orders(exchange):
        if exchange.request.target != "/other":
            answer_now.wait()
        executed(exchange)

    upstream = stage.upstream(slow_on_orders)
    proxy = stage.proxy(upstream, policies=[policy(max_concurrency=1)], workers=1)
    with Client(proxy.data) as first, Client(proxy.data) as second, Client(proxy.data) as third:
        first.send(request(key="k-1"))
        upstream.wait_for_requests(1)
        # A file that is opened when the new policies have been made already.
        rename_over(proxy.config, changed(
            proxy, [policy()], log={"capture": {"path": str(directory / "missing" / "file")}}))
        assert ask(proxy, "POST", "/reload")[0] == 500
        second.send(request(key="k-2"))
        # Two rounds of the one worker, so that it has read the second request.
        for _ in range(2):
            assert third.exchange(request(target="/other")).status == 200
        assert [one["idempotency-key"] for one in upstream.requests if one.target != "/other"] == ["k-1"]
        answer_now.set()
        assert first.read("POST").status == second.read("POST").status == 200


def test_a_limit_that_shrinks_holds_once_those_under_way_have_ended(stage):
    answer_now = threading.Event()
    upstream = stage.upstream(executed_after(answer_now))
    proxy = stage.proxy(upstream, upstream={"max_connections": 8})
    clients = [Client(proxy.data) for _ in range(4)]
    for number, client in enumerate(clients):
        client.send(request(key=f"k-{number}"))
    upstream.wait_for_requests(4)
    reload(proxy, changed(proxy, upstream={"max_connections": 1}))
    answer_now.set()
    for client in clients:
        assert client.read("POST").status == 200
        client.close()
    # None where two workers gave theirs up at once, each seeing the other's.
    eventually(lambda: re.search("::cx_active::[01]\n", ask(proxy, "GET", "/clusters")[1]),
               "one connection at most")
    assert once(proxy.data, request(key="k-9")).status == 200


def test_an_upstream_that_moved_is_asked_where_it_is_now(stage):
    answer_now = threading.Event()

    def slow_on_request(exchange):
        if exchange.request["idempotency-key"] == "slow":
            answer_now.wait()
        executed(exchange)

    old, new = stage.upstream(slow_on_request), stage.upstream()
    proxy = stage.proxy(old)
    with Client(proxy.data) as slow, Client(proxy.data) as client:
        slow.send(request(key="slow"))
        old.wait_for_requests(1)
        assert client.call(key="k-1").status == 200
        busy, idle = sorted(old.connections, key=lambda c: b"k-1" in c.kept)
        answer = reload(proxy, changed(proxy, upstream={"address": new.address}))
        assert answer["changed"] == ["upstream"]
        # What lay idle is closed; what is in use ends with its request.
        assert idle.over.wait(60) and not busy.over.is_set()
        assert client.call(key="k-2").status == 200
        assert [r["idempotency-key"] for r in new.requests] == ["k-2"]
        answer_now.set()
        assert slow.read("POST").status == 200
        assert busy.over.wait(60)
        # Known from before the move.
        assert client.call(key="slow")["onceproxy-decision"] == "replayed"
    assert f"::hostname::{new.address}\n" in ask(proxy, "GET", "/clusters")[1]


def test_a_name_is_looked_up_at_a_reload_and_the_old_place_serves_until_it_is_found(stage):
    old, new = stage.upstream(), stage.upstream()
    # A name from the start: what looks names up is made with the first one, and stays.
    proxy = stage.proxy(old, upstream={"address": f"localhost:{old.port}"})
    reload(proxy, changed(proxy, upstream={"address": "no-such-host.invalid:80"}))
    wait_for_line(proxy, "cannot resolve the upstream's name")
    assert once(proxy.data, request(key="k-1")).status == 200
    assert len(old.requests) == 1
    port = new.address.rpartition(":")[2]
    reload(proxy, changed(proxy, upstream={"address": f"localhost:{port}"}))
    assert once(proxy.data, request(key="k-2")).status in (200, 502)
    assert len(old.requests) == 1


def test_enforcement_is_changed_by_an_operator_until_the_next_reload(proxy):
    path = "/policies/orders/enforcement"
    in_force = {"mode": "enforce", "percent": 100}

    def shown():
        (item,) = ask(proxy, "GET", "/policies")[1]["items"]
        assert item["configured"] == in_force
        return item["enforcement"]

    assert shown() == in_force
    status, item = ask(proxy, "PATCH", path, {"mode": "off"})
    assert status == 200 and item["enforcement"] == {"mode": "off", "percent": 100}
    assert [once(proxy.data, request(key="k-1"))["onceproxy-decision"] for _ in range(2)] == [
        "passed", "passed"]
    assert ask(proxy, "PATCH", path, {"mode": "enforce", "percent": 0})[0] == 200
    assert shown() == {"mode": "enforce", "percent": 0}
    wait_for_line(proxy, "enforcement changed by an operator, until the next reload", 2)

    # The same file again: what operators changed is taken back.
    assert ask(proxy, "POST", "/reload")[1]["status"] == "unchanged"
    assert shown() == in_force
    once(proxy.data, request(key="k-1"))
    assert once(proxy.data, request(key="k-1"))["onceproxy-decision"] == "replayed"


def test_a_wrong_change_of_enforcement_names_the_field(proxy):
    path = "/policies/orders/enforcement"
    status, answer = ask(proxy, "PATCH", path, {"mode": "maybe"})
    assert status == 400 and answer["error"].startswith("mode: ")
    status, answer = ask(proxy, "PATCH", path, {"percent": 101})
    assert status == 400 and answer["error"].startswith("percent: ")
    assert ask(proxy, "PATCH", "/policies/other/enforcement", {"mode": "off"})[0] == 404
    assert ask(proxy, "GET", path)[0] == 405


def test_a_worker_that_has_ended_keeps_no_reload_waiting(stage):
    answer_now = threading.Event()
    upstream = stage.upstream(executed_after(answer_now))
    proxy = stage.proxy(upstream, workers=4)
    with Client(proxy.data) as client:
        client.send(request(key="k-1"))
        upstream.wait_for_requests(1)
        assert ask(proxy, "POST", "/drain_listeners")[0] == 200
        # One worker serves on; the others end, before the reload or meanwhile.
        assert reload(proxy, changed(proxy, []))["status"] == "reloaded"
        wait_for_line(proxy, "configuration reloaded")
        assert lines(proxy, "a worker has not taken the new configuration yet") == []
        answer_now.set()
        assert client.read("POST").status == 200


def test_the_log_changes_live(proxy):
    once(proxy.data, request(key="k-1"))
    assert proxy.access_log(1)[0]["status"] == 200
    reload(proxy, changed(proxy, log={"format": "text"}))
    once(proxy.data, request(key="k-1"))
    eventually(lambda: len(proxy.stdout.all()) == 2, "a second line")
    assert not proxy.stdout.all()[1].startswith("{")
    eventually(lambda: not proxy.stderr.all()[-1].startswith("{"), "a line of text in the log")


def test_the_configuration_in_force_is_shown_without_secrets(stage, upstream):
    hosts = policy(match={"headers": {"x-token": "s3cret-1"}})
    proxy = stage.proxy(upstream, [hosts], variables={"TOKEN": "s3cret-2"}, start=False)
    text = proxy.config.read_text() + "log: {level: '${LEVEL:-info}'}\n"
    proxy.config.write_text(text.replace("scope: shared", "scope: [{header: '${TOKEN}'}]"))
    proxy.start()
    status, dump = ask(proxy, "GET", "/config_dump")
    assert status == 200
    assert dump["file"] == str(proxy.config) and dump["waiting_for_restart"] == []
    config = dump["config"]
    assert config["workers"] == 2 and config["log"]["level"] == "info"
    assert config["limits"]["body_bytes"] == "1MiB", "defaults are shown too"
    assert config["policies"][0]["match"]["headers"] == {"x-token": "[redacted]"}
    assert config["policies"][0]["scope"] == [{"header": "[redacted]"}]
    assert "s3cret" not in json.dumps(dump)


def test_a_configuration_that_came_through_a_pipe_cannot_be_read_again(stage, upstream):
    proxy = stage.proxy(upstream, start=False)
    pipe = proxy.directory / "pipe"
    os.mkfifo(pipe)
    text, proxy.config = proxy.config.read_text(), pipe
    writer = threading.Thread(target=pipe.write_text, args=(text,), daemon=True)
    writer.start()
    proxy.start()
    writer.join(60)
    status, answer = ask(proxy, "POST", "/reload")
    assert status == 500 and "not a regular file" in answer["problems"][0]["message"]
    assert once(proxy.data, request(key="k-1")).status == 200


ROUNDS = 1000


class Sender(threading.Thread):
    """Sends each request twice, and others in between, on one connection until it is told to stop."""

    def __init__(self, proxy, name):
        super().__init__(daemon=True)
        self.proxy = proxy
        self.name = name
        self.stopping = threading.Event()
        self.sent = 0
        self.wrong = []

    def run(self):
        try:
            with Client(self.proxy.data) as client:
                while not self.stopping.is_set():
                    self.one_round(client, f"{self.name}-{self.sent}")
        except Exception as error:
            self.wrong.append(repr(error))

    def one_round(self, client, key):
        first = client.call(key=key, body={"key": key})
        second = client.call(key=key, body={"key": key})
        other = client.call("GET", f"/else/{key}")
        self.sent += 1
        seen = [a["onceproxy-decision"] for a in (first, second, other)]
        if seen != ["forwarded", "replayed", None] or first.body != second.body:
            self.wrong.append((key, seen, first.body, second.body))
        if other.status != 200:
            self.wrong.append((key, other))


def resources(proxy):
    process = pathlib.Path(f"/proc/{proxy.process.pid}")
    return {"descriptors": len(list((process / "fd").iterdir())),
            "threads": len(list((process / "task").iterdir()))}


def test_a_thousand_reloads_under_load_lose_no_request_and_leak_nothing(stage):
    upstream = stage.upstream()
    proxy = stage.proxy(upstream)
    others = [policy(name=f"other-{n}", match={"path": f"/other/{n}"}) for n in range(20)]
    versions = [
        proxy.settings,
        changed(proxy, [*others, policy(max_concurrency=50, window="1h")],
                upstream={"max_concurrency": 100}, limits={"connections": 500}),
    ]
    senders = [Sender(proxy, f"s{number}") for number in range(4)]
    for sender in senders:
        sender.start()

    def reloads():
        return sum('"configuration reloaded"' in line for line in proxy.stderr.all())

    def one_reload(number):
        before = reloads()
        rename_over(proxy.config, versions[number % 2])
        if number % 2:
            assert ask(proxy, "POST", "/reload")[0] == 200
        else:
            proxy.process.send_signal(signal.SIGHUP)
        # The watcher may be the first to see it: then the signal finds it in force.
        eventually(lambda: reloads() > before, "a reload")

    for number in range(1, ROUNDS // 5 + 1):
        one_reload(number)
    before, memory = resources(proxy), proxy.rss()
    for number in range(ROUNDS // 5 + 1, ROUNDS + 1):
        one_reload(number)
    after, grown = resources(proxy), proxy.rss() - memory
    for sender in senders:
        sender.stopping.set()
    for sender in senders:
        sender.join(60)
    assert [sender.wrong for sender in senders] == [[], [], [], []]
    assert min(sender.sent for sender in senders) > 0
    assert set(upstream.executions.values()) == {1}
    assert after["threads"] == before["threads"]
    # A connection to the upstream may be there or not at that moment.
    assert abs(after["descriptors"] - before["descriptors"]) <= 16, (before, after)
    # ThreadSanitizer keeps several bytes for each that the program touches.
    limit = (4 if PRESET == "tsan" else 1) * 48 * 1024 * 1024
    assert grown < limit, f"{grown} bytes more"
    assert proxy.metrics().sum(SUCCESSFUL) == 1
