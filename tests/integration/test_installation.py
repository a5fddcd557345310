"""`cmake --install` and the version: which files are installed, and that all of them have the same
version."""

import json
import pathlib
import re
import subprocess

import pytest

from harness import PATIENCE
from harness.admin import Admin
from harness.process import binary, environment, run

ROOT = pathlib.Path(__file__).parents[2]
FILES = {
    "bin/onceproxy",
    "lib/systemd/system/onceproxy.service",
    "share/man/man1/onceproxy.1",
    "share/bash-completion/completions/onceproxy",
    "share/zsh/site-functions/_onceproxy",
    "share/fish/vendor_completions.d/onceproxy.fish",
    "share/onceproxy/schema.json",
    "share/onceproxy/prometheus/rules.yaml",
    "share/onceproxy/grafana/onceproxy.json",
    *(f"share/doc/onceproxy/{name}" for name in (
        "README.md", "CHANGELOG.md", "SECURITY.md", "LICENSE", "REFERENCE.md", "PROTOCOL.md",
        "OPERATING.md")),
    *(f"share/doc/onceproxy/examples/{path.name}" for path in (ROOT / "config/examples").glob("*.yaml")),
}


@pytest.fixture
def installed(directory):
    """The prefix of an installation below a DESTDIR."""
    build = pathlib.Path(binary()).resolve().parents[1]
    subprocess.run(["cmake", "--install", build, "--prefix", "/usr"], check=True, timeout=PATIENCE * 4,
                   env=environment(DESTDIR=str(directory / "root")), capture_output=True)
    return directory / "root" / "usr"


def test_an_installation_has_these_files_and_no_others(installed):
    found = {str(path.relative_to(installed)) for path in installed.rglob("*") if path.is_file()}
    assert found == FILES


def test_the_installed_program_works(installed):
    program = installed / "bin/onceproxy"
    version = subprocess.run([program, "--version"], capture_output=True, text=True,
                             timeout=PATIENCE, env=environment())
    assert (version.returncode, version.stdout) == (0, run("--version").stdout)
    schema = json.loads((installed / "share/onceproxy/schema.json").read_text())
    assert schema == json.loads(run("schema").stdout)
    examples = sorted((installed / "share/doc/onceproxy/examples").glob("*.yaml"))
    assert examples
    for example in examples:
        check = subprocess.run([program, "check", example], timeout=PATIENCE, env=environment())
        assert check.returncode == 0, example


def test_the_version_is_the_same_everywhere(stage, upstream):
    project = (ROOT / "CMakeLists.txt").read_text()
    version = re.search(r"^project\(onceproxy VERSION (\S+)", project, re.M)[1]
    newest = re.search(r"^## \[(.+?)\] - (unreleased|\d{4}-\d\d-\d\d)$",
                       (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert newest[1] == version
    assert run("--version").stdout == f"onceproxy {version}\n"
    proxy = stage.proxy(upstream)
    assert Admin(proxy.admin).get("/server_info")["version"] == version
    assert f'onceproxy_build_info{{version="{version}",' in Admin(proxy.telemetry).get("/metrics")
