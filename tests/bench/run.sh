#!/bin/sh
# Measures onceproxy beside HAProxy, nginx and nginx with Lua and Redis. See --help. Not part of the
# tests: its numbers need a quiet machine with two cores.
#
#   ONCEPROXY_BINARY=… tests/bench/run.sh   measures that program instead of what deploy/build.sh makes
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
bench=$root/tests/bench
"$root/deploy/setup.sh" --bench

binary=${ONCEPROXY_BINARY:-}
if [ -z "$binary" ]; then
  binary=$("$root/deploy/build.sh")
fi

directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
trap 'exit 1' INT TERM
gcc -O2 -o "$directory/upstream" "$bench/peers/upstream.c"
PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 "$bench/bench.py" \
  --onceproxy "$binary" --upstream "$directory/upstream" --directory "$directory" "$@"
