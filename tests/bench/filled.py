#!/usr/bin/python3
"""What requests cost with a store of millions of live records, beside an empty one.

    tests/bench/filled.py PROGRAM FILL_STORE DIRECTORY [--records N] [--pairs N] [--seconds N]

FILL_STORE is the program of that name (-DONCEPROXY_BENCH=ON). It fills the store in DIRECTORY with
so many records (10 million by default, about 3.5 GB) unless it is there already, from an earlier
run. First it prints how long a start with that store takes, and how large it is. In every pair, replays
of a thousand keys again and again, or unique requests, are measured with either store, one right after
the other, pinned as in bench.py. Exit code 1 where the median ratio of one is above 1.25, or the program
takes 300 MiB of memory or more.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

from bench import STEAL_MAX, TRIES, load
from contenders import PEERS, Bench
from machine import cpu_seconds, memory_mib, stolen_seconds

RATIO_MAX = 1.25
MEMORY_MAX_MIB = 300
WORKLOADS = {"replay of a thousand keys": "dup", "unique, sync: all": "unique"}


def parse():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", metavar="PROGRAM")
    parser.add_argument("fill_store", metavar="FILL_STORE")
    parser.add_argument("store", metavar="DIRECTORY", type=pathlib.Path)
    parser.add_argument("--records", type=int, default=10_000_000)
    parser.add_argument("--pairs", type=int, default=7, help="0: only the start and the size (default 7)")
    parser.add_argument("--seconds", type=int, default=4, help="of every run (default 4)")
    return parser.parse_args()


def measure(store, kind, options):
    """CPU time a request in µs, and the memory that is taken then."""
    with Bench("onceproxy-all", True, options.program, options.upstream, options.directory,
               store) as bench:
        seed = f"{int(time.time() * 1000) & 0xFFFFFFFF:08x}"
        load(bench, kind, seed, 2)
        for attempt in range(TRIES):
            pids = bench.pids()
            stolen, used = stolen_seconds(), cpu_seconds(pids)
            count = load(bench, kind, seed if kind == "dup" else f"{attempt}{seed[1:]}",
                         options.seconds)[0]
            used = cpu_seconds(pids) - used
            if (stolen_seconds() - stolen) / options.seconds / 2 * 100 < STEAL_MAX:
                break
        return used / count * 1e6, memory_mib(pids)


def print_size(options):
    """What the store takes before anything is added to it: time to start, memory, disk."""
    with Bench("onceproxy-all", True, options.program, options.upstream, options.directory,
               options.store) as bench:
        size = sum(path.stat().st_blocks * 512 for path in options.store.rglob("*") if path.is_file())
        print(f"started in {bench.start_seconds:.2f} s, {memory_mib(bench.pids())} MiB of memory, "
              f"{size / 1e6:.0f} MB on disk, {size / options.records:.0f} bytes a record", flush=True)


def main():
    options = parse()
    if not options.store.exists():
        subprocess.run([options.fill_store, options.store, str(options.records)], check=True)
    good = True
    with tempfile.TemporaryDirectory() as directory:
        options.directory = directory
        options.upstream = os.path.join(directory, "upstream")
        subprocess.run(["gcc", "-O2", "-o", options.upstream, PEERS / "upstream.c"], check=True)
        print_size(options)
        if options.pairs == 0:
            return
        print(f"{'workload':28}{'empty µs':>10}{'filled µs':>11}{'ratio':>8}{'MiB':>6}")
        for title, kind in WORKLOADS.items():
            empty, filled, memory = [], [], 0
            for number in range(options.pairs):
                order = (None, options.store) if number % 2 == 0 else (options.store, None)
                for store in order:
                    cost, mib = measure(store, kind, options)
                    (filled if store else empty).append(cost)
                    memory = max(memory, mib if store else 0)
                print(f"pair {number + 1}, {title}: {empty[-1]:.2f} and {filled[-1]:.2f} µs",
                      file=sys.stderr, flush=True)
            ratio = statistics.median(f / e for e, f in zip(empty, filled))
            good = good and ratio <= RATIO_MAX and memory < MEMORY_MAX_MIB
            print(f"{title:28}{statistics.median(empty):>10.2f}{statistics.median(filled):>11.2f}"
                  f"{ratio:>8.2f}{memory:>6}")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
