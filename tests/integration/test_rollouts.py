"""Rollouts under load, with the manifests of deploy/kubernetes and a simulated kubelet (harness/kubelet.py).
Clients send requests while pods come and go; no request is lost and none is executed twice."""

import os
import pathlib
import random
import signal

import pytest

from harness import eventually
from harness.client import once
from harness.kubelet import gone, manifests, pod_spec
from harness.service_traffic import Endpoints, Load, order
from harness.webhook import Webhook

MANIFESTS = pathlib.Path(__file__).parents[2] / "deploy" / "kubernetes"
ROLLOUTS = 100 if os.environ.get("ONCEPROXY_LONG") else 3
# What is left between the end of the grace and the end of the service has to outlast a busy machine.
PACE = 3


def judge(load, node):
    assert not load.lost, (len(load.lost), load.lost[:5])
    executions = node.executions()
    assert [key for key, count in executions.items() if count > 1] == []
    assert executions.keys() == load.answered.keys()


def roll(node, documents, times, manner="graceful", **options):
    """Replaces a pod so many times while clients send: the next one is ready before it is deleted, and its
    address is taken away up to 4 of the 5 s later that its preStop waits."""
    generator = random.Random(times)
    code = 0 if manner == "graceful" else -signal.SIGTERM
    endpoints = Endpoints()

    def ready_pod():
        made = node.pod(documents, manner=manner, pace=PACE, **options).wait_until_ready()
        endpoints.add(made)
        return made

    pod = ready_pod()
    load = Load(endpoints)
    for _ in range(times):
        before = len(load.answered)
        new = ready_pod()
        eventually(lambda: len(load.answered) > before + 20, "requests are answered")
        endpoints.remove_late(pod, generator.random() * pod.paced(4))
        pod.delete()
        gone(pod, code)
        pod = new
    load.stop()
    pod.delete()
    gone(pod, code)
    judge(load, node)
    return load


@pytest.mark.parametrize("manifest, manner", [("deployment.yaml", "graceful"), ("deployment.yaml", "abrupt"),
                                              ("plain-container.yaml", "graceful")])
def test_rollouts_under_load_lose_nothing_and_double_nothing(node, manifest, manner):
    load = roll(node, manifests(MANIFESTS / manifest), ROLLOUTS, manner)
    assert set(load.answered.values()) == {"forwarded"}


def injected(directory, names_telemetry):
    """The example of the webhook, with the pod that the webhook makes of it."""
    documents = manifests(MANIFESTS / "injector" / "example.yaml")
    template = documents["Deployment"]["spec"]["template"]
    if not names_telemetry:
        del template["metadata"]["annotations"]["onceproxy.io/telemetry-port"]
    container, = pod_spec(manifests(MANIFESTS / "injector" / "injector.yaml"))["containers"]
    with Webhook(container, directory) as webhook:
        documents["Deployment"]["spec"]["template"] = webhook.patched(
            {"apiVersion": "v1", "kind": "Pod", **template})
    return documents


@pytest.mark.parametrize("names_telemetry", [True, False], ids=["telemetry", "admin"])
def test_rollouts_of_pods_that_the_webhook_made_lose_nothing_and_double_nothing(node, directory,
                                                                               names_telemetry):
    """Its probes are commands. They ask the port that the pod names, or look one up: the admin port where
    there is no other, here a Unix socket."""
    documents = injected(directory, names_telemetry)
    roll(node, documents, 2, changes={} if names_telemetry else {"telemetry": None})
    assert [container.name for container in node.pods[0].sidecars] == ["onceproxy"]


def test_a_statefulset_that_is_replaced_remembers_what_was_done(node, directory):
    """There is no pod for a while, and clients send again with the same key until there is."""
    claim = directory / "claim"
    claim.mkdir()
    endpoints = Endpoints()
    documents = manifests(MANIFESTS / "statefulset.yaml")
    options = {"claims": {"onceproxy-store": claim}, "pace": PACE}
    pod = node.pod(documents, **options).wait_until_ready()
    endpoints.add(pod)
    load = Load(endpoints, retries=True)
    for _ in range(3):
        before = len(load.answered)
        eventually(lambda: len(load.answered) > before + 20, "requests are answered")
        endpoints.remove_late(pod, pod.paced(2))
        pod.delete()
        gone(pod)
        pod = node.pod(documents, **options).wait_until_ready()
        endpoints.add(pod)
    load.stop()
    judge(load, node)
    done = next(iter(load.answered))
    again = once(pod.data, order(done))
    assert (again.status, again.decision) == (201, "replayed")
    pod.delete()
    gone(pod)
