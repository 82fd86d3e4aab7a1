"""What is known of a template: its versions, labels, experiments and examples, as frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from contracts.v1.prompts import (
    ExampleKept,
    ExperimentEnded,
    ExperimentStarted,
    ImprovementSet,
    PromptFact,
    RevisionTried,
    VersionPushed,
)

LIVE, CANDIDATE = "live", "candidate"


class Kept(NamedTuple):
    """A fact with its sequence in the stream, and when it was stored, in seconds since 1970."""

    sequence: int
    at: float
    fact: PromptFact


class Unread(PromptFact):
    """A name of the stream that is taken by something that can't be read: no fact may count on getting it.

    `said` is its noun, `tokens` are those behind it.
    """

    said: str
    tokens: tuple[str, ...]


class Entry(NamedTuple):
    """A fact and what it did, or why it was ignored."""

    kept: Kept
    did: str
    ignored: bool = False


@dataclass(frozen=True)
class Numbers:
    """Which numbers from 1 are taken. A fact is in turn when it has the lowest that is free."""

    next: int = 1
    beyond: frozenset[int] = frozenset()

    def __contains__(self, number: int) -> bool:
        return number < self.next or number in self.beyond

    def taken(self, number: int) -> "Numbers":
        """These numbers and one more."""
        if number != self.next:
            return self if number in self else Numbers(self.next, self.beyond | {number})
        beyond, lowest = self.beyond, self.next + 1
        while lowest in beyond:
            lowest += 1
        return Numbers(lowest, frozenset(one for one in beyond if one > lowest) if beyond else beyond)


@dataclass(frozen=True)
class ExperimentRecord:
    """An experiment. `shares` are by epoch, in millionths. One that ended because somebody moved `live` has a verdict
    that is not in the stream: stopped, by hand."""

    started: ExperimentStarted
    sequence: int
    at: float
    shares: tuple[int, ...]
    ended: ExperimentEnded | None = None
    ended_at: float | None = None

    @property
    def k(self) -> int:
        """Its number among the template's experiments, from 1."""
        return self.started.k

    @property
    def id(self) -> str:
        """`role/name/k`."""
        return f"{self.started.template}/{self.k}"

    @property
    def epoch(self) -> int:
        """The present epoch."""
        return len(self.shares) - 1

    @property
    def share(self) -> int:
        """The candidate's present part of the tasks, in millionths."""
        return self.shares[-1]


@dataclass(frozen=True)
class TemplateHistory:
    """All that the stream says of a template.

    `lives` are the versions that were live one after the other, from the file that ships (None). `examples` are those
    that nobody dropped. `numbers` are taken by facts, by noun and, for shares, by experiment: `share.<k>`.
    """

    role: str
    name: str
    versions: Mapping[str, VersionPushed] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    lives: tuple[str | None, ...] = (None,)
    experiments: tuple[ExperimentRecord, ...] = ()
    improvement: ImprovementSet | None = None
    revisions: tuple[RevisionTried, ...] = ()
    examples: Mapping[str, ExampleKept] = field(default_factory=dict)
    dropped: frozenset[str] = frozenset()
    numbers: Mapping[str, Numbers] = field(default_factory=dict)
    timeline: tuple[Entry, ...] = ()

    @property
    def template(self) -> str:
        """`role/name`."""
        return f"{self.role}/{self.name}"

    @property
    def is_touched(self) -> bool:
        """Whether the stream says anything of the template."""
        return bool(self.timeline)

    @property
    def live(self) -> str | None:
        """The version that is live; None is the file that ships."""
        return self.lives[-1]

    def live_before(self) -> str | None:
        """The version that was live before the present one; None is the file, also if there was none before."""
        return self.lives[-2] if len(self.lives) > 1 else None

    @property
    def running(self) -> ExperimentRecord | None:
        """The experiment that runs."""
        last = self.experiments[-1] if self.experiments else None
        return last if last is not None and last.ended is None else None

    @property
    def ignored(self) -> tuple[tuple[Kept, str], ...]:
        """Facts that could not hold, with the reason."""
        return tuple((entry.kept, entry.did) for entry in self.timeline if entry.ignored)

    def experiment(self, k: int) -> ExperimentRecord | None:
        """The experiment of that number."""
        return next((record for record in self.experiments if record.k == k), None)

    def taken(self, noun: str) -> Numbers:
        """Which numbers are taken for a noun."""
        return self.numbers.get(noun, Numbers())

    @property
    def next_move(self) -> int:
        """The number of the next move of a label."""
        return self.taken("label").next

    @property
    def next_experiment(self) -> int:
        """The number of the next experiment."""
        return self.taken("experiment").next

    @property
    def next_epoch(self) -> int:
        """The number of the next change of share in the experiment that runs; 1 if none does."""
        running = self.running
        return self.taken(f"share.{running.k}").next if running else 1

    @property
    def next_improvement(self) -> int:
        """The number of the next setting of how the template improves itself."""
        return self.taken("improvement").next

    @property
    def next_revision(self) -> int:
        """The number of the next attempt to revise the template."""
        return self.taken("revision").next


def empty(role: str, name: str) -> TemplateHistory:
    """The history of a template that nobody has touched."""
    return TemplateHistory(role, name)
