#!/usr/bin/python3
"""TLS handshakes a second, and CPU time a handshake, of onceproxy beside nginx and HAProxy.

All have one worker on core 0 and the same certificate (ECDSA, P-256); `openssl s_time` makes one
connection after the other on core 1, without a request: whole handshakes with TLS 1.3, and resumed
ones with TLS 1.2, since it does not wait for the tickets of TLS 1.3. Contenders take turns; what is
printed are the medians of the rounds.

    deploy/setup.sh --bench && /usr/bin/python3 tests/bench/handshakes.py PROGRAM
"""

import argparse
import pathlib
import re
import statistics
import subprocess
import tempfile

from contenders import Bench
from machine import cpu_seconds

NAMES = ("haproxy-tls", "nginx-tls", "onceproxy-tls-pass")


def measure(name, kind, options, upstream, directory):
    """Handshakes a second and CPU seconds of each."""
    with Bench(name, True, options.program, upstream, directory) as bench:
        pids = bench.pids()
        used = cpu_seconds(pids)
        command = ["taskset", "-c", "1", "openssl", "s_time", "-connect",
                   f"127.0.0.1:{bench.port}", "-time", str(options.seconds),
                   *(["-new"] if kind == "full" else ["-reuse", "-tls1_2"])]
        output = subprocess.run(command, capture_output=True, text=True,
                                timeout=options.seconds + 60).stdout
        used = cpu_seconds(pids) - used
        found = re.findall(r"(\d+) connections in (\d+) real seconds", output)
        if not found:
            raise SystemExit(f"s_time said nothing about {name}:\n{output}")
        count, seconds = map(int, found[-1])
        return count / max(seconds, 1), used / max(count, 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5)
    options = parser.parse_args()
    source = pathlib.Path(__file__).parent / "peers" / "upstream.c"
    with tempfile.TemporaryDirectory() as directory:
        upstream = pathlib.Path(directory) / "upstream"
        subprocess.run(["gcc", "-O2", "-o", upstream, source], check=True)
        found = {}
        for _ in range(options.rounds):
            for name in NAMES:
                for kind in ("full", "resumed"):
                    result = measure(name, kind, options, str(upstream), directory)
                    found.setdefault((name, kind), []).append(result)
    print(f"{'':22}{'handshake':>10}{'a second':>10}{'CPU µs':>9}")
    for (name, kind), results in found.items():
        rate, cost = (statistics.median(each) for each in zip(*results))
        print(f"{name:22}{kind:>10}{rate:>10.0f}{cost * 1e6:>9.0f}")


if __name__ == "__main__":
    main()
