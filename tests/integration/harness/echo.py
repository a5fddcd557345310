"""The server of tests/echo: gRPC and HTTP/2 by the rooms that the program has for them, without the rest
of it."""

import os
import pathlib
import re
import signal
import subprocess

from .output import Lines
from .process import SANITIZER_REPORT, environment
from .wait import PATIENCE


def echo_binary():
    """Of the same build as the program, or of the debug build where a build has the program alone."""
    build = pathlib.Path(os.environ["ONCEPROXY_BINARY"]).parents[1]
    for tree in (build, build.parent / "debug"):
        path = tree / "tests/echo/grpc_echo"
        if path.exists():
            return str(path)
    raise AssertionError("grpc_echo is not built")


class Echo:
    """One server; `options` are limits as grpc_echo.cpp names them."""

    def __init__(self, address="127.0.0.1:0", **options):
        words = [f"{name}={value}" for name, value in options.items()]
        self.process = subprocess.Popen([echo_binary(), address, *words], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        env=environment())
        self.stdout, self.stderr = Lines(self.process.stdout), Lines(self.process.stderr)
        ready = self.stdout.wait_for(lambda line: "listening" in line, "listening")
        assert ready, self.stderr.text()
        self.address = ready["listening"]

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            self.process.kill()
            self.process.wait()
            print(self.stderr.text()[-8000:])
            return
        if self.process.returncode is None:
            assert self.terminate() == 0, f"the drain had to cut something off:\n{self.stderr.text()}"

    @property
    def place(self):
        host, _, port = self.address.rpartition(":")
        return host, int(port)

    def begin_drain(self):
        assert self.process.poll() is None, self.stderr.text()
        self.process.send_signal(signal.SIGTERM)

    def wait(self):
        code = self.process.wait(PATIENCE)
        self.stdout.finish()
        self.stderr.finish()
        assert not SANITIZER_REPORT.search(self.stderr.text()), self.stderr.text()
        return code

    def terminate(self):
        self.begin_drain()
        return self.wait()

    def gone(self, method):
        """Why a handler of that method was told that its call is over."""
        line = self.stdout.wait_for(lambda line: line.get("method") == method, f"{method} is gone")
        assert line, self.stderr.text()
        return line["gone"]

    def rss(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024
