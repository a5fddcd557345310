"""A reload does not disturb requests that are under way."""

import pathlib
import signal
import threading

from harness import Client, eventually, policy, request
from harness.client import once
from harness.process import PRESET
from harness.reload import SUCCESSFUL, ask, changed, lines, reload, rename_over, wait_for_line
from harness.upstream import executed, executed_after


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
