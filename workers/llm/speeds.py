"""How fast a target answers, as each process hears it: exponentially weighted averages.

    new = old + ALPHA * (heard - old)

With 0.2 a change of a target's speed is half known after three calls, and one slow call is nearly forgotten after ten.
"""

from dataclasses import dataclass

ALPHA = 0.2


@dataclass(frozen=True)
class Speed:
    """Averages in seconds: until the first token, and until the answer was complete."""

    first_token_s: float
    duration_s: float


def heard(speed: Speed | None, first_token_s: float | None, duration_s: float) -> Speed:
    """The averages after one more answer. `first_token_s` is None for an answer that came in one piece."""
    first = duration_s if first_token_s is None else first_token_s
    if speed is None:
        return Speed(first, duration_s)
    return Speed(
        speed.first_token_s + ALPHA * (first - speed.first_token_s),
        speed.duration_s + ALPHA * (duration_s - speed.duration_s),
    )
