"""Each preset in front of a receiver: what its sender sends again is let through once, and no
delivery is lost."""

import pathlib
import threading

import pytest

from harness import Client, Onceproxy
from harness.client import once
from harness.upstream import executed_after

EXAMPLES = pathlib.Path(__file__).parents[2] / "config" / "examples"
PAYLOADS = pathlib.Path(__file__).parent / "payloads"

# Preset, first delivery, the same again, another.
DELIVERIES = [
    ("alertmanager", "alertmanager", "alertmanager-again", "alertmanager-other"),
    ("cloudevents", "cloudevents-structured", "cloudevents-structured-again",
     "cloudevents-structured-other"),
    ("cloudevents", "cloudevents-binary", "cloudevents-binary-again", "cloudevents-binary-other"),
    ("cloudevents", "cloudevents-binary", "cloudevents-structured", "cloudevents-binary-other"),
    ("github", "github", "github-again", "github-other"),
    ("stripe", "stripe", "stripe-again", "stripe-other"),
    ("svix", "svix", "svix-again", "svix-other"),
    ("svix", "svix", "svix-standard-again", "svix-other"),
    ("sns", "sns", "sns-again", "sns-other"),
    ("sns", "sns", "sns-bare-again", "sns-other"),
]


def delivery(name):
    """The bytes that the sender puts on the wire."""
    head, body = (PAYLOADS / f"{name}.http").read_text().split("\n\n", 1)
    data = body.encode()
    lines = [*head.splitlines(), f"Content-Length: {len(data)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + data


@pytest.fixture
def receiver(stage, directory):
    """Starts a preset's example in front of an upstream."""

    def start(preset, *handler):
        upstream = stage.upstream(*handler, key=lambda request: request.target)
        proxy = Onceproxy(EXAMPLES / f"preset-{preset}.yaml", directory, variables={
            "ONCEPROXY_LISTEN": "127.0.0.1:0",
            "ONCEPROXY_UPSTREAM": upstream.address,
            "ONCEPROXY_DATA": str(directory / "data"),
            "ONCEPROXY_ADMIN": "127.0.0.1:0",
            "ONCEPROXY_TELEMETRY": "127.0.0.1:0",
        })
        stage.proxies.append(proxy)
        return proxy.start(), upstream

    return start


@pytest.mark.parametrize("preset,first,again,other", DELIVERIES)
def test_a_delivery_that_is_repeated_is_let_through_once(receiver, preset, first, again, other):
    proxy, upstream = receiver(preset)
    assert once(proxy.data, delivery(first)).decision == "forwarded"
    for repeated in (again, first):
        answer = once(proxy.data, delivery(repeated))
        # A 2xx, or the sender would come again.
        assert (answer.status, answer.decision) == (200, "suppressed"), repeated
    assert once(proxy.data, delivery(other)).decision == "forwarded"
    assert sum(upstream.executions.values()) == 2


@pytest.mark.parametrize("preset,first,again,other", DELIVERIES[:1] + DELIVERIES[4:])
def test_a_delivery_that_failed_goes_through_when_it_comes_again(receiver, preset, first, again,
                                                                 other):
    statuses = iter([503, 401, 200])
    proxy, upstream = receiver(preset, lambda exchange: exchange.answer(next(statuses), {}))
    decisions = [once(proxy.data, delivery(name)) for name in (first, again, first, again)]
    assert [answer.status for answer in decisions] == [503, 401, 200, 200]
    assert [answer.decision for answer in decisions] == ["forwarded"] * 3 + ["suppressed"]
    assert sum(upstream.executions.values()) == 3


@pytest.mark.parametrize("preset,first,again,other", DELIVERIES[:1] + DELIVERIES[8:9])
def test_a_repetition_that_overtakes_the_first_one_s_answer_waits_for_it(receiver, preset, first,
                                                                         again, other):
    finish = threading.Event()
    proxy, upstream = receiver(preset, executed_after(finish))
    with Client(proxy.data) as original, Client(proxy.data) as repeated:
        original.send(delivery(first))
        upstream.wait_for_requests(1)
        repeated.send(delivery(again))
        finish.set()
        assert original.read("POST").decision == "forwarded"
        assert repeated.read("POST").decision == "suppressed"
    assert sum(upstream.executions.values()) == 1
