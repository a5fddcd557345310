"""Debian's Alertmanager sends its webhooks through `preset: alertmanager`. No notification is lost and none
arrives twice, whatever is retried."""

import datetime
import json
import shutil
import tempfile

import pytest

from harness import eventually
from harness.client import once
from harness.monitoring import Alertmanager

STARTED = "2026-01-02T03:04:05Z"


@pytest.fixture
def alertmanager():
    """Makes Alertmanagers that send to an address."""
    made, directories = [], []

    def make(address, **route):
        directories.append(tempfile.mkdtemp(prefix="onceproxy-alertmanager-"))
        made.append(Alertmanager(directories[-1], f"http://{address}/alerts", **route))
        return made[-1]

    yield make
    for each in made:
        each.close()
    for each in directories:
        shutil.rmtree(each, ignore_errors=True)


def in_front_of(stage, upstream):
    alerts = {"name": "alerts", "match": {"methods": ["POST"], "path": "/alerts"},
              "preset": "alertmanager"}
    return stage.proxy(upstream, [alerts])


def address(proxy):
    host, port = proxy.data
    return f"{host}:{port}"


def statuses(upstream):
    return [json.loads(request.body)["status"] for request in upstream.requests]


def sent(alertmanager, name, count):
    """Waits until Alertmanager has made so many requests to its webhook."""
    eventually(lambda: alertmanager.metrics().sum(name, integration="webhook") >= count,
               f"{count} in {name}")


def test_a_notification_whose_answer_is_lost_is_sent_again_and_not_delivered_twice(
        stage, upstream, alertmanager):
    proxy = in_front_of(stage, upstream)
    answers = []

    def lose_the_first(exchange):
        """Hands on to the proxy; Alertmanager never sees the first answer."""
        answers.append(once(proxy.data, exchange.request.head + exchange.request.body))
        if len(answers) == 1:
            exchange.connection.reset()
        else:
            exchange.send(answers[-1].raw)

    way = stage.upstream(lose_the_first)
    sender = alertmanager(way.address)
    sender.fire("Fire", STARTED)
    way.wait_for_requests(2)
    sent(sender, "alertmanager_notification_requests_total", 2)
    assert [answer.decision for answer in answers] == ["forwarded", "suppressed"]
    assert [answer.status for answer in answers] == [200, 200]
    assert statuses(upstream) == ["firing"]
    seen = sender.metrics()
    assert seen.sum("alertmanager_notification_requests_failed_total", integration="webhook") == 1
    assert seen.sum("alertmanager_notifications_failed_total", integration="webhook") == 0


def test_a_pair_notifies_once(stage, upstream, alertmanager):
    proxy = in_front_of(stage, upstream)
    pair = [alertmanager(address(proxy)) for _ in range(2)]
    for each in pair:
        each.fire("Fire", STARTED)
    for each in pair:
        sent(each, "alertmanager_notification_requests_total", 1)
    proxy.decided("suppressed", policy="alerts")
    assert proxy.metrics().decisions("forwarded", "alerts") == 1
    assert statuses(upstream) == ["firing"]


def test_a_notification_that_its_receiver_failed_is_delivered_when_it_is_sent_again(
        stage, alertmanager):
    upstream = stage.upstream(
        lambda exchange: exchange.answer(500 if exchange.execution == 1 else 200))
    proxy = in_front_of(stage, upstream)
    alertmanager(address(proxy)).fire("Fire", STARTED)
    upstream.wait_for_requests(2)
    proxy.decided("forwarded", 2, policy="alerts")
    assert proxy.metrics().decisions("suppressed", "alerts") == 0


def test_a_receiver_that_is_away_gets_the_notification_when_it_is_back(stage, alertmanager):
    upstream = stage.upstream(listening=False)
    proxy = in_front_of(stage, upstream)
    alertmanager(address(proxy)).fire("Fire", STARTED)
    proxy.decided("upstream-error", policy="alerts")
    upstream.listen()
    upstream.wait_for_requests(1)
    proxy.decided("forwarded", policy="alerts")
    assert statuses(upstream) == ["firing"]


def test_resolved_and_newly_firing_alerts_are_delivered(stage, upstream, alertmanager):
    proxy = in_front_of(stage, upstream)
    sender = alertmanager(address(proxy), group_interval="1s")
    sender.fire("Fire", STARTED)
    upstream.wait_for_requests(1)
    over = datetime.datetime.now(datetime.timezone.utc).isoformat()
    sender.fire("Fire", STARTED, endsAt=over)
    upstream.wait_for_requests(2)
    sender.fire("Fire", over)
    upstream.wait_for_requests(3)
    assert statuses(upstream) == ["firing", "resolved", "firing"]
    assert proxy.metrics().decisions("suppressed", "alerts") == 0
