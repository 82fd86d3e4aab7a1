"""The secrets that the settings point to, read when they are needed: a file that is changed works at the next try."""

import os
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from workers.gateway.notify.settings import Source
from workers.gateway.notify.tokens import Keyring

MOST_BYTES = 65_536


class SecretMissing(LookupError):
    """A secret isn't where the settings say; the message names the place and has no secret in it."""


@dataclass(frozen=True)
class Sources:
    """Reads secrets. Relative files stand in `folder`, that of the settings."""

    folder: Path
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)

    def lines(self, source: Source) -> tuple[str, ...]:
        """The secrets of a source, one a line (in a variable, spaces part them as well); raises `SecretMissing`."""
        if source.env is not None:
            place, words = f"the variable {source.env}", self.environment.get(source.env, "").split()
        else:
            assert source.file is not None
            place, words = f"the file {source.file}", _lines(self.folder / source.file)
        if not words:
            raise SecretMissing(f"{place} has no secret in it")
        return tuple(words)

    def line(self, source: Source) -> str:
        """The one secret of a source; raises `SecretMissing`."""
        found = self.lines(source)
        if len(found) > 1:
            raise SecretMissing(f"{source.env or source.file} must have one secret in it, not {len(found)}")
        return found[0]

    def keyring(self, source: Source) -> Keyring:
        """The keys of tokens, base64; raises `SecretMissing`."""
        try:
            return Keyring([b64decode(text, validate=True) for text in self.lines(source)])
        except ValueError:
            raise SecretMissing(
                f"{source.env or source.file} must have keys in base64, 32 bytes or more each: openssl rand -base64 32"
            ) from None


def _lines(path: Path) -> list[str]:
    try:
        with path.open("rb") as file:
            text = file.read(MOST_BYTES).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise SecretMissing(f"the file {path.name} can't be read: {why}") from None
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
