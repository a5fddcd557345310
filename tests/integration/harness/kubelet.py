"""Plays the kubelet: starts the containers of a manifest as processes, runs its own probes and hooks,
and ends a pod in the order that Kubernetes documents.

- Native sidecars (init containers with restartPolicy Always) are started one after the other, each when
  the startup probe of the one before has succeeded; then the containers.
- Deletion begins every container's preStop at once. A container gets SIGTERM when its own preStop has
  ended; a sidecar only after every container, and every sidecar that was started after it, has ended.
- The grace period counts from the deletion, and what is left of it is a container's. Then: SIGKILL.
- Nothing is restarted in a pod that is being deleted.

What a node gives, the harness gives: a volume is a directory, the service's port and the admin port are
Unix sockets, and the ports that are reached from outside are picked by the system. Everything else is
taken from the manifest. `pace` divides its times, except those that bound an answer or a start.
"""

import collections
import pathlib
import sys
import threading

import yaml

from .container import PROGRAM, Container
from .wait import PATIENCE, eventually

APPLICATION = pathlib.Path(__file__).with_name("application.py")


def manifests(path):
    """The documents of a file, by kind."""
    return {document["kind"]: document for document in yaml.safe_load_all(pathlib.Path(path).read_text())}


def pod_spec(documents):
    """That of the one workload among them."""
    return next(document["spec"]["template"]["spec"] for document in documents.values()
                if document["kind"] in ("Deployment", "StatefulSet", "Job"))


def service(effects, manner="graceful"):
    """The service of a pod: application.py, which listens where onceproxy forwards to."""
    return lambda pod: [sys.executable, str(APPLICATION), str(pod.socket), str(effects), manner]


class Pod:
    """The pod that a file of manifests describes, in a directory of its own.

    `program`: gives the command of the containers that are not onceproxy; service() is one. `claims`: the
    directory of each volume claim, which outlives the pod. `liveness_goes_on`: the liveness probe is kept
    during the deletion, as some versions do for sidecars. `changes`: of the configuration's sections; None
    leaves one out.
    """

    def __init__(self, documents, directory, program, claims=None, pace=1.0, liveness_goes_on=False,
                 changes=None):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir()
        self.documents = documents
        self.spec = pod_spec(documents)
        self.pace = pace
        self.claims = claims or {}
        self.variables = {}
        self.said = []
        self.problems = []
        self.terminating = threading.Event()
        self.gone = threading.Event()
        self.liveness_goes_on = liveness_goes_on
        self.listeners = {}
        self.addresses = {}
        self.socket = self.directory / "service"
        self.program = program
        self._write_config(changes or {})
        self.sidecars = [Container(self, spec, sidecar=True) for spec in self.spec.get("initContainers", [])]
        self.containers = [Container(self, spec) for spec in self.spec["containers"]]
        self.grace = self.paced(self.spec.get("terminationGracePeriodSeconds", 30))

    all = property(lambda self: self.sidecars + self.containers)
    onceproxy = property(lambda self: self[PROGRAM])
    data = property(lambda self: self.onceproxy.address("onceproxy"))

    def __getitem__(self, name):
        return next(container for container in self.all if container.name == name)

    def paced(self, seconds):
        return seconds / self.pace

    def volume(self, name):
        """The directory that stands for a volume."""
        if name in self.claims:
            return self.claims[name]
        path = self.directory / name
        path.mkdir(exist_ok=True)
        return path

    def _write_config(self, changes):
        """The ConfigMap's file, with the addresses and the directory of this machine."""
        config = yaml.safe_load(self.documents["ConfigMap"]["data"]["onceproxy.yaml"])
        mounts = next(spec for spec in self.spec.get("initContainers", []) + self.spec["containers"]
                      if spec["name"] == PROGRAM)["volumeMounts"]
        mounted = {mount["mountPath"]: mount["name"] for mount in mounts}
        for key, address in (("data", config["listen"]), ("telemetry", config["telemetry"]["listen"])):
            self.listeners[int(address.rpartition(":")[2])] = key
        self.addresses[config["admin"]["listen"]] = f"unix:{self.directory}/admin"
        config["listen"] = config["telemetry"]["listen"] = "127.0.0.1:0"
        config["admin"]["listen"] = f"unix:{self.directory}/admin"
        config["upstream"]["address"] = f"unix:{self.socket}"
        rocksdb = config["store"]["rocksdb"]
        rocksdb["path"] = str(self.volume(mounted[rocksdb["path"]]))
        config = {key: value for key, value in {**config, **changes}.items() if value is not None}
        (self.volume(mounted["/etc/onceproxy"]) / "onceproxy.yaml").write_text(yaml.safe_dump(config))

    # The life of a pod.

    def start(self):
        """Returns at once; the containers come up one after the other."""
        threading.Thread(target=self._start, daemon=True).start()
        return self

    def _start(self):
        for container in self.sidecars:
            container.start()
            while not container.started.wait(0.02):
                if self.terminating.is_set():
                    return
        for container in self.containers:
            if not self.terminating.is_set():
                container.start()

    @property
    def ready(self):
        return (not self.terminating.is_set() and self.socket.exists()
                and all(container.running and container.ready for container in self.all))

    def wait_until_ready(self):
        eventually(lambda: self.ready, "the pod is ready")
        return self

    def probes_liveness(self):
        return self.liveness_goes_on or not self.terminating.is_set()

    def delete(self):
        """Returns at once; `gone` is set at the end."""
        self.terminating.set()
        threading.Thread(target=self._terminate, daemon=True).start()

    def _terminate(self):
        running = [container for container in self.all if container.running]
        mains = [container for container in running if not container.sidecar]
        threads = []
        for container in running:
            later = running[running.index(container) + 1:] if container.sidecar else []
            after = mains + [other for other in later if other.sidecar] if container.sidecar else []
            threads.append(threading.Thread(target=container.stop, args=(self.grace, after)))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for container in running:
            container.ended.wait(PATIENCE)
        self.gone.set()

    def complete(self):
        """What the kubelet does when the containers of a Job's pod have ended: the sidecars are stopped."""
        for container in self.containers:
            assert container.ended.wait(PATIENCE), f"{container.name} does not end"
        self.delete()
        assert self.gone.wait(PATIENCE), "the sidecars do not end"

    def kill(self):
        """The end of a test that failed."""
        self.terminating.set()
        for container in self.all:
            if container.running:
                container.process.kill()


class Node:
    """Makes pods, whose services note what they execute in one file."""

    def __init__(self, directory):
        self.directory = directory
        self.effects = directory / "effects"
        self.pods = []

    def pod(self, documents, manner="graceful", **options):
        options.setdefault("program", service(self.effects, manner))
        made = Pod(documents, self.directory / f"pod-{len(self.pods)}", **options)
        self.pods.append(made)
        return made.start()

    def executions(self):
        """How often each key was executed."""
        return collections.Counter(self.effects.read_text().split())

    def close(self):
        """At the end of a test that failed no process is left."""
        for pod in self.pods:
            pod.kill()
        for pod in self.pods:
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
