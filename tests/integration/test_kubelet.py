"""The order in which a pod starts and stops, with the manifests of deploy/kubernetes and a simulated kubelet
(harness/kubelet.py). Rollouts under load are in test_rollouts.py."""

import pathlib
import signal
import sys
import time

import pytest
import yaml

from harness import PATIENCE, Client, eventually
from harness.client import once
from harness.kubelet import gone, manifests
from harness.service_traffic import order
from harness.stopping import stop
from harness.webhook import Webhook

MANIFESTS = pathlib.Path(__file__).parents[2] / "deploy" / "kubernetes"


def pod_of(node, manifest, **options):
    return node.pod(manifests(MANIFESTS / manifest), **{"pace": 5, **options})


def test_a_container_that_is_killed_comes_back_and_remembers(node):
    """SIGKILL to onceproxy alone, as for memory: the pod stays, and so does the emptyDir."""
    pod = pod_of(node, "deployment.yaml").wait_until_ready()
    data = order("k")
    assert once(pod.data, data).decision == "forwarded"
    pod.onceproxy.process.kill()
    eventually(lambda: pod.onceproxy.exit_codes == [-signal.SIGKILL], "it has ended")
    eventually(lambda: pod.ready, "the pod is ready again")
    assert once(pod.data, data).decision == "replayed"
    pod.delete()
    assert pod.gone.wait(PATIENCE)
    assert pod.onceproxy.exit_codes == [-signal.SIGKILL, 0]
    assert node.executions() == {"k": 1}


def test_the_service_starts_after_a_native_sidecar_and_ends_before_it(node):
    pod = pod_of(node, "deployment.yaml").wait_until_ready()
    sidecar, orders = pod.onceproxy, pod["orders"]
    assert orders.process.pid and sidecar.started.is_set()
    pod.delete()
    assert orders.ended.wait(PATIENCE)
    assert sidecar.running, "it serves the service until that has ended"
    gone(pod)
    assert sidecar.lines.text().count('"draining"') == 1


def test_a_request_under_way_at_the_deletion_is_answered(node):
    pod = pod_of(node, "deployment.yaml").wait_until_ready()
    with Client(pod.data) as client:
        client.send(order("k"))
        eventually(node.effects.exists, "the request is under way")
        pod.delete()
        assert client.read("POST").status == 201
    gone(pod)
    assert node.executions() == {"k": 1}


@pytest.mark.parametrize("manifest", ["deployment.yaml", "plain-container.yaml"])
def test_a_liveness_probe_that_goes_on_does_not_kill_the_drain(node, manifest):
    """A connection that stays busy makes the drain last for several periods of the probe."""
    pod = pod_of(node, manifest, liveness_goes_on=True).wait_until_ready()
    with Client(pod.data) as client:
        client.send(order("k")[:-1])
        pod.delete()
        assert pod.gone.wait(PATIENCE)
    assert pod.onceproxy.killed == []
    assert pod.onceproxy.exit_codes == [0]
    assert pod.onceproxy.hook_codes == [1], "the preStop says that it was not drained in time"


def test_a_sidecar_that_never_becomes_ready_does_not_block_the_deletion(node):
    """Its configuration is refused, so it ends with 1 again and again; the service never starts."""
    pod = pod_of(node, "deployment.yaml", changes={"policies": [{"name": "UPPER CASE"}]})
    eventually(lambda: len(pod.onceproxy.exit_codes) >= 2, "it is started again")
    assert set(pod.onceproxy.exit_codes) == {1}
    assert pod["orders"].process is None
    began = time.monotonic()
    pod.delete()
    assert pod.gone.wait(PATIENCE)
    assert time.monotonic() - began < pod.grace


def test_a_sidecar_that_hangs_is_killed_at_the_end_of_the_grace_period(node):
    """The preStop does not outlast it, whatever the program does."""
    pod = pod_of(node, "deployment.yaml", pace=20).wait_until_ready()
    stop(pod.onceproxy.process.pid)
    pod.delete()
    assert pod.gone.wait(PATIENCE)
    assert pod["orders"].exit_codes == [0]
    assert pod.onceproxy.killed == ["grace period"]
    assert pod.onceproxy.exit_codes == [-signal.SIGKILL]


def test_a_sidecar_that_hangs_is_restarted_by_its_liveness_probe(node):
    pod = pod_of(node, "deployment.yaml", pace=20).wait_until_ready()
    # From now on its probes get no answer, and each waits for its timeout.
    for probe in ("livenessProbe", "readinessProbe"):
        pod.onceproxy.spec[probe]["timeoutSeconds"] = 1
    first = pod.onceproxy.process
    stop(first.pid)
    eventually(lambda: pod.onceproxy.process is not first and pod.ready, "a new process is ready")
    assert pod.onceproxy.killed == ["liveness", "grace period"]
    pod.delete()
    assert pod.gone.wait(PATIENCE)
    assert pod.onceproxy.exit_codes == [-signal.SIGKILL, 0]


@pytest.fixture
def injected(directory):
    """The documents of the webhook's example, with the pod that the webhook makes of it."""
    documents = manifests(MANIFESTS / "injector" / "example.yaml")
    injector = manifests(MANIFESTS / "injector" / "injector.yaml")["Deployment"]
    container = injector["spec"]["template"]["spec"]["containers"][0]
    template = documents["Deployment"]["spec"]["template"]
    (directory / "webhook").mkdir()
    with Webhook(container, directory / "webhook") as webhook:
        pod = webhook.patched({"apiVersion": "v1", "kind": "Pod", **template})
    template["spec"] = pod["spec"]
    return documents


@pytest.mark.parametrize("manifest", [None, "deployment.yaml"], ids=["injected", "deployment"])
@pytest.mark.parametrize("text", ["policiez: []\n", "telemetry: {listen: 127.0.0.1:1}\n"],
                         ids=["refused", "another port"])
def test_a_changed_configuration_ends_no_pod_and_keeps_no_preStop_from_working(node, injected, manifest,
                                                                              text):
    """One that is refused, and one that needs a restart: the pod goes on with what it has."""
    documents = manifests(MANIFESTS / manifest) if manifest else injected
    pod = node.pod(documents, pace=20).wait_until_ready()
    path = pod.volume("onceproxy-config") / "onceproxy.yaml"
    kept = [line for line in path.read_text().splitlines(True) if line.strip()]
    if "telemetry" in text:
        kept = yaml.safe_dump({**yaml.safe_load("".join(kept)), **yaml.safe_load(text)})
    else:
        kept = "".join(kept) + text
    path.write_text(kept)
    # Far more probes than may fail in a row: the liveness probe comes last.
    asked = pod.onceproxy.asked
    eventually(lambda: pod.onceproxy.asked > asked + 60, "probes have gone on")
    assert pod.ready and pod.onceproxy.killed == [] and pod.onceproxy.exit_codes == []
    pod.delete()
    gone(pod)
    assert pod.onceproxy.hook_codes == [0]


def test_a_job_ends_with_its_container(node, directory):
    """What it sends goes through onceproxy, which is stopped when it has ended."""
    done, claim = directory / "done", directory / "claim"
    claim.mkdir()
    script = f"open({str(done)!r}, 'w').write('x')"
    pod = pod_of(node, "job.yaml", program=lambda _: [sys.executable, "-c", script],
                   claims={"onceproxy-store": claim})
    pod.complete()
    assert done.exists()
    gone(pod)
