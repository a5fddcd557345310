"""The order of an entity's events: integers, times, hexadecimal digits, equal ones, and fields that are not
valid."""

import json

import pytest

from harness import request
from harness.client import once
from harness.process import run


def events(**sequence):
    return [{
        "name": "events",
        "match": {"methods": ["POST"], "path": "/events"},
        "fingerprint": [{"body": "/id"}],
        "on_duplicate": {"status": 200},
        "entity": {"type": "thing", "id": [{"body": "/thing"}],
                   "sequence": {"body": "/at", **sequence}},
    }]


def send(proxy, number, at, thing="t"):
    return once(proxy.data, request(target="/events", body={"id": number, "thing": thing, "at": at}))


ORDERED = {
    "integer": ({}, [1, "2", 3.0], [3, "2", 1]),
    "time": ({"as": "time"},
             ["2026-01-02T03:04:05.100Z", "2026-01-02T04:04:05.200+01:00",
              "2026-01-02T03:04:05.2000001-0000"],
             ["2026-01-02T03:04:05.2Z", "2026-01-02T03:04:04Z"]),
    "hex": ({"as": "hex"},
            ["0055AED6DCD90281E5", "0055aed6dcd90281e6", "0055AED6DD"],
            ["0055AED6DCD902", "0055AED6DCD90281E7"]),
}


@pytest.mark.parametrize("rule, rising, late", ORDERED.values(), ids=ORDERED)
def test_events_that_come_late_are_stale_whatever_orders_them(stage, upstream, rule, rising, late):
    proxy = stage.proxy(upstream, events(**rule))
    decisions = [send(proxy, number, at).decision for number, at in enumerate(rising + late)]
    assert decisions == ["forwarded"] * len(rising) + ["stale"] * len(late)
    assert send(proxy, 99, rising[0], thing="another").decision == "forwarded"


@pytest.mark.parametrize("rule, rising", [({"as": "time"}, ORDERED["time"][1]),
                                          ({"as": "hex"}, ORDERED["hex"][1])], ids=["time", "hex"])
def test_the_order_of_an_entity_outlives_the_process(stage, upstream, rule, rising):
    proxy = stage.proxy(upstream, events(**rule))
    assert send(proxy, 1, rising[1]).decision == "forwarded"
    shown = proxy.operator.get("/entities/thing/t")["sequence"]
    assert shown == {"time": "2026-01-02T03:04:05.2Z", "hex": "0055aed6dcd90281e6"}[rule["as"]]
    proxy.kill9()
    proxy.restart()
    assert proxy.operator.get("/entities/thing/t")["sequence"] == shown
    assert send(proxy, 2, rising[0]).decision == "stale"
    assert send(proxy, 3, rising[2]).decision == "forwarded"


def test_two_events_of_one_second_both_go_through_where_equal_passes(stage, upstream):
    proxy = stage.proxy(upstream, events(equal="pass"))
    assert [send(proxy, number, 1767322000).decision for number in (1, 2)] == ["forwarded"] * 2
    assert send(proxy, 2, 1767322000).decision == "suppressed", "a duplicate is one all the same"
    assert send(proxy, 3, 1767321999).decision == "stale"


def test_an_equal_sequence_is_stale_by_default(stage, upstream):
    proxy = stage.proxy(upstream, events())
    assert [send(proxy, number, 17).decision for number in (1, 2)] == ["forwarded", "stale"]


@pytest.mark.parametrize("rule, at, expected", [
    ({}, "2026-01-02T03:04:05Z", "an integer of 64 bits"),
    ({"as": "time"}, "2026-01-02T03:04:05", "a time with its offset (RFC 3339)"),
    ({"as": "time"}, 1767322000, "a time with its offset (RFC 3339)"),
    ({"as": "hex"}, "0x55", "a text of 1 to 32 hexadecimal digits"),
], ids=["integer", "no offset", "number", "hex"])
def test_a_field_that_is_not_a_sequence_is_reported(stage, upstream, rule, at, expected):
    proxy = stage.proxy(upstream, events(**rule))
    refused = send(proxy, 1, at)
    assert (refused.status, refused.decision) == (400, "missing-key")
    assert json.loads(refused.body)["detail"] == \
        f"A field of the request is not {expected}: body: /at"
    assert str(at) not in refused.body.decode()
    lacking = once(proxy.data, request(target="/events", body={"id": 1, "thing": "t"}))
    assert "lacks a field" in json.loads(lacking.body)["detail"]
    explained = run("explain", "-c", proxy.config, "-",
                    stdin=request(target="/events",
                                  body={"id": 1, "thing": "t", "at": at}).decode())
    assert f"body: /at is not {expected}" in explained.stdout


def test_an_entity_whose_order_changes_its_kind_begins_anew(stage, upstream):
    proxy = stage.proxy(upstream, events())
    assert send(proxy, 1, 1767322000).decision == "forwarded"
    proxy.configure({**proxy.settings, "policies": events(**{"as": "time"})})
    assert proxy.operator.post("/reload")[0] == 200
    assert send(proxy, 2, "2020-01-01T00:00:00Z").decision == "forwarded"
    assert send(proxy, 3, "2019-01-01T00:00:00Z").decision == "stale"


def test_check_notes_a_sequence_that_is_named_like_a_time(stage, upstream, directory):
    def checked(**sequence):
        proxy = stage.proxy(upstream, events(**sequence), start=False)
        return run("check", proxy.config)

    doubtful = checked(body="/updated_at")
    assert (doubtful.returncode, doubtful.stderr.count("note:")) == (0, 1)
    assert "`body: /updated_at` is read as an integer; write `as: time`" in doubtful.stderr
    for clear in ({"body": "/updated_at", "as": "time"}, {"body": "/updated_at", "as": "integer"},
                  {"body": "/sequence"}):
        assert checked(**clear).stderr == ""
