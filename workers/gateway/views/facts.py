"""A run as its readers know it: the facts of the log, each once, sorted by what they are about.

    fact ─ take ─▶ RunFacts ─ derived ─▶ views of what has changed, and of the rest as they were

A fact is known by its name, so order and duplicates do not matter; of two facts of one name the earlier in the log
stays. What a fact is about is read from its name, so a spoiled fact, whose content can't be read, is about something
too. Two facts of one sequence are taken for the same fact: there is one log.
"""

from bisect import insort
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from operator import is_
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict

from contracts import subjects
from contracts.codec import ContractError, NewerVersion, decode
from contracts.message import Message
from contracts.subjects import Address
from contracts.v1.ballots import ballot_of
from workers.consensus.box import Box, Heard, ballot_in
from workers.consensus.box import fold as into_box
from workers.runtime.ports import Stored

T = TypeVar("T")
M = TypeVar("M", bound=Message)


class View(BaseModel):
    """What is shown: frozen, ready for JSON, times in UTC, money in US dollars."""

    model_config = ConfigDict(frozen=True)


class Seen(NamedTuple):
    """A stored fact. `name` is its name within the run; `message` is None when it is spoiled, `spoiled` says why."""

    sequence: int
    at: datetime
    name: str
    message: Message | None
    spoiled: str = ""

    @property
    def tokens(self) -> list[str]:
        """The noun and what completes it; the noun of a run's own facts is `run`."""
        return self.name.split(".")


Facts = tuple[Seen, ...]
"""In the order of the log."""

Memo = dict[str, tuple[tuple[object, ...], Any]]


class SpoiledView(View):
    """A fact that can't be read: its name is used up, and `reason` says what is wrong with it."""

    name: str
    sequence: int
    at: datetime
    reason: str


def read(stored: Stored, prefix: str = subjects.PREFIX) -> Seen:
    """Decode a stored fact; one that does not decode is kept with the reason."""
    try:
        name = subjects.parse(stored.subject, prefix).name
    except subjects.NotASubject as error:
        return Seen(stored.sequence, stored.at, stored.subject, None, str(error))
    try:
        return Seen(stored.sequence, stored.at, name, decode(stored.subject, stored.data, prefix))
    except NewerVersion as error:
        return Seen(stored.sequence, stored.at, name, None, f"{error}; a newer flotilla can read it")
    except ContractError as error:
        return Seen(stored.sequence, stored.at, name, None, str(error))


@dataclass(frozen=True)
class RunFacts:
    """What is known of a run. `tasks` are its facts by the task that they are about, `boxes` the ballots.

    `shape` are the commands and results that are no votes, with the request and the openings of ballots: which tasks
    there are follows from these alone. `rest` are the facts about neither a task nor a vote. `memo` belongs to
    `derived` alone; it is no part of the value.
    """

    tenant: str
    run: str
    names: Mapping[str, Seen] = field(default_factory=dict)
    tasks: Mapping[str, Facts] = field(default_factory=dict)
    boxes: Mapping[str, Box] = field(default_factory=dict)
    shape: Facts = ()
    rest: Facts = ()
    spoiled: Facts = ()
    began: datetime | None = None
    first: int = 0
    upto: int = 0
    memo: Memo = field(default_factory=dict, compare=False, repr=False)

    def fact(self, name: str, kind: type[M]) -> M | None:
        """The fact of that name, if it is there and can be read."""
        seen = self.names.get(name)
        return seen.message if seen and isinstance(seen.message, kind) else None

    def derived(self, label: str, of: tuple[object, ...], make: Callable[[], T]) -> T:
        """What `make` derives from the objects `of` alone, made once for them; later states hand it on."""
        kept = self.memo.get(label)
        if kept is None or len(kept[0]) != len(of) or not all(map(is_, kept[0], of)):
            kept = self.memo[label] = (of, make())
        made: T = kept[1]
        return made


def take(state: RunFacts, fact: Seen) -> RunFacts:
    """The run with this fact as well."""
    return fold(state, (fact,))


def fold(state: RunFacts, facts: Iterable[Seen]) -> RunFacts:
    """The run with these facts as well, whatever their order; takes time that grows with their number."""
    new: dict[str, Seen] = {}
    for fact in facts:
        known = new.get(fact.name) or state.names.get(fact.name)
        if known is None or fact.sequence < known.sequence:
            new[fact.name] = fact
    if not new:
        return state
    names = {**state.names, **new}
    if not new.keys().isdisjoint(state.names):  # one that was taken gives way to an earlier one of its name
        state, new = RunFacts(state.tenant, state.run), names
    return _with(state, names, sorted(new.values()))


def _with(state: RunFacts, names: Mapping[str, Seen], new: list[Seen]) -> RunFacts:
    tasks, boxes = dict(state.tasks), dict(state.boxes)
    shape, rest, spoiled = list[Seen](), list[Seen](), list[Seen]()
    about: dict[str, list[Seen]] = {}
    for fact in new:
        task = task_of(fact.name)
        if task is not None:
            about.setdefault(task, []).append(fact)
        _vote_in(state, boxes, fact)
        if fact.name.startswith(("run.requested", "ballot.")) or _shapes(fact.name, task):
            shape.append(fact)
        if task is None and not fact.name.startswith("vote."):
            rest.append(fact)
        if fact.message is None:
            spoiled.append(fact)
    tasks.update((task, _merged(tasks.get(task, ()), facts)) for task, facts in about.items())
    earliest = new[0]
    return replace(
        state,
        names=names,
        tasks=tasks,
        boxes=boxes,
        shape=_merged(state.shape, shape),
        rest=_merged(state.rest, rest),
        spoiled=_merged(state.spoiled, spoiled),
        began=earliest.at if not state.first or earliest.sequence < state.first else state.began,
        first=min(state.first or earliest.sequence, earliest.sequence),
        upto=max(state.upto, new[-1].sequence),
    )


def _merged(known: Facts, new: list[Seen]) -> Facts:
    if not new:
        return known
    if not known or known[-1].sequence < new[0].sequence:
        return (*known, *new)
    merged = list(known)
    for fact in new:
        insort(merged, fact, key=lambda seen: seen.sequence)
    return tuple(merged)


def _shapes(name: str, task: str | None) -> bool:
    return task is not None and name.startswith(("task.", "result.")) and ballot_of(task) is None


def _vote_in(state: RunFacts, boxes: dict[str, Box], fact: Seen) -> None:
    noun, *tokens = fact.tokens
    if noun not in subjects.NOUNS or len(tokens) != len(subjects.NOUNS[noun]):
        return
    address = Address(state.tenant, state.run, noun, tuple(tokens))
    ballot = ballot_in(address)
    if ballot is not None:
        box = boxes.get(ballot) or Box(state.tenant, state.run, ballot)
        boxes[ballot] = into_box(box, Heard(address, fact.sequence, fact.at.timestamp(), fact.message, fact.spoiled))


def task_of(name: str) -> str | None:
    """The task that a fact of this name is about; None when it is about none."""
    noun, *tokens = name.split(".")
    if noun == "task":
        return tokens[1] if len(tokens) == len(subjects.NOUNS["task"]) else None
    return tokens[0] if noun in ("result", "failure", "llm", "prompt", "wait") and tokens else None
