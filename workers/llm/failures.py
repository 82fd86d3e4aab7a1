"""What can go wrong with one call, and what each kind of it means for the target, the bill and the next step.

kind            seen as                                   target                     billed    the same target again
rate_limited    429                                       cools (Retry-After)        no        after that
quota           402; 429 that says the money is used up   down                       no        after a long while
overloaded      503, 529                                  counts for the breaker     no        after a pause
server_error    other 5xx, nonsense instead of a reply    counts for the breaker     no        after a pause
unreachable     no connection                             counts for the breaker     no        after a pause
disconnected    the connection broke after the request    counts for the breaker     perhaps   after a pause
timeout         no token within the patience              counts for the breaker     perhaps   after a pause
interrupted     broke or hung after the first token       counts for the breaker     perhaps   a new delivery's call
denied          401, 403                                  down                       no        after a long while
unknown_model   404                                       down                       no        after a long while
bad_request     400, 413, 422                             fine: the request is not   no        never with this request
"""

from dataclasses import dataclass
from typing import Literal

FailureKind = Literal[
    "rate_limited", "quota", "overloaded", "server_error", "unreachable", "disconnected", "timeout", "interrupted",
    "denied", "unknown_model", "bad_request",
]  # fmt: skip


@dataclass(frozen=True)
class Meaning:
    """What a kind of failure means. `strikes`: counts for the breaker; `down`: the breaker opens at once, for long;
    `billed`: the provider may charge for it; `hopeless`: the same request will fail there again."""

    strikes: bool = False
    down: bool = False
    billed: bool = False
    hopeless: bool = False


MEANINGS: dict[FailureKind, Meaning] = {
    "rate_limited": Meaning(),
    "quota": Meaning(down=True),
    "overloaded": Meaning(strikes=True),
    "server_error": Meaning(strikes=True),
    "unreachable": Meaning(strikes=True),
    "disconnected": Meaning(strikes=True, billed=True),
    "timeout": Meaning(strikes=True, billed=True),
    "interrupted": Meaning(strikes=True, billed=True),
    "denied": Meaning(down=True),
    "unknown_model": Meaning(down=True),
    "bad_request": Meaning(hopeless=True),
}


def writable(text: str) -> str:
    """The text as UTF-8 can hold it, which no fact may go beyond: providers may send halves of characters."""
    return text.encode(errors="replace").decode()


class CallFailed(Exception):
    """One call gave no answer. `reason` is safe to show: no key, no prompt, at most 500 characters.

    `retry_after_s` is what the provider asked for, None when it asked for nothing.
    """

    def __init__(self, kind: FailureKind, reason: str, retry_after_s: float | None = None) -> None:
        self.kind, self.reason, self.retry_after_s = kind, writable(reason)[:500], retry_after_s
        super().__init__(f"{kind}: {self.reason}")

    @property
    def meaning(self) -> Meaning:
        """What its kind means."""
        return MEANINGS[self.kind]
