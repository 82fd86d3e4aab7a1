"""Few-shot examples: which of those that were kept a prompt shows, and how much of a reply is copied from them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from contracts.v1.prompts import ExampleKept


class Slot(Protocol):
    """How a template shows examples: so many at most, alike in the input `like`; of a reply `copies` may be copied."""

    @property
    def most(self) -> int: ...
    @property
    def like(self) -> str: ...
    @property
    def copies(self) -> float: ...


def chosen(
    kept: Iterable[ExampleKept], inputs: Mapping[str, Any], slot: Slot, run: tuple[str, str] | None = None
) -> tuple[ExampleKept, ...]:
    """What a prompt with these inputs shows, the most similar first. `run` is the task's (tenant, run)."""
    return ()


def copied(reply: str, example: str, asked: str = "") -> float:
    """The share of the reply that stands in the example, in pieces of 40 characters or more that are not asked for."""
    return 0.0


def guard(slot: Slot, examples: Sequence[ExampleKept], inputs: Mapping[str, Any]) -> Callable[[str], list[str]]:
    """What is wrong with a reply's text as a copy: one fault, or none."""
    return lambda text: []
