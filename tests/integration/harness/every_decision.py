"""Traffic that makes every decision, on three instances."""

import threading

from . import Client, eventually, policy, request
from .certificates import Authority, client_context
from .client import once

RIDE = {"type": "ride", "id": [{"path": "ride_id"}], "unless_closed": True}
ROUNDS = 6

STEPS = policy(name="rides", match={"path": "/rides/{ride_id}/{step}"},
               fingerprint=[{"path": "ride_id"}, {"body": "/sequence"}], on_store_error="forward",
               entity={**RIDE, "wait": "1ms", "sequence": {"body": "/sequence"}})
POLICIES = [
    policy(replay={"max_body": "1KiB"}, lease="60s"),
    STEPS,
    policy(name="decline", match={"path": "/decline/{ride_id}"}, fingerprint=[{"path": "ride_id"}],
           on_duplicate={"status": 200}, entity={**RIDE, "closes": "1h"}),
    policy(name="hasty", match={"path": "/hasty"}, lease="10ms"),
    policy(name="alerts", match={"path": "/alerts"},
           rate_limit={"limit": 1, "per": "1h", "by": [{"const": "all"}]}),
    policy(name="jobs", match={"path": "/jobs"}, in_flight={"action": "acknowledge"}),
    policy(name="loose", match={"path": "/loose"}, on_missing="pass"),
    policy(name="watched", match={"path": "/watched/{ride_id}"}, enforcement={"mode": "shadow"},
           entity={**RIDE, "type": "trip", "closes": "1h"}),
    policy(name="off", match={"path": "/off"}, enforcement={"mode": "off"}),
]


class Traffic:
    """Sends what makes every decision, and remembers what it was told."""

    def __init__(self, stage, database):
        self.go_on = threading.Event()
        self.upstream = stage.upstream(self.answer)
        authority = Authority()
        self.context = client_context(authority)
        certificate, key = authority.issue().write(stage.directory, "tls")
        secure = {"address": "127.0.0.1:0", "tls": {"certificate": certificate, "key": key}}
        billing = {"name": "billing", "address": self.upstream.address}
        events = policy(name="events", match={"path": "/events"},
                        delivery={"listeners": [billing]})
        self.proxy = stage.proxy(self.upstream, [*POLICIES, events], listen=["127.0.0.1:0", secure])
        self.secure = [line["address"] for line in self.proxy.stderr.json()
                       if line.get("listener") == "data"][1]
        # Too small for what it is given: new operations are refused, and rides go on unprotected.
        self.full = stage.proxy(self.upstream, [policy(), STEPS],
                                store={"rocksdb": {"max_bytes": "64KiB"}})
        # This instance exposes the metrics of the database too.
        self.shared = stage.proxy(self.upstream, [policy()], store=database.store())
        self.decisions = set()

    @property
    def instances(self):
        return [self.proxy, self.full, self.shared]

    def answer(self, exchange):
        key = exchange.request["idempotency-key"] or ""
        if key == "slow" or "/slow/" in exchange.request.target:
            self.go_on.wait()
        if key.startswith("lost"):
            exchange.connection.reset()
        else:
            exchange.answer(503 if key.startswith("failed") else 200,
                            b"x" * (5000 if key.startswith("big") else 1))

    def send(self, target="/orders", proxy=None, body=None, **more):
        """The decision that a request comes to."""
        data = request(target=target, body=body or {"n": 1}, **more)
        answer = once((proxy or self.proxy).data, data)
        decision = answer.decision or ("bad-request" if answer.status == 400 else "passed")
        self.decisions.add(decision)
        return decision

    def begin(self, **more):
        """A request that the upstream does not answer before it is told to."""
        count = len(self.upstream.requests)
        client = Client(self.proxy.data)
        client.send(request(**{"body": {"n": 1}, **more}))
        self.upstream.wait_for_requests(count + 1)
        return client

    def round(self, number):
        """What needs nobody to wait."""
        host, _, port = self.secure.rpartition(":")
        with Client((host, int(port)), context=self.context) as client:
            assert client.call("GET", "/uncovered").status == 200
        for key, body in (("a", {"n": 1}), ("a", {"n": 1}), ("a", {"n": 2}), (None, None),
                          ("a,b", None), ("lost", None), ("lost", None), ("big", None),
                          ("big", None), ("failed", None)):
            self.send(key=key and f"{key}-{number}", body=body)
        for target in ("/off", "/loose", "/alerts", "/jobs", "/events", f"/watched/{number}",
                       f"/watched/{number}"):
            self.send(target, key=f"b-{number}")
        for _ in range(2):
            self.send(proxy=self.shared, key=f"shared-{number}")
        self.send("/loose")
        self.send(f"/rides/{number}/step", body=b"{")
        self.send("/uncovered")
        self.send("/a%2Fb")
        for sequence in (2, 2, 1):
            self.send(f"/rides/{number}/step", body={"sequence": sequence})
        for _ in range(2):
            self.send(f"/decline/{number}")
        self.send(f"/rides/{number}/step", body={"sequence": 3})
        self.send(f"/watched/{number}", key=f"c-{number}")
        # Lost, and let through again once its lease is over.
        self.send("/hasty", key=f"lost-{number}")
        eventually(lambda: self.send("/hasty", key=f"lost-{number}") == "upstream-error",
                   "a lease that is over")

    def overlap(self):
        """Duplicates of what is under way, and a turn that does not come."""
        slow = [self.begin(key="slow"), self.begin(target="/jobs", key="slow"),
                self.begin(target="/rides/slow/a", body={"sequence": 1})]
        self.send(key="slow")
        self.send("/jobs", key="slow")
        self.send("/rides/slow/b", body={"sequence": 2})
        self.go_on.set()
        for client in slow:
            assert client.read("POST").decision == "forwarded"
            client.close()

    def fill(self):
        """Until the second store takes no more."""
        keys = iter(range(1_000_000))
        eventually(lambda: self.send(proxy=self.full, key=f"f-{next(keys)}") == "store-error",
                   "a store that is full")
        for number in range(ROUNDS):
            assert self.send(f"/rides/{number}/step", self.full, {"sequence": 1}) == "passed"

    def counted(self, name, **labels):
        """The sum that all instances show."""
        return sum(each.metrics().sum(name, **labels) for each in self.instances)
