"""The order of start and stop in a pod: the manifests of deploy/kubernetes, with the kubelet's part played
by harness/kubelet.py, and clients that send while pods come and go."""

import os
import pathlib
import random
import signal
import sys
import threading
import time
from collections import Counter

import pytest

from harness import PATIENCE, Client, eventually, request
from harness.client import BrokenOff, once
from harness.kubelet import Pod, manifests, pod_spec, service
from harness.webhook import Webhook

MANIFESTS = pathlib.Path(__file__).parents[2] / "deploy" / "kubernetes"
LONG = bool(os.environ.get("ONCEPROXY_LONG"))
ROLLOUTS = 100 if LONG else 3
PACE = 5
CALLER = {"Authorization": "Bearer a"}


class Endpoints:
    """The pods behind a Service, as kube-proxy knows them: later than the kubelet does."""

    def __init__(self):
        self.lock = threading.Lock()
        self.pods = []

    def add(self, pod):
        with self.lock:
            self.pods.append(pod)

    def remove(self, pod):
        with self.lock:
            self.pods.remove(pod)

    def remove_late(self, pod, lag):
        timer = threading.Timer(lag, self.remove, (pod,))
        timer.daemon = True
        timer.start()

    def pick(self, generator):
        """An address that a new connection goes to; None while there is none."""
        with self.lock:
            return generator.choice(self.pods).data if self.pods else None


class Load:
    """Clients that send until they are told to stop, each request with a key of its own.

    Half of them make a connection for each request and never send twice: what they are answered is what
    the pod did. The others keep their connections, and send again with the same key where an idle one was
    closed. With `retries` all send again until they have an answer.
    """

    def __init__(self, endpoints, retries=False, clients=8):
        self.endpoints = endpoints
        self.retries = retries
        self.over = threading.Event()
        self.lock = threading.Lock()
        self.answered = {}  # key: (status, decision)
        self.lost = []      # key and reason
        self.threads = [threading.Thread(target=self.run, args=(number,), daemon=True)
                        for number in range(clients)]
        for thread in self.threads:
            thread.start()

    def run(self, number):
        generator = random.Random(number)
        kept = number % 2 == 1
        client = None
        count = 0
        while not self.over.is_set():
            key = f"{number}-{count}"
            count += 1
            data = request(target="/orders", key=key, body=b"{}", headers=CALLER)
            answer = reason = None
            for attempt in range(10_000 if self.retries else 2 if kept else 1):
                again = client is not None
                try:
                    if client is None:
                        address = self.endpoints.pick(generator)
                        if address is None:
                            raise ConnectionRefusedError("no endpoint")
                        client = Client(address)
                    answer = client.exchange(data)
                except (BrokenOff, OSError) as error:
                    reason = repr(error)
                    self.leave(client)
                    client = None
                    if not (self.retries or again):
                        break
                    time.sleep(0.02 if self.retries else 0)
                    continue
                if not kept or answer.closes:
                    self.leave(client)
                    client = None
                if answer.status == 201 or not self.retries:
                    break
                time.sleep(0.02)
            self.note(key, answer, reason)
            time.sleep(generator.random() * 0.05)
        self.leave(client)

    @staticmethod
    def leave(client):
        if client is not None:
            client.close()

    def note(self, key, answer, reason):
        with self.lock:
            if answer is not None and answer.status == 201:
                self.answered[key] = answer.decision
            else:
                self.lost.append((key, answer and (answer.status, answer.decision), reason))

    def stop(self):
        self.over.set()
        for thread in self.threads:
            thread.join(PATIENCE)
        return self


@pytest.fixture
def node(directory):
    """Makes pods of a manifest; at the end of a test that failed none is left."""

    class Node:
        effects = directory / "effects"
        pods = []

        def pod(self, manifest, **options):
            """Of a file, or of documents."""
            documents = manifests(MANIFESTS / manifest) if isinstance(manifest, str) else manifest
            options.setdefault("program", service(self.effects))
            options.setdefault("pace", PACE)
            made = Pod(documents, directory / f"pod-{len(self.pods)}", **options)
            self.pods.append(made)
            return made.start()

        def executions(self):
            return Counter(self.effects.read_text().split())

    made = Node()
    made.pods = []
    yield made
    for pod in made.pods:
        pod.kill()
        assert not pod.problems, pod.problems


def gone(pod, code=0):
    """Waits for the end of a pod that is being deleted, and holds it to what is promised. `code`: how the
    service ends."""
    assert pod.gone.wait(PATIENCE), "the pod does not end"
    for container in pod.all:
        wanted = [0 if container is pod.onceproxy else code]
        assert container.exit_codes == wanted, (container.name, container.exit_codes, pod.said)
        assert container.hook_codes in ([], [0]), pod.said
        assert not container.killed, (container.name, container.killed, pod.said)


def judge(load, node):
    assert not load.lost, (len(load.lost), load.lost[:5])
    executions = node.executions()
    assert [key for key, count in executions.items() if count > 1] == []
    assert executions.keys() == load.answered.keys()


@pytest.mark.parametrize("manifest, manner", [("deployment.yaml", "graceful"), ("deployment.yaml", "abrupt"),
                                              ("plain-container.yaml", "graceful")])
def test_rollouts_under_load_lose_nothing_and_double_nothing(node, manifest, manner):
    generator = random.Random(manifest)
    endpoints = Endpoints()
    program, code = service(node.effects, manner), 0 if manner == "graceful" else -signal.SIGTERM
    pod = node.pod(manifest, program=program).wait_until_ready()
    endpoints.add(pod)
    load = Load(endpoints)
    for _ in range(ROLLOUTS):
        before = len(load.answered)
        new = node.pod(manifest, program=program).wait_until_ready()
        endpoints.add(new)
        eventually(lambda: len(load.answered) > before + 20, "requests are answered")
        # Less than --grace of the preStop: that is what the grace is for.
        endpoints.remove_late(pod, generator.random() * pod.paced(4))
        pod.delete()
        gone(pod, code)
        pod = new
    load.stop()
    pod.delete()
    gone(pod, code)
    judge(load, node)
    assert set(load.answered.values()) == {"forwarded"}


def injected(directory):
    """The example of the webhook, with the pod that the webhook makes of it."""
    documents = manifests(MANIFESTS / "injector" / "example.yaml")
    template = documents["Deployment"]["spec"]["template"]
    container, = pod_spec(manifests(MANIFESTS / "injector" / "injector.yaml"))["containers"]
    with Webhook(container, directory) as webhook:
        documents["Deployment"]["spec"]["template"] = webhook.patched(
            {"apiVersion": "v1", "kind": "Pod", **template})
    return documents


def test_rollouts_of_pods_that_the_webhook_made_lose_nothing_and_double_nothing(node, directory):
    documents = injected(directory)
    # Its probes are commands. They ask the admin port where there is no other, here a Unix socket.
    options = {"changes": {"telemetry": None}}
    endpoints = Endpoints()
    pod = node.pod(documents, **options).wait_until_ready()
    assert [container.name for container in pod.sidecars] == ["onceproxy"]
    endpoints.add(pod)
    load = Load(endpoints)
    for _ in range(2):
        before = len(load.answered)
        new = node.pod(documents, **options).wait_until_ready()
        endpoints.add(new)
        eventually(lambda: len(load.answered) > before + 20, "requests are answered")
        endpoints.remove_late(pod, pod.paced(4))
        pod.delete()
        gone(pod)
        pod = new
    load.stop()
    pod.delete()
    gone(pod)
    judge(load, node)


def test_a_statefulset_that_is_replaced_remembers_what_was_done(node, directory):
    """There is no pod for a while, and clients send again with the same key until there is."""
    claim = directory / "claim"
    claim.mkdir()
    endpoints = Endpoints()
    options = {"claims": {"onceproxy-store": claim}}
    pod = node.pod("statefulset.yaml", **options).wait_until_ready()
    endpoints.add(pod)
    load = Load(endpoints, retries=True)
    for _ in range(3):
        before = len(load.answered)
        eventually(lambda: len(load.answered) > before + 20, "requests are answered")
        endpoints.remove_late(pod, pod.paced(2))
        pod.delete()
        gone(pod)
        pod = node.pod("statefulset.yaml", **options).wait_until_ready()
        endpoints.add(pod)
    load.stop()
    judge(load, node)
    done = next(iter(load.answered))
    again = once(pod.data, request(target="/orders", key=done, body=b"{}", headers=CALLER))
    assert (again.status, again.decision) == (201, "replayed")
    pod.delete()
    gone(pod)


def test_a_container_that_is_killed_comes_back_and_remembers(node):
    """SIGKILL to onceproxy alone, as for memory: the pod stays, and so does the emptyDir."""
    pod = node.pod("deployment.yaml").wait_until_ready()
    data = request(target="/orders", key="k", body=b"{}", headers=CALLER)
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
    pod = node.pod("deployment.yaml").wait_until_ready()
    sidecar, orders = pod.onceproxy, pod["orders"]
    assert orders.process.pid and sidecar.started.is_set()
    pod.delete()
    assert orders.ended.wait(PATIENCE)
    assert sidecar.running, "it serves the service until that has ended"
    gone(pod)
    assert sidecar.lines.text().count('"draining"') == 1


def test_a_request_under_way_at_the_deletion_is_answered(node):
    pod = node.pod("deployment.yaml").wait_until_ready()
    with Client(pod.data) as client:
        client.send(request(target="/orders", key="k", body=b"{}", headers=CALLER))
        eventually(node.effects.exists, "the request is under way")
        pod.delete()
        assert client.read("POST").status == 201
    gone(pod)
    assert node.executions() == {"k": 1}


@pytest.mark.parametrize("manifest", ["deployment.yaml", "plain-container.yaml"])
def test_a_liveness_probe_that_goes_on_does_not_kill_the_drain(node, manifest):
    """A connection that stays busy makes the drain last for several periods of the probe."""
    pod = node.pod(manifest, liveness_goes_on=True).wait_until_ready()
    with Client(pod.data) as client:
        client.send(request(target="/orders", key="k", body=b"{}", headers=CALLER)[:-1])
        pod.delete()
        assert pod.gone.wait(PATIENCE)
    assert pod.onceproxy.killed == []
    assert pod.onceproxy.exit_codes == [0]
    assert pod.onceproxy.hook_codes == [1], "the preStop says that it was not drained in time"


def test_a_sidecar_that_never_becomes_ready_does_not_block_the_deletion(node):
    """Its configuration is refused, so it ends with 1 again and again; the service never starts."""
    pod = node.pod("deployment.yaml", changes={"policies": [{"name": "UPPER CASE"}]})
    eventually(lambda: len(pod.onceproxy.exit_codes) >= 2, "it is started again")
    assert set(pod.onceproxy.exit_codes) == {1}
    assert pod["orders"].process is None
    began = time.monotonic()
    pod.delete()
    assert pod.gone.wait(PATIENCE)
    assert time.monotonic() - began < pod.grace


def test_a_sidecar_that_hangs_is_killed_at_the_end_of_the_grace_period(node):
    """The preStop does not outlast it, whatever the program does."""
    pod = node.pod("deployment.yaml", pace=20).wait_until_ready()
    pod.onceproxy.process.send_signal(signal.SIGSTOP)
    pod.delete()
    assert pod.gone.wait(PATIENCE)
    assert pod["orders"].exit_codes == [0]
    assert pod.onceproxy.killed == ["grace period"]
    assert pod.onceproxy.exit_codes == [-signal.SIGKILL]


def test_a_sidecar_that_hangs_is_restarted_by_its_liveness_probe(node):
    pod = node.pod("deployment.yaml", pace=20).wait_until_ready()
    # Its probes are answered by nobody from now on, and each waits for its timeout.
    for probe in ("livenessProbe", "readinessProbe"):
        pod.onceproxy.spec[probe]["timeoutSeconds"] = 0.2
    first = pod.onceproxy.process
    first.send_signal(signal.SIGSTOP)
    eventually(lambda: pod.onceproxy.process is not first and pod.ready, "a new process is ready")
    assert pod.onceproxy.killed == ["liveness", "grace period"]
    pod.delete()
    assert pod.gone.wait(PATIENCE)
    assert pod.onceproxy.exit_codes == [-signal.SIGKILL, 0]


def test_a_job_ends_with_its_container(node, directory):
    """What it sends goes through onceproxy, which is stopped when it has ended."""
    done, claim = directory / "done", directory / "claim"
    claim.mkdir()
    script = f"open({str(done)!r}, 'w').write('x')"
    pod = node.pod("job.yaml", program=lambda _: [sys.executable, "-c", script],
                   claims={"onceproxy-store": claim})
    pod.complete()
    assert done.exists()
    gone(pod)
