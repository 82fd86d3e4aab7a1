"""The history of templates as a fold of the stream `PROMPTS`. The order is the stream's, whatever order facts come in.

A fact that can't hold is ignored, for ever and by everybody, with a reason:

version_pushed       one that is known already
label_moved          out of turn; to a version that is not known; to what it names already; `candidate` in an experiment
experiment_started   out of turn; while another runs; with a version that is not known, or live no more; with a verdict
share_changed        out of turn; of an experiment that does not run
experiment_ended     of an experiment that does not run
improvement_set      out of turn
example_kept         one that was kept or dropped before

An experiment sets the label `candidate`, and its end takes that away. One that ends as promoted moves `live` to its
candidate. Who moves `live` by hand ends the experiment that runs: what it compares is no longer the question.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, NoReturn

from contracts.v1.prompts import (
    ExampleDropped,
    ExampleKept,
    ExperimentEnded,
    ExperimentStarted,
    ImprovementSet,
    LabelMoved,
    OutcomeScored,
    PromptFact,
    RevisionTried,
    ShareChanged,
    VersionPushed,
)
from workers.prompting.template_history import (
    CANDIDATE,
    LIVE,
    Entry,
    ExperimentRecord,
    Kept,
    TemplateHistory,
    Unread,
    empty,
)
from workers.prompting.verdicts import verdict_in_words

__all__ = [
    "CANDIDATE",
    "LIVE",
    "Entry",
    "ExperimentRecord",
    "Histories",
    "Kept",
    "TemplateHistory",
    "Unread",
    "after",
    "empty",
]

THE_FILE = "the file"

_NUMBERED = ("label", "experiment", "share", "verdict", "improvement", "revision")


class _CannotHold(Exception):
    """The fact is ignored; the message says why."""


class Histories:
    """All templates' histories. Outcomes are not part of them."""

    def __init__(self, kept: Iterable[Kept] = ()) -> None:
        self._kept: dict[tuple[str, str], dict[int, Kept]] = {}
        self._folded: dict[tuple[str, str], TemplateHistory] = {}
        for one in kept:
            self.take(one)

    def take(self, kept: Kept) -> None:
        """Keep a fact. In any order, and as often as it comes: the same facts make the same histories."""
        if isinstance(kept.fact, OutcomeScored):
            return
        self._kept.setdefault((kept.fact.role, kept.fact.name), {}).setdefault(kept.sequence, kept)

    def of(self, role: str, name: str) -> TemplateHistory:
        """The history of a template by all facts so far."""
        key = role, name
        kept = self._kept.get(key, {})
        history = self._folded.get(key) or empty(role, name)
        if len(history.timeline) < len(kept):
            history = self._folded[key] = _caught_up(history, kept)
        return history

    def names(self) -> tuple[str, ...]:
        """Every `role/name` that the stream says something of, sorted."""
        return tuple(sorted("/".join(key) for key in self._kept))


def _caught_up(history: TemplateHistory, kept: Mapping[int, Kept]) -> TemplateHistory:
    """The history with all of these. It is folded anew if one belongs before what it has."""
    last = history.timeline[-1].kept.sequence if history.timeline else 0
    later = sorted(sequence for sequence in kept if sequence > last)
    if len(history.timeline) + len(later) < len(kept):
        history, later = empty(history.role, history.name), sorted(kept)
    entries = list(history.timeline)
    for sequence in later:
        history, entry = _after(history, kept[sequence])
        entries.append(entry)
    return replace(history, timeline=tuple(entries))


def after(history: TemplateHistory, kept: Kept) -> TemplateHistory:
    """The history with one more fact of its template, the next in the stream's order."""
    changed, entry = _after(history, kept)
    return replace(changed, timeline=(*history.timeline, entry))


def _after(history: TemplateHistory, kept: Kept) -> tuple[TemplateHistory, Entry]:
    """The history with what one more fact changes, and its entry, which is not in the timeline yet."""
    try:
        rule = _RULES.get(type(kept.fact))
        if rule is None:
            raise _CannotHold("nobody here can read it")
        changed, did = rule(history, kept.fact, kept)
        entry = Entry(kept, did)
    except _CannotHold as why:
        changed, entry = history, Entry(kept, str(why), ignored=True)
    return replace(changed, numbers=_numbered(history, kept.fact)), entry


def _numbered(history: TemplateHistory, fact: PromptFact) -> Mapping[str, Any]:
    """The numbers that are taken once this fact is in the stream, whether it holds or not."""
    if isinstance(fact, Unread):
        noun, tokens = fact.said, fact.tokens
    else:
        noun, tokens = fact.noun, tuple(str(getattr(fact, field)) for field in fact.names)
    if noun not in _NUMBERED or not tokens or not tokens[-1].isdecimal() or len(tokens[-1]) > 6:
        return history.numbers
    key = ".".join((noun, *tokens[:-1]))
    return {**history.numbers, key: history.taken(key).taken(int(tokens[-1]))}


def _refuse(why: str) -> NoReturn:
    raise _CannotHold(why)


def _in_turn(history: TemplateHistory, noun: str, number: int) -> None:
    if number != (due := history.taken(noun).next):
        _refuse(f"it has number {number}, and {due} is due")


def _pushed(history: TemplateHistory, fact: VersionPushed, kept: Kept) -> tuple[TemplateHistory, str]:
    if fact.digest in history.versions:
        _refuse(f"version {fact.digest} is there already")
    return replace(history, versions={**history.versions, fact.digest: fact}), f"version {fact.digest} came in"


def _moved(history: TemplateHistory, fact: LabelMoved, kept: Kept) -> tuple[TemplateHistory, str]:
    label, running, was = fact.label, history.running, history.labels.get(fact.label)
    _in_turn(history, "label", fact.n)
    if fact.to is not None and fact.to not in history.versions:
        _refuse(f"version {fact.to} is not known")
    if fact.to == was:
        _refuse(f"{label} is that already")
    if label == CANDIDATE and running:
        _refuse(f"experiment {running.k} runs, and {CANDIDATE} is its own")
    did = _move_in_words(label, was, fact.to)
    if label == LIVE and running:
        reason = f"live was moved to {fact.to or THE_FILE}"
        ended = ExperimentEnded(
            role=fact.role, name=fact.name, by=fact.by, k=running.k, verdict="stopped", why="by_hand", reason=reason
        )
        history, did = _over(history, ended, kept), f"{did}, which stopped experiment {running.k}"
    return _labelled(history, label, fact.to), did


def _started(history: TemplateHistory, fact: ExperimentStarted, kept: Kept) -> tuple[TemplateHistory, str]:
    _in_turn(history, "experiment", fact.k)
    if history.running:
        _refuse(f"experiment {history.running.k} runs")
    if unknown := [one for one in (fact.live, fact.candidate) if one not in history.versions]:
        _refuse(f"version {unknown[0]} is not known")
    if fact.live == fact.candidate:
        _refuse(f"version {fact.live} can't be tried beside itself")
    if history.live not in (None, fact.live):
        _refuse(f"version {history.live} is live, and not {fact.live}")
    if fact.k in history.taken("verdict"):
        _refuse("its verdict was there before it")
    record = ExperimentRecord(fact, kept.sequence, kept.at, (fact.share,))
    history = replace(history, experiments=(*history.experiments, record))
    did = f"experiment {fact.k} started: {fact.candidate} beside {fact.live} with {_percent(fact.share)} of the tasks"
    return _labelled(history, CANDIDATE, fact.candidate), did


def _shared(history: TemplateHistory, fact: ShareChanged, kept: Kept) -> tuple[TemplateHistory, str]:
    record = _the_running(history, fact.k)
    _in_turn(history, f"share.{fact.k}", fact.epoch)
    # Epochs whose number was taken by something that could not hold never began.
    skipped = (record.share,) * (fact.epoch - len(record.shares))
    changed = replace(record, shares=(*record.shares, *skipped, fact.share))
    did = f"experiment {fact.k}: the candidate gets {_percent(fact.share)} of the tasks"
    return replace(history, experiments=(*history.experiments[:-1], changed)), did


def _ended(history: TemplateHistory, fact: ExperimentEnded, kept: Kept) -> tuple[TemplateHistory, str]:
    started = _the_running(history, fact.k).started
    did = f"experiment {fact.k} was {verdict_in_words(started, fact.verdict, fact.why)}"
    history = _over(history, fact, kept)
    if fact.verdict == "promoted":
        history, did = _labelled(history, LIVE, started.candidate), f"{did}; live moved to {started.candidate}"
    return history, did


def _set(history: TemplateHistory, fact: ImprovementSet, kept: Kept) -> tuple[TemplateHistory, str]:
    _in_turn(history, "improvement", fact.n)
    return replace(history, improvement=fact), f"it {'improves' if fact.on else 'no longer improves'} itself"


def _tried(history: TemplateHistory, fact: RevisionTried, kept: Kept) -> tuple[TemplateHistory, str]:
    came = f"version {fact.candidate} came of it" if fact.candidate else "nothing came of it"
    return replace(history, revisions=(*history.revisions, fact)), f"revision {fact.n} was tried: {came}"


def _example(history: TemplateHistory, fact: ExampleKept, kept: Kept) -> tuple[TemplateHistory, str]:
    if fact.id in history.examples or fact.id in history.dropped:
        _refuse(f"example {fact.id} was {'dropped' if fact.id in history.dropped else 'kept'} before")
    return replace(history, examples={**history.examples, fact.id: fact}), f"example {fact.id} was kept"


def _dropped(history: TemplateHistory, fact: ExampleDropped, kept: Kept) -> tuple[TemplateHistory, str]:
    """A drop that comes before its example counts: its name can't be said again."""
    left = {id: example for id, example in history.examples.items() if id != fact.id}
    return replace(history, examples=left, dropped=history.dropped | {fact.id}), f"example {fact.id} was dropped"


def _the_running(history: TemplateHistory, k: int) -> ExperimentRecord:
    running = history.running
    if running is None or running.k != k:
        _refuse(f"experiment {k} does not run")
    return running


def _over(history: TemplateHistory, ended: ExperimentEnded, kept: Kept) -> TemplateHistory:
    record = replace(history.experiments[-1], ended=ended, ended_at=kept.at)
    return _labelled(replace(history, experiments=(*history.experiments[:-1], record)), CANDIDATE, None)


def _labelled(history: TemplateHistory, label: str, to: str | None) -> TemplateHistory:
    labels = {known: digest for known, digest in history.labels.items() if known != label}
    if to is not None:
        labels[label] = to
    lives = (*history.lives, to) if label == LIVE and to != history.live else history.lives
    return replace(history, labels=labels, lives=lives)


def _move_in_words(label: str, was: str | None, to: str | None) -> str:
    if label != LIVE and was is None:
        return f"{label} names {to} now"
    if label != LIVE and to is None:
        return f"{label} was taken away from {was}"
    return f"{label} moved from {was or THE_FILE} to {to or THE_FILE}"


def _percent(share: int) -> str:
    return f"{share / 10_000:g} %"


_RULES: Mapping[type, Callable[[TemplateHistory, Any, Kept], tuple[TemplateHistory, str]]] = {
    VersionPushed: _pushed,
    LabelMoved: _moved,
    ExperimentStarted: _started,
    ShareChanged: _shared,
    ExperimentEnded: _ended,
    ImprovementSet: _set,
    RevisionTried: _tried,
    ExampleKept: _example,
    ExampleDropped: _dropped,
}
