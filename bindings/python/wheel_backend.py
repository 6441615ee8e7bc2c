"""Makes the package's wheel, which carries the shared library, and its source archive: wheel_backend.py --library LIB [--out DIR]

It is also the build backend of pyproject.toml (PEP 517), so `pip wheel .` and `python -m build` do the same; they find the
library in $BITNET_LIBRARY, or as --config-settings library=LIB. What the library needs and not every Linux has lies beside it.
The tag says which Linux is new enough, read from the versions of glibc and libstdc++ that the libraries ask for. The same files
give the same bytes: names are sorted, and times are $SOURCE_DATE_EPOCH or 1980.
"""

from __future__ import annotations

import argparse
import base64
import ctypes
import hashlib
import io
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import time
import zipfile
from pathlib import Path
from typing import Any, Optional

try:
    import tomllib
except ImportError:  # before Python 3.11
    from pip._vendor import tomli as tomllib

FOLDER = Path(__file__).resolve().parent
# What every Linux of a manylinux tag has (PEP 599, PEP 600).
ON_EVERY_LINUX = re.compile(r"(lib(c|m|dl|rt|pthread|util|gcc_s|stdc\+\+)|ld-linux[\w-]*|linux-vdso)\.so(\.\d+)?$")
# The first glibc 2.N whose systems have libstdc++ with GLIBCXX_3.4.M, as auditwheel's policies say: (M, N).
LIBSTDCXX = ((19, 17), (24, 28), (28, 31), (29, 34), (30, 35), (32, 38), (33, 39))


def project() -> dict[str, Any]:
    return tomllib.loads((FOLDER / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def metadata() -> str:
    data = project()
    lines = ["Metadata-Version: 2.4", f"Name: {data['name']}", f"Version: {data['version']}", f"Summary: {data['description']}",
             f"Keywords: {','.join(data['keywords'])}", f"License-Expression: {data['license']}",
             f"Requires-Python: {data['requires-python']}"]
    lines += [f"Classifier: {classifier}" for classifier in data["classifiers"]]
    lines += [f"License-File: {name}" for name in sorted(licenses([]))]
    readme = (FOLDER / data["readme"]).read_text(encoding="utf-8")
    return "\n".join([*lines, "Description-Content-Type: text/markdown", "", readme])


def licenses(libraries: list[Path]) -> dict[str, Path]:
    """The project's licence, and Debian's record of those of the libraries that are carried along."""
    found = {}
    for place in (FOLDER / "LICENSE", FOLDER.parents[1] / "LICENSE"):
        if place.exists():
            found.setdefault("LICENSE", place)
    for library in libraries:
        owner = subprocess.run(["dpkg", "-S", library.resolve()], capture_output=True, text=True, check=False).stdout
        record = Path("/usr/share/doc") / owner.split(":")[0] / "copyright"
        if owner and record.exists():
            found[f"LICENSE.{library.name.split('.so')[0]}"] = record
    return found


def run(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, "LC_ALL": "C"}).stdout


def carried_along(library: Path) -> list[Path]:
    """The libraries that it needs and not every Linux has."""
    if not sys.platform.startswith("linux"):
        return []
    found = []
    for name, path in re.findall(r"^\s*(\S+) => (\S+)", run("ldd", str(library)), re.MULTILINE):
        if path == "not":
            raise SystemExit(f"wheel_backend: {library} needs {name}, which is not there")
        if not ON_EVERY_LINUX.match(name):
            found.append(Path(path).parent / name)
    return found


def platform_tag(libraries: list[Path]) -> str:
    system = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    if not system.startswith("linux"):
        return system
    needed = "".join(run("readelf", "--version-info", "--wide", str(library)) for library in libraries)
    glibc = max((int(n) for n in re.findall(r"\bGLIBC_2\.(\d+)", needed)), default=0)
    if glibc == 0:
        return system
    libstdcxx = max((int(n) for n in re.findall(r"\bGLIBCXX_3\.4\.(\d+)", needed)), default=0)
    first = next((n for m, n in LIBSTDCXX if m >= libstdcxx), None)
    return system if first is None else system.replace("linux", f"manylinux_2_{max(glibc, first)}", 1)


def check_version(library: Path) -> None:
    loaded = ctypes.CDLL(str(library))
    loaded.bitnet_version_string.restype = ctypes.c_char_p
    found, wanted = loaded.bitnet_version_string().decode(), project()["version"]
    if found.split(".")[:2] != wanted.split(".")[:2]:
        raise SystemExit(f"wheel_backend: {library} is libbitnet {found}, this package is {wanted}")


def find_library(settings: Optional[dict[str, Any]]) -> Path:
    given = (settings or {}).get("library") or os.environ.get("BITNET_LIBRARY")
    if not given or not Path(given).exists():
        raise SystemExit("wheel_backend: which libbitnet shall the wheel carry? Set BITNET_LIBRARY to its path")
    return Path(given).absolute()


def library_name(library: Path) -> str:
    """Without the version: wheels hold no symbolic links, and the package asks for this name."""
    return re.sub(r"\.so\..*$", ".so", re.sub(r"\.[\d.]+\.dylib$", ".dylib", library.name))


def moment() -> int:
    return max(int(os.environ.get("SOURCE_DATE_EPOCH", 0)), 315532800)  # zip files begin in 1980


def write_zip(path: Path, files: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, time.gmtime(moment())[:6])
            entry.external_attr = (0o100755 if "/lib/" in name else 0o100644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)


def package_files() -> dict[str, bytes]:
    return {f"bitnet/{path.name}": path.read_bytes() for path in sorted((FOLDER / "bitnet").iterdir())
            if path.suffix in (".py", ".typed")}


def finish(wheel_directory: str, tag: str, files: dict[str, bytes], carried: list[Path]) -> str:
    data = project()
    info = f"{data['name']}-{data['version']}.dist-info"
    files[f"{info}/METADATA"] = metadata().encode()
    files[f"{info}/WHEEL"] = (f"Wheel-Version: 1.0\nGenerator: bitnet wheel_backend\nRoot-Is-Purelib: false\nTag: {tag}\n").encode()
    for name, path in licenses(carried).items():
        files[f"{info}/licenses/{name}"] = path.read_bytes()
    record = "".join(f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b'=').decode()},"
                     f"{len(content)}\n" for name, content in files.items())
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    name = f"{data['name']}-{data['version']}-{tag}.whl"
    write_zip(Path(wheel_directory) / name, files)
    return name


# ---- PEP 517 and 660 ----

def build_wheel(wheel_directory: str, config_settings: Optional[dict[str, Any]] = None,
                metadata_directory: Optional[str] = None) -> str:
    library = find_library(config_settings)
    check_version(library)
    carried = carried_along(library)
    files = package_files()
    files[f"bitnet/lib/{library_name(library)}"] = library.read_bytes()
    for path in carried:
        files[f"bitnet/lib/{path.name}"] = path.read_bytes()
    return finish(wheel_directory, f"py3-none-{platform_tag([library, *carried])}", files, carried)


def build_editable(wheel_directory: str, config_settings: Optional[dict[str, Any]] = None,
                   metadata_directory: Optional[str] = None) -> str:
    return finish(wheel_directory, "py3-none-any", {"bitnet-editable.pth": f"{FOLDER}\n".encode()}, [])


def build_sdist(sdist_directory: str, config_settings: Optional[dict[str, Any]] = None) -> str:
    data = project()
    base = f"{data['name']}-{data['version']}"
    files = {**package_files(), "PKG-INFO": metadata().encode(), "LICENSE": licenses([])["LICENSE"].read_bytes()}
    for name in ("README.md", "pyproject.toml", "wheel_backend.py", *(f"examples/{path.name}" for path in
                                                                     sorted((FOLDER / "examples").glob("*.py")))):
        files[name] = (FOLDER / name).read_bytes()
    with tarfile.open(Path(sdist_directory) / f"{base}.tar.gz", "w:gz", format=tarfile.PAX_FORMAT) as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"{base}/{name}")
            entry.size, entry.mtime, entry.mode = len(content), moment(), 0o644
            archive.addfile(entry, io.BytesIO(content))
    return f"{base}.tar.gz"


def main() -> None:
    parser = argparse.ArgumentParser(description="Makes the wheel of the Python package bitnet.")
    parser.add_argument("--library", help="the libbitnet to carry; default: $BITNET_LIBRARY")
    parser.add_argument("--out", default=".", help="folder for the wheel")
    arguments = parser.parse_args()
    Path(arguments.out).mkdir(parents=True, exist_ok=True)
    print(Path(arguments.out) / build_wheel(arguments.out, {"library": arguments.library}))


if __name__ == "__main__":
    main()
