"""The real program, in a directory of its own, on ports that the system picks."""

import os
import pathlib
import re
import signal
import subprocess

import yaml

from .admin import Admin
from .metrics import scrape
from .output import Lines
from .rest import Rest
from .wait import PATIENCE, eventually

SANITIZER_REPORT = re.compile(r"ERROR: \w*Sanitizer|WARNING: ThreadSanitizer|runtime error: ")
PRESET = os.environ.get("ONCEPROXY_PRESET", "debug")


def binary():
    path = os.environ.get("ONCEPROXY_BINARY", "")
    assert path and os.access(path, os.X_OK), "ONCEPROXY_BINARY does not name the program"
    return path


def environment(**more):
    """The process's environment; sanitizers are told to keep little memory and to stop at once."""
    return {
        **os.environ,
        "ASAN_OPTIONS": "quarantine_size_mb=8:malloc_context_size=8:detect_stack_use_after_return=0",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "TSAN_OPTIONS": os.environ.get("TSAN_OPTIONS", "halt_on_error=1"),
        **more,
    }


def run(*arguments, within=PATIENCE, stdin=None, **variables):
    """Runs a command of the program to its end."""
    result = subprocess.run([binary(), *map(str, arguments)], input=stdin, capture_output=True,
                            timeout=within, env=environment(**variables), text=True)
    assert not SANITIZER_REPORT.search(result.stderr), result.stderr
    return result


class StartFailed(Exception):
    """The program ended instead of serving."""

    def __init__(self, code, output):
        super().__init__(f"exit code {code}:\n{output}")
        self.code = code
        self.output = output


class Onceproxy:
    """One configuration and its data; start() and kill9() or terminate() any number of times.

    `config` is a dictionary or the path of a file. `prefix`: a command that runs the program.
    """

    def __init__(self, config, directory, arguments=("--drain-time", "20s"), variables=None,
                 prefix=()):
        self.directory = pathlib.Path(directory)
        self.prefix = list(prefix)
        self.arguments = list(arguments)
        self.variables = variables or {}
        if isinstance(config, dict):
            self.config = self.directory / "onceproxy.yaml"
            self.configure(config)
        else:
            self.config = pathlib.Path(config)
        self.process = None
        self.stdout = self.stderr = None
        self.listeners = {}
        # Set where the telemetry port speaks TLS.
        self.telemetry_context = None

    def configure(self, config):
        """Writes the configuration anew, as a reload or the next start will read it."""
        self.config.write_text(yaml.safe_dump(config, sort_keys=False))

    def start(self):
        assert self.process is None, "runs already"
        command = [*self.prefix, binary(), "run", "-c", str(self.config), *self.arguments]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, cwd=self.directory,
                                        env=environment(**self.variables))
        self.stdout, self.stderr = Lines(self.process.stdout), Lines(self.process.stderr)
        ready = self.stderr.wait_for(lambda line: line.get("message") == "ready", "ready")
        if ready is None:
            code, output = self._ended(), self.stderr.text()
            raise StartFailed(code, output)
        for line in self.stderr.json():
            if line.get("message") == "listening":
                host, _, port = line["address"].rpartition(":")
                # A unix socket has a path and no port.
                place = (host, int(port)) if port.isdigit() else (line["address"], None)
                self.listeners.setdefault(line["listener"], place)
        self.rest = Rest(self)
        return self

    def restart(self):
        """On the same data, after kill9() or terminate()."""
        self.listeners = {}
        return self.start()

    data = property(lambda self: self.listeners["data"])
    admin = property(lambda self: self.listeners["admin"])
    telemetry = property(lambda self: self.listeners["telemetry"])
    running = property(lambda self: self.process is not None and self.process.poll() is None)

    def _ended(self):
        """Waits for the end and checks the last words."""
        process, self.process = self.process, None
        code = process.wait(PATIENCE)
        self.stdout.finish()
        self.stderr.finish()
        process.stdout.close()
        process.stderr.close()
        self._check_reports()
        return code

    def _check_reports(self):
        report = SANITIZER_REPORT.search(self.stderr.text())
        assert not report, f"a sanitizer reported:\n{self.stderr.text()}"

    def check_alive(self):
        if not self.running:
            code = self._ended()
            raise AssertionError(f"the program died with {code}:\n{self.stderr.text()}")
        self._check_reports()

    def kill9(self):
        self.check_alive()
        self.process.kill()
        assert self._ended() == -signal.SIGKILL

    def begin_drain(self):
        self.check_alive()
        self.process.send_signal(signal.SIGTERM)

    def wait(self):
        """The exit code, once the program has ended of itself."""
        return self._ended()

    def terminate(self):
        self.begin_drain()
        return self._ended()

    def close(self):
        """The end of every test: the program must still be there, have given back what requests took,
        and leave in good order."""
        if self.process is not None:
            self.check_alive()
            self.rest.check()
            code = self.terminate()
            assert code == 0, f"exit code {code} after SIGTERM:\n{self.stderr.text()}"

    def abandon(self):
        """The end of a test that failed: no further claims."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def rss(self):
        """Bytes of memory in use."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024

    @property
    def operator(self):
        """What an operator has at hand."""
        return Admin(self.admin)

    def metrics(self):
        return scrape(self.telemetry, self.telemetry_context)

    def decided(self, decision, count=1, policy="orders"):
        """Waits until the metrics show so many of a decision."""
        eventually(lambda: self.metrics().decisions(decision, policy) >= count,
                   f"{count} times {decision} in the metrics")

    def access_log(self, count=None):
        """The access log's lines; with `count`, once there are so many."""
        if count is not None:
            eventually(lambda: len(self.stdout.all()) >= count, f"{count} access log lines")
        return self.stdout.json()
