#!/usr/bin/python3
"""Events that fan out: deliveries a second, and CPU a delivery, of onceproxy with 1, 10 and 127 listeners,
beside Redis streams with a consumer a listener, which is what one would build instead: with consumers in
Python, and with the same ones in C, which nobody would write and which cost as little as consumers can.

All store each event on disk before it counts (sync: all; appendfsync always), deliver it to every
listener by HTTP, and record that each has it. The consumers retry nothing, keep no order between attempts,
and have no limits. The listeners are one service that does as little as it can; its CPU and the load's
count for nobody. All contenders take turns in every round and the medians are printed; a run from which the
host took 3 % or more is made again. The exit code is 1 if a delivery takes more than half of the CPU that it
takes with consumers in Python.
"""

import argparse
import functools
import json
import pathlib
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.request

HERE = pathlib.Path(__file__).parent

from contenders import free_ports  # noqa: E402
from machine import cpu_seconds, family, stolen_seconds  # noqa: E402

LISTENERS = (1, 10, 127)
RATIO = 0.5       # of the CPU of Redis and its consumers in Python, at most
SETTLE = 1.5      # seconds in which what is put off until later is done, and counted
STEAL_MAX = 3.0   # per cent
TRIES = 4
SENDERS = 32      # connections that send events
BODY = json.dumps({"ride": "r", "driver": "d", "pad": "x" * 200})


def compiled(name, directory):
    """A program of peers/."""
    made = pathlib.Path(directory) / name
    subprocess.run(["gcc", "-O2", "-o", made, HERE / "peers" / f"{name}.c"], check=True)
    return made


def wait_for_port(port):
    until = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


class Onceproxy:
    def __init__(self, directory, options, service, listeners):
        self.listeners = listeners
        self.data, self.telemetry = free_ports(2)
        names = "".join(f"        - {{name: l{n}, address: 127.0.0.1:{service}, path: /events, "
                        "max_concurrency: 16}\n" for n in range(listeners))
        (directory / "onceproxy.yaml").write_text(f"""
listen: 127.0.0.1:{self.data}
upstream: {{address: 127.0.0.1:{service}}}
store: {{rocksdb: {{path: {directory}/data}}}}
telemetry: {{listen: 127.0.0.1:{self.telemetry}}}
log: {{level: error}}
workers: 1
policies:
  - name: events
    match: {{methods: [POST], path: /events}}
    fingerprint: client_key
    scope: shared
    delivery:
      listeners:
{names}""")
        self.process = subprocess.Popen([options.program, "run", "-c", directory / "onceproxy.yaml"],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for_port(self.data)

    def pids(self):
        return family(self.process.pid)

    def send(self, events):
        subprocess.run([sys.executable, HERE / "event_load.py", "http", str(self.data), str(events),
                        str(SENDERS)], input=BODY, text=True, check=True)

    def delivered(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.telemetry}/metrics") as answer:
            return sum(float(line.rsplit(" ", 1)[1]) for line in answer.read().decode().splitlines()
                       if line.startswith("onceproxy_deliveries_total{")
                       and 'result="notified"' in line)

    def stop(self):
        self.process.terminate()
        self.process.wait(60)


class Redis:
    """A stream, a group for each listener, and a consumer of it that posts and acknowledges."""

    def __init__(self, directory, options, service, listeners, in_c=False):
        self.listeners = listeners
        self.port, = free_ports(1)
        self.server = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(directory),
             "--appendonly", "yes", "--appendfsync", "always", "--save", ""],
            stdout=subprocess.DEVNULL)
        wait_for_port(self.port)
        command = [options.consumer] if in_c else [sys.executable, HERE / "event_consumer.py"]
        self.consumers = [
            subprocess.Popen([*command, str(self.port), f"l{n}", str(service)])
            for n in range(listeners)]
        until = time.monotonic() + 120
        while self.command("XINFO", "GROUPS", "events").count(b"consumers") < listeners:
            assert time.monotonic() < until, "consumers did not start"
            time.sleep(0.1)

    def command(self, *words):
        data = b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word.encode())
                                                  for word in words)
        with socket.create_connection(("127.0.0.1", self.port), 10) as connection:
            connection.sendall(data)
            connection.settimeout(0.3)
            answer = b""
            try:
                while piece := connection.recv(65536):
                    answer += piece
            except TimeoutError:
                pass
        return answer

    def pids(self):
        return family(self.server.pid) + [each.pid for each in self.consumers]

    def send(self, events):
        subprocess.run([sys.executable, HERE / "event_load.py", "redis", str(self.port), str(events),
                        str(SENDERS)], input=BODY, text=True, check=True)

    def delivered(self):
        answer = self.command("MGET", *(f"done:l{n}" for n in range(self.listeners)))
        return sum(int(line) for line in answer.split(b"\r\n")[1:] if line.isdigit())

    def stop(self):
        for consumer in self.consumers:
            consumer.terminate()
        for consumer in self.consumers:
            consumer.wait(20)
        self.server.terminate()
        self.server.wait(20)


CONTENDERS = {"onceproxy": Onceproxy, "redis-python": Redis,
              "redis-c": functools.partial(Redis, in_c=True)}


def run_once(name, listeners, events, options):
    """(µs of CPU a delivery, deliveries a second, share that the host took)."""
    directory = pathlib.Path(options.directory) / f"{name}-{listeners}"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    service, = free_ports(1)
    sink = subprocess.Popen([options.service, str(service)], stdout=subprocess.DEVNULL)
    wait_for_port(service)
    contender = CONTENDERS[name](directory, options, service, listeners)
    try:
        pids = contender.pids()
        cpu, stolen, began = cpu_seconds(pids), stolen_seconds(), time.monotonic()
        contender.send(events)
        wanted = events * listeners
        while contender.delivered() < wanted:
            assert time.monotonic() - began < 600, f"{contender.delivered()} of {wanted} delivered"
            time.sleep(0.2)
        took = time.monotonic() - began
        time.sleep(SETTLE)
        used = cpu_seconds(pids) - cpu
        steal = (stolen_seconds() - stolen) / (took + SETTLE) * 50
        return used / wanted * 1e6, wanted / took, steal
    finally:
        contender.stop()
        sink.terminate()
        sink.wait(20)


def measured(name, listeners, events, options):
    for _ in range(TRIES):
        result = run_once(name, listeners, events, options)
        if result[2] < STEAL_MAX:
            break
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", help="onceproxy, as the release preset builds it")
    parser.add_argument("--directory", default="/tmp/onceproxy-bench-deliveries")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--deliveries", type=int, default=20_000, help="of each run")
    options = parser.parse_args()
    shutil.rmtree(options.directory, ignore_errors=True)
    pathlib.Path(options.directory).mkdir(parents=True)
    options.service, options.consumer = (compiled(name, options.directory)
                                         for name in ("upstream", "event_consumer"))
    missed = False
    print(f"{'listeners':>10} {'contender':15} {'µs CPU':>8} {'per s':>9} {'steal':>6}")
    for listeners in LISTENERS:
        events = max(50, options.deliveries // listeners)
        results = {name: [] for name in CONTENDERS}
        for _ in range(options.rounds):
            for name in CONTENDERS:
                results[name].append(measured(name, listeners, events, options))
        cpu = {}
        for name, found in results.items():
            cpu[name], rate, steal = (statistics.median(values) for values in zip(*found))
            print(f"{listeners:>10} {name:15} {cpu[name]:8.1f} {rate:9.0f} {steal:5.1f}%", flush=True)
        ratio = cpu["onceproxy"] / cpu["redis-python"]
        missed |= ratio > RATIO
        print(f"{'':10} ratio of CPU to redis-python {ratio:.2f}, target {RATIO}; to redis-c "
              f"{cpu['onceproxy'] / cpu['redis-c']:.2f}")
    shutil.rmtree(options.directory, ignore_errors=True)
    sys.exit(missed)


if __name__ == "__main__":
    main()
