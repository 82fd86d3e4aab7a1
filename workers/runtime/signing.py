"""Signing with an nkey of type user: Ed25519 over the 32 bytes of a capsule's SHA-256, or over a vote's bytes."""

import base64
import binascii
import os
from contextlib import suppress
from functools import cache
from pathlib import Path

import nkeys  # type: ignore[import-untyped]
from nacl.exceptions import CryptoError
from nacl.signing import VerifyKey
from nacl.utils import random

from workers.runtime.settings import Settings

SEED_FILE = "signing.seed"


class BadKey(ValueError):
    """The text is no nkey of the wanted kind, or the signature is no signature of that key."""


class Signer:
    """Signs with one key. The seed is an nkey seed of type user (`SU…`); without one a new key is made."""

    def __init__(self, seed: bytes | None = None) -> None:
        seed = seed or new_seed()
        try:
            prefix, raw = nkeys.decode_seed(seed)
            # nkeys itself does not look at the checksum; a mistyped seed would be another key.
            sound = prefix == nkeys.PREFIX_BYTE_USER and nkeys.encode_seed(raw, prefix) == seed
        except Exception:
            sound = False
        if not sound:
            raise BadKey("the signing seed is no nkey seed of type user (SU…); make one with `nk -gen user`")
        self._pair = nkeys.from_seed(seed)
        self.public_key: str = self._pair.public_key.decode()

    def sign(self, sha256: str) -> str:
        """Base64 of the signature over the digest, which is given in hexadecimal."""
        return self.sign_bytes(bytes.fromhex(sha256))

    def sign_bytes(self, content: bytes) -> str:
        """Base64 of the signature over these bytes."""
        return base64.b64encode(self._pair.sign(content)).decode()


@cache
def configured_signer(settings: Settings) -> Signer:
    """The signer of the settings (`signing_seed` before `signing_seed_file`); else one of this process alone."""
    if settings.signing_seed is not None:
        return Signer(settings.signing_seed.get_secret_value().strip().encode())
    if settings.signing_seed_file is not None:
        return Signer(settings.signing_seed_file.read_bytes().strip())
    return Signer()


def check_signature(sha256: str, signature: str, public_key: str) -> None:
    """Raise `BadKey` unless the owner of the public key (`U…`) signed the digest."""
    try:
        digest = bytes.fromhex(sha256)
    except ValueError:
        raise BadKey(f"{sha256!r} is no digest in hexadecimal") from None
    check_bytes(digest, signature, public_key)


def check_bytes(content: bytes, signature: str, public_key: str) -> None:
    """Raise `BadKey` unless `signature` (base64) is that of the owner of the public key (`U…`) over these bytes."""
    key = VerifyKey(_raw_public_key(public_key))
    try:
        key.verify(content, base64.b64decode(signature, validate=True))
    except (CryptoError, ValueError, TypeError):
        raise BadKey(f"the signature is not of {public_key}") from None


def check_key(public_key: str) -> None:
    """Raise `BadKey`, with what is wrong, unless the text is a public nkey of type user (`U…`)."""
    _raw_public_key(public_key)


def new_seed() -> bytes:
    """A fresh nkey seed of type user."""
    seed: bytes = nkeys.encode_seed(random(32), nkeys.PREFIX_BYTE_USER)
    return seed


def seed_in(directory: Path) -> bytes:
    """The seed that a data directory keeps, made at the first call and readable by its owner only."""
    path = directory / SEED_FILE
    # Written aside and then linked: of two processes that start at once both end with the one that came first.
    aside = directory / f"{SEED_FILE}.{os.getpid()}"
    if not path.exists():
        aside.unlink(missing_ok=True)
        aside.touch(mode=0o600)
        aside.write_bytes(new_seed())
        with suppress(FileExistsError):
            path.hardlink_to(aside)
        aside.unlink()
    return path.read_bytes().strip()


def _raw_public_key(public_key: str) -> bytes:
    try:
        raw = base64.b32decode(public_key)
    except (binascii.Error, ValueError):
        raise BadKey(f"{public_key!r} is no nkey") from None
    body, checksum = raw[:-2], raw[-2:]
    if len(body) != 33 or body[0] != nkeys.PREFIX_BYTE_USER:
        raise BadKey(f"{public_key!r} is no public nkey of type user (U…)")
    if nkeys.crc16(bytearray(body)).to_bytes(2, "little") != checksum:
        raise BadKey(f"{public_key!r} is mistyped: its checksum does not fit")
    return body[1:]
