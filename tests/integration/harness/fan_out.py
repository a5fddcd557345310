"""Rides whose dispatches are events for listeners: the policy, the requests, and what became of them."""

from .client import once
from .message import request
from .wait import eventually

QUICK = {"initial": "50ms", "max": "400ms"}


def dispatch(listeners, delivery=(), **changes):
    """A policy that delivers POST /rides/{ride}/dispatch to these listeners."""
    settings = [each if isinstance(each, dict) else each.settings(backoff=QUICK, timeout="5s")
                for each in listeners]
    return {
        "name": "dispatch",
        "match": {"methods": ["POST"], "path": "/rides/{ride}/dispatch"},
        "fingerprint": [{"path": "ride"}, {"body": "/number"}],
        "scope": "shared",
        "entity": {"type": "ride", "id": [{"path": "ride"}]},
        "delivery": {"listeners": settings, **dict(delivery)},
        **changes,
    }


def event(ride, number=1, **body):
    return request(target=f"/rides/{ride}/dispatch", body={"ride": ride, "number": number, **body})


def send(proxy, *args, **kwargs):
    answer = once(proxy.data, event(*args, **kwargs))
    assert (answer.status, answer.decision) == (202, "accepted"), answer
    return answer.json["event"]


def states(proxy, fingerprint):
    """{listener: state} of the newest event."""
    found = proxy.operator.get(f"/deliveries/{fingerprint}")["items"][0]
    return {each["listener"]: each["state"] for each in found["deliveries"]}


def wait_for_states(proxy, fingerprint, expected):
    eventually(lambda: states(proxy, fingerprint) == expected, f"{expected}")


def pending(proxy):
    return proxy.metrics().sum("onceproxy_deliveries_pending")
