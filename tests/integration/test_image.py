"""The image: what is in it, and that it runs as a container would run it, read-only and unprivileged.

The quick tests make its root by the same program as the Dockerfile's build stage, from this machine's
libraries. The long tier builds the Dockerfile itself, with buildah.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile

import pytest

from harness import PATIENCE, Client
from harness.process import PRESET, binary, environment

ROOT = pathlib.Path(__file__).parents[2]
IMAGE = ROOT / "deploy/image"
LONG = os.environ.get("ONCEPROXY_LONG") == "1"
MEGABYTE = 1_000_000
# Runs the program with the root $1, where the folder $2 is too; $3 is its path outside. Nothing else can
# be written. Every step replaces the process, so that the harness's signals reach the program.
ENTER = """
set -eu
root=$1 directory=$2; shift 3
mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
mount -t tmpfs tmpfs "$root/tmp"
mkdir -p "$root$directory"
mount --bind "$directory" "$root$directory"
mount --rbind /proc "$root/proc"
mount --rbind /dev "$root/dev"
exec setpriv --no-new-privs chroot $USER_SPEC "$root" /usr/bin/onceproxy "$@"
"""
AS_ROOT = os.geteuid() == 0

pytestmark = pytest.mark.skipif(PRESET in ("asan", "tsan"), reason="packages hold no sanitizers")


def stripped(directory):
    """The program as packages hold it."""
    program = directory / "onceproxy"
    subprocess.run(["strip", "-o", program, binary()], check=True, timeout=PATIENCE)
    return program


@pytest.fixture(scope="module")
def place():
    """A folder for the module, which the image's user can enter."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="onceproxy-image-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def root(place):
    subprocess.run([IMAGE / "root.py", stripped(place), place / "root", "--version", "1.2.3"], check=True,
                   timeout=PATIENCE * 4, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
    return place / "root"


def entered(root, directory):
    """The prefix of a command that runs in the root, unprivileged, in a mount namespace of its own."""
    space = ["unshare", "--mount"] if AS_ROOT else ["unshare", "--mount", "--map-root-user"]
    user = "--userspec=10001:10001 --groups=10001" if AS_ROOT else ""
    return [*space, "env", f"USER_SPEC={user}", "sh", "-c", ENTER, "sh", str(root), str(directory)]


def in_image(root, directory, *arguments):
    result = subprocess.run([*entered(root, directory), binary(), *arguments], capture_output=True,
                            text=True, timeout=PATIENCE, env=environment())
    if result.stderr.startswith("unshare:") or "mount: " in result.stderr:
        pytest.skip(f"no mount namespaces here: {result.stderr}")
    return result


def libraries(program):
    """As ldd tells them, by the name that the loader looks for."""
    text = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    return {pathlib.Path(path).name for path in re.findall(r"(?:=> |^\s+)(/\S+)", text, re.M)}


def shared_objects(root):
    return {path.name for path in root.rglob("*.so*") if path.is_file()}


def check_root(root, within=60):
    """What holds of every root, however it was made."""
    assert shared_objects(root) == libraries(root / "usr/bin/onceproxy")
    executables = {path.name for path in root.rglob("*")
                   if path.is_file() and not path.is_symlink() and os.access(path, os.X_OK)
                   and path.stat().st_mode & 0o111 and ".so" not in path.name}
    assert executables == {"onceproxy"}
    for path in ("etc/ssl/certs/ca-certificates.crt", "usr/share/zoneinfo/Europe/Berlin", "etc/passwd"):
        assert (root / path).stat().st_size > 0, path
    assert "onceproxy:x:10001:10001:" in (root / "etc/passwd").read_text()
    links = [path for path in root.rglob("*") if path.is_symlink()]
    dangling = [str(path) for path in links if not resolves(path, root)]
    assert not dangling
    size = sum(path.stat().st_size for path in root.rglob("*") if path.is_file() and not path.is_symlink())
    assert size <= within * MEGABYTE, f"{size / MEGABYTE:.1f} MB"


def resolves(link, root):
    target = os.readlink(link)
    return (root / target.lstrip("/") if target.startswith("/") else link.parent / target).exists()


def check_notes(root):
    """Scanners find the packages, and the bill of materials names the same ones."""
    notes = {path.name for path in (root / "var/lib/dpkg/status.d").iterdir()}
    for name in notes:
        assert (root / "var/lib/dpkg/status.d" / name).read_text().startswith(f"Package: {name}\n")
        assert (root / "usr/share/doc" / name / "copyright").stat().st_size > 0
    bill = json.loads((root / "usr/share/onceproxy/sbom.spdx.json").read_text())
    named = {entry["name"] for entry in bill["packages"]}
    assert named - notes == {"onceproxy", "onceproxy-image"} and notes <= named
    assert {"ca-certificates", "tzdata", "libc6"} <= notes


def test_an_image_holds_the_program_and_what_it_links_and_no_shell(root):
    check_root(root)


def test_an_image_tells_the_packages_that_it_holds(root):
    check_notes(root)


def test_the_program_runs_in_the_image(root, directory):
    directory.chmod(0o755)
    version = in_image(root, directory, "--version")
    assert version.stdout.startswith("onceproxy "), version.stderr
    # A public authority's certificates and a name's time zone are there for it.
    (directory / "conf.yaml").write_text(
        "listen: 127.0.0.1:0\n"
        "upstream: {address: 'localhost:443', tls: {ca: system}}\n"
        "store: {rocksdb: {path: /var/lib/onceproxy}}\n"
        "policies: [{name: all, fingerprint: client_key, scope: shared}]\n")
    check = in_image(root, directory, "check", directory / "conf.yaml")
    assert check.returncode == 0, check.stdout + check.stderr
    assert "read-only" in in_image(root, directory, "run", "-c", directory / "conf.yaml").stderr.lower()


def serve_from(root, stage, upstream, directory):
    """Starts the program in the root; sends a request twice."""
    in_image(root, directory, "--version")
    proxy = stage.proxy(upstream, start=False, prefix=entered(root, stage.directory / "proxy-0"))
    stage.directory.chmod(0o755)
    proxy.directory.chmod(0o755)
    if AS_ROOT:
        os.chown(proxy.directory, 10001, 10001)
    proxy.start()
    with Client(proxy.data) as client:
        answers = [client.call(key="k1") for _ in range(2)]
    assert [answer.decision for answer in answers] == ["forwarded", "replayed"]
    if AS_ROOT:
        status = pathlib.Path(f"/proc/{proxy.process.pid}/status").read_text()
        assert re.search(r"^Uid:\t10001\t", status, re.M)
        assert re.search(r"^CapEff:\t0+$", status, re.M)
    return proxy


def test_the_image_serves_read_only_and_unprivileged(root, stage, upstream, directory):
    proxy = serve_from(root, stage, upstream, directory)
    if "health" in in_image(root, proxy.directory, "--help").stdout:
        host, port = proxy.telemetry
        health = in_image(root, proxy.directory, "health", "--telemetry", f"{host}:{port}")
        assert health.returncode == 0, health.stderr


# The files of the build.

def test_the_dockerfile_ends_in_an_empty_image_with_a_number_for_a_user():
    text = (IMAGE / "Dockerfile").read_text()
    final = text.rpartition("\nFROM ")[2]
    assert final.startswith("scratch\n")
    assert re.search(r"^USER 10001:10001$", final, re.M)
    assert not re.search(r"^(RUN|SHELL|VOLUME)", final, re.M)
    assert re.search(r'^ENTRYPOINT \["/usr/bin/onceproxy"\]$', final, re.M)
    version = re.search(r"project\(onceproxy VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text())[1]
    assert set(re.findall(r"^ARG VERSION=(.*)$", text, re.M)) == {version}, "that of a plain docker build"
    for label in ("title", "description", "version", "revision", "created", "licenses"):
        assert f"org.opencontainers.image.{label}=" in final
    # Whatever is copied from here, and whatever is run, is there.
    for path in re.findall(r"^RUN (\S+)", text, re.M):
        assert os.access(ROOT / path, os.X_OK), path


def test_the_build_context_leaves_out_builds_and_history():
    ignored = [line for line in (ROOT / ".dockerignore").read_text().splitlines()
               if line and not line.startswith("#")]
    assert {".git", "build/*", "!build/image"} <= set(ignored)
    assert ignored.index("!build/image") > ignored.index("build/*")


def test_the_libraries_of_the_program_are_installed_for_the_image():
    """`setup.sh --image` names every library that the program asks for itself."""
    sys.path.insert(0, str(ROOT / "deploy"))
    try:
        import linked
    finally:
        sys.path.pop(0)
    listed = re.search(r'^image_packages="(.*?)"', (ROOT / "deploy/setup.sh").read_text(), re.S | re.M)[1]
    direct = linked.needed(binary())
    packages = {name for name, files in linked.library_packages(binary()).items() if direct & set(files)}
    # These come with every other.
    assert packages - {"libc6", "libgcc-s1", "libstdc++6"} <= set(listed.split())


# The Dockerfile itself.

@pytest.fixture(scope="module")
def built(place):
    """The Dockerfile built by buildah: its archive and its root."""
    directory = place / "built"
    directory.mkdir()
    environ = {**os.environ, "SOURCE_DATE_EPOCH": "1700000000"}
    subprocess.run(["mmdebstrap", "--quiet", "--variant=minbase", "bookworm", directory / "base.tar"],
                   check=True, timeout=1200, env=environ)
    for name in ("first", "second"):
        subprocess.run([IMAGE / "build.sh", directory / f"{name}.tar", "--program", binary(),
                        "--base", directory / "base.tar", "--root", directory / "root"],
                       check=True, timeout=1200, env=environ)
    return directory


needs_builds = pytest.mark.skipif(not (LONG and PRESET == "trained"), reason="long tier only")


def manifest_of(archive):
    with tarfile.open(archive) as tar:
        def blob(digest):
            return json.load(tar.extractfile("blobs/" + digest.replace(":", "/")))
        index = json.load(tar.extractfile("index.json"))
        digest = index["manifests"][0]["digest"]
        manifest = blob(digest)
        return digest, manifest, blob(manifest["config"]["digest"])


@needs_builds
def test_buildah_builds_the_dockerfile_twice_to_the_same_image(built):
    first, second = (manifest_of(built / f"{name}.tar") for name in ("first", "second"))
    assert first[0] == second[0]
    assert (built / "first.tar").read_bytes() == (built / "second.tar").read_bytes()
    config = first[2]["config"]
    assert config["User"] == "10001:10001"
    assert config["Entrypoint"] == ["/usr/bin/onceproxy"]
    labels = config["Labels"]
    assert labels["org.opencontainers.image.created"] == "2023-11-14T22:13:20Z"
    assert re.fullmatch(r"\d+\.\d+\.\d+", labels["org.opencontainers.image.version"])


@needs_builds
def test_the_image_that_buildah_built_is_complete_and_serves(built, stage, upstream, directory):
    root = built / "root"
    check_root(root)
    check_notes(root)
    data = (root / "var/lib/onceproxy").stat()
    assert (data.st_uid, data.st_gid, data.st_mode & 0o777) == (10001, 10001, 0o700)
    assert (built / "first.tar").stat().st_size <= 60 * MEGABYTE
    serve_from(root, stage, upstream, directory)


@pytest.mark.skipif(not shutil.which("hadolint"), reason="hadolint is not installed")
def test_hadolint_finds_nothing_in_the_dockerfile():
    subprocess.run(["hadolint", IMAGE / "Dockerfile"], check=True, timeout=PATIENCE)
