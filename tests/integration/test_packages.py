"""The Debian package, and the unit file with which systemd runs it."""

import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import tempfile

import pytest

from harness import PATIENCE, Client
from harness.process import PRESET, binary, environment, run

ROOT = pathlib.Path(__file__).parents[2]
UNIT = ROOT / "deploy/systemd/onceproxy.service"
DEBIAN = ROOT / "deploy/debian"
LONG = os.environ.get("ONCEPROXY_LONG") == "1"

no_sanitizers = pytest.mark.skipif(PRESET in ("asan", "tsan"), reason="packages hold no sanitizers")
needs_builds = pytest.mark.skipif(not (LONG and PRESET == "trained"), reason="long tier only")


def setting(name):
    """The values of a key of the unit file, in their order."""
    return re.findall(rf"^{name}=(.*)$", UNIT.read_text(), re.M)


# The unit.

@pytest.fixture
def unit(directory):
    """The unit with the program under test, which need not be installed."""
    made = directory / "onceproxy.service"
    made.write_text(re.sub("^ExecStart=onceproxy ", f"ExecStart={binary()} ", UNIT.read_text(), flags=re.M))
    return made


def analyze(*arguments):
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, timeout=PATIENCE)


def test_a_start_is_tried_again_until_it_succeeds():
    lines = UNIT.read_text().splitlines()
    assert "Restart=on-failure" in lines
    # A database that is away for an hour must not need somebody who starts the service afterwards.
    assert "StartLimitIntervalSec=0" in lines
    # A wrong configuration is not one that a later start finds right.
    assert "RestartPreventExitStatus=1" in lines


def test_systemd_knows_every_key_of_the_unit(unit):
    verify = analyze("verify", "--man=no", "--recursive-errors=yes", unit)
    assert (verify.returncode, verify.stdout, verify.stderr) == (0, "", "")
    unit.write_text(unit.read_text().replace("ProtectHome=", "ProtectHomes="))
    assert analyze("verify", "--man=no", "--recursive-errors=yes", unit).returncode != 0


def test_the_unit_is_as_closed_as_the_readme_says(unit):
    stated = re.search(r"`systemd-analyze security` rates it (\d)\.(\d)",
                       (ROOT / "deploy/README.md").read_text())
    score = stated[1] + stated[2]
    options = ("--offline=true", "--no-pager", unit)
    assert analyze("security", f"--threshold={score}", *options).returncode == 0
    assert analyze("security", f"--threshold={int(score) - 1}", *options).returncode == 1


def test_the_unit_stops_the_program_after_the_drain_and_not_before():
    command = shlex.split(setting("ExecStart")[0])
    drain = command[command.index("--drain-time") + 1]
    assert int(setting("TimeoutStopSec")[0].rstrip("s")) > int(drain.rstrip("s"))
    assert setting("Type") == ["notify"]
    # The exit code after which another start is pointless (deploy/OPERATING.md).
    assert setting("RestartPreventExitStatus") == ["1"]
    assert run("run", "-c", "/nonexistent/onceproxy.yaml").returncode == 2
    assert run("run", "--no-such-option").returncode == 1


def system_calls(name):
    """The members of one of systemd's sets, without the sets' names."""
    found = set()
    for word in analyze("syscall-filter", name).stdout.split("\n")[1:]:
        word = word.strip()
        if word and not word.startswith("#"):
            found |= system_calls(word) if word.startswith("@") else {word}
    return found


@no_sanitizers
def test_the_unit_allows_every_system_call_that_the_program_makes(stage, upstream, directory):
    trace = directory / "calls"
    tracer = ["strace", "-f", "-qq", "-o", str(trace)]
    trial = subprocess.run([*tracer, "true"], capture_output=True, text=True)
    if trial.returncode:
        pytest.skip(f"threads cannot be stopped here: {trial.stderr}")
    proxy = stage.proxy(upstream, prefix=tracer)
    with Client(proxy.data) as client:
        assert [client.call(key="k1").decision for _ in range(2)] == ["forwarded", "replayed"]
    proxy.metrics()
    # strace is the process that the harness knows; it does not pass signals on.
    program = int(pathlib.Path(f"/proc/{proxy.process.pid}/task/{proxy.process.pid}/children").read_text())
    os.kill(program, signal.SIGHUP)
    proxy.stderr.wait_for(lambda line: "configuration" in line.get("message", ""), "a reload")
    os.kill(program, signal.SIGTERM)
    assert proxy.wait() == 0
    made = set(re.findall(r"^\d+ +([a-z]\w*)\(", trace.read_text(), re.M))
    assert {"execve", "fdatasync", "accept4"} & made and len(made) > 20
    allowed, refused = set(), set()
    for value in setting("SystemCallFilter"):
        for name in value.lstrip("~").split():
            (refused if value.startswith("~") else allowed).update(system_calls(name))
    # systemd itself makes the first call of a service.
    assert made - {"execve"} <= allowed - refused | system_calls("@default")


# The package.

def make_package(directory, *definitions, epoch=1700000000):
    build = pathlib.Path(binary()).resolve().parents[1]
    subprocess.run(["cpack", "--config", build / "CPackConfig.cmake", "-G", "DEB", "-B", directory,
                    *definitions], check=True, timeout=PATIENCE * 4, capture_output=True,
                   env=environment(SOURCE_DATE_EPOCH=str(epoch)))
    made, = directory.glob("*.deb")
    return made


def field(package, name):
    return subprocess.run(["dpkg-deb", "-f", package, name], check=True, capture_output=True,
                          text=True).stdout.strip()


@no_sanitizers
def test_a_package_is_complete_and_the_same_each_time(directory):
    package = make_package(directory / "first")
    again = make_package(directory / "another/folder")
    assert package.read_bytes() == again.read_bytes()

    version = run("--version").stdout.split()[1]
    assert package.name == f"onceproxy_{version}-1_{field(package, 'Architecture')}.deb"
    depends = {item.split()[0] for item in field(package, "Depends").split(", ")}
    assert {"adduser", "libc6", "libstdc++6", "librocksdb7.8", "libssl3"} <= depends

    subprocess.run(["dpkg-deb", "-R", package, directory / "root"], check=True)
    root = directory / "root"
    top = {path.name for path in root.iterdir()}
    assert top == {"DEBIAN", "etc", "usr"}
    assert (root / "DEBIAN/conffiles").read_text() == "/etc/onceproxy/onceproxy.yaml\n"
    for path in ("usr/bin/onceproxy", "usr/lib/systemd/system/onceproxy.service",
                 "usr/share/man/man1/onceproxy.1.gz", "usr/share/doc/onceproxy/copyright",
                 "usr/share/doc/onceproxy/changelog.gz", "usr/share/doc/onceproxy/changelog.Debian.gz",
                 "usr/share/bash-completion/completions/onceproxy",
                 "usr/share/zsh/vendor-completions/_onceproxy",
                 "usr/share/fish/vendor_completions.d/onceproxy.fish"):
        assert (root / path).stat().st_size > 0, path
    program = subprocess.run([root / "usr/bin/onceproxy", "--version"], capture_output=True, text=True)
    assert program.stdout == f"onceproxy {version}\n"
    assert ".debug_info" not in subprocess.run(["objdump", "-h", root / "usr/bin/onceproxy"],
                                               capture_output=True, text=True).stdout


def test_the_configuration_of_the_package_is_good():
    check = run("check", DEBIAN / "onceproxy.yaml")
    assert check.returncode == 0, check.stdout
    assert "warning" not in check.stdout


@pytest.mark.parametrize("script", ["postinst", "prerm", "postrm"])
def test_the_maintainer_scripts_can_be_run(script):
    path = DEBIAN / script
    assert os.access(path, os.X_OK)
    assert path.read_text().startswith("#!/bin/sh\nset -e\n")
    subprocess.run(["dash", "-n", path], check=True)


# Installed for real.

class Debian:
    """A clean, minimal Debian 12 in a folder."""

    def __init__(self, root):
        self.root = root
        subprocess.run(["mmdebstrap", "--quiet", "--variant=minbase", "bookworm", root], check=True,
                       timeout=1200)
        shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
        # As in a container: nothing is started by its installation.
        (root / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n")
        (root / "usr/sbin/policy-rc.d").chmod(0o755)
        self.run("apt-get", "update", "-qq")

    def run(self, *command, check=True):
        result = subprocess.run(["chroot", self.root, *command], capture_output=True, text=True,
                                timeout=600, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive",
                                                  "LC_ALL": "C.UTF-8"})
        assert not check or result.returncode == 0, f"{command}: {result.stdout}{result.stderr}"
        return result.stdout + result.stderr

    def install(self, package):
        shutil.copy(package, self.root / "tmp")
        return self.run("apt-get", "install", "-y", "-q", "--no-install-recommends",
                        f"/tmp/{package.name}")

    def state(self):
        return self.run("dpkg-query", "-W", "-f", "${db:Status-Abbrev}", "onceproxy", check=False).strip()

    def exists(self, path):
        return os.path.lexists(self.root / path.lstrip("/"))


@pytest.fixture(scope="module")
def debian():
    path = pathlib.Path(tempfile.mkdtemp(prefix="onceproxy-debian-"))
    try:
        yield Debian(path / "root")
    finally:
        shutil.rmtree(path, ignore_errors=True)


@needs_builds
def test_lintian_finds_no_error_in_the_package(directory):
    package = make_package(directory)
    lint = subprocess.run(["lintian", "--fail-on", "error", package], capture_output=True, text=True)
    assert lint.returncode == 0, lint.stdout
    assert "E:" not in lint.stdout


@needs_builds
def test_a_package_is_installed_upgraded_removed_and_purged(debian, directory):
    first = make_package(directory / "first")
    second = make_package(directory / "second", "-D", "CPACK_DEBIAN_PACKAGE_RELEASE=2")
    conf = debian.root / "etc/onceproxy/onceproxy.yaml"

    debian.install(first)
    assert debian.state() == "ii"
    assert debian.run("onceproxy", "--version") == run("--version").stdout
    assert "good" in debian.run("onceproxy", "check", "/etc/onceproxy/onceproxy.yaml")
    user = debian.run("getent", "passwd", "onceproxy")
    assert re.match(r"onceproxy:x:\d+:\d+:onceproxy[,]*:/nonexistent:/usr/sbin/nologin$", user)
    # Not enabled: what it protects has to be written first.
    wanted = "etc/systemd/system/multi-user.target.wants/onceproxy.service"
    assert not debian.exists(wanted)
    serves(debian)

    # An administrator changes the configuration and enables the service; an upgrade keeps both.
    changed = conf.read_text() + "# changed here\n"
    conf.write_text(changed)
    enable(debian, wanted)
    debian.install(second)
    assert field(second, "Version") in debian.run("dpkg-query", "-W", "onceproxy")
    assert conf.read_text() == changed
    assert debian.exists(wanted)

    # Removed: the program goes; the configuration and the records stay.
    records = debian.root / "var/lib/private/onceproxy"
    records.mkdir(parents=True)
    (debian.root / "var/lib/onceproxy").symlink_to("private/onceproxy")
    debian.run("apt-get", "remove", "-y", "-q", "onceproxy")
    assert debian.state() == "rc"
    assert not debian.exists("usr/bin/onceproxy")
    assert conf.read_text() == changed and records.exists()

    # Installed again, it is as it was.
    debian.install(second)
    assert conf.read_text() == changed and debian.exists(wanted)

    debian.run("apt-get", "purge", "-y", "-q", "onceproxy")
    assert "no packages found" in debian.state()
    for path in ("etc/onceproxy", "var/lib/private/onceproxy", "var/lib/onceproxy", wanted,
                 "etc/systemd/system/onceproxy.service", "usr/share/doc/onceproxy"):
        assert not debian.exists(path), path


def enable(debian, wanted):
    """What `systemctl enable` does; systemd itself is not in this Debian."""
    (debian.root / wanted).parent.mkdir(parents=True, exist_ok=True)
    (debian.root / wanted).symlink_to("/usr/lib/systemd/system/onceproxy.service")


def serves(debian):
    """The installed program with the installed configuration, as the package's user, on other ports."""
    text = (debian.root / "etc/onceproxy/onceproxy.yaml").read_text()
    trial = debian.root / "tmp/trial"
    trial.mkdir()
    text = re.sub(r"127\.0\.0\.1:(8080|9901|9902)", "127.0.0.1:0", text)
    text = text.replace("/var/lib/onceproxy", "/tmp/trial/data")
    (trial / "onceproxy.yaml").write_text(text)
    debian.run("chown", "-R", "onceproxy:onceproxy", "/tmp/trial")
    process = subprocess.Popen(["chroot", "--userspec=onceproxy:onceproxy", debian.root, "onceproxy", "run",
                                "-c", "/tmp/trial/onceproxy.yaml"], stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, text=True)
    try:
        ports = {}
        for line in process.stderr:
            if found := re.search(r'"listener":"(\w+)","address":"127.0.0.1:(\d+)"', line):
                ports[found[1]] = int(found[2])
            if '"message":"ready"' in line:
                break
        with Client(("127.0.0.1", ports["data"])) as client:
            # Nothing listens where the configuration says that the service is.
            assert client.call(key="k1").status == 502
    finally:
        process.terminate()
        assert process.wait(PATIENCE) == 0
        process.stderr.close()
    shutil.rmtree(trial)
