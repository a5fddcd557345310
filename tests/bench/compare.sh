#!/bin/sh
# Compares what a request costs in two programs of ours. See --help. Not part of the tests: its
# numbers need a quiet machine with two cores.
#
#   tests/bench/compare.sh BEFORE AFTER [--pairs N] [--seconds N] [--only WORKLOADS]
set -eu

bench=$(cd "$(dirname "$0")" && pwd)
command -v wrk >/dev/null || "$bench/../../deploy/setup.sh" --bench

directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
trap 'exit 1' INT TERM
gcc -O2 -o "$directory/upstream" "$bench/peers/upstream.c"
PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 "$bench/compare.py" \
  --upstream "$directory/upstream" --directory "$directory" "$@"
