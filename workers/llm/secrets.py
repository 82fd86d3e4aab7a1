"""Keeping secrets out of what people read and what is stored: logs, reasons of failures, dead letters.

Two things are replaced by `***`: secrets that are known, in every form in which they are usually written or echoed, and
whatever looks like a well-known kind of key, known or not. Text without a secret costs one search of one pattern.
"""

import json
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from pathlib import Path
from urllib.parse import quote, quote_plus, unquote

HIDDEN = "***"
SHORTEST = 6
"""Shorter values are no secrets: to hide them would hide words."""

LEAST_PART, LONGEST_PART = 8, 12
"""Providers echo the first or last characters of a key; a third of them is hidden, within these bounds, or more."""

# Never a quote or a backslash, so that a line of JSON stays one.
_VALUE = r"[^\s\"'\\,;&<>(){}\[\]]"
_SAYS = r"[\"'\\]{0,4}\s*[:=]\s*[\"'\\]{0,4}"
_BEFORE_VALUES = "|".join((
    rf"[Bb](?i:earer\s+)(?={_VALUE}{{12}})",
    rf"[Aa](?i:uthorization{_SAYS}(?:(?:basic|bearer|token|apikey|digest)\s+)?+)",
    rf"[Xx]-(?i:(?:api-key|goog-api-key|amz-security-token){_SAYS})",
    rf"[Aa](?i:pi[-_]?key{_SAYS})",
))  # fmt: skip
_PARAMETERS = r"(?i:api[-_]?key|key|access_token|token|password|secret|sig|signature|x-amz-(?:signature|credential))="
_KEYS = "|".join((
    r"sk-[\w-]{16,}",
    r"(?:gsk_|hf_|github_pat_|gh[pousr]_)\w{16,}",
    r"(?:xai|pplx|glpat)-[\w-]{16,}",
    r"ya29\.[\w.-]{16,}",
    r"AIza[\w-]{20,}",
    r"flk_[a-z0-9]{4,32}_[0-9a-f]{16,}|whsec_[\w+/=-]{16,}",
    r"A(?:KIA|SIA)[0-9A-Z]{12,}",
    r"ABSK[\w+/=]{16,}",
    r"S[AUOCNX][A-Z2-7]{56}",
    r"eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*",
))  # fmt: skip
_WELL_KNOWN = re.compile(
    rf"(?<![A-Za-z0-9])(?:(?P<before>{_BEFORE_VALUES}){_VALUE}{{4,}}|{_KEYS})"
    rf"|(?P<parameter>[?&]{_PARAMETERS}){_VALUE}{{4,}}"
    r"|(?P<scheme>://)[^\s/@\"'\\<>]{1,512}(?=@)"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----",
    re.DOTALL,
)
_SIGNS = (
    r"earer\s|EARER\s|uthorization|UTHORIZATION|key|Key|KEY|oken=|assword=|ecret=|ig=|ignature=|redential=|urity-|URITY-"
    r"|://|sk-|gsk_|hf_|github_pat_|gh[pousr]_|xai-|pplx-|glpat-|ya29\.|AIza|flk_|whsec_|AKIA|ASIA|ABSK|S[AUOCNX][A-Z2-7]{54}|eyJ"
    r"|-----BEGIN"
)
"""Part of every text that `_WELL_KNOWN` matches. Each begins with a plain letter, for that is searched fast."""

_SECRET_NAME = re.compile(
    r"(?:KEY|SECRET|PASSWORD|PASSWD|PASSPHRASE)S?(?=_|\d|$)|(?:^|_)(?:TOKEN|CREDENTIALS?|CREDS|SEED)(?=_|\d|$)|_AUTH$"
)
_NO_SECRET_NAME = re.compile(r"_(?:PATH|DIR|ENV|NAME|URLS?|HOST|PORT)$")
_USERINFO = re.compile(r"(?:^|://|,\s*)([^\s/@,]+)@")
_HEADER = re.compile(r"=\s*(?:\w+\s+|\w+%20)?([^\s,]+)")
_ENTRY = re.compile(r"\s*(?:[\w.-]+\s*[=:]\s*)?[\"']?([^\s\"']+)[\"']?,?\s*")
MOST_OF_A_FILE = 65_536

_MASKS = re.compile(r"\*{3,}|•{3,}|\.{3,}|…")
_WORD_BEFORE, _WORD_AFTER = re.compile(r"[^\s\"'`=:,;<>()\[\]]*\Z"), re.compile(r"[^\s\"'`=:,;<>()\[\]*•…]*")


class Redactor:
    """Hides known secrets, and what looks like one."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets = tuple(sorted({secret for secret in secrets if len(secret) >= SHORTEST}))
        forms = sorted({form for secret in self._secrets for form in _forms(secret)}, key=len, reverse=True)
        self._whole = _any_of(forms)
        parts = [(secret, _part(secret)) for secret in self._secrets if _part(secret)]
        self._heads = {secret[:size]: secret for secret, size in parts}
        self._tails = {secret[-size:]: secret for secret, size in parts}
        self._cut = {secret[:size] for secret, part in parts for size in range(SHORTEST, part)}
        self._parts = _any_of([*self._heads, *self._tails])
        masks = r"|\*\*\*|•••|\.\.\.|…" if self._secrets else ""
        self._signs = re.compile(f"{_SIGNS}{masks}|{_any_of([*forms, *self._heads, *self._tails]).pattern}")

    def clean(self, text: str) -> str:
        """The text without secrets."""
        if self._cut:
            text = self._without_cut(text)
        if not self._signs.search(text):
            return text
        if self._secrets:
            text = self._without_masked(self._without_parts(self._whole.sub(HIDDEN, text)))
        return _WELL_KNOWN.sub(_hidden, text)

    def _without_parts(self, text: str) -> str:
        """Without the beginnings and ends of secrets, each as long as it goes on."""
        kept: list[str] = []
        at = 0
        while (found := self._parts.search(text, at)) is not None:
            start, end = found.span()
            if (secret := self._heads.get(found[0])) is not None:
                end = start + _common(text[start : start + len(secret)], secret)
            else:
                secret = self._tails[found[0]]
                before = text[max(at, end - len(secret)) : end]
                start = end - _common(before[::-1], secret[::-1])
            kept += (text[at:start], HIDDEN)
            at = end
        return "".join((*kept, text[at:]))

    def _without_cut(self, text: str) -> str:
        """Without the beginning of a secret at the end, where somebody cut the text off in the middle of it."""
        for size in range(LONGEST_PART - 1, SHORTEST - 1, -1):
            if text[-size:] in self._cut:
                return text[:-size] + HIDDEN
        return text

    def _without_masked(self, text: str) -> str:
        """Without what a provider shows of a key beside its own mask: `sk-ab****yz`."""
        kept: list[str] = []
        at = 0
        for mask in _MASKS.finditer(text):
            if mask.start() < at:
                continue
            before = _word(_WORD_BEFORE.search(text, at, mask.start()))
            after = _word(_WORD_AFTER.match(text, mask.end()))
            if self._echoes(before, after.rstrip(".!?")):
                kept += (text[at : mask.start() - len(before)], HIDDEN)
                at = mask.end() + len(after.rstrip(".!?"))
        return "".join((*kept, text[at:]))

    def _echoes(self, before: str, after: str) -> bool:
        if len(before) + len(after) < 3:
            return False
        return any(secret.startswith(before) and secret.endswith(after) for secret in self._secrets)


def _word(found: "re.Match[str] | None") -> str:
    return found[0] if found else ""


def _hidden(found: "re.Match[str]") -> str:
    return (found["before"] or found["parameter"] or found["scheme"] or "") + HIDDEN


def _any_of(words: Iterable[str]) -> "re.Pattern[str]":
    return re.compile("|".join(re.escape(word) for word in words) or r"(?!)")


def _part(secret: str) -> int:
    """How many of its first or last characters give it away; 0 where it is too short to have parts."""
    size = min(LONGEST_PART, len(secret) // 3)
    return size if size >= LEAST_PART else 0


def _common(one: str, other: str) -> int:
    """The length of their common beginning."""
    size = 0
    for mine, theirs in zip(one, other, strict=False):
        if mine != theirs:
            break
        size += 1
    return size


def _forms(secret: str) -> Iterator[str]:
    """Every way in which it is usually written: plain, in URLs, JSON (twice, too), HTML, Python and base64."""
    yield secret
    for quoted in (quote(secret), quote(secret, safe=""), quote_plus(secret)):
        yield quoted
        yield re.sub("%..", lambda found: found[0].lower(), quoted)
    once = (json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1])
    yield from once
    yield from (json.dumps(escaped)[1:-1] for escaped in once)
    yield escape(secret)
    yield repr(secret)[1:-1]
    yield from _in_base64(secret.encode())


def _in_base64(secret: bytes) -> Iterator[str]:
    """What of its base64 does not depend on what stands beside it, for each of the three places it can start at."""
    for before, first in ((0, 0), (1, 2), (2, 3)):
        last = (before + len(secret)) * 8 // 6
        for encode in (b64encode, urlsafe_b64encode):
            yield encode(b"\0" * before + secret).decode()[first:last]


def secrets_in(environment: Mapping[str, str], *more: str, files: Iterable[Path] = ()) -> tuple[str, ...]:
    """Every secret that a process was given: values of variables whose name says so, `more` and what is in `files`.

    Passwords and tokens in URLs count whatever the name. A variable that names a file stands for what is in it, and one
    of headers (`OTEL_EXPORTER_OTLP_HEADERS`) for each of their values. A file that can't be read holds none.
    """
    found = [*more]
    for name, value in environment.items():
        found += _in_variable(name.upper(), value.strip())
    for file in files:
        found += _in_file(file)
    return tuple(dict.fromkeys(secret for secret in found if len(secret) >= SHORTEST))


def _in_variable(name: str, value: str) -> Iterator[str]:
    if "@" in value:
        for user in _USERINFO.findall(value):
            secret = user.partition(":")[2] or user
            yield from (secret, unquote(secret))
    if name.endswith("_HEADERS"):
        yield from (unquote(secret) for secret in _HEADER.findall(value))
    if not _SECRET_NAME.search(name) or _NO_SECRET_NAME.search(name):
        return
    if name.endswith("_FILE") or _is_file(value):
        yield from _in_file(Path(value))
    else:
        yield value


def _is_file(value: str) -> bool:
    try:
        return "/" in value and Path(value).is_file()
    except (OSError, ValueError):
        return False


def _in_file(file: Path) -> Iterator[str]:
    """Each line of a file of keys, without the name before it; headings and lines of several words are none."""
    try:
        with file.expanduser().open(encoding="utf-8", errors="replace") as content:
            text = content.read(MOST_OF_A_FILE)
    except (OSError, ValueError, RuntimeError):
        return
    for line in text.splitlines():
        if (found := _ENTRY.fullmatch(line)) and not line.startswith("-----"):
            yield found[1]
