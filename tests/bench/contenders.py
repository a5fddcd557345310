"""The programs that are compared: how to start each in front of the service, and how to stop it."""

import pathlib
import shutil
import socket
import subprocess
import time

from machine import family

PEERS = pathlib.Path(__file__).parent / "peers"

# Name: (configuration, command, values for the configuration, path that the load is sent to).
CONTENDERS = {
    "haproxy-http": ("haproxy-http.cfg", ["haproxy", "-db", "-f", "{config}"], {}, "/dispatch"),
    "haproxy-stick": ("haproxy-stick.cfg", ["haproxy", "-db", "-f", "{config}"], {}, "/dispatch"),
    "nginx-proxy": ("nginx-proxy.conf", ["nginx", "-c", "{config}"], {}, "/dispatch"),
    "nginx-bodies": ("nginx-bodies.conf", ["nginx", "-c", "{config}"], {}, "/dispatch"),
    "nginx-lua-redis": ("nginx-lua-redis.conf", ["nginx", "-c", "{config}"], {}, "/dispatch"),
    "onceproxy-pass": ("onceproxy.yaml", ["{onceproxy}", "run", "-c", "{config}"], {"SYNC": "all"}, "/other"),
    "onceproxy-all": ("onceproxy.yaml", ["{onceproxy}", "run", "-c", "{config}"], {"SYNC": "all"}, "/dispatch"),
    "haproxy-tls": ("haproxy-tls.cfg", ["haproxy", "-db", "-f", "{config}"], {}, "/dispatch"),
    "nginx-tls": ("nginx-tls.conf", ["nginx", "-c", "{config}"], {}, "/dispatch"),
    "onceproxy-tls-pass": ("onceproxy-tls.yaml", ["{onceproxy}", "run", "-c", "{config}"], {"SYNC": "all"}, "/other"),
    "onceproxy-tls-all": ("onceproxy-tls.yaml", ["{onceproxy}", "run", "-c", "{config}"], {"SYNC": "all"}, "/dispatch"),
    "onceproxy-none": ("onceproxy.yaml", ["{onceproxy}", "run", "-c", "{config}"], {"SYNC": "none"}, "/dispatch"),
}

# Those that remember nothing have no duplicates to be asked for.
WITHOUT_MEMORY = {"haproxy-http", "nginx-proxy", "onceproxy-pass", "haproxy-tls", "nginx-tls",
                  "onceproxy-tls-pass"}


def make_certificate(directory):
    """tls.crt and tls.key, and both in one file, as HAProxy wants them."""
    names = [directory / name for name in ("tls.crt", "tls.key")]
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-nodes", "-days", "30", "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=DNS:localhost,IP:127.0.0.1", "-out", names[0], "-keyout",
                    names[1]], check=True, capture_output=True)
    (directory / "tls.pem").write_bytes(b"".join(name.read_bytes() for name in names))


def free_ports(count):
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


class Bench:
    """One contender in front of the upstream, each on its core when pinned. Use with `with`."""

    def __init__(self, name, pinned, onceproxy, upstream, directory, store=None):
        """`store`: where onceproxy's store is and stays; else it is new, and is removed."""
        self.name = name
        self.store = store
        self.pinned = pinned
        self.directory = pathlib.Path(directory) / name
        self.programs = {"onceproxy": onceproxy, "upstream": upstream}
        self.port, self.upstream_port, self.redis_port = free_ports(3)
        self.path = CONTENDERS[name][3]
        self.scheme = "https" if "-tls" in name else "http"
        self._processes = []
        self._measured = []

    def __enter__(self):
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True)
        try:
            self._start_all()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start_all(self):
        config, command, values, _ = CONTENDERS[self.name]
        if self.scheme == "https":
            make_certificate(self.directory)
        self._start([self.programs["upstream"], str(self.upstream_port)], core=1)
        if "redis" in self.name:
            redis = self._configure("redis.conf", {})
            self._measured.append(self._start(["redis-server", str(redis)], core=0))
            self._wait_for(self.redis_port)
        self._wait_for(self.upstream_port)
        path = self._configure(config, values)
        words = [word.format(config=path, **self.programs) for word in command]
        began = time.monotonic()
        self._measured.append(self._start(words, core=0))
        self._wait_for(self.port)
        self.start_seconds = time.monotonic() - began

    def _configure(self, name, values):
        text = (PEERS / name).read_text()
        values = {"PORT": self.port, "UPSTREAM": self.upstream_port, "REDIS": self.redis_port,
                  "STORE": self.store or self.directory / "onceproxy", "RUN": self.directory, "WORKERS": 1 if self.pinned else 2, **values}
        for key, value in values.items():
            text = text.replace(f"@{key}@", str(value))
        path = self.directory / name
        path.write_text(text)
        return path

    def _start(self, command, core):
        if self.pinned:
            command = ["taskset", "-c", str(core), *command]
        with open(self.directory / "log", "ab") as log:
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log,
                                       cwd=self.directory)
        self._processes.append(process)
        return process

    def _wait_for(self, port):
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", port), 0.5).close()
                return
            except OSError:
                time.sleep(0.01)
        log = (self.directory / "log").read_text()
        raise SystemExit(f"{self.name} does not listen on port {port}:\n{log}")

    def pids(self):
        """The processes whose CPU time counts: the proxy's, and Redis where it has one."""
        return [pid for process in self._measured for pid in family(process.pid)]

    def __exit__(self, *_):
        for process in reversed(self._processes):
            process.terminate()
        for process in self._processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)
