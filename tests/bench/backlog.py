#!/usr/bin/python3
"""One listener is down for long, and a million deliveries wait for it: what the others notice of that, what
memory it takes, and how the listener catches up.

Three listeners take events all the time, at a steady rate, and tell how long each was on its way. That is
measured with everything up ("before"), while deliveries pile up ("filling"), with all of them pending
("down"), and while the listener that is back takes them at its own rate ("back"). The exit code is 1 if the
99th percentile with all of them pending is more than a tenth (and a tenth of a millisecond) above the one
before, or if memory grows by more than 64 MiB from a tenth of the deliveries to all of them.
"""

import argparse
import asyncio
import json
import pathlib
import shutil
import statistics
import subprocess
import sys
import time
import urllib.request

from contenders import free_ports
from deliveries import compiled, wait_for_port
from machine import cpu_seconds, family, memory_mib, stolen_seconds

OTHERS = ("a", "b", "c")
GROWTH_MAX = 64      # MiB
RATIO_MAX = 1.1      # of the 99th percentile
NOISE = 0.1          # milliseconds that do not count
ROUNDS = 3


class Program:
    """onceproxy, with `away` as the listener that will be down."""

    def __init__(self, options, directory, away, others):
        self.data, self.telemetry, upstream = free_ports(3)
        listener = ("{{name: {}, address: 127.0.0.1:{}, path: /events, max_concurrency: 16, "
                    "attempts: 1000, backoff: {{initial: 1s, max: 10s}}{}}}")
        slow = f", rate: {{limit: {options.catch_up}, per: 1s}}"
        gone = listener.format("away", away, slow)
        names = ", ".join([gone, *(listener.format(name, port, "") for name, port in others)])
        (directory / "onceproxy.yaml").write_text(f"""
listen: 127.0.0.1:{self.data}
upstream: {{address: 127.0.0.1:{upstream}}}
store: {{rocksdb: {{path: {directory}/data, max_bytes: 64GiB}}}}
delivery: {{max_bytes: 32GiB}}
telemetry: {{listen: 127.0.0.1:{self.telemetry}}}
log: {{level: error}}
limits: {{idle_timeout: 10m}}
workers: 1
policies:
  - name: fill
    match: {{methods: [POST], path: /events}}
    fingerprint: client_key
    scope: shared
    delivery: {{listeners: [{gone}]}}
  - name: measured
    match: {{methods: [POST], path: /measured}}
    fingerprint: client_key
    scope: shared
    delivery: {{listeners: [{names}]}}
""")
        self.process = subprocess.Popen([options.program, "run", "-c", directory / "onceproxy.yaml"],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for_port(self.data)

    def pids(self):
        return family(self.process.pid)

    def pending(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.telemetry}/metrics") as answer:
            for line in answer.read().decode().splitlines():
                if line.startswith('onceproxy_deliveries_pending{listener="away"}'):
                    return int(float(line.rsplit(" ", 1)[1]))
        return 0

    def stop(self):
        self.process.terminate()
        self.process.wait(120)


class Others:
    """The listeners that always work: how long each event was on its way to each."""

    def __init__(self):
        self.delays = []
        self.ports = []
        self.servers = []

    async def open(self):
        for name in OTHERS:
            server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
            self.servers.append(server)
            self.ports.append((name, server.sockets[0].getsockname()[1]))

    async def _serve(self, reader, writer):
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
                body = await reader.readexactly(length)
                self.delays.append(time.monotonic() - json.loads(body)["at"])
                writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            writer.close()


class Load:
    """Events at a steady rate, whatever their answers take."""

    def __init__(self, port, others):
        self.port, self.others = port, others
        self.number = 0
        self.free = []

    async def _send(self):
        if self.free:
            reader, writer = self.free.pop()
        else:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.number += 1
        body = json.dumps({"at": time.monotonic(), "pad": "x" * 200}).encode()
        writer.write(b"POST /measured HTTP/1.1\r\nHost: a\r\nIdempotency-Key: m%d\r\n"
                     b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                     % (self.number, len(body), body))
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 202"), head
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
        self.free.append((reader, writer))

    async def run(self, rate, seconds):
        """(median, 99th percentile) of the delays in milliseconds."""
        self.others.delays.clear()
        events = int(rate * seconds)
        began, tasks = time.monotonic(), []
        for number in range(events):
            await asyncio.sleep(max(0, began + number / rate - time.monotonic()))
            tasks.append(asyncio.create_task(self._send()))
        await asyncio.gather(*tasks)
        until = time.monotonic() + 30
        while len(self.others.delays) < events * len(OTHERS):
            assert time.monotonic() < until, "deliveries are missing"
            await asyncio.sleep(0.01)
        delays = sorted(self.others.delays)
        return statistics.median(delays) * 1e3, delays[int(len(delays) * 0.99)] * 1e3


async def fill(program, filling, events, number):
    """So many events more for the listener that is down."""
    filler = await asyncio.create_subprocess_exec(
        filling, str(program.data), str(events), "64", f"f{number}-", stdin=asyncio.subprocess.PIPE)
    await filler.communicate(json.dumps({"ride": "r", "pad": "x" * 200}).encode())
    assert filler.returncode == 0


class Report:
    def __init__(self, program):
        self.program = program
        print(f"{'':8} {'pending':>9} {'median ms':>10} {'p99 ms':>8} {'RSS MiB':>8} {'CPU s':>7} "
              f"{'steal':>6}")

    def add(self, name, figures, cpu, took, stolen):
        pids = self.program.pids()
        memory = memory_mib(pids)
        print(f"{name:8} {self.program.pending():9} {figures[0]:10.2f} {figures[1]:8.2f} {memory:8} "
              f"{cpu:7.1f} {stolen / took * 50:5.1f}%", flush=True)
        return figures[1], memory

    async def measure(self, name, load, options, beside=None):
        """The best of some rounds, since whatever else runs on the machine only makes it worse; beside
        something that goes on, the whole time of it."""
        pids = self.program.pids()
        cpu, stolen, began = cpu_seconds(pids), stolen_seconds(), time.monotonic()
        if beside is None:
            found = [await load.run(options.rate, options.seconds) for _ in range(ROUNDS)]
            figures = min(found, key=lambda each: each[1])
        else:
            task = asyncio.create_task(beside)
            found = []
            while not task.done() or not found:
                found.append(await load.run(options.rate, 2))
            await task
            figures = [statistics.median(values) for values in zip(*found)]
        took = time.monotonic() - began
        return self.add(name, figures, cpu_seconds(pids) - cpu, took, stolen_seconds() - stolen)


async def caught_up(program):
    while program.pending() > 0:
        await asyncio.sleep(0.2)


async def bench(options):
    directory = pathlib.Path(options.directory)
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    service, filling = compiled("upstream", directory), compiled("event_fill", directory)
    others = Others()
    await others.open()
    away, = free_ports(1)
    sink = subprocess.Popen([service, str(away)], stdout=subprocess.DEVNULL)
    wait_for_port(away)
    program = Program(options, directory, away, others.ports)
    try:
        load = Load(program.data, others)
        await load.run(options.rate, 1)
        report = Report(program)
        before, _ = await report.measure("before", load, options)
        sink.terminate()
        sink.wait(20)
        tenth = options.pending // 10
        await fill(program, filling, tenth, 0)
        _, little = await report.measure("a tenth", load, options)
        await report.measure("filling", load, options,
                             fill(program, filling, options.pending - tenth, 1))
        down, much = await report.measure("down", load, options)
        sink = subprocess.Popen([service, str(away)], stdout=subprocess.DEVNULL)
        wait_for_port(away)
        began, pending = time.monotonic(), program.pending()
        await report.measure("back", load, options, caught_up(program))
        took = time.monotonic() - began
        print(f"caught up at {pending / took:.0f} deliveries a second; its rate is {options.catch_up}")
        print(f"p99 {down / before:.2f} of the one before, target {RATIO_MAX}; memory grew by "
              f"{much - little} MiB, target {GROWTH_MAX}")
        return down > before * RATIO_MAX + NOISE or much - little > GROWTH_MAX
    finally:
        program.stop()
        sink.terminate()
        shutil.rmtree(directory, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", help="onceproxy, as the release preset builds it")
    parser.add_argument("--directory", default="/tmp/onceproxy-bench-backlog")
    parser.add_argument("--pending", type=int, default=1_000_000)
    parser.add_argument("--rate", type=float, default=100, help="events a second for the others")
    parser.add_argument("--seconds", type=float, default=10, help="of each round")
    parser.add_argument("--catch-up", type=int, default=10_000,
                        help="deliveries a second that the listener takes when it is back")
    sys.exit(asyncio.run(bench(parser.parse_args())))


if __name__ == "__main__":
    main()
