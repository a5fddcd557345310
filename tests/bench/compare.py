"""CPU time a request of two programs of ours, in pairs.

In every pair both run one workload, one right after the other, and which of them begins alternates:
a slow minute of the machine hits both. What is compared is the ratio within each pair; what is
printed is the median of these ratios, which single runs that differ by 15 % hardly move. A run from
which the host took 3 % or more is made again. Pinned: the program has one worker on core 0, load
and upstream share core 1.
"""

import argparse
import copy
import statistics
import sys

from bench import CONNECTIONS, measure

# What is measured: (title, contender, kind of load).
WORKLOADS = [
    ("pass-through", "onceproxy-pass", "unique"),
    ("unique, sync: all", "onceproxy-all", "unique"),
    ("unique, sync: none", "onceproxy-none", "unique"),
    ("replay", "onceproxy-all", "dup"),
]


def parse():
    parser = argparse.ArgumentParser(prog="tests/bench/compare.sh", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", metavar="BEFORE", help="the program to compare with")
    parser.add_argument("after", metavar="AFTER", help="the program that is compared")
    parser.add_argument("--pairs", type=int, default=15, help="of every workload (default 15)")
    parser.add_argument("--seconds", type=int, default=4, help="of every run (default 4)")
    parser.add_argument("--only", default="", help="workloads whose title holds one of these, a,b")
    parser.add_argument("--bound", type=float, default=1.05,
                        help="exit with 1 where a median ratio is above this (default 1.05)")
    for name in ("upstream", "directory"):
        parser.add_argument(f"--{name}", required=True, help=argparse.SUPPRESS)
    return parser.parse_args()


def measure_pair(workload, number, options):
    """The results of both programs, the one before first."""
    _, name, kind = workload
    results = {}
    for which in ("before", "after") if number % 2 == 0 else ("after", "before"):
        run = copy.copy(options)
        run.onceproxy = getattr(options, which)
        results[which] = measure(name, kind, run, pinned=True)
    return results["before"], results["after"]


def quartiles(values):
    if len(values) < 2:
        return values[0], values[0]
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, high


def print_table(pairs):
    """One row a workload; True when every median ratio is within the bound."""
    print(f"CPU time a request, pinned, {CONNECTIONS} connections, medians")
    print(f"{'workload':20}{'pairs':>6}{'before µs':>11}{'after µs':>10}{'ratio':>8}{'quartiles':>14}{'errors':>8}")
    worst = 0
    for title, results in pairs.items():
        ratios = [after.cpu_us / before.cpu_us for before, after in results]
        low, high = quartiles(ratios)
        ratio = statistics.median(ratios)
        worst = max(worst, ratio)
        print(f"{title:20}{len(results):>6}"
              f"{statistics.median(before.cpu_us for before, _ in results):>11.2f}"
              f"{statistics.median(after.cpu_us for _, after in results):>10.2f}"
              f"{ratio:>8.3f}{f'{low:.3f}-{high:.3f}':>14}"
              f"{sum(one.errors for pair in results for one in pair):>8.0f}")
    return worst


def main():
    options = parse()
    chosen = [workload for workload in WORKLOADS
              if not options.only or any(part in workload[0] for part in options.only.split(","))]
    if not chosen:
        raise SystemExit(f"--only: no workload is called so; there are: "
                         f"{', '.join(title for title, _, _ in WORKLOADS)}")
    pairs = {title: [] for title, _, _ in chosen}
    for number in range(options.pairs):
        for workload in chosen:
            before, after = measure_pair(workload, number, options)
            pairs[workload[0]].append((before, after))
            print(f"pair {number + 1}, {workload[0]}: {before.cpu_us:.2f} and {after.cpu_us:.2f} µs, "
                  f"{after.cpu_us / before.cpu_us:.3f}, steal {max(before.steal, after.steal):.1f} %",
                  file=sys.stderr, flush=True)
    sys.exit(0 if print_table(pairs) <= options.bound else 1)


if __name__ == "__main__":
    main()
