#!/bin/sh
# Builds the program as a package or an image should hold it: the release preset, laid out by GCC for
# what it does (profile-guided optimisation). It is built twice, and runs the demo in between, which
# tells GCC what is called often. A first request then costs 3 to 8 % less CPU than with the release
# preset alone, a replay 7 to 10 %. Takes some five minutes on two cores; ends with the program's path.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
"$root/deploy/setup.sh" >&2

build=$root/build/trained
binary=$build/proxy/onceproxy
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# step WHAT COMMAND…: what the command prints is of interest when it fails.
step() {
  echo "$1 …" >&2
  shift
  "$@" >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
}

# made MODE: the program, with ONCEPROXY_PROFILE=MODE.
made() {
  cmake --preset release -S "$root" -B "$build" -DONCEPROXY_PROFILE="$1" &&
    cmake --build "$build" --target onceproxy
}

# What an earlier run noted is of earlier code.
if [ -d "$build" ]; then find "$build" -name '*.gcda' -delete; fi
step "building onceproxy so that it notes what it does" made write
step "running the demo with it" env ONCEPROXY_BINARY="$binary" "$root/deploy/demo.sh"
step "building onceproxy for what it does" made read
echo "$binary"
