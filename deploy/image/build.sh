#!/bin/sh
# Builds deploy/image/Dockerfile with buildah, where there is no Docker, and writes the image as an OCI
# archive. No registry is asked: the base is Debian 12, made by mmdebstrap. Needs root.
#
#   deploy/image/build.sh OUTPUT [--program FILE | --profile FILE] [--base TAR] [--root FOLDER]
#
#   OUTPUT     the archive, such as onceproxy.tar: `docker load` and `podman load` read it
#   --program  a program that deploy/build.sh has built, so that packages and image hold the same
#   --profile  a recorded profile to build the program with; without either it is trained and built
#   --base     a tar file of Debian 12's minimal root, instead of making one
#   --root     where the image's files are laid out too, to look at them or run them
#
# SOURCE_DATE_EPOCH is the time of every file in the image; the commit's time by default.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
fail() {
  echo "image/build.sh: $*" >&2
  exit 1
}
usage() {
  sed -n '2,/^set/s/^# \{0,1\}//p' "$0" | sed '/^set/d'
  exit "$1"
}

output="" program="" profile="" base="" root=""
while [ $# -gt 0 ]; do
  case "$1" in
    --program) program=$(realpath -e "${2:?}"); shift ;;
    --profile) profile=$(realpath -e "${2:?}"); shift ;;
    --base) base=$(realpath -e "${2:?}"); shift ;;
    --root) root=$(realpath -m "${2:?}"); shift ;;
    --help | -h) usage 0 ;;
    -*) usage 2 >&2 ;;
    *) output=$(realpath -m "$1") ;;
  esac
  shift
done
[ -n "$output" ] || usage 2 >&2
[ "$(id -u)" = 0 ] || fail "mmdebstrap and buildah need root here"
"$top/deploy/setup.sh" --release

version=$(sed -n 's/^project(onceproxy VERSION \([^ ]*\).*/\1/p' "$top/CMakeLists.txt")
# Without a checkout, as from a tarball, nobody knows; a checkout that git refuses to read is a mistake.
revision=unknown epoch=${SOURCE_DATE_EPOCH:-0}
if [ -e "$top/.git" ]; then
  revision=$(git -C "$top" rev-parse HEAD) || fail "git does not read this checkout; see its message above"
  epoch=${SOURCE_DATE_EPOCH:-$(git -C "$top" log -1 --format=%ct)}
fi
export SOURCE_DATE_EPOCH="$epoch"

# Complete names, since a short one may stand for one of a registry.
minimal=localhost/onceproxy-base:latest
tag=localhost/onceproxy:$version
work=$(mktemp -d)
handed=$top/build/image
trap 'rm -rf "$work" "$handed"' EXIT
# The storage of files alone needs no kernel's help; chroot is the isolation that needs no cgroups.
oci() {
  buildah --root "$work/storage" --runroot "$work/run" --storage-driver vfs "$@"
}

if [ -z "$base" ]; then
  base=$work/base.tar
  mmdebstrap --quiet --variant=minbase bookworm "$base"
fi
container=$(oci from scratch)
oci add --quiet "$container" "$base" / >/dev/null
oci commit --quiet --rm "$container" "$minimal" >/dev/null

# What the build stage is handed lies where .dockerignore lets it through.
rm -rf "$handed"
mkdir -p "$handed"
[ -z "$program" ] || strip -o "$handed/program" "$program"
[ -z "$profile" ] || cp "$profile" "$handed/profile.tar.gz"

oci bud --quiet --isolation chroot --timestamp "$epoch" --file "$here/Dockerfile" --tag "$tag" \
  --build-arg BASE="$minimal" \
  --build-arg PROGRAM="${program:+build/image/program}" \
  --build-arg PROFILE="${profile:+build/image/profile.tar.gz}" \
  --build-arg VERSION="$version" --build-arg REVISION="$revision" \
  --build-arg CREATED="$(date -u -d "@$epoch" +%Y-%m-%dT%H:%M:%SZ)" \
  --build-arg SOURCE_DATE_EPOCH="$epoch" "$top" >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }

mkdir -p "$(dirname "$output")"
rm -f "$output"
# buildah's own archives hold the time at which they were written.
oci push --quiet "$tag" "oci:$work/layout:onceproxy:$version"
tar -C "$work/layout" --sort=name --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX --mtime="@$epoch" \
  -cf "$output" blobs index.json oci-layout
if [ -n "$root" ]; then
  container=$(oci from "$tag")
  rm -rf "$root"
  cp -a "$(oci mount "$container")" "$root"
fi
