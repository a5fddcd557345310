#!/bin/sh
# The demo: the same traffic, full of duplicates, straight at a naive service and through onceproxy,
# which is killed with SIGKILL in the middle; then rides that are declined while they are offered,
# a storm of alerts, and events for five listeners of which one fails. Installs what is needed, builds onceproxy, and ends with a table. Exit code 0:
# every promise was kept.
#
#   deploy/demo.sh                    builds the release preset first
#   ONCEPROXY_BINARY=… deploy/demo.sh takes that program instead
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
"$root/deploy/setup.sh"

binary=${ONCEPROXY_BINARY:-}
if [ -z "$binary" ]; then
  binary=$root/build/release/proxy/onceproxy
  log=$(mktemp)
  trap 'rm -f "$log"' EXIT
  echo "building onceproxy …"
  { cmake --preset release -S "$root" && cmake --build "$root/build/release" --target onceproxy; } \
    >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
fi

PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 "$root/deploy/demo/demo.py" "$binary" "$root/deploy/demo/onceproxy.yaml"
