"""One container of a manifest, as a process: kubelet.py starts and ends it.

Its volumes, its ports and its time are the pod's: `pod` gives volume(), paced(), listeners and program().
"""

import re
import signal
import subprocess
import threading
import time
import urllib.request

from .output import Lines
from .process import SANITIZER_REPORT, binary, environment

PROGRAM = "onceproxy"
# What the kubelet leaves a container whose grace period a hook has used up.
LEAST_GRACE = 2.0


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
        self.asked = 0        # by probes
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
            word = self.pod.addresses.get(word) or self._listening(word) or word
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
            if not self._starts(process):
                if process.poll() is None:
                    self.killed.append("startup")
                    self.stop(self.pod.grace)
                return
        self.started.set()
        self.ready = "readinessProbe" not in self.spec
        for name in ("readinessProbe", "livenessProbe"):
            if name in self.spec:
                threading.Thread(target=self._keep, args=(name, process), daemon=True).start()

    def _starts(self, process):
        """Whether the startup probe succeeds in its time, which no pace shortens."""
        probe = self.spec["startupProbe"]
        period = probe.get("periodSeconds", 10)
        deadline = time.monotonic() + period * probe.get("failureThreshold", 3)
        while process.poll() is None and time.monotonic() < deadline:
            if self.asks(probe):
                return True
            time.sleep(self.pod.paced(period))
        return False

    def _fails(self, name, process):
        """Probes until it has failed often enough in a row; False where the process ends before that."""
        probe = self.spec[name]
        failures = 0
        while process.poll() is None:
            failures = 0 if self.asks(probe) else failures + 1
            if failures >= probe.get("failureThreshold", 3):
                return True
            time.sleep(self.pod.paced(probe.get("periodSeconds", 10)))
        return False

    def _keep(self, name, process):
        probe = self.spec[name]
        if name == "livenessProbe":
            if self._fails(name, process) and self.pod.probes_liveness():
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
        self.asked += 1
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
        return self._bound(self.pod.listeners[number])

    def _listening(self, word):
        """Where a command finds an address of the pod's loopback; None where it is none."""
        match = re.fullmatch(r"127\.0\.0\.1:(\d+)", word)
        listener = match and self.pod.listeners.get(int(match[1]))
        bound = listener and self._bound(listener)
        return bound and f"{bound[0]}:{bound[1]}"

    def _bound(self, listener):
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
