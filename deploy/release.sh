#!/bin/sh
# Makes everything that a release consists of, in build/release-VERSION: the Debian package, a tarball,
# the image as an OCI archive, bills of materials (SPDX), the debug symbols, the profile that the program
# was built with, and SHA256SUMS. All of them hold the same program.
#
#   deploy/release.sh [--profile FILE] [--build FOLDER] [--base TAR] [--no-image] [--dirty]
#
#   --profile   build with a recorded profile instead of recording one. With the profile of a release
#               and its commit, on the same packages, every file gets the bytes of that release.
#   --build     take the program of a build folder instead of building one
#   --base      passed on to deploy/image/build.sh
#   --no-image  leave the image out, which needs root
#   --dirty     allow changes that are not committed
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
fail() {
  echo "release.sh: $*" >&2
  exit 1
}
usage() {
  sed -n '2,/^set/s/^# \{0,1\}//p' "$0" | sed '/^set/d'
  exit "$1"
}

profile="" build="" base="" image=yes dirty=""
while [ $# -gt 0 ]; do
  case "$1" in
    --profile) profile=$(realpath -e "${2:?}"); shift ;;
    --build) build=$(realpath -e "${2:?}"); shift ;;
    --base) base=$(realpath -e "${2:?}"); shift ;;
    --no-image) image="" ;;
    --dirty) dirty=yes ;;
    --help | -h) usage 0 ;;
    *) usage 2 >&2 ;;
  esac
  shift
done
[ -z "$image" ] || [ "$(id -u)" = 0 ] || fail "the image needs root; --no-image leaves it out"
changes=$(git -C "$root" status --porcelain) ||
  fail "this needs a git checkout that git reads, for the commit is part of a release; see its message above"
[ -z "$changes" ] || [ -n "$dirty" ] ||
  fail "there are changes that are not committed; commit them, or allow them with --dirty:
$changes"
"$root/deploy/setup.sh" --release >&2

# Every time in what is made is the commit's.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$root" log -1 --format=%ct)}
export SOURCE_DATE_EPOCH
export LC_ALL=C.UTF-8 TZ=UTC
umask 022
version=$(sed -n 's/^project(onceproxy VERSION \([^ ]*\).*/\1/p' "$root/CMakeLists.txt")
name=onceproxy-$version-linux-$(dpkg --print-architecture)
out=$root/build/release-$version
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# step WHAT COMMAND…: what the command prints is of interest when it fails.
step() {
  echo "$1 …" >&2
  shift
  "$@" >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
}

package() {
  cpack --config "$build/CPackConfig.cmake" -G DEB -B "$work/deb" &&
    cp "$work"/deb/*.deb "$out/" &&
    lintian --fail-on error --info "$out"/*.deb
}

tarball() {
  DESTDIR=$work/tarball cmake --install "$build" --prefix "/$name" --strip &&
    tar -C "$work/tarball" --sort=name --owner=0 --group=0 --numeric-owner \
      --mtime="@$SOURCE_DATE_EPOCH" -c "$name" | gzip -9n >"$out/$name.tar.gz"
}

# The symbols that are stripped from the program. gdb finds them by the build id, or with symbol-file.
symbols() {
  objcopy --only-keep-debug --compress-debug-sections "$build/proxy/onceproxy" "$work/$name.debug" &&
    chmod 644 "$work/$name.debug" && mv "$work/$name.debug" "$out/"
}

bill() {
  "$root/deploy/sbom.py" "$program" --version "$version" --build "$build" >"$out/onceproxy-$version.spdx.json"
}

container() {
  "$root/deploy/image/build.sh" "$out/onceproxy-$version-image.tar" --program "$build/proxy/onceproxy" \
    ${base:+--base "$base"} --root "$work/image" &&
    cp "$work/image/usr/share/onceproxy/sbom.spdx.json" "$out/onceproxy-$version-image.spdx.json"
}

# What users get is one program, whichever way they get it.
same_program() {
  dpkg-deb -x "$out"/*.deb "$work/unpacked" && cmp "$program" "$work/unpacked/usr/bin/onceproxy" &&
    { [ -z "$image" ] || cmp "$program" "$work/image/usr/bin/onceproxy"; }
}

if [ -z "$build" ]; then
  "$root/deploy/build.sh" ${profile:+--profile "$profile"} >&2
  build=$root/build/trained
fi
rm -rf "$out"
mkdir -p "$out"
program=$work/tarball/$name/bin/onceproxy
step "the Debian package" package
step "the tarball" tarball
step "the debug symbols" symbols
step "the bill of materials" bill
[ -z "$image" ] || step "the image" container
step "comparing the programs" same_program
if [ -f "$build/profile.tar.gz" ]; then
  cp "$build/profile.tar.gz" "$out/onceproxy-$version.profile.tar.gz"
fi
(cd "$out" && sha256sum -- * >"$work/sums" && mv "$work/sums" SHA256SUMS)
echo "$out"
