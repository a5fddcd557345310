#!/bin/sh
# Installs the Debian 12 packages that building, testing and running onceproxy needs. The one place
# that does; every other script calls it. With everything installed it only looks and is done.
set -eu

usage() {
  cat <<'TEXT'
usage: deploy/setup.sh [--tests] [--bench] [--dev] [--release]
       deploy/setup.sh --image

Installs what onceproxy is built and tested with (Debian 12, with apt-get, as root or with sudo).
  --tests  also what the tests run beside it: Prometheus, Alertmanager, nginx, HAProxy, Chromium,
           mandoc, zsh, fish, systemd-analyze, strace, PostgreSQL, and clang with clang-format and
           clang-tidy, which check the sources
  --bench  also what the benchmark compares with: HAProxy, nginx with Lua, Redis, wrk
  --dev    also clang, clang-format, clang-tidy, the fuzzing runtime, gcovr for the coverage,
           and etcd for the API server of the long tier
  --release
           also what makes and checks packages and images: dpkg-dev, lintian, buildah, mmdebstrap
  --image  only what an image is made of: the libraries that the program links, certificates and
           time zones; and binutils and Python, with which it is made
TEXT
}

# What the build links, what the tests run with.
packages="build-essential cmake ninja-build ccache pkg-config
  libboost1.81-dev libboost-system1.81-dev librocksdb-dev libyaml-cpp-dev prometheus-cpp-dev
  catch2 libcli11-dev libspdlog-dev libfmt-dev libsimdjson-dev libre2-dev libssl-dev libpugixml-dev
  libexpected-dev libjemalloc-dev zlib1g-dev libcurl4-openssl-dev libpq-dev libnghttp2-dev
  libprotobuf-dev protobuf-compiler
  python3 python3-pytest python3-pytest-xdist python3-yaml python3-jsonschema python3-cryptography
  python3-grpcio python3-hpack python3-protobuf
  openssl curl"

# What the program links, and what else is in an image. The C and C++ libraries come with these.
image_packages="librocksdb7.8 libyaml-cpp0.7 libprometheus-cpp-core1.0 libspdlog1.10 libfmt9
  libsimdjson14 libre2-9 libssl3 libpugixml1v5 libjemalloc2 zlib1g libcurl4 libpq5 libnghttp2-14
  libprotobuf-lite32
  ca-certificates tzdata openssl binutils python3"

for option in "$@"; do
  case "$option" in
    --image) packages=$image_packages ;;
    --release) packages="$packages dpkg-dev file lintian buildah mmdebstrap" ;;
    --tests) packages="$packages prometheus prometheus-alertmanager nginx haproxy chromium mandoc
  zsh fish clang clang-format clang-tidy systemd strace file postgresql" ;;
    --bench) packages="$packages wrk haproxy nginx libnginx-mod-http-lua lua-nginx-redis redis-server gcc" ;;
    --dev) packages="$packages clang clang-format clang-tidy libclang-rt-14-dev gcovr
  etcd-server" ;;
    --help | -h) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
done

fail() {
  echo "setup.sh: $*" >&2
  exit 1
}

command -v dpkg-query >/dev/null 2>&1 && command -v apt-get >/dev/null 2>&1 ||
  fail "this needs Debian 12 or a system like it (no dpkg-query or apt-get here); install by hand:" $packages

missing=""
for package in $packages; do
  status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
  as_root=""
elif command -v sudo >/dev/null 2>&1; then
  as_root="sudo"
else
  fail "root or sudo is needed to install:$missing"
fi

# Servers among the packages (Prometheus, Redis, nginx, HAProxy, PostgreSQL) must not be started by their installation.
policy=/usr/sbin/policy-rc.d
made_policy=""
forget_policy() {
  [ -z "$made_policy" ] || $as_root rm -f "$policy"
}
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
  made_policy=yes
  $as_root chmod 755 "$policy"
fi

log=$(mktemp)
trap 'forget_policy; rm -f "$log"' EXIT
quiet_apt_get() {
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq "$@" </dev/null >"$log" 2>&1
}
echo "setup.sh: installing$missing"
quiet_apt_get update || echo "setup.sh: apt-get update failed; trying with the lists there are" >&2
quiet_apt_get install -y --no-install-recommends $missing || {
  cat "$log" >&2
  fail "could not install:$missing (onceproxy builds on Debian 12)"
}
