"""Stores that an earlier version of the program left, recorded in ../stores.

What they hold is told here once: record.py makes it happen with the program of that version, and
test_earlier_stores.py asks the program under test about it.
"""

import io
import json
import pathlib
import tarfile
import threading
import time

from .client import Client, once
from .config import policy, settings
from .message import request
from .process import Onceproxy
from .upstream import Upstream
from .wait import eventually

STORES = pathlib.Path(__file__).parents[1] / "stores"
TOLD = "told.json"
WINDOW = "366d"
LARGE = 20_000

RIDE = {"type": "ride", "id": [{"path": "ride"}], "unless_closed": True}
POLICIES = [
    policy(window=WINDOW, payload=[{"content": True}]),
    policy(name="payments", match={"path": "/payments"}, window=WINDOW, outcome={"unknown": "hold"}),
    {"name": "dispatch", "match": {"methods": ["POST"], "path": "/rides/{ride}/dispatch"},
     "fingerprint": [{"path": "ride"}, {"body": "/driver"}], "scope": "shared", "window": WINDOW,
     "entity": {**RIDE, "sequence": {"body": "/sequence"}}},
    {"name": "decline", "match": {"methods": ["POST"], "path": "/rides/{ride}/decline"},
     "fingerprint": [{"path": "ride"}], "scope": "shared", "window": WINDOW,
     "entity": {**RIDE, "closes": WINDOW}},
    policy(name="alerts", match={"path": "/alerts"}, window=WINDOW,
           rate_limit={"limit": 1, "per": "24h", "by": [{"body": "/service"}]}),
    {"name": "hooks", "match": {"methods": ["POST"], "path": "/hooks"}, "preset": "github", "window": WINDOW},
]


def order(key, amount=1):
    return request(key=key, body={"amount": amount, "of": "apples"})


def payment(key):
    return request(target="/payments", key=key, headers={"X-Request-Id": f"payment-{key}"})


def dispatch(ride, driver, sequence):
    return request(target=f"/rides/{ride}/dispatch", body={"driver": driver, "sequence": sequence})


def decline(ride):
    return request(target=f"/rides/{ride}/decline", body={})


def alert(key):
    return request(target="/alerts", key=key, body={"service": "disk"})


def hook(delivery):
    return request(target="/hooks", body={"action": "opened"},
                   headers={"X-GitHub-Delivery": delivery, "X-GitHub-Event": "issues"})


class Service:
    """Answers each execution with its number; some keys get a large answer, none, or none in time."""

    def __init__(self):
        self.finish = threading.Event()
        self.upstream = Upstream(self.handle, key=lambda asked: asked["idempotency-key"] or asked.target)

    def handle(self, exchange):
        key = exchange.request["idempotency-key"] or ""
        if key == "lost":
            return exchange.connection.close()
        if key == "cut-off":
            self.finish.wait(60)
        body = f"execution {exchange.execution}" + "x" * (LARGE if key == "large" else 0)
        exchange.answer(201, body.encode())


def record(directory, name):
    """With the program that ONCEPROXY_BINARY names: a store in tables and in its log, as after a kill."""
    service = Service()
    data = directory / "data"
    proxy = Onceproxy(settings(service.upstream.address, data, POLICIES), directory)
    proxy.start()
    told = {}

    def forwarded(what, data):
        answer = once(proxy.data, data)
        assert (answer.status, answer.decision) == (201, "forwarded"), (what, answer)
        told[what] = answer.body.decode()

    forwarded("small", order("small"))
    forwarded("large", order("large"))
    forwarded("ride 1", dispatch("1", "anna", 7))
    forwarded("hook", hook("d-1"))
    assert once(proxy.data, payment("lost")).status == 502
    assert proxy.terminate() == 0
    proxy.restart()
    forwarded("late", order("late"))
    forwarded("ride 2", dispatch("2", "ben", 1))
    forwarded("closed", decline("2"))
    forwarded("alert", alert("first"))
    with Client(proxy.data) as client:
        client.send(payment("cut-off"))
        eventually(lambda: service.upstream.executions["cut-off"] == 1, "a request is under way")
        told["fence"] = max(int(each["onceproxy-fence"]) for each in service.upstream.requests)
        proxy.kill9()
    service.finish.set()
    service.upstream.close()
    told["recorded"] = int(time.time())
    with tarfile.open(STORES / f"{name}.tar.xz", "w:xz") as archive:
        archive.add(data, "data")
        text = json.dumps(told).encode()
        member = tarfile.TarInfo(TOLD)
        member.size = len(text)
        archive.addfile(member, io.BytesIO(text))


def unpack(name, directory):
    """Lays the store out in `directory`/data; what was told while it was recorded."""
    with tarfile.open(STORES / f"{name}.tar.xz") as archive:
        archive.extractall(directory)
    return json.loads((directory / TOLD).read_text())
