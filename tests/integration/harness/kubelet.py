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
taken from the manifest. `pace` divides its times, except those that bound an answer.
"""

import pathlib
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request

import yaml

from .output import Lines
from .process import SANITIZER_REPORT, binary, environment
from .wait import PATIENCE, eventually

APPLICATION = pathlib.Path(__file__).with_name("application.py")
PROGRAM = "onceproxy"
# What the kubelet leaves a container whose grace period a hook has used up.
LEAST_GRACE = 2.0


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


class Container:
    """One container: a process, its probes, and how it ended. `exit_codes` has one for each process."""

    def __init__(self, pod, spec, sidecar=False):
        self.pod = pod
        self.spec = spec
        self.name = spec["name"]
        self.sidecar = sidecar
        self.restarts = sidecar or pod.spec.get("restartPolicy", "Always") == "Always"
        self.process = None
        self.lines = None
        self.exit_codes = []
        self.hook_codes = []  # of its preStop, where that is a command
        self.killed = []      # why: "startup", "liveness", "grace period"
        self.started = threading.Event()
        self.ended = threading.Event()
        self.ready = False
        self._kill = threading.Lock()

    # The process.

    def start(self):
        self.started.clear()
        self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, cwd=self.pod.directory,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                        env=environment(**self.pod.variables))
        self.lines = Lines(self.process.stderr)
        if self.pod.terminating.is_set():  # it came in between
            self.process.kill()
        threading.Thread(target=self._watch, args=(self.process,), daemon=True).start()
        threading.Thread(target=self._probe, args=(self.process,), daemon=True).start()

    def command(self):
        return self.inside(self.spec["command"]) if self.name == PROGRAM else self.pod.program(self.pod)

    def inside(self, command):
        """A command of the manifest as it is run here."""
        mounts = {mount["mountPath"]: self.pod.volume(mount["name"]) for mount in
                  self.spec.get("volumeMounts", [])}
        mapped = []
        for word in command:
            for path, directory in mounts.items():
                if word == path or word.startswith(path + "/"):
                    word = str(directory) + word[len(path):]
            seconds = re.fullmatch(r"(\d+)s", word)
            mapped.append(f"{int(1000 * self.pod.paced(int(seconds[1])))}ms" if seconds else word)
        return [binary() if mapped[0] == PROGRAM else mapped[0], *mapped[1:]]

    def _watch(self, process):
        code = process.wait()
        self.lines.finish()
        process.stderr.close()
        self.ready = False
        self.exit_codes.append(code)
        if SANITIZER_REPORT.search(self.lines.text()):
            self.pod.problems.append(self.lines.text())
        if self.restarts and not self.pod.terminating.is_set():
            time.sleep(self.pod.paced(1))
            if not self.pod.terminating.is_set():
                self.start()
                return
        self.ended.set()

    @property
    def running(self):
        return self.process is not None and self.process.poll() is None

    # Probes.

    def _probe(self, process):
        if "startupProbe" in self.spec:
            if not self._until("startupProbe", process, success=True):
                if process.poll() is None:
                    self.killed.append("startup")
                    self.stop(self.pod.grace)
                return
        self.started.set()
        self.ready = "readinessProbe" not in self.spec
        for name in ("readinessProbe", "livenessProbe"):
            if name in self.spec:
                threading.Thread(target=self._keep, args=(name, process), daemon=True).start()

    def _until(self, name, process, success):
        """Probes until it has succeeded (or failed) often enough in a row; whether that is `success`."""
        probe = self.spec[name]
        failures = 0
        while process.poll() is None:
            if self.asks(probe):
                failures = 0
                if success:
                    return True
            else:
                failures += 1
                if failures >= probe.get("failureThreshold", 3):
                    return not success
            time.sleep(self.pod.paced(probe.get("periodSeconds", 10)))
        return False

    def _keep(self, name, process):
        probe = self.spec[name]
        if name == "livenessProbe":
            if self._until(name, process, success=False) and self.pod.probes_liveness():
                self.killed.append("liveness")
                # In a pod that is being deleted somebody waits for its hook already.
                if self.pod.terminating.is_set():
                    process.kill()
                else:
                    self.stop(self.pod.grace)
            return
        failures = 0
        while process.poll() is None:
            failures = 0 if self.asks(probe) else failures + 1
            if failures == 0 or failures >= probe.get("failureThreshold", 3):
                self.ready = failures == 0
            time.sleep(self.pod.paced(probe.get("periodSeconds", 10)))

    def asks(self, probe):
        """Whether a probe of the manifest succeeds now."""
        if "exec" in probe:
            try:
                return subprocess.run(self.inside(probe["exec"]["command"]), capture_output=True,
                                      env=environment(**self.pod.variables),
                                      timeout=probe.get("timeoutSeconds", 1)).returncode == 0
            except subprocess.TimeoutExpired:
                return False
        get = probe["httpGet"]
        address = self.address(get["port"])
        if address is None:
            return False
        try:
            url = f"http://{address[0]}:{address[1]}{get['path']}"
            with urllib.request.urlopen(url, timeout=probe.get("timeoutSeconds", 1)) as answer:
                return 200 <= answer.status < 400
        except OSError:
            return False

    def address(self, port):
        """Where a port of the manifest is reached; None while nobody listens there."""
        number = next(each["containerPort"] for each in self.spec["ports"] if each["name"] == port)
        listener = self.pod.listeners[number]
        for line in reversed(self.lines.json() if self.lines else []):
            if line.get("message") == "listening" and line["listener"] == listener:
                host, _, real = line["address"].rpartition(":")
                return host, int(real)
        return None

    # The end.

    def before_stop(self, bound):
        hook = self.spec.get("lifecycle", {}).get("preStop")
        if not hook:
            return
        if "sleep" in hook:
            self.ended.wait(min(bound, self.pod.paced(hook["sleep"]["seconds"])))
            return
        command = self.inside(hook["exec"]["command"])
        if command[0] == "sleep":
            command[1] = str(self.pod.paced(float(command[1])))
        run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               env=environment(**self.pod.variables))
        try:
            output = run.communicate(timeout=max(bound, 0.01))[0].decode(errors="replace")
        except subprocess.TimeoutExpired:
            run.kill()
            output = run.communicate()[0].decode(errors="replace") + "(out of time)"
        self.hook_codes.append(run.returncode)
        self.pod.said.append(f"preStop of {self.name}: {run.returncode} {output.strip()}")

    def stop(self, grace, after=()):
        """Hook, turn, SIGTERM, SIGKILL, within `grace` seconds of now."""
        with self._kill:
            process, deadline = self.process, time.monotonic() + grace
            if process is None or process.poll() is not None:
                return
            self.before_stop(grace)
            for other in after:
                other.ended.wait(max(deadline - time.monotonic(), 0))
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            try:
                process.wait(max(deadline - time.monotonic(), self.pod.paced(LEAST_GRACE)))
            except subprocess.TimeoutExpired:
                self.killed.append("grace period")
                process.kill()


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
