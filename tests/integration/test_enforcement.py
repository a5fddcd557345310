"""Operators change the enforcement of a policy on the admin port."""

from harness import request
from harness.client import once
from harness.reload import ask, wait_for_line


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
