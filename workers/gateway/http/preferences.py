"""The `Prefer` header (RFC 7240): how long a client would wait, and whether it would rather not.

Preferences are wishes: what is not known, or can't be read, is passed over and never refused. Of one that is given
twice the first counts. `wait` is cut to what the gateway grants, and `Preference-Applied` says what was granted.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

LONGEST_HEADER = 4_096
_MOST_DIGITS = 9

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_WORD = rf'(?:{_TOKEN}|"(?:[^"\\]|\\.)*")'
_PREFERENCE = re.compile(rf"[ \t]*({_TOKEN})(?:[ \t]*=[ \t]*({_WORD}))?")
# A part up to its comma; commas in quoted strings are none.
_ELEMENT = re.compile(r'(?:[^",]|"(?:[^"\\]|\\.)*"?)+')
_ESCAPED = re.compile(r"\\(.)")


@dataclass(frozen=True)
class Preferences:
    """What a client prefers, as far as it is granted. `wait_s` None: it said nothing of waiting."""

    wait_s: int | None = None
    respond_async: bool = False

    @property
    def patience_s(self) -> int:
        """How long to wait for the outcome before answering 202: 0 unless it was asked for.

        With `respond-async, wait=10` a client would have the outcome if it comes within 10 seconds (RFC 7240, 4.3).
        """
        return self.wait_s or 0

    @property
    def applied(self) -> str | None:
        """The value of `Preference-Applied`; None where there is nothing to say."""
        said = (["respond-async"] if self.respond_async else []) + (
            [] if self.wait_s is None else [f"wait={self.wait_s}"]
        )
        return ", ".join(said) or None


def preferences(headers: Iterable[str], longest_wait_s: int) -> Preferences:
    """What the `Prefer` headers of a request say, with `wait` cut to `longest_wait_s`."""
    said: dict[str, str] = {}
    for name, value in _given(", ".join(headers)[:LONGEST_HEADER]):
        said.setdefault(name, value)
    return Preferences(_wait_s(said.get("wait"), longest_wait_s), said.get("respond-async") == "")


def _given(header: str) -> Iterator[tuple[str, str]]:
    """(name, value) of each preference, without its parameters. Names are the same in any case."""
    for element in _ELEMENT.finditer(header):
        found = _PREFERENCE.match(element[0])
        rest = element[0][found.end() :].strip(" \t") if found else ""
        if found and (not rest or rest.startswith(";")):
            yield found[1].lower(), _unquoted(found[2] or "")


def _unquoted(word: str) -> str:
    return _ESCAPED.sub(r"\1", word[1:-1]) if word.startswith('"') else word


def _wait_s(text: str | None, longest_wait_s: int) -> int | None:
    if text is None or not (text.isascii() and text.isdigit()):
        return None
    return longest_wait_s if len(text.lstrip("0")) > _MOST_DIGITS else min(int(text), longest_wait_s)
