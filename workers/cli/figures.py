"""Figures and text as people read them: durations, costs, counts, and text that is safe to print."""

from datetime import timedelta

ELLIPSIS = "…"


def seconds(duration: timedelta | float) -> str:
    """A duration: `0.4 s`, `12.3 s`, `4 min 05 s`, `2 h 03 min`."""
    total = duration.total_seconds() if isinstance(duration, timedelta) else duration
    total = max(0.0, total)
    if total < 59.95:
        return f"{total:.1f} s"
    whole = round(total)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def dollars(cost: float | None) -> str:
    """A cost: `$0.00`, `$0.0042`, `$12.30`; a price that is unknown is said to be unknown."""
    if cost is None:
        return "cost unknown"
    return f"${cost:.4f}" if 0 < cost < 0.01 else f"${cost:.2f}"


def count(number: int, one: str, many: str = "") -> str:
    """A counted noun: `1 call`, `3 calls`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def plain(text: str) -> str:
    """The text on one line without control characters: what others wrote must not steer the terminal."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def visible(line: str) -> str:
    """A line as it is, with its blanks and tabs; other control characters are written out as `\\x1b`."""
    return "".join(char if char.isprintable() or char == "\t" else f"\\x{ord(char):02x}" for char in line)


def short(text: str, width: int = 100) -> str:
    """Plain text cut to `width` characters, with an ellipsis where something was left out."""
    clean = plain(text)
    return clean if len(clean) <= width else clean[: width - 1].rstrip() + ELLIPSIS
