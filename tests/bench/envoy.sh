#!/bin/sh
# Measures what onceproxy adds to an Envoy, as its upstream and asked by it. See --help. Not part of the tests: its
# numbers need a quiet machine with two cores.
#
#   ONCEPROXY_BINARY=… tests/bench/envoy.sh   measures that program instead of deploy/build.sh's
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
bench=$root/tests/bench
"$root/deploy/setup.sh" --bench --tests

binary=${ONCEPROXY_BINARY:-}
if [ -z "$binary" ]; then
  binary=$("$root/deploy/build.sh")
fi

directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
trap 'exit 1' INT TERM
gcc -O2 -o "$directory/service" "$bench/peers/upstream.c"
ONCEPROXY_BINARY=$binary PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 "$bench/envoy.py" \
  --onceproxy "$binary" --upstream "$directory/service" --directory "$directory" "$@"
