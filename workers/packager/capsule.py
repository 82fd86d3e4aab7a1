"""The capsule's bytes: a gzipped tar whose bytes depend on nothing but its content.

manifest.json            first; names every other entry with its digest
evidence/junit.xml       the tests that the sandbox saw and how each ended, if it left a report
project/<path>           the files of the project

The project has a folder of its own so that it may hold a `manifest.json` too.
"""

import gzip
import hashlib
import io
import tarfile
from collections.abc import Mapping
from typing import NamedTuple

from workers.packager.manifest import Manifest

MANIFEST = "manifest.json"
JUNIT = "evidence/junit.xml"
PROJECT = "project/"

RESERVED = ".flotilla"
"""The folder of an unpacked project that holds manifest and evidence; no project may bring its own."""


class CapsuleRefused(Exception):
    """The capsule is not what it must be. `entry` names the part that is wrong, empty for the whole."""

    def __init__(self, entry: str, why: str) -> None:
        self.entry, self.why = entry, why
        super().__init__(f"the capsule is refused: {f'{entry!r} ' if entry else ''}{why}")


class Expected(NamedTuple):
    """What the manifest says of an entry: SHA-256 in hexadecimal, size in bytes if it is given."""

    sha256: str
    size: int | None


def expected(manifest: Manifest) -> dict[str, Expected]:
    """The entries that the manifest promises, by name; raises `CapsuleRefused` if they can't lie side by side."""
    entries: dict[str, Expected] = {}
    for file in manifest.files:
        if PROJECT + file.path in entries:
            raise CapsuleRefused(file.path, "is in the manifest twice")
        if file.path.split("/")[0].casefold() == RESERVED:
            raise CapsuleRefused(file.path, f"lies in {RESERVED}/, which is kept for the manifest; rename it")
        entries[PROJECT + file.path] = Expected(file.sha256, file.size)
    for name in entries:
        folders = name.split("/")[:-1]
        for depth in range(2, len(folders) + 1):
            if (folder := "/".join(folders[:depth])) in entries:
                raise CapsuleRefused(folder.removeprefix(PROJECT), "is a file and a folder at once")
    if manifest.evidence.junit is not None:
        entries[JUNIT] = Expected(manifest.evidence.junit, None)
    return entries


def check_entry(name: str, content: bytes, promised: Expected) -> None:
    """Raise `CapsuleRefused` unless the content is what the manifest promises."""
    if promised.size is not None and len(content) != promised.size:
        raise CapsuleRefused(name, f"has {len(content)} bytes; the manifest says {promised.size}")
    if (digest := hashlib.sha256(content).hexdigest()) != promised.sha256:
        raise CapsuleRefused(name, f"has the SHA-256 {digest}; the manifest says {promised.sha256}")


def pack(files: Mapping[str, bytes], manifest: Manifest, junit: bytes | None = None) -> bytes:
    """The capsule of exactly the files that the manifest names; raises `CapsuleRefused` if they differ."""
    entries = {PROJECT + path: content for path, content in files.items()}
    if junit is not None:
        entries[JUNIT] = junit
    promised = expected(manifest)
    for name in entries.keys() - promised.keys():
        raise CapsuleRefused(name, "is not in the manifest")
    for name in sorted(promised):
        if name not in entries:
            raise CapsuleRefused(name, "is in the manifest and was not given")
        check_entry(name, entries[name], promised[name])
    return _zipped(_tarred({MANIFEST: manifest.to_bytes(), **dict(sorted(entries.items()))}))


def _tarred(entries: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in entries.items():
            # A fresh TarInfo says uid 0, gid 0, mtime 0, no owner names, mode 0644.
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def _zipped(content: bytes) -> bytes:
    out = io.BytesIO()
    # GzipFile writes a header of its own; gzip.compress(mtime=0) leaves it to zlib, which names the operating system.
    with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=out, mtime=0) as packed:
        packed.write(content)
    return out.getvalue()
