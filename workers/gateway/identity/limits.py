"""How much one key may ask for: requests by a token bucket, bytes by a plain bound.

Time is a count of nanoseconds that is passed in, and the bucket's level a whole number: one request is worth `per_ns`
grains, and each nanosecond brings `requests` of them. So nothing is ever rounded, and it makes no difference how
often the bucket is looked at.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import NamedTuple

SECOND_NS = 10**9
MINUTE_NS = 60 * SECOND_NS


@dataclass(frozen=True)
class Limits:
    """What a key may ask for. `burst` requests may come at once after a rest; `streams` may be followed at a time."""

    requests_per_minute: int = 18_000
    burst: int = 600
    body_bytes: int = 1_000_000
    streams: int = 1_000

    def __post_init__(self) -> None:
        """Raises `ValueError` for limits that would let nothing through."""
        for name, value in vars(self).items():
            if value < 1:
                raise ValueError(f"{name} must be a whole number from 1")


DEFAULT_LIMITS = Limits()


class Bucket(NamedTuple):
    """`level` grains were in it at `at_ns`."""

    level: int
    at_ns: int


class Taken(NamedTuple):
    """What came of asking: how long to wait (0: go on), and how many requests could follow at once."""

    bucket: Bucket
    wait_ns: int
    left: int

    @property
    def retry_after_s(self) -> int:
        """The wait in whole seconds, rounded up, at least 1: what `Retry-After` says."""
        return max(1, -(-self.wait_ns // SECOND_NS))


def full(limits: Limits, now_ns: int) -> Bucket:
    """A bucket that nobody has taken from."""
    return Bucket(limits.burst * MINUTE_NS, now_ns)


def filled(bucket: Bucket, limits: Limits, now_ns: int) -> Bucket:
    """With what time has brought. A clock that goes back brings nothing, and takes nothing."""
    passed = now_ns - bucket.at_ns
    if passed <= 0:
        return bucket
    return Bucket(min(limits.burst * MINUTE_NS, bucket.level + passed * limits.requests_per_minute), now_ns)


def take(bucket: Bucket, limits: Limits, now_ns: int) -> Taken:
    """Ask for one request. A refused one takes nothing, so that asking too often doesn't lengthen the wait."""
    bucket = filled(bucket, limits, now_ns)
    missing = MINUTE_NS - bucket.level
    if missing > 0:
        # Counted from the bucket's own time, which is later than `now_ns` when the clock went back.
        return Taken(bucket, bucket.at_ns - now_ns + -(-missing // limits.requests_per_minute), 0)
    bucket = Bucket(bucket.level - MINUTE_NS, bucket.at_ns)
    return Taken(bucket, 0, bucket.level // MINUTE_NS)


class Meter:
    """The buckets of all keys, or of addresses for those who have shown none. One process's own, and bounded.

    Above `most` names the one that has not asked for longest is forgotten, which gives it a full bucket again.
    """

    def __init__(self, most: int = 10_000) -> None:
        self._most = most
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, name: str, limits: Limits, now_ns: int) -> Taken:
        """Ask for one request of `name`."""
        taken = take(self._buckets.get(name) or full(limits, now_ns), limits, now_ns)
        self._buckets[name] = taken.bucket
        self._buckets.move_to_end(name)
        if len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        return taken


class BadLength(ValueError):
    """A `Content-Length` that is no number of bytes."""


def declared_bytes(content_length: str | None) -> int | None:
    """How long a body says it is; None when it doesn't say. Raises `BadLength`."""
    if content_length is None:
        return None
    text = content_length.strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 20):
        raise BadLength("Content-Length must be a whole number of bytes")
    return int(text)


def is_too_large(limits: Limits, declared: int | None, read: int) -> bool:
    """Whether a body is too long by what it says, or by what was read of it so far."""
    return max(declared or 0, read) > limits.body_bytes
