#!/usr/bin/python3
"""Makes the root of an image: the program, what it links, and nothing that it does not need.

    root.py PROGRAM ROOT --version VERSION

ROOT is made anew. It gets the program and the libraries that ldd shows, the certificates of public
authorities, time zones, names of the user and of the system, and a bill of materials. There is no
shell and no package manager. For each Debian package that something comes from there is its copyright,
and a note in /var/lib/dpkg/status.d, where scanners look.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import linked  # noqa: E402

# What is copied whole, links as links.
DATA = {
    "ca-certificates": ["etc/ssl/certs/ca-certificates.crt"],
    "tzdata": ["usr/share/zoneinfo"],
    "openssl": ["etc/ssl/openssl.cnf", "usr/lib/ssl/cert.pem", "usr/lib/ssl/certs",
                "usr/lib/ssl/openssl.cnf"],
    "base-files": ["etc/os-release", "usr/lib/os-release", "usr/share/common-licenses"],
}
TEXTS = {
    "etc/passwd": "root:x:0:0:root:/:/usr/sbin/nologin\n"
                  "onceproxy:x:10001:10001:onceproxy:/:/usr/sbin/nologin\n",
    "etc/group": "root:x:0:\nonceproxy:x:10001:\n",
    # Names of hosts: the container's /etc/hosts, then the cluster's DNS.
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}


def copy(path, root):
    source, target = pathlib.Path("/") / path, root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir() and not source.is_symlink():
        # The zone of the machine that makes the image is not the image's.
        shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns("localtime"))
    else:
        shutil.copy2(source, target, follow_symlinks=False)


def make_root(program, root, version):
    shutil.rmtree(root, ignore_errors=True)
    # As in Debian, where /lib leads to /usr/lib.
    for name in ("lib", "lib64"):
        (root / "usr" / name).mkdir(parents=True)
        (root / name).symlink_to(f"usr/{name}")
    (root / "usr/bin").mkdir()
    shutil.copy(program, root / "usr/bin/onceproxy")

    packages = sorted({*linked.library_packages(program), *DATA})
    for library in linked.libraries(program):
        target = root / library.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(library, target)  # the file, under the name that the loader looks for
    for paths in DATA.values():
        for path in paths:
            copy(path, root)
    for path, text in TEXTS.items():
        (root / path).write_text(text)
    # Where a container's runtime mounts something, and the store's place: a new volume gets its owner.
    for path in ("dev", "proc", "run", "sys", "tmp", "etc/onceproxy", "var/lib/onceproxy"):
        (root / path).mkdir(parents=True)
    (root / "tmp").chmod(0o1777)
    data = root / "var/lib/onceproxy"
    data.chmod(0o700)
    if os.geteuid() == 0:
        os.chown(data, 10001, 10001)

    notes = root / "var/lib/dpkg/status.d"
    notes.mkdir(parents=True)
    for name, entry in linked.status(packages).items():
        (notes / name).write_text(entry)
        text = root / "usr/share/doc" / name / "copyright"
        text.parent.mkdir(parents=True)
        shutil.copy2(f"/usr/share/doc/{name}/copyright", text)
    bill = root / "usr/share/onceproxy/sbom.spdx.json"
    bill.parent.mkdir(parents=True)
    bill.write_bytes(subprocess.run(
        [sys.executable, "-B", HERE.parent / "sbom.py", program, "--version", version, "--image", *DATA],
        check=True, stdout=subprocess.PIPE).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("root", type=pathlib.Path)
    parser.add_argument("--version", required=True)
    options = parser.parse_args()
    os.umask(0o022)
    make_root(options.program, options.root, options.version)


if __name__ == "__main__":
    main()
