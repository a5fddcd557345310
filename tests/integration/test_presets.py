"""Each preset in front of a receiver: a repeated delivery of its sender is forwarded once, and no delivery is
lost."""

import json
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
    ("cloudevents", "cloudevents-encoded", "cloudevents-encoded-structured",
     "cloudevents-encoded-other"),
    ("eventgrid", "eventgrid", "eventgrid-again", "eventgrid-other"),
    ("eventgrid", "eventgrid-cloudevents", "eventgrid-cloudevents-again",
     "eventgrid-cloudevents-other"),
    ("grafana", "grafana", "grafana-again", "grafana-other"),
    ("pagerduty", "pagerduty", "pagerduty-again", "pagerduty-other"),
    ("pubsub-push", "pubsub-push", "pubsub-push-again", "pubsub-push-other"),
    ("pubsub-push", "pubsub-push-unwrapped", "pubsub-push-unwrapped-again",
     "pubsub-push-unwrapped-other"),
    ("pubsub-push", "pubsub-push", "pubsub-push-unwrapped", "pubsub-push-other"),
    ("sentry", "sentry", "sentry-again", "sentry-other"),
    ("shopify", "shopify", "shopify-again", "shopify-other"),
    ("slack", "slack", "slack-again", "slack-other"),
    ("standard-webhooks", "standard-webhooks", "standard-webhooks-again",
     "standard-webhooks-other"),
    ("twilio", "twilio", "twilio-again", "twilio-other"),
]
# One delivery of each preset.
FIRSTS = {preset: first for preset, first, _, _ in reversed(DELIVERIES)}


def delivery(name, target=None, edit=lambda text: text):
    """The bytes that the sender puts on the wire."""
    head, body = edit((PAYLOADS / f"{name}.http").read_text()).split("\n\n", 1)
    if target is not None:
        head = head.replace(head.split(" ", 2)[1], target, 1)
    data = body.encode()
    lines = [*head.splitlines(), f"Content-Length: {len(data)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + data


def said_to_duplicates(preset):
    return "replayed" if preset == "twilio" else "suppressed"


@pytest.fixture
def hooks(stage, upstream):
    """Starts a preset on every path."""

    def start(preset):
        proxy = stage.proxy(upstream, [{"name": "hooks", "preset": preset}])

        def send(name, target=None, edit=lambda text: text):
            return once(proxy.data, delivery(name, target, edit))

        return send

    return start


@pytest.fixture
def receiver(stage, directory):
    """Starts a preset's example in front of an upstream."""

    def start(preset, *handler):
        upstream = stage.upstream(*handler, key=lambda request: request.target)
        example = EXAMPLES / f"preset-{preset}.yaml"
        if not example.exists():
            example = EXAMPLES / "webhooks.yaml"
        proxy = Onceproxy(example, directory, variables={
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
        assert (answer.status, answer.decision) == (200, said_to_duplicates(preset)), repeated
    assert once(proxy.data, delivery(other)).decision == "forwarded"
    assert sum(upstream.executions.values()) == 2


@pytest.mark.parametrize("preset,first,again,other", DELIVERIES[:1] + DELIVERIES[4:])
def test_a_delivery_that_failed_goes_through_when_it_comes_again(receiver, preset, first, again,
                                                                 other):
    statuses = iter([503, 401, 200])
    proxy, upstream = receiver(preset, lambda exchange: exchange.answer(next(statuses), {}))
    decisions = [once(proxy.data, delivery(name)) for name in (first, again, first, again)]
    assert [answer.status for answer in decisions] == [503, 401, 200, 200]
    last = said_to_duplicates(preset)
    assert [answer.decision for answer in decisions] == ["forwarded"] * 3 + [last]
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


@pytest.mark.parametrize("preset", FIRSTS)
def test_each_endpoint_gets_its_own_delivery(hooks, upstream, preset):
    send, name = hooks(preset), FIRSTS[preset]
    targets = ["/hooks/billing", "/hooks/mailing", "/hooks/billing?tenant=b"]
    assert [send(name, target).decision for target in targets] == ["forwarded"] * 3
    assert send(name, "//hooks/./billing").decision == said_to_duplicates(preset)
    assert [request.target for request in upstream.requests] == targets


def test_two_subscriptions_of_one_topic_are_both_delivered(hooks):
    send = hooks("sns")

    def of_another(text):
        return text.replace("c9135db0", "d0246ec1")

    assert send("sns").decision == "forwarded"
    assert send("sns", edit=of_another).decision == "forwarded"
    assert send("sns-bare-again", edit=of_another).decision == "suppressed"
    assert send("sns-raw").decision == "forwarded"
    assert send("sns-raw", edit=of_another).decision == "forwarded"


@pytest.mark.parametrize("preset", ["alertmanager", "grafana"])
def test_a_state_belongs_to_its_alert(hooks, preset):
    send = hooks(preset)

    def notification(count=0, **states):
        alerts = [{"status": state, "fingerprint": name, "startsAt": "2026-01-02T03:04:05Z"}
                  for name, state in states.items()]
        body = {"receiver": "team", "status": "firing", "groupKey": "g", "truncatedAlerts": count,
                "alerts": alerts}
        return lambda text: text.split("\n\n", 1)[0] + "\n\n" + json.dumps(body)

    first = notification(a="resolved", b="firing", c="firing")
    second = notification(a="resolved", b="resolved", c="firing")
    swapped = notification(c="firing", b="resolved", a="resolved")
    grown = notification(3, a="resolved", b="resolved", c="firing")
    decisions = [send(preset, edit=edit).decision for edit in (first, second, swapped, grown)]
    assert decisions == ["forwarded", "forwarded", "suppressed", "forwarded"]


def test_slack_gets_the_service_s_own_answer_to_its_challenge(receiver):
    proxy, upstream = receiver("slack")
    verification = delivery("slack-verification")
    assert [once(proxy.data, verification).decision for _ in range(2)] == ["passed"] * 2
    assert sum(upstream.executions.values()) == 2


def test_twilio_gets_the_first_answer_again(receiver):
    twiml = b"<Response><Message>Goodbye</Message></Response>"
    headers = {"Content-Type": "text/xml"}
    proxy, _ = receiver("twilio", lambda exchange: exchange.answer(200, twiml, headers))
    answers = [once(proxy.data, delivery(name)) for name in ("twilio", "twilio-again")]
    assert [answer.body for answer in answers] == [twiml, twiml]
    assert [answer["content-type"] for answer in answers] == ["text/xml", "text/xml"]
