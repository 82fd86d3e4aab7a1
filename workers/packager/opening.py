"""Opening a capsule that nobody vouches for: everything is checked in memory before a byte reaches the disk."""

import gzip
import io
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import ValidationError

from workers.packager.capsule import JUNIT, MANIFEST, PROJECT, CapsuleRefused, Expected, check_entry, expected
from workers.packager.manifest import FORMAT, Manifest

_UNREADABLE = (tarfile.TarError, zlib.error, EOFError, OSError, ValueError, OverflowError, RecursionError)
"""What the readers of tar and gzip raise on bytes that they can't read; they read from memory only."""


@dataclass(frozen=True)
class Limits:
    """How much a capsule may unpack to, in bytes, headers included; `entries` counts the files."""

    total_bytes: int = 256 * 2**20
    file_bytes: int = 32 * 2**20
    entries: int = 10_000


@dataclass(frozen=True)
class Opened:
    """A capsule whose every entry is what its manifest says; `files` is the project by path.

    `manifest_json` is the manifest as it was packed, with fields that this program may not know.
    """

    manifest: Manifest
    manifest_json: bytes
    files: dict[str, bytes]
    junit: bytes | None


def open_capsule(archive: bytes, limits: Limits | None = None) -> Opened:
    """The content of a capsule; raises `CapsuleRefused` with the entry and the reason."""
    entries = _entries(archive, limits or Limits())
    manifest_json = _first(entries)
    manifest = _manifest(manifest_json)
    promised, found = expected(manifest), dict[str, bytes]()
    for name, content in entries:
        if name in found or name == MANIFEST:
            raise CapsuleRefused(name, "is in the archive twice")
        if name not in promised:
            raise CapsuleRefused(name, "is not in the manifest")
        check_entry(name, content, promised[name])
        found[name] = content
    _complete(promised, found)
    junit = found.pop(JUNIT, None)
    files = {name.removeprefix(PROJECT): content for name, content in found.items()}
    return Opened(manifest, manifest_json, files, junit)


def _complete(promised: dict[str, Expected], found: dict[str, bytes]) -> None:
    for name in promised:
        if name not in found:
            raise CapsuleRefused(name, "is in the manifest and not in the archive")


def _first(entries: Iterator[tuple[str, bytes]]) -> bytes:
    name, content = next(entries, ("", b""))
    if name != MANIFEST:
        raise CapsuleRefused(name, f"is not {MANIFEST}, which must be the first entry" if name else "it is empty")
    return content


def _manifest(content: bytes) -> Manifest:
    try:
        return Manifest.model_validate_json(content)
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_input=False, include_context=False)[0]
        field = ".".join(str(part) for part in wrong["loc"]) or "(whole)"
        newer = f"; this program reads format {FORMAT}, a newer one may be needed" if field == "format" else ""
        raise CapsuleRefused(MANIFEST, f"does not validate: {field}: {wrong['msg']}{newer}") from None


def _entries(archive: bytes, limits: Limits) -> Iterator[tuple[str, bytes]]:
    stream = _Capped(archive, limits.total_bytes)
    try:
        with tarfile.open(fileobj=stream, mode="r|") as tar:  # type: ignore[call-overload]
            for number, entry in enumerate(tar, start=1):
                if number > limits.entries + 1:
                    raise CapsuleRefused(entry.name, f"is one entry too many; {limits.entries} are allowed")
                _check_header(entry, limits)
                reader = tar.extractfile(entry)
                yield entry.name, reader.read() if reader else b""
        stream.drain()
    except _UNREADABLE as error:
        raise CapsuleRefused("", f"can't be read: {error or type(error).__name__}") from None


def _check_header(entry: tarfile.TarInfo, limits: Limits) -> None:
    if entry.name.startswith(("/", "\\")) or ":" in entry.name:
        raise CapsuleRefused(entry.name, "is an absolute path")
    if ".." in entry.name.replace("\\", "/").split("/"):
        raise CapsuleRefused(entry.name, "leads out of its folder")
    if entry.issym() or entry.islnk():
        raise CapsuleRefused(entry.name, "is a link; a capsule holds plain files only")
    if entry.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or entry.issparse():
        raise CapsuleRefused(entry.name, "is no plain file")
    if not 0 <= entry.size <= limits.file_bytes:
        raise CapsuleRefused(entry.name, f"has {entry.size} bytes; {limits.file_bytes} are allowed")


class _Capped:
    """Inflates piece by piece and stops at the limit, so that a bomb never unfolds."""

    def __init__(self, archive: bytes, limit: int) -> None:
        self._stream = gzip.GzipFile(fileobj=io.BytesIO(archive))
        self._limit, self._read = limit, 0

    def read(self, size: int) -> bytes:
        piece = self._stream.read(size)
        self._read += len(piece)
        if self._read > self._limit:
            raise CapsuleRefused("", f"unpacks to more than the {self._limit} bytes that are allowed")
        return piece

    def drain(self) -> None:
        """Read to the end, where gzip keeps its checksum."""
        while self.read(64 * 1024):
            pass
