"""Verify a capsule, then unpack it: into a folder beside the target first, so that there is all of it or nothing."""

import hashlib
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path, PurePosixPath

from workers.packager.capsule import MANIFEST, RESERVED, CapsuleRefused
from workers.packager.manifest import Manifest
from workers.packager.opening import Limits, Opened, open_capsule
from workers.runtime.signing import BadKey, check_signature


class TargetTaken(Exception):
    """The folder to unpack into holds something already."""


def verify(
    archive: bytes, sha256: str, signature: str, public_key: str, trusted_keys: Collection[str] | None = None
) -> None:
    """Raise `CapsuleRefused` unless these are the bytes that were signed.

    Without `trusted_keys` any key will do: that shows that nothing was changed since, not who made it.
    """
    if (digest := hashlib.sha256(archive).hexdigest()) != sha256:
        raise CapsuleRefused("", f"its SHA-256 is {digest}; {sha256} was announced")
    if trusted_keys is not None and public_key not in trusted_keys:
        raise CapsuleRefused("", f"it is signed by {public_key}, which is not among the trusted keys")
    try:
        check_signature(sha256, signature, public_key)
    except BadKey as error:
        raise CapsuleRefused("", str(error)) from None


def unpack(archive: bytes, into: Path, limits: Limits | None = None) -> Manifest:
    """Write the project into a new or empty folder, manifest and evidence under its `.flotilla/`.

    Raises `CapsuleRefused` before anything is written, `TargetTaken` if there is something in the folder.
    """
    target = _free(into)
    opened = open_capsule(archive, limits)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as aside:
        project = Path(aside) / "project"
        _write(project, _laid_out(opened))
        try:
            project.rename(target)
        except OSError:
            # Somebody may have put something there meanwhile; then say so.
            _free(into)
            raise
    return opened.manifest


def _free(into: Path) -> Path:
    target = into.resolve()
    if target == Path.cwd():
        raise TargetTaken(f"{into} is the current folder, which can't be replaced; name a new one")
    if target.is_dir() and not any(target.iterdir()):
        return target
    if target.exists():
        raise TargetTaken(f"{into} is there already and not an empty folder; name a new one or remove it")
    return target


def _laid_out(opened: Opened) -> dict[str, bytes]:
    files = {f"{RESERVED}/{MANIFEST}": opened.manifest_json, **opened.files}
    return files if opened.junit is None else {**files, f"{RESERVED}/junit.xml": opened.junit}


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        path = folder / PurePosixPath(name)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as file:
                file.write(content)
        except FileExistsError:
            raise CapsuleRefused(name, "differs from another file only in case, which this disk can't hold") from None
