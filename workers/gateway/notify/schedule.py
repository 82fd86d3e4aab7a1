"""When a notification is tried again, and when not any more. Pure: who calls brings answers and clock readings.

The wait grows fourfold from 5 s to 12 hours; with a spread of a fifth, drawn from the id: the same notification is
tried at the same times by whoever does it, and many that fail together don't come back together. Three days after the
first try nothing more is tried.
"""

from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

FIRST_WAIT_S = 5.0
FACTOR = 4.0
LONGEST_WAIT_S = 12 * 3_600.0
SPREAD = 0.2
GIVE_UP_AFTER_S = 3 * 86_400.0

Verdict = Literal["delivered", "again", "refused", "gone"]
"""`refused` ends this notification, `gone` disables its endpoint until somebody changes the settings."""


@dataclass(frozen=True)
class Tried:
    """What came of one try. `status` is 0 where no answer came; `reason` is for people and has no secret in it."""

    verdict: Verdict
    status: int = 0
    reason: str = ""
    retry_after_s: float = 0.0


@dataclass(frozen=True)
class Next:
    """What to do: try again at `at` (unix seconds), or nothing more (`at` is None)."""

    at: float | None
    reason: str = ""


def verdict_of(status: int) -> Verdict:
    """What an HTTP status says. A redirect is not followed; it is tried again, for it may be put right."""
    if 200 <= status < 300:
        return "delivered"
    if status == 410:
        return "gone"
    if 400 <= status < 500 and status not in (408, 429):
        return "refused"
    return "again"


def wait_s(message_id: str, attempt: int) -> float:
    """How long to wait after a failed attempt (from 1), in seconds."""
    if attempt < 1:
        raise ValueError(f"attempts are counted from 1, not {attempt}")
    # The cap is reached long before; a greater power would only overflow.
    plain = min(FIRST_WAIT_S * FACTOR ** min(attempt - 1, 20), LONGEST_WAIT_S)
    drawn = int.from_bytes(sha256(f"{message_id}:{attempt}".encode()).digest()[:8], "big") / 2**64
    return plain * (1 + SPREAD * (2 * drawn - 1))


def after(message_id: str, attempt: int, tried: Tried, first_at: float, now: float) -> Next:
    """What follows the `attempt`th try, which ended at `now`; `first_at` is when the first began."""
    if tried.verdict == "delivered":
        return Next(None, "delivered")
    if tried.verdict != "again":
        return Next(None, tried.reason)
    at = now + max(wait_s(message_id, attempt), min(tried.retry_after_s, LONGEST_WAIT_S))
    if at - first_at > GIVE_UP_AFTER_S:
        return Next(None, f"given up after {attempt} tries in three days; the last: {tried.reason}")
    return Next(at, tried.reason)
