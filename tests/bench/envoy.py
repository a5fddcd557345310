"""What onceproxy adds to an Envoy: CPU time a request, of Envoy and of onceproxy apart, and latency, with

    alone      Envoy in front of the service
    upstream   Envoy, onceproxy as its upstream, the service
    ext-proc   Envoy that asks onceproxy and forwards by itself (deploy/envoy/ext-proc-sidecar.yaml)

All take turns in every round and the medians are printed. A run from which the host took 3 % or more is made
again. The exit code is 1 if onceproxy takes more than 1.3 times as much CPU when it is asked as when it forwards,
or if a request failed.
"""

import argparse
import collections
import copy
import pathlib
import shutil
import statistics
import sys
import time

import yaml

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "integration"))

from contenders import free_ports  # noqa: E402
from harness.envoy import NEWEST, Envoy, prepared  # noqa: E402
from machine import cpu_seconds, family, stolen_seconds  # noqa: E402
from sidecars import STEAL_MAX, TRIES, Processes, load  # noqa: E402

SIDECAR = HERE.parents[1] / "deploy" / "envoy" / "ext-proc-sidecar.yaml"
WAYS = ("alone", "upstream", "ext-proc")
RATIO_MAX = 1.3

Result = collections.namedtuple("Result", "envoy_us onceproxy_us per_second p50_us p99_us errors")


class Way:
    """One of the three, running."""

    def __init__(self, name, options):
        self.directory = pathlib.Path(options.directory) / name
        shutil.rmtree(self.directory, ignore_errors=True)
        self.processes = Processes(self.directory)
        service, data, asked = free_ports(3)
        self.processes.start([options.upstream, service], service)
        config = yaml.safe_load((HERE / "peers" / "onceproxy.yaml").read_text()
                                .replace("@PORT@", str(data)).replace("@UPSTREAM@", str(service))
                                .replace("@STORE@", str(self.directory / "store")).replace("@SYNC@", "all")
                                .replace("@WORKERS@", "1"))
        config["envoy"] = {"listen": f"127.0.0.1:{asked}"}
        file = self.directory / "onceproxy.yaml"
        file.write_text(yaml.safe_dump(config, sort_keys=False))
        self.onceproxy = self.processes.start([options.onceproxy, "run", "-c", file], data)
        envoy = copy.deepcopy(yaml.safe_load(SIDECAR.read_text()))
        if name != "ext-proc":
            manager = envoy["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
            del manager["http_filters"][0]
        place = {"service": ("127.0.0.1", data if name == "upstream" else service), "onceproxy": ("127.0.0.1", asked)}
        self.envoy = Envoy(prepared(envoy, place), self.directory / "envoy", options.envoy,
                           arguments=("--concurrency", "1"), level="warning")
        self.port = self.envoy.listener()[1]

    def stop(self):
        self.envoy.close()
        self.processes.stop()
        shutil.rmtree(self.directory, ignore_errors=True)


def measure(way, kind, seconds, connections):
    seed = f"{int(time.time() * 1000) & 0xFFFFFFFF:08x}"
    load([way.port], kind, seed if kind == "dup" else f"warm{seed[4:]}", 2, connections)
    for attempt in range(TRIES):
        envoy, own = [way.envoy.process.pid], family(way.onceproxy.pid)
        stolen, of_envoy, of_own = stolen_seconds(), cpu_seconds(envoy), cpu_seconds(own)
        (count, duration, p50, p99, errors), = load(
            [way.port], kind, seed if kind == "dup" else f"0{attempt}{seed[2:]}", seconds, connections)
        of_envoy, of_own = cpu_seconds(envoy) - of_envoy, cpu_seconds(own) - of_own
        if (stolen_seconds() - stolen) / seconds / 2 * 100 < STEAL_MAX:
            break
    return Result(of_envoy / count * 1e6, of_own / count * 1e6, count / (duration / 1e6), p50, p99, errors)


def main():
    parser = argparse.ArgumentParser(prog="tests/bench/envoy.sh", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="of every way (default 5)")
    parser.add_argument("--seconds", type=int, default=5, help="of every run (default 5)")
    parser.add_argument("--connections", type=int, default=32, help="of the load (default 32)")
    parser.add_argument("--envoy", default=NEWEST, help=f"which version (default {NEWEST})")
    for name in ("onceproxy", "upstream", "directory"):
        parser.add_argument(f"--{name}", required=True, help=argparse.SUPPRESS)
    options = parser.parse_args()
    table = {}
    for number in range(options.rounds):
        for name in WAYS:
            way = Way(name, options)
            try:
                for kind in ("unique",) if name == "alone" else ("unique", "dup"):
                    result = measure(way, kind, options.seconds, options.connections)
                    table.setdefault((name, kind), []).append(result)
                    print(f"round {number + 1}, {name}, {kind}: {result.onceproxy_us:.1f} µs", file=sys.stderr, flush=True)
            finally:
                way.stop()
    print(f"{'':10}{'workload':>9}{'Envoy µs':>10}{'ours µs':>9}{'req/s':>9}{'p50 ms':>9}{'p99 ms':>9}{'errors':>8}")
    middle = {key: Result(*(statistics.median(values) for values in zip(*results))) for key, results in table.items()}
    for (name, kind), m in middle.items():
        print(f"{name:10}{kind:>9}{m.envoy_us:>10.1f}{m.onceproxy_us:>9.1f}{m.per_second:>9.0f}"
              f"{m.p50_us / 1000:>9.2f}{m.p99_us / 1000:>9.2f}{m.errors:>8.0f}")
    good = not any(result.errors for results in table.values() for result in results)
    for kind in ("unique", "dup"):
        ratio = middle["ext-proc", kind].onceproxy_us / middle["upstream", kind].onceproxy_us
        good = good and ratio <= RATIO_MAX
        print(f"{kind}: asked, onceproxy takes {ratio:.2f} times what it takes as an upstream, target <= {RATIO_MAX} "
              f"{'met' if ratio <= RATIO_MAX else 'MISSED'}")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
