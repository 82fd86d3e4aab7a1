"""Durations as they are typed: `60s`, `5m`, `2h`, `3d`, or a bare number of seconds."""

import re

from workers.cli.complaints import Misused
from workers.cli.figures import short

UNITS = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
MOST_S = 30 * 86_400
_DURATION = re.compile(r"(\d{1,9})\s*([smhd]?)", re.ASCII)


def seconds_typed(option: str, text: str) -> int | None:
    """Whole seconds from 1 to 30 days; None when nothing was typed."""
    if not text:
        return None
    found = _DURATION.fullmatch(text.strip().lower())
    if found is None:
        raise Misused(f"{option} {short(text)!r}: give a time such as 60s, 5m, 2h or 1d")
    amount = int(found[1]) * UNITS[found[2]]
    if amount < 1:
        raise Misused(f"{option} {short(text)!r} is over before it begins; give at least 1s")
    if amount > MOST_S:
        raise Misused(f"{option} {short(text)!r} is too long; give at most 30d")
    return amount


def as_typed(amount_s: int) -> str:
    """Seconds the way they are typed: `60s`, `15m`, `2h`."""
    for unit in ("d", "h", "m"):
        if amount_s >= UNITS[unit] and amount_s % UNITS[unit] == 0 and amount_s != UNITS[unit]:
            return f"{amount_s // UNITS[unit]}{unit}"
    return f"{amount_s}s"
