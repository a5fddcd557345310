"""CPU time a request, throughput and latency of onceproxy and of what one would use instead.

All contenders take turns in every round, so that a slow minute of the machine hits all of them;
what is printed are the medians of the rounds. A run from which the host took 3 % or more is made
again. Loopback only; everything it starts it stops.
"""

import argparse
import collections
import re
import statistics
import subprocess
import sys
import time

from contenders import CONTENDERS, PEERS, WITHOUT_MEMORY, Bench
from machine import cpu_seconds, memory_mib, stolen_seconds

CONNECTIONS = 64
STEAL_MAX = 3.0  # per cent
TRIES = 4

# Bodies that are streamed: what is appended to the path for it. Fewer connections than for small
# ones, whose buffers would not fit into the CPU's cache otherwise.
BODIES = {"large-64k": "/64k", "large-1m": "/1m", "upload-1m": ""}
BODY_CONNECTIONS = 16
BODY_CONTENDERS = ("nginx-bodies", "onceproxy-pass")

Result = collections.namedtuple("Result", "cpu_us per_second p50_us p99_us errors memory_mib steal")


def load(bench, kind, seed, seconds, connections=None, port=None):
    """One run of wrk; its numbers. `port`: of the contender unless told."""
    if connections is None:
        connections = BODY_CONNECTIONS if kind in BODIES else CONNECTIONS
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(PEERS / "load.lua"),
               f"{bench.scheme}://127.0.0.1:{port or bench.port}/", "--", kind, seed,
               bench.path + BODIES.get(kind, "")]
    if bench.pinned:
        command = ["taskset", "-c", "1", *command]
    output = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 30).stdout
    found = re.search(r"STAT (\d+) (\d+) (\d+) (\d+) (\d+) (\d+)", output)
    if not found:
        raise SystemExit(f"wrk said nothing about {bench.name}:\n{output}")
    return [int(number) for number in found.groups()]


def measure(name, kind, options, pinned):
    """One contender on one workload."""
    with Bench(name, pinned, options.onceproxy, options.upstream, options.directory) as bench:
        seed = f"{int(time.time() * 1000) & 0xFFFFFFFF:08x}"
        load(bench, kind, seed if kind == "dup" else f"warm{seed[4:]}", 1)
        for attempt in range(TRIES):
            pids = bench.pids()
            stolen, used = stolen_seconds(), cpu_seconds(pids)
            numbers = load(bench, kind, seed if kind == "dup" else f"{attempt}{seed[1:]}",
                           options.seconds)
            used = cpu_seconds(pids) - used
            steal = (stolen_seconds() - stolen) / options.seconds / 2 * 100
            if steal < STEAL_MAX:
                break
        count, duration, p50, p99, status_errors, errors = numbers
        # A bare 409 is what a stick table answers; elsewhere it would be an error.
        if name != "haproxy-stick":
            errors += status_errors
        return Result(used / count * 1e6, count / (duration / 1e6), p50, p99, errors,
                      memory_mib(pids), steal)


def workloads(options):
    """(contender, workload) in the order of a round."""
    wanted = options.only.split(",") if options.only else [""]
    for name in CONTENDERS:
        if name == "nginx-bodies" or not any(part in name for part in wanted):
            continue
        yield name, "unique"
        if name not in WITHOUT_MEMORY:
            yield name, "dup"
    for kind in BODIES:
        if any(part in kind for part in wanted):
            for name in BODY_CONTENDERS:
                yield name, kind


def medians(results):
    return Result(*(statistics.median(values) for values in zip(*results)))


def print_table(title, table):
    print(f"\n{title}")
    print(f"{'':18}{'workload':>9}{'CPU µs':>9}{'spread':>15}{'req/s':>9}{'p50 ms':>9}"
          f"{'p99 ms':>9}{'errors':>8}{'MiB':>6}{'steal %':>9}")
    for (name, kind), results in table.items():
        m = medians(results)
        costs = [result.cpu_us for result in results]
        print(f"{name:18}{kind:>9}{m.cpu_us:>9.1f}{f'{min(costs):.1f}-{max(costs):.1f}':>15}"
              f"{m.per_second:>9.0f}{m.p50_us / 1000:>9.2f}{m.p99_us / 1000:>9.2f}"
              f"{sum(result.errors for result in results):>8.0f}{m.memory_mib:>6.0f}"
              f"{max(result.steal for result in results):>9.1f}")


# The targets of the pinned run's ratios: name, ours, theirs, field, bound, at most or least.
TARGETS = [
    ("pass-through CPU / HAProxy http", ("onceproxy-pass", "unique"), ("haproxy-http", "unique"), "cpu_us", 0.9, "<="),
    ("first request CPU, sync all / HAProxy stick table", ("onceproxy-all", "unique"), ("haproxy-stick", "unique"), "cpu_us", 1.5, "<="),
    ("first request CPU, sync all / nginx+Lua+Redis", ("onceproxy-all", "unique"), ("nginx-lua-redis", "unique"), "cpu_us", 0.4, "<="),
    ("replay CPU / HAProxy stick table's bare 409", ("onceproxy-all", "dup"), ("haproxy-stick", "dup"), "cpu_us", 1.0, "<="),
    ("TLS: pass-through CPU / HAProxy", ("onceproxy-tls-pass", "unique"), ("haproxy-tls", "unique"), "cpu_us", 1.0, "<="),
    ("TLS: replay CPU / HAProxy", ("onceproxy-tls-all", "dup"), ("haproxy-tls", "unique"), "cpu_us", 1.0, "<="),
    *((f"{kind}: CPU / nginx", ("onceproxy-pass", kind), ("nginx-bodies", kind), "cpu_us", 1.0, "<=") for kind in BODIES),
    *((f"{kind}: throughput / nginx", ("onceproxy-pass", kind), ("nginx-bodies", kind), "per_second", 1.0, ">=") for kind in BODIES),
    ("first request req/s / nginx+Lua+Redis", ("onceproxy-all", "unique"), ("nginx-lua-redis", "unique"), "per_second", 3.0, ">="),
]


def print_ratios(table):
    """Every ratio that was measured, and whether it is within its target; True when all are."""
    print()
    good = True
    for name, ours, theirs, field, bound, direction in TARGETS:
        if ours not in table or theirs not in table:
            continue
        ratio = getattr(medians(table[ours]), field) / getattr(medians(table[theirs]), field)
        met = ratio <= bound if direction == "<=" else ratio >= bound
        good = good and met
        print(f"{name:52}{ratio:>7.2f}   target {direction} {bound:<4} {'met' if met else 'MISSED'}")
    return good


def parse():
    parser = argparse.ArgumentParser(prog="tests/bench/run.sh", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="of every contender (default 5)")
    parser.add_argument("--seconds", type=int, default=5, help="of every run (default 5)")
    parser.add_argument("--only", default="", help="contenders and workloads of bodies whose name holds one of these, a,b")
    parser.add_argument("--quick", action="store_true", help="1 round of 2 seconds, pinned only")
    parser.add_argument("--mode", choices=["pinned", "unpinned", "both"], default="both")
    for name in ("onceproxy", "upstream", "directory"):
        parser.add_argument(f"--{name}", required=True, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds, options.mode = 1, 2, "pinned"
    return options


def main():
    options = parse()
    modes = {"pinned": [True], "unpinned": [False], "both": [True, False]}[options.mode]
    tables = {pinned: {} for pinned in modes}
    for number in range(options.rounds):
        for pinned in modes:
            for name, kind in workloads(options):
                result = measure(name, kind, options, pinned)
                tables[pinned].setdefault((name, kind), []).append(result)
                print(f"round {number + 1}, {'pinned' if pinned else 'unpinned'}, {name}, {kind}: "
                      f"{result.cpu_us:.1f} µs, {result.per_second:.0f}/s, "
                      f"steal {result.steal:.1f} %", file=sys.stderr, flush=True)
    titles = {True: f"pinned: one worker on core 0, load and upstream on core 1, {CONNECTIONS} connections, "
                    f"{BODY_CONNECTIONS} for long bodies",
              False: f"unpinned: two workers, {CONNECTIONS} connections"}
    for pinned, table in tables.items():
        print_table(titles[pinned], table)
    if True in tables:
        sys.exit(0 if print_ratios(tables[True]) else 1)


if __name__ == "__main__":
    main()
