#!/bin/sh
# usage: deploy/image/make.sh ROOT
#
# Makes the image's root in ROOT, in the Dockerfile's build stage, whose arguments are variables here:
# PROGRAM, a stripped program, or else PROFILE, a recorded profile to build it with; VERSION.
set -eu

root=$1
cd "$(dirname "$0")/../.."
deploy/setup.sh --image
program=${PROGRAM:-}
if [ -z "$program" ]; then
  built=$(deploy/build.sh ${PROFILE:+--profile "$PROFILE"})
  program=$(mktemp)
  strip -o "$program" "$built"
fi
chmod 755 "$program"
[ -n "${VERSION:-}" ] || VERSION=$("$program" --version | cut -d' ' -f2)
deploy/image/root.py "$program" "$root" --version "$VERSION"
