#!/usr/bin/python3
"""What one client alone waits for: the median of one kept connection, in µs.

    tests/bench/latency.py PROGRAM [--rounds N] [--seconds N]

In every round: the service alone, a sync of the disk (fdatasync of 200 bytes that are written over),
the service through nginx and HAProxy as plain proxies, and through onceproxy: uncovered, with
`sync: none`, with `sync: all`, and replays. Nothing is pinned. Exit code 1 where `sync: none` adds more than 50 µs to the service alone, or
`sync: all` more than two syncs and 60 µs; both are compared within each round.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

from bench import load
from contenders import PEERS, Bench
from machine import stolen_seconds

SYNCS = 500
NONE_ADDED_MAX = 50
ALL_ADDED_MAX = 60

# Title: (contender, kind of load).
WORKLOADS = {
    "nginx": ("nginx-proxy", "unique"),
    "HAProxy": ("haproxy-http", "unique"),
    "uncovered": ("onceproxy-pass", "unique"),
    "sync: none": ("onceproxy-none", "unique"),
    "sync: all": ("onceproxy-all", "unique"),
    "replay": ("onceproxy-all", "dup"),
}


def sync_us(directory):
    """The median of one sync."""
    path = pathlib.Path(directory) / "sync"
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    os.pwrite(file, bytes(1024 * 1024), 0)
    os.fsync(file)
    times = []
    for number in range(SYNCS):
        os.pwrite(file, b"x" * 200, number * 200)
        begin = time.perf_counter()
        os.fdatasync(file)
        times.append((time.perf_counter() - begin) * 1e6)
    os.close(file)
    path.unlink()
    return statistics.median(times)


def p50(bench, kind, options, port=None):
    seed = f"{int(time.time() * 1000) & 0xFFFFFFFF:08x}"
    if kind == "dup":
        load(bench, kind, seed, 2)  # the first of each key
    return load(bench, kind, seed, options.seconds, connections=1, port=port)[2]


def round_of(options):
    """The medians of one round by title."""
    results = {"sync of the disk": sync_us(options.directory)}
    for title, (name, kind) in WORKLOADS.items():
        with Bench(name, False, options.program, options.upstream, options.directory) as bench:
            if "service alone" not in results:
                results["service alone"] = p50(bench, "unique", options, bench.upstream_port)
            results[title] = p50(bench, kind, options)
    return results


def parse():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", metavar="PROGRAM")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="of every run (default 3)")
    return parser.parse_args()


def main():
    options = parse()
    with tempfile.TemporaryDirectory() as directory:
        options.directory = directory
        options.upstream = os.path.join(directory, "upstream")
        subprocess.run(["gcc", "-O2", "-o", options.upstream, PEERS / "upstream.c"], check=True)
        rounds = []
        for number in range(options.rounds):
            stolen = stolen_seconds()
            rounds.append(round_of(options))
            print(f"round {number + 1}: " +
                  ", ".join(f"{title} {value:.0f}" for title, value in rounds[-1].items()) +
                  f", stolen {stolen_seconds() - stolen:.1f} s", file=sys.stderr, flush=True)
    for title in rounds[0]:
        values = [one[title] for one in rounds]
        print(f"{title:20}{statistics.median(values):>8.0f} µs"
              f"   ({min(values):.0f} to {max(values):.0f})")
    added_none = statistics.median(one["sync: none"] - one["service alone"] for one in rounds)
    added_all = statistics.median(one["sync: all"] - one["service alone"] -
                                  2 * one["sync of the disk"] for one in rounds)
    print(f"sync: none adds {added_none:.0f} µs (target {NONE_ADDED_MAX}), sync: all adds two syncs "
          f"and {added_all:.0f} µs (target {ALL_ADDED_MAX})")
    sys.exit(0 if added_none <= NONE_ADDED_MAX and added_all <= ALL_ADDED_MAX else 1)


if __name__ == "__main__":
    main()
