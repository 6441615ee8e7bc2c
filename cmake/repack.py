"""Puts the files inside packages in order: repack.py FILE...  (.tar.gz and .deb, in place; SOURCE_DATE_EPOCH must be set)

CPack writes archives in the order in which the file system lists folders, with the numbers and the umask of the user who
builds. The same files then give other bytes elsewhere, so every archive is written anew: names sorted, owned by root, two sorts
of permissions, one time for all.
Scripts that run ldconfig are left out beside a file "triggers", which asks for the same once and at the right time.
"""

from __future__ import annotations

import gzip
import io
import lzma
import os
import sys
import tarfile
from pathlib import Path

DATE = int(os.environ["SOURCE_DATE_EPOCH"])


def ordered(tar: bytes) -> bytes:
    output = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(tar)) as old, tarfile.open(fileobj=output, mode="w", format=tarfile.GNU_FORMAT) as new:
        names = {name.removeprefix("./") for name in old.getnames()}
        for member in sorted(old.getmembers(), key=lambda member: member.name):
            if "triggers" in names and member.name.removeprefix("./") in ("postinst", "postrm"):
                continue
            content = old.extractfile(member).read() if member.isfile() else b""
            member.uid = member.gid = 0
            member.uname = member.gname = "root"
            member.mtime = DATE
            if not member.issym():
                member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
            if member.name.removeprefix("./") == "md5sums":  # a list in the same order
                content = b"".join(sorted(content.splitlines(keepends=True), key=lambda line: line.split(maxsplit=1)[1]))
            new.addfile(member, io.BytesIO(content))
    return output.getvalue()


def repack_tar(name: str, content: bytes) -> bytes:
    if name.endswith(".xz"):
        return lzma.compress(ordered(lzma.decompress(content)), preset=6)
    return gzip.compress(ordered(gzip.decompress(content)), compresslevel=9, mtime=0)


def repack_deb(content: bytes) -> bytes:
    """A .deb is an ar archive of debian-binary, control.tar.* and data.tar.*."""
    output, position = b"!<arch>\n", 8
    while position < len(content):
        header = content[position:position + 60]
        name, size = header[:16].decode().strip().rstrip("/"), int(header[48:58])
        body = content[position + 60:position + 60 + size]
        position += 60 + size + size % 2
        if ".tar" in name:
            body = repack_tar(name, body)
        output += f"{name:<16}{DATE:<12}{0:<6}{0:<6}{'100644':<8}{len(body):<10}`\n".encode() + body + b"\n" * (len(body) % 2)
    return output


if __name__ == "__main__":
    for path in map(Path, sys.argv[1:]):
        packed = path.read_bytes()
        path.write_bytes(repack_deb(packed) if path.suffix == ".deb" else repack_tar(path.name, packed))
