"""Faults that the built-in model makes on request, so that retries and repairs are exercised for real."""

import hashlib
from dataclasses import dataclass, fields

RATES = ("wrong_code", "malformed", "refusal", "error", "careless", "cut_off")


@dataclass(frozen=True)
class Faults:
    """Rates are shares of requests from 0 to 1; `latency_ms` is slept before every answer.

    The same request meets the same fault. Only `error` also counts the calls, so that a retry can succeed.
    `careless` only strikes prompts whose system message has no `## Constraints`.
    """

    wrong_code: float = 0.0
    malformed: float = 0.0
    refusal: float = 0.0
    error: float = 0.0
    latency_ms: int = 0
    seed: int = 0
    careless: float = 0.0
    cut_off: float = 0.0

    @classmethod
    def parse(cls, target: str) -> "Faults":
        """Read `builtin` or `builtin:wrong_code=0.3,latency_ms=200`; a wrong option is a ValueError that names it."""
        name, _, options = target.partition(":")
        if name != "builtin":
            raise ValueError(f"The built-in model is called 'builtin', not {name!r}.")
        given: dict[str, float | int] = {}
        for option in filter(None, (part.strip() for part in options.split(","))):
            key, equals, text = option.partition("=")
            known = [field.name for field in fields(cls)]
            if key not in known or not equals:
                raise ValueError(f"{option!r} is no option of the built-in model; it has {', '.join(known)}.")
            if key in given:
                raise ValueError(f"{key!r} is given twice to the built-in model.")
            given[key] = _rate(key, text) if key in RATES else _count(key, text)
        return cls(**given)  # type: ignore[arg-type]

    def strikes(self, fault: str, text: str) -> bool:
        """Whether this fault hits the request with this text."""
        rate: float = getattr(self, fault)
        return rate > 0 and draw(self.seed, fault, text) < rate


def draw(seed: int, purpose: str, text: str) -> float:
    """A number from 0 up to but not 1, the same for the same arguments on every machine."""
    digest = hashlib.sha256(f"{seed}\0{purpose}\0{text}".encode()).digest()
    return int.from_bytes(digest[:7]) / 2**56


def _rate(key: str, text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = -1.0
    if not 0 <= rate <= 1:
        raise ValueError(f"{key}={text} is no rate from 0 to 1; rates are {', '.join(RATES)}.")
    return rate


def _count(key: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise ValueError(f"{key}={text} must be a whole number of at most 9 digits.")
    return int(text)
