"""What a program links, and the Debian packages that this comes from, as this machine has them."""

import re
import subprocess

FIELDS = ("Package", "Version", "Architecture", "source:Package", "source:Version", "Homepage")


def output(*command, check=True):
    return subprocess.run([str(word) for word in command], check=check, stdout=subprocess.PIPE, text=True,
                          stderr=None if check else subprocess.DEVNULL,
                          env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}).stdout


def libraries(program):
    """The files that the loader maps for a program, its own included, sorted; as ldd names them."""
    text = output("ldd", program)
    missing = re.findall(r"(\S+) => not found", text)
    if missing:
        raise SystemExit(f"{program} links what this machine lacks: {', '.join(missing)}")
    return sorted(set(re.findall(r"(?:=> |^\s+)(/\S+)", text, re.M)))


def needed(program):
    """The names of the libraries that a program itself asks for, without what those ask for."""
    return set(re.findall(r"NEEDED +(\S+)", output("objdump", "-p", program)))


def owners(files):
    """The packages that files belong to, by file; a file that belongs to none is left out."""
    # dpkg may know a file by its place before /lib became a link to /usr/lib, or by its new one.
    asked = {name: file for file in files for name in (re.sub("^/usr(?=/lib)", "", file),
                                                       re.sub("^/lib", "/usr/lib", file), file)}
    text = output("dpkg-query", "-S", *asked, check=False)
    return {asked[name]: re.split("[:,]", package)[0]
            for package, name in re.findall(r"^(\S+.*): (/.*)$", text, re.M) if name in asked}


def library_packages(program):
    """The packages of a program's libraries, each with its libraries' names."""
    files = libraries(program)
    known = owners(files)
    unknown = set(files) - set(known)
    if unknown:
        raise SystemExit(f"these libraries belong to no package: {', '.join(sorted(unknown))}")
    packages = {}
    for file in files:
        packages.setdefault(known[file], []).append(file.rpartition("/")[2])
    return packages


def describe(names):
    """What dpkg knows of installed packages: their FIELDS, by name."""
    form = "\x1f".join("${%s}" % field for field in FIELDS) + "\n"
    lines = output("dpkg-query", "-W", "-f", form, *names).splitlines()
    return {entry["Package"]: entry for entry in (dict(zip(FIELDS, line.split("\x1f"))) for line in lines)}


def status(names):
    """The entries of installed packages in dpkg's database, by name."""
    entries = output("dpkg-query", "-s", *names).strip().split("\n\n")
    return {re.match(r"Package: (\S+)", entry)[1]: entry + "\n" for entry in entries}
