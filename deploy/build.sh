#!/bin/sh
# Builds the program as a package or an image holds it: the release preset, laid out by GCC for what
# it does (profile-guided optimization). A first request then costs 3 to 8 % less CPU than with the
# release preset alone, a replay 7 to 10 %. Ends with the program's path.
#
#   deploy/build.sh                 builds it twice, and runs the demo in between, which tells GCC
#                                   what is called often: some ten minutes on two cores. Keeps what
#                                   was recorded in build/trained/profile.tar.gz.
#   deploy/build.sh --profile FILE  builds it once, with such a recorded profile of the same commit.
#                                   Two such builds have the same bytes, wherever they are made.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
build=$root/build/trained
binary=$build/proxy/onceproxy
profile=""
case "${1:-}" in
  "") ;;
  --profile)
    profile=${2:?--profile needs a file}
    tar -tzf "$profile" >/dev/null || exit 1
    ;;
  *) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
"$root/deploy/setup.sh" >&2

log=$(mktemp)
trap 'rm -f "$log"' EXIT

# step WHAT COMMAND…: what the command prints is of interest when it fails.
step() {
  echo "$1 …" >&2
  shift
  "$@" >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
}

# made MODE: the program, with ONCEPROXY_PROFILE=MODE. Ninja does not know that objects depend on the
# profile, so all are built anew.
made() {
  cmake --preset release -S "$root" -B "$build" -DONCEPROXY_PROFILE="$1" &&
    cmake --build "$build" --target onceproxy --clean-first
}

# notes COMMAND…: what the instrumented program noted, one file for each object.
notes() {
  (cd "$build" && find . -name '*.gcda' "$@")
}

# What an earlier run noted is of earlier code.
if [ -d "$build" ]; then notes -delete; fi
if [ -n "$profile" ]; then
  mkdir -p "$build"
  [ "$profile" -ef "$build/profile.tar.gz" ] || cp "$profile" "$build/profile.tar.gz"
  tar -xzf "$build/profile.tar.gz" -C "$build"
else
  step "building onceproxy so that it notes what it does" made write
  step "running the demo with it" env ONCEPROXY_BINARY="$binary" "$root/deploy/demo.sh"
  notes -print0 | LC_ALL=C sort -z |
    tar -C "$build" --null --files-from=- --owner=0 --group=0 --mtime=@0 -c |
    gzip -n >"$build/profile.tar.gz"
fi
step "building onceproxy for what it does" made read
echo "$binary"
