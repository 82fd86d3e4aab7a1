"""What hostile publishers put on a bus, and what must come of it, for every kind of subject."""

from collections.abc import Callable
from typing import Any, NamedTuple

from hypothesis import strategies as st

from contracts.codec import ContractError

TOKENS = st.sampled_from(("x", "1", "01", "1_0", "0", "-1", "9" * 64, "a b", ""))
TEXTS = st.text(st.characters(), max_size=20) | st.text("\ud800\udfff\0\n.*>", max_size=5)
NUMBERS = st.integers() | st.integers(10**18, 10**400) | st.floats()


def values(kinds):
    """Any JSON value; its texts may name one of these kinds."""
    scalars = st.none() | st.booleans() | NUMBERS | TEXTS | st.sampled_from(kinds)
    return st.recursive(
        scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4), max_leaves=12
    )


def envelopes(kinds):
    """A known kind in a version that may be known."""
    return st.fixed_dictionaries({"kind": st.sampled_from(kinds), "version": st.just(1) | NUMBERS})


class Wire(NamedTuple):
    """How messages of one sort become bytes under a subject, and bytes messages."""

    decode: Callable[[str, bytes], Any]
    encode: Callable[[Any], bytes]
    subject_of: Callable[[Any], str]

    def endures(self, subject, data):
        """The message or the `ContractError` that comes of it: the one can be written again, the other fits into a
        fact."""
        try:
            message = self.decode(subject, data)
        except ContractError as refused:
            assert 0 < len(str(refused)) < 20_000
            assert str(refused).encode()
            return refused
        assert self.subject_of(message) == subject
        assert self.decode(subject, self.encode(message)) == message
        return message


def places(value, path=()):
    """Every place in a JSON value, as the keys that lead there."""
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inner:
        yield from places(part, (*path, key))


def replaced(value, path, new):
    """The JSON value with another one at that place."""
    if not path:
        return new
    copy = value.copy()
    copy[path[0]] = replaced(value[path[0]], path[1:], new)
    return copy
