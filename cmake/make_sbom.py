"""The software bill of materials of a build, CycloneDX 1.5 JSON: make_sbom.py --source DIR --build DIR --output FILE.

Nothing is listed by hand: shared libraries are those the finished binaries load (ldd, so what those load in turn, too), and
libraries that are compiled in are those whose headers the compiler read (Ninja's dependency list). Versions come from dpkg.
What dpkg does not say in a form for machines - licences, upstream names - stands in KNOWN; a package that is not there ends
the run, so that nobody ships what nobody looked at. Same build, same bytes: the time is SOURCE_DATE_EPOCH.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import time
import uuid
from pathlib import Path
from urllib.parse import quote

# Debian packages (without versions in their names) -> upstream's name, SPDX expression, whether only headers are used.
KNOWN = {
    r"libpcre2-(8-0|dev)": ("pcre2", "BSD-3-Clause", "https://www.pcre.org"),
    r"nlohmann-json3-dev": ("nlohmann-json", "MIT", "https://github.com/nlohmann/json"),
    r"libcli11-dev": ("CLI11", "BSD-3-Clause", "https://github.com/CLIUtils/CLI11"),
    r"libcpp-httplib(0\.\d+|-dev)": ("cpp-httplib", "MIT", "https://github.com/yhirose/cpp-httplib"),
    r"libssl(3|3t64|-dev)": ("openssl", "Apache-2.0", "https://www.openssl.org"),
    r"libedit(2|-dev)": ("libedit", "BSD-3-Clause", "https://thrysoee.dk/editline/"),
    r"libprometheus-cpp-core\d.*|prometheus-cpp-dev": ("prometheus-cpp", "MIT", "https://github.com/jupp0r/prometheus-cpp"),
    r"libseccomp(2|-dev)": ("libseccomp", "LGPL-2.1-only", "https://github.com/seccomp/libseccomp"),
    r"libstdc\+\+(6|-\d+-dev)|libgcc-(s1|\d+-dev)": ("gcc runtime", "GPL-3.0-or-later WITH GCC-exception-3.1", "https://gcc.gnu.org"),
    r"libc6(-dev)?": ("glibc", "LGPL-2.1-or-later", "https://www.gnu.org/software/libc/"),
    r"linux-libc-dev": ("linux headers", "GPL-2.0-only WITH Linux-syscall-note", "https://www.kernel.org"),
    r"libbrotli(1|-dev)": ("brotli", "MIT", "https://github.com/google/brotli"),
    r"zlib1g(-dev)?": ("zlib", "Zlib", "https://zlib.net"),
    r"libbsd(0|-dev)": ("libbsd", "BSD-3-Clause", "https://libbsd.freedesktop.org"),
    r"libmd(0|-dev)": ("libmd", "BSD-3-Clause", "https://www.hadrons.org/software/libmd/"),
    r"libtinfo(6|-dev)|libncurses-dev": ("ncurses", "X11", "https://invisible-island.net/ncurses/"),
    r"libzstd(1|-dev)": ("zstd", "BSD-3-Clause", "https://facebook.github.io/zstd/"),
}
# The parts of this build that are handed out; tests, which the same folder may hold, are not.
SHIPPED = ("bitnet_kernels", "bitnet_tensor", "bitnet_engine", "bitnet_cli", "bitnet_hub", "bitnet_server_parts", "bitnet_server")


def output_of(*command: str | Path) -> str:
    return subprocess.run([str(part) for part in command], text=True, capture_output=True, check=True,
                          env={**os.environ, "LC_ALL": "C"}).stdout


def packages_of(paths: set[Path]) -> dict[str, set[Path]]:
    """Installed Debian packages that own these files. /lib may be a link to /usr/lib, so both names are tried."""
    names: dict[str, Path] = {}
    for path in paths:
        for name in (path, path.resolve()):
            names[str(name)] = path
            if str(name).startswith("/usr/lib"):
                names[str(name).removeprefix("/usr")] = path
    found: dict[str, set[Path]] = {}
    done = subprocess.run(["dpkg-query", "--search", *sorted(names)], text=True, capture_output=True, check=False,
                          env={**os.environ, "LC_ALL": "C"})
    for line in done.stdout.splitlines():
        owners, _, name = line.partition(": ")
        for owner in owners.split(", "):
            if name in names:
                found.setdefault(owner.split(":")[0], set()).add(names[name])
    missing = paths - set().union(*found.values()) if found else paths
    if missing:
        sys.exit(f"make_sbom: belongs to no package: {', '.join(sorted(map(str, missing)))}")
    return found


def loaded_libraries(binary: Path) -> set[Path]:
    found = set()
    for line in output_of("ldd", binary).splitlines():
        match = re.search(r"(?:=> )?(/\S+) \(0x", line)
        if match and "libbitnet.so" not in match[1]:
            found.add(Path(match[1]))
        elif "not found" in line:
            sys.exit(f"make_sbom: {binary.name} does not load here: {line.strip()}")
    return found


def headers_read(source: Path, build: Path) -> set[Path]:
    """Headers from outside the tree that objects of SHIPPED were compiled with."""
    found, shipped = set(), False
    for line in output_of("ninja", "-C", build, "-t", "deps").splitlines():
        if not line.startswith(" "):
            shipped = any(f"CMakeFiles/{target}.dir/" in line for target in SHIPPED)
        elif shipped:
            path = Path(os.path.normpath(build / line.strip()))
            if not path.is_relative_to(source) and not path.is_relative_to(build):
                found.add(path)
    if not found:
        sys.exit(f"make_sbom: {build} holds no list of headers; build it with Ninja first")
    return found


def upstream_version(version: str) -> str:
    return re.sub(r"[+~.](really|ds|dfsg).*", "", version.split(":")[-1].rsplit("-", 1)[0])


def component(package: str, uses: set[str], distribution: str) -> dict:
    known = next((row for pattern, row in KNOWN.items() if re.fullmatch(pattern, package)), None)
    if known is None:
        sys.exit(f"make_sbom: the build uses Debian's {package}, which KNOWN does not list: add its name and licence")
    name, licence, site = known
    version, architecture = output_of("dpkg-query", "--show", "--showformat=${Version} ${Architecture}", package).split()
    reference = f"pkg:deb/debian/{quote(package)}@{quote(version)}?arch={architecture}&distro={distribution}"
    return {"type": "library", "bom-ref": reference, "name": name, "version": upstream_version(version), "scope": "required",
            "licenses": [{"expression": licence}], "purl": reference,
            "externalReferences": [{"type": "website", "url": site}],
            "properties": [{"name": "bitnet:use", "value": use} for use in sorted(uses)]}


def make(source: Path, build: Path) -> dict:
    header = (source / "bitnet.h").read_text(encoding="utf-8")
    version = ".".join(re.findall(r"^#define BITNET_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)", header, re.MULTILINE))
    release = dict(re.findall(r'^(\w+)="?([^"\n]*)', Path("/etc/os-release").read_text(encoding="utf-8"), re.MULTILINE))
    distribution = f"{release['ID']}-{release.get('VERSION_ID', 'sid')}"

    uses: dict[str, set[str]] = {}
    parts = {}
    for path, part in ((build / "lib/libbitnet.so", "libbitnet"), (build / "bin/bitnet", "bitnet"),
                       (build / "bin/server", "bitnet-server")):
        if path.exists():
            parts[part] = packages_of(loaded_libraries(path))
            for package in parts[part]:
                uses.setdefault(package, set()).add(f"loaded by {part}")
    if not parts:
        sys.exit(f"make_sbom: nothing is built in {build}")
    for package in packages_of(headers_read(source, build)):
        uses.setdefault(package, set()).add("headers compiled in")
    components = [component(package, uses[package], distribution) for package in sorted(uses)]
    references = {package: entry["bom-ref"] for package, entry in zip(sorted(uses), components)}

    own = f"pkg:generic/bitnet@{version}"
    depends = [{"ref": own, "dependsOn": sorted(references.values())}]
    cache = (build / "CMakeCache.txt").read_text(encoding="utf-8")
    model = source / (re.search(r"^BITNET_DEFAULT_MODEL:\w+=(.*)$", cache, re.MULTILINE) or [""])[1]
    if model.is_file() and len(parts) > 1:
        digest = hashlib.sha256(model.read_bytes()).hexdigest()
        components.append({"type": "machine-learning-model", "bom-ref": f"model:{model.name}", "name": model.name,
                           "hashes": [{"alg": "SHA-256", "content": digest}],
                           "description": "the default model, inside the programs"})
        depends[0]["dependsOn"].append(f"model:{model.name}")
    depends += [{"ref": entry["bom-ref"]} for entry in components]
    bom = {
        "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json", "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
        "metadata": {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(int(os.environ.get("SOURCE_DATE_EPOCH", time.time())))),
            "component": {"type": "library", "bom-ref": own, "name": "bitnet", "version": version, "purl": own,
                          "licenses": [{"license": {"id": "MIT"}}]}},
        "components": components, "dependencies": depends}
    # The same content has the same number, and no other has it.
    bom["serialNumber"] = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(bom, sort_keys=True)).urn
    return bom


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--build", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    arguments.output.write_text(json.dumps(make(arguments.source, arguments.build), indent=2) + "\n", encoding="utf-8")
