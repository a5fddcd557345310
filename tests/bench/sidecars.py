"""CPU time a request of one, two and three sidecars that share their operations: onceproxy on
PostgreSQL beside nginx with Lua and Redis, which replays from one Redis.

All contenders take turns in every round and the medians are printed. CPU is stated twice: of the
sidecars alone, and with PostgreSQL (its standby too) or Redis included. A run from which the host took
3 % or more is made again. At the end: what onceproxy adds to one unique request at a time.
"""

import argparse
import collections
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "integration"))

from contenders import PEERS, free_ports  # noqa: E402
from harness.postgres import Postgres, descendants  # noqa: E402
from machine import cpu_seconds, family, stolen_seconds  # noqa: E402

CONNECTIONS = 60  # shared out among the sidecars
STEAL_MAX = 3.0   # per cent
TRIES = 4
REPLAYED = 0.3    # bounds of the ratios, of the sidecars' own CPU
UNIQUE = 0.5

Result = collections.namedtuple("Result", "cpu_us all_us per_second p50_us p99_us errors")


class Processes:
    """What is started is stopped, in the opposite order."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.started = []

    def start(self, command, port):
        self.directory.mkdir(parents=True, exist_ok=True)
        with open(self.directory / "log", "ab") as log:
            process = subprocess.Popen([str(word) for word in command], cwd=self.directory,
                                       stdout=subprocess.DEVNULL, stderr=log)
        self.started.append(process)
        subprocess.run([sys.executable, "-c",
                        "import socket, sys, time\n"
                        "for _ in range(200):\n"
                        "    try: socket.create_connection(('127.0.0.1', int(sys.argv[1])), 1); break\n"
                        "    except OSError: time.sleep(0.05)\n"
                        "else: sys.exit('nobody listens')", str(port)], check=True)
        return process

    def write(self, name, template, values):
        text = (PEERS / template).read_text()
        for key, value in values.items():
            text = text.replace(f"@{key}@", str(value))
        self.directory.mkdir(parents=True, exist_ok=True)
        path = self.directory / name
        path.write_text(text)
        return path

    def stop(self):
        for process in reversed(self.started):
            process.terminate()
        for process in self.started:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


class Sidecars:
    """`count` of them in front of one upstream. `ports`, `own` and `shared` (process ids)."""

    def __init__(self, name, count, options, postgres):
        self.directory = pathlib.Path(options.directory) / f"{name}-{count}"
        shutil.rmtree(self.directory, ignore_errors=True)
        self.processes = Processes(self.directory)
        *self.ports, upstream, redis = free_ports(count + 2)
        self.processes.start([options.upstream, upstream], upstream)
        values = {"UPSTREAM": upstream, "REDIS": redis, "WORKERS": 1}
        if name == "nginx-lua-redis":
            config = self.processes.write("redis.conf", "redis.conf",
                                          {**values, "RUN": self.directory})
            server = self.processes.start(["redis-server", config], redis)
            self.shared = lambda: family(server.pid)
            self.own = [self._nginx(number, values) for number in range(count)]
        else:
            database = postgres.database()
            database.migrate(self.directory)
            values |= {"NAME": database.name, "DATABASE": postgres.primary.port,
                       "DURABILITY": database.durability}
            servers = [server for server in postgres.servers if server.running]
            self.shared = lambda: [pid for server in servers for pid in descendants(server.process)]
            self.own = [self._onceproxy(number, values, options) for number in range(count)]

    def _nginx(self, number, values):
        run = self.directory / f"nginx-{number}"
        run.mkdir()
        config = self.processes.write(f"nginx-{number}.conf", "nginx-lua-redis.conf",
                                      {**values, "PORT": self.ports[number], "RUN": run})
        return self.processes.start(["nginx", "-c", config], self.ports[number])

    def _onceproxy(self, number, values, options):
        config = self.processes.write(f"onceproxy-{number}.yaml", "sidecar.yaml",
                                      {**values, "PORT": self.ports[number]})
        return self.processes.start([options.onceproxy, "run", "-c", config], self.ports[number])

    def own_pids(self):
        return [pid for process in self.own for pid in family(process.pid)]

    def stop(self):
        self.processes.stop()
        shutil.rmtree(self.directory, ignore_errors=True)


def load(ports, kind, seed, seconds, connections):
    """wrk on every port at once; [(count, duration, p50, p99, errors)]."""
    runs = []
    for number, port in enumerate(ports):
        # Duplicates are the same for all of them, so that each replays what another stored.
        own = seed if kind == "dup" else f"{number}{seed[1:]}"
        runs.append(subprocess.Popen(
            ["wrk", "-t1", f"-c{max(connections // len(ports), 1)}", f"-d{seconds}s", "-s",
             str(PEERS / "load.lua"), f"http://127.0.0.1:{port}/", "--", kind, own, "/dispatch"],
            stdout=subprocess.PIPE, text=True))
    numbers = []
    for run in runs:
        output, _ = run.communicate(timeout=seconds + 60)
        found = re.search(r"STAT (\d+) (\d+) (\d+) (\d+) (\d+) (\d+)", output)
        if not found:
            raise SystemExit(f"wrk said nothing:\n{output}")
        count, duration, p50, p99, status_errors, errors = map(int, found.groups())
        numbers.append((count, duration, p50, p99, status_errors + errors))
    return numbers


def measure(sidecars, kind, seconds, connections=CONNECTIONS):
    seed = f"{int(time.time() * 1000) & 0xFFFFFFFF:08x}"
    load(sidecars.ports, kind, seed if kind == "dup" else f"warm{seed[4:]}", 2, connections)
    for attempt in range(TRIES):
        own, shared = sidecars.own_pids(), sidecars.shared()
        stolen, own_used, shared_used = stolen_seconds(), cpu_seconds(own), cpu_seconds(shared)
        runs = load(sidecars.ports, kind, seed if kind == "dup" else f"0{attempt}{seed[2:]}",
                    seconds, connections)
        own_used = cpu_seconds(own) - own_used
        shared_used = cpu_seconds(shared) - shared_used
        if (stolen_seconds() - stolen) / seconds / 2 * 100 < STEAL_MAX:
            break
    count = sum(run[0] for run in runs)
    return Result(own_used / count * 1e6, (own_used + shared_used) / count * 1e6,
                  sum(run[0] / (run[1] / 1e6) for run in runs),
                  statistics.median(run[2] for run in runs), max(run[3] for run in runs),
                  sum(run[4] for run in runs))


def medians(results):
    return Result(*(statistics.median(values) for values in zip(*results)))


def print_table(table):
    print(f"{'':18}{'sidecars':>9}{'workload':>9}{'CPU µs':>9}{'with store':>12}{'req/s':>9}"
          f"{'p50 ms':>9}{'p99 ms':>9}{'errors':>8}")
    for (name, count, kind), results in table.items():
        m = medians(results)
        print(f"{name:18}{count:>9}{kind:>9}{m.cpu_us:>9.1f}{m.all_us:>12.1f}{m.per_second:>9.0f}"
              f"{m.p50_us / 1000:>9.2f}{m.p99_us / 1000:>9.2f}{m.errors:>8.0f}")


def print_ratios(table, counts):
    """Every ratio, and whether it is within its bound; True when all are."""
    good = True
    for count in counts:
        for kind, bound in (("unique", UNIQUE), ("dup", REPLAYED)):
            ours = medians(table["onceproxy", count, kind])
            theirs = medians(table["nginx-lua-redis", count, kind])
            ratio = ours.cpu_us / theirs.cpu_us
            good = good and ratio <= bound
            print(f"{count} sidecars, {kind:6}: CPU {ratio:.2f} of nginx+Lua+Redis, target <= {bound} "
                  f"{'met' if ratio <= bound else 'MISSED'}; with the stores "
                  f"{ours.all_us / theirs.all_us:.2f}; req/s {ours.per_second / theirs.per_second:.2f}")
    return good


def main():
    parser = argparse.ArgumentParser(prog="tests/bench/sidecars.sh", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="of every contender (default 5)")
    parser.add_argument("--seconds", type=int, default=5, help="of every run (default 5)")
    parser.add_argument("--sidecars", default="1,2,3", help="how many (default 1,2,3)")
    parser.add_argument("--without-standby", action="store_true",
                        help="durability: primary instead of quorum with a synchronous standby")
    for name in ("onceproxy", "upstream", "directory"):
        parser.add_argument(f"--{name}", required=True, help=argparse.SUPPRESS)
    options = parser.parse_args()
    counts = [int(count) for count in options.sidecars.split(",")]
    postgres = Postgres(standby=not options.without_standby, quick=False)
    table = {}
    try:
        for number in range(options.rounds):
            for count in counts:
                for name in ("nginx-lua-redis", "onceproxy"):
                    sidecars = Sidecars(name, count, options, postgres)
                    try:
                        for kind in ("unique", "dup"):
                            result = measure(sidecars, kind, options.seconds)
                            table.setdefault((name, count, kind), []).append(result)
                            print(f"round {number + 1}, {count} {name}, {kind}: "
                                  f"{result.cpu_us:.1f} µs", file=sys.stderr, flush=True)
                    finally:
                        sidecars.stop()
        alone = Sidecars("onceproxy", 1, options, postgres)
        try:
            one = measure(alone, "unique", options.seconds, connections=1)
        finally:
            alone.stop()
    finally:
        postgres.close()
    print_table(table)
    print(f"one unique request at a time: p50 {one.p50_us / 1000:.2f} ms, p99 {one.p99_us / 1000:.2f} ms")
    sys.exit(0 if print_ratios(table, counts) else 1)


if __name__ == "__main__":
    main()
