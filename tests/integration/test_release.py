"""A release: the same commit gives the same bytes, and the bills of materials are complete."""

import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import tarfile
import tempfile

import pytest

from harness import PATIENCE
from harness.process import PRESET, binary, run

ROOT = pathlib.Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
BUILD = pathlib.Path(binary()).resolve().parents[1]
LONG = os.environ.get("ONCEPROXY_LONG") == "1"
QUIET = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}

no_sanitizers = pytest.mark.skipif(PRESET in ("asan", "tsan"), reason="packages hold no sanitizers")
needs_builds = pytest.mark.skipif(not (LONG and PRESET == "trained"), reason="long tier only")


def digest(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


# Bills of materials.

def bill_of(program, *options, epoch=1700000000):
    text = subprocess.run([DEPLOY / "sbom.py", program, "--version", "1.2.3", *options], check=True,
                          capture_output=True, timeout=PATIENCE * 2,
                          env={**QUIET, "SOURCE_DATE_EPOCH": str(epoch)}).stdout
    return text, json.loads(text)


def linked_files(program):
    text = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    return {pathlib.Path(path).name for path in re.findall(r"(?:=> |^\s+)(/\S+)", text, re.M)}


def check_form(bill):
    """What SPDX 2.3 asks of a document (6, 7, 11), as far as ours use it."""
    assert (bill["spdxVersion"], bill["dataLicense"], bill["SPDXID"]) == (
        "SPDX-2.3", "CC0-1.0", "SPDXRef-DOCUMENT")
    assert re.fullmatch(r"https://\S+", bill["documentNamespace"]) and "#" not in bill["documentNamespace"]
    assert re.fullmatch(r"\d{4}(-\d\d){2}T\d\d:\d\d:\d\dZ", bill["creationInfo"]["created"])
    assert all(re.match("(Tool|Organization|Person): ", name) for name in bill["creationInfo"]["creators"])
    names = [entry["SPDXID"] for entry in bill["packages"]]
    assert len(names) == len(set(names))
    for entry in bill["packages"]:
        assert re.fullmatch(r"SPDXRef-[A-Za-z0-9.-]+", entry["SPDXID"])
        assert entry["versionInfo"] and entry["downloadLocation"] == "NOASSERTION"
        assert entry["filesAnalyzed"] is False
        for reference in entry.get("externalRefs", ()):
            assert re.fullmatch(r"pkg:deb/debian/[a-z0-9.%+B-]+@\S+\?arch=\w+&distro=debian-12",
                                reference["referenceLocator"])
    kinds = {"DESCRIBES", "CONTAINS", "DYNAMIC_LINK", "STATIC_LINK", "DEPENDS_ON",
             "BUILD_TOOL_OF"}
    for relation in bill["relationships"]:
        assert relation["relationshipType"] in kinds
        assert {relation["spdxElementId"], relation["relatedSpdxElement"]} <= {*names, "SPDXRef-DOCUMENT"}
    # Whatever is listed is related to something.
    related = {relation[side] for relation in bill["relationships"]
               for side in ("spdxElementId", "relatedSpdxElement")}
    assert related == {*names, "SPDXRef-DOCUMENT"}


def held(bill):
    """The libraries that the bill says its packages hold."""
    return {name for entry in bill["packages"] if "comment" in entry
            for name in entry["comment"].removeprefix("holds ").split(", ")}


@no_sanitizers
def test_a_bill_of_materials_agrees_with_ldd_and_dpkg():
    text, bill = bill_of(binary())
    check_form(bill)
    assert held(bill) == linked_files(binary())
    own = bill["packages"][0]
    assert (own["name"], own["versionInfo"]) == ("onceproxy", "1.2.3")
    assert own["checksums"][0]["checksumValue"] == digest(binary())
    installed = subprocess.run(["dpkg-query", "-W", "-f", "${Package} ${Version}\n"], check=True,
                               capture_output=True, text=True).stdout
    versions = dict(line.split() for line in installed.splitlines())
    for entry in bill["packages"][1:]:
        assert entry["versionInfo"] == versions[entry["name"]]
    # What the program asks for itself, and what only its libraries do.
    kinds = {relation["relatedSpdxElement"]: relation["relationshipType"]
             for relation in bill["relationships"]}
    assert kinds["SPDXRef-librocksdb7.8"] == "DYNAMIC_LINK"
    assert kinds["SPDXRef-libsnappy1v5"] == "DEPENDS_ON"
    assert bill_of(binary())[0] == text


def test_a_bill_of_materials_of_another_program_differs():
    first, other = bill_of("/usr/bin/true")[1], bill_of("/usr/bin/false")[1]
    assert held(first) == linked_files("/usr/bin/true")
    assert first["documentNamespace"] != other["documentNamespace"]


# The same bytes.

PROGRAM = """
#include <cassert>
#include <cstdio>
#include <cstdlib>
#include "part/part.hpp"
namespace {
int hidden(int n) { return n % 3 == 0 ? part::twice(n) : n; }
}  // namespace
static int also_hidden(int n) { return n & 1 ? hidden(n) : hidden(n + 1); }
int main(int count, char**) {
  int sum = 0;
  for (int i = 0; i < 1000; ++i) sum += also_hidden(i * count);
  assert(sum != 1);
  std::printf("%s %d\\n", __FILE__, sum);
}
"""
PART = """
#pragma once
#include <cassert>
namespace part { inline int twice(int n) { assert(n >= 0); return 2 * n; } }
"""


def flags():
    """Those that CMakeLists.txt gives every program that is shipped, and those of a profile."""
    text = (ROOT / "CMakeLists.txt").read_text()
    mapped = re.search(r"set\(reproducible_flags (.*?)\)", text)[1]
    reading = re.search(r'"read"\).*?set\(profile_flags (.*?)\)', text, re.S)[1]
    release = re.search(r'CMAKE_CXX_FLAGS_RELEASE "(.*?)"', text)[1]
    return [*release.split(), mapped], reading.split()


class Checkout:
    """A small program in a checkout of its own, compiled as CMake lets a build with a profile compile."""

    def __init__(self, place):
        self.root, self.build = place, place / "build/trained"
        (place / "source").mkdir(parents=True)
        (place / "source/main.cpp").write_text(PROGRAM)
        (self.build / "include/part").mkdir(parents=True)
        (place / "source/part.hpp").write_text(PART)
        (self.build / "include/part/part.hpp").symlink_to(place / "source/part.hpp")

    def compile(self, *more):
        shared, _ = flags()
        shared = [flag.replace("${CMAKE_SOURCE_DIR}", str(self.root)) for flag in shared]
        for command in (
                [DEPLOY / "compile.sh", self.root, "../../", self.build,
                 "c++", f"-I{self.build}/include", *shared, *more, "-flto=auto", "-std=c++20",
                 "-o", "main.o", "-c", self.root / "source/main.cpp"],
                ["c++", *shared, *more, "-flto=auto", "main.o", "-o", "program"]):
            subprocess.run(command, check=True, cwd=self.build, timeout=PATIENCE,
                           env={**QUIET, "TMPDIR": str(self.root)})
        return (self.build / "program").read_bytes()


def test_a_stored_profile_gives_the_same_bytes_in_another_checkout(directory):
    here, there = Checkout(directory / "here"), Checkout(directory / "quite/another/place")
    _, reading = flags()
    here.compile("-fprofile-generate", "-fprofile-update=atomic")
    subprocess.run([here.build / "program"], check=True, stdout=subprocess.DEVNULL)
    notes, = here.build.rglob("*.gcda")
    shutil.copy(notes, there.build / notes.relative_to(here.build))
    # A function without a profile would be an error, and so would one with another's.
    strict = [*[flag for flag in reading if not flag.startswith("-Wno")], "-Werror=missing-profile",
              "-Werror=coverage-mismatch"]
    built = here.compile(*strict)
    assert built == there.compile(*strict)
    assert str(directory).encode() not in built
    without = there.compile()
    assert without != built


def test_the_build_script_refuses_what_it_does_not_know(directory):
    unknown = subprocess.run([DEPLOY / "build.sh", "--profil"], capture_output=True, text=True)
    assert unknown.returncode == 2 and "--profile FILE" in unknown.stderr
    missing = subprocess.run([DEPLOY / "build.sh", "--profile", directory / "none"], capture_output=True)
    assert missing.returncode == 1
    for script in ("release.sh", "image/build.sh"):
        unknown = subprocess.run([DEPLOY / script, "--nonsense"], capture_output=True, text=True)
        assert unknown.returncode == 2 and f"deploy/{script} " in unknown.stderr


# The whole.

def digests(folder):
    return {path.name: digest(path) for path in folder.iterdir()}


@needs_builds
def test_a_release_is_complete_and_of_one_program(directory):
    version = run("--version").stdout.split()[1]
    made = subprocess.run([DEPLOY / "release.sh", "--build", BUILD, "--dirty", "--no-image"], check=True,
                          capture_output=True, text=True, timeout=1800, env=QUIET)
    folder = pathlib.Path(made.stdout.strip())
    assert folder.name == f"release-{version}"
    architecture = subprocess.run(["dpkg", "--print-architecture"], check=True, capture_output=True,
                                  text=True).stdout.strip()
    name = f"onceproxy-{version}-linux-{architecture}"
    expected = {f"onceproxy_{version}-1_{architecture}.deb", f"{name}.tar.gz", f"{name}.debug",
                f"onceproxy-{version}.spdx.json", "SHA256SUMS"}
    if (BUILD / "profile.tar.gz").exists():
        expected.add(f"onceproxy-{version}.profile.tar.gz")
    sums = dict(reversed(line.split()) for line in (folder / "SHA256SUMS").read_text().splitlines())
    found = digests(folder)
    assert found.keys() == expected
    assert {**sums, "SHA256SUMS": found["SHA256SUMS"]} == found

    with tarfile.open(folder / f"{name}.tar.gz") as tar:
        assert all(member.name.split("/")[0] == name and (member.uid, member.gid) == (0, 0)
                   for member in tar)
        tar.extractall(directory)
    program = directory / name / "bin/onceproxy"
    told = subprocess.run([program, "--version"], capture_output=True, text=True).stdout
    assert told == f"onceproxy {version}\n"
    bill = json.loads((folder / f"onceproxy-{version}.spdx.json").read_text())
    check_form(bill)
    assert held(bill) == linked_files(program)
    assert bill["packages"][0]["checksums"][0]["checksumValue"] == digest(program)
    # Header-only libraries are a part of the program too, and the compiler decides its bytes.
    kinds = {(relation["relationshipType"], relation[side]) for relation in bill["relationships"]
             for side in ("spdxElementId", "relatedSpdxElement")}
    assert {("STATIC_LINK", "SPDXRef-libboost1.81-dev"), ("STATIC_LINK", "SPDXRef-libcli11-dev"),
            ("BUILD_TOOL_OF", "SPDXRef-g-plus-plus-12")} <= kinds

    again = subprocess.run([DEPLOY / "release.sh", "--build", BUILD, "--dirty", "--no-image"], check=True,
                           capture_output=True, text=True, timeout=1800, env=QUIET)
    assert digests(pathlib.Path(again.stdout.strip())) == found


@needs_builds
def test_a_second_build_elsewhere_has_the_same_bytes():
    place = pathlib.Path(tempfile.mkdtemp(prefix="onceproxy-again-"))
    try:
        files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout
        subprocess.run(["cp", "-a", "--parents", *files.decode().split("\0")[:-1], place], cwd=ROOT,
                       check=True)
        built = subprocess.run([place / "deploy/build.sh", "--profile", BUILD / "profile.tar.gz"],
                               check=True, capture_output=True, text=True, timeout=7200, env=QUIET)
        built = built.stdout.strip()
        assert pathlib.Path(built).read_bytes() == pathlib.Path(binary()).read_bytes()
    finally:
        shutil.rmtree(place, ignore_errors=True)
