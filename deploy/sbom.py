#!/usr/bin/python3
"""Writes the bill of materials of a program, as SPDX 2.3 in JSON, to standard output.

    sbom.py PROGRAM --version VERSION [--build FOLDER] [--image PACKAGE…]

It names the program with its digest, and the Debian packages that hold the libraries that ldd shows.
With the folder in which Ninja built the program it also names the packages whose headers became a
part of it, and the compiler and linker. With --image it describes an image that holds the program,
these libraries and the packages named. Two runs on one machine with one SOURCE_DATE_EPOCH give the
same bytes.
"""

import argparse
import datetime
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import uuid

import linked

TOOLS = ("/usr/bin/c++", "/usr/bin/ld")

def spdx_id(name):
    """An identifier of SPDX (2.3, 3.2) has letters, digits, dots and hyphens only."""
    return "SPDXRef-" + re.sub(r"[^A-Za-z0-9.]", "-", name.replace("+", "-plus"))


def digest(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


def debian_package(known):
    """A package's entry, from what dpkg knows of it."""
    name = known["Package"]
    entry = {
        "SPDXID": spdx_id(name),
        "name": name,
        "versionInfo": known["Version"],
        "supplier": "Organization: Debian",
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "sourceInfo": f"Debian's source package {known['source:Package']} {known['source:Version']}",
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": "NOASSERTION",
        "copyrightText": "NOASSERTION",
        "externalRefs": [{
            "referenceCategory": "PACKAGE-MANAGER",
            "referenceType": "purl",
            "referenceLocator": f"pkg:deb/debian/{name.replace('+', '%2B')}"
                                f"@{known['Version'].replace('+', '%2B').replace(':', '%3A')}"
                                f"?arch={known['Architecture']}&distro=debian-12",
        }],
    }
    if known["Homepage"]:
        entry["homepage"] = known["Homepage"]
    return entry


def headers(folder):
    """The packages whose headers and archives Ninja has built into the program."""
    ninja = ["ninja", "-C", str(folder), "-t"]
    objects = subprocess.run([*ninja, "inputs", "proxy/onceproxy"], check=True, capture_output=True,
                             text=True).stdout.split("\n")
    deps = subprocess.run([*ninja, "deps", *(name for name in objects if name.endswith(".o"))],
                          check=True, capture_output=True, text=True).stdout
    files = set(re.findall(r"^ +(/usr/\S+)", deps, re.M))
    if not files:
        raise SystemExit(f"{folder} does not say what the program was built from; build it there with Ninja")
    files |= {name for name in objects if name.startswith("/usr/") and name.endswith(".a")}
    return set(linked.owners(files).values())


def own_package(program, version):
    return {
        "SPDXID": spdx_id("onceproxy"),
        "name": "onceproxy",
        "versionInfo": version,
        "supplier": "Organization: onceproxy",
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "primaryPackagePurpose": "APPLICATION",
        "checksums": [{"algorithm": "SHA256", "checksumValue": digest(program)}],
        "licenseConcluded": "Apache-2.0",
        "licenseDeclared": "Apache-2.0",
        "copyrightText": "NOASSERTION",
    }


def image_package(version):
    return {
        "SPDXID": spdx_id("onceproxy-image"),
        "name": "onceproxy-image",
        "versionInfo": version,
        "supplier": "Organization: onceproxy",
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "primaryPackagePurpose": "CONTAINER",
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": "NOASSERTION",
        "copyrightText": "NOASSERTION",
    }


def relation(left, kind, right):
    return {"spdxElementId": left["SPDXID"], "relationshipType": kind, "relatedSpdxElement": right["SPDXID"]}


def components(own, options):
    """What the program is made of: the packages, and how it uses them; and those that an image adds."""
    libraries = linked.library_packages(options.program)
    compiled = headers(options.build) if options.build else set()
    tools = set(linked.owners(map(os.path.realpath, TOOLS)).values()) if options.build else set()
    known = linked.describe(sorted({*libraries, *compiled, *tools, *(options.image or ())}))
    direct = linked.needed(options.program)
    used = []
    for name, files in sorted(libraries.items()):
        entry = debian_package(known[name]) | {"comment": "holds " + ", ".join(sorted(files))}
        used.append((entry, relation(own, "DYNAMIC_LINK" if direct & set(files) else "DEPENDS_ON", entry)))
    # Headers of a library that is linked anyway are not another component.
    sources = {known[name]["source:Package"] for name in libraries}
    for name in sorted(compiled - set(libraries)):
        if known[name]["source:Package"] not in sources:
            entry = debian_package(known[name])
            used.append((entry, relation(own, "STATIC_LINK", entry)))
    for name in sorted(tools):
        entry = debian_package(known[name])
        used.append((entry, relation(entry, "BUILD_TOOL_OF", own)))
    added = [debian_package(known[name]) for name in sorted({*(options.image or ())} - {*libraries})]
    return [entry for entry, _ in used], [how for _, how in used], added


def document(options):
    version = options.version
    time = datetime.datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH", "0")),
                                           datetime.timezone.utc)
    described = own = own_package(options.program, version)
    used, relations, added = components(own, options)
    packages = [own, *used, *added]
    if options.image is not None:
        described = image_package(version)
        relations += [relation(described, "CONTAINS", entry) for entry in packages]
        packages.insert(0, described)
    content = json.dumps([packages, relations], sort_keys=True)
    bill = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": f"{described['name']}-{version}",
        # Unlike that of any other content, as 6.5 asks, and the same for the same.
        "documentNamespace": f"https://spdx.org/spdxdocs/{described['name']}-{version}-"
                             f"{uuid.uuid5(uuid.NAMESPACE_OID, content)}",
        "creationInfo": {"created": time.strftime("%Y-%m-%dT%H:%M:%SZ"),
                         "creators": ["Tool: onceproxy-sbom", "Organization: onceproxy"]},
        "packages": packages,
    }
    bill["relationships"] = [relation(bill, "DESCRIBES", described), *relations]
    return bill


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("--version", required=True)
    parser.add_argument("--build", type=pathlib.Path, help="the folder in which Ninja built it")
    parser.add_argument("--image", nargs="*", metavar="PACKAGE",
                        help="describe an image, with these packages besides those of the libraries")
    json.dump(document(parser.parse_args()), sys.stdout, indent=2, ensure_ascii=False)
    print()


if __name__ == "__main__":
    main()
