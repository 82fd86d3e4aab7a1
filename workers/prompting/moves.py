"""What may be done to a template: each decision is made from its history and comes out as the fact to say, or as a
`PromptConflict`.

Histories may be stale. The fact's name carries the number that was due, so of several decisions from the same history
one is said and the others find their name taken: they read again and decide anew.
"""

import re
from typing import Any, TypeVar

from pydantic import ValidationError

from contracts.codec import described
from contracts.subjects import is_token
from contracts.v1.prompts import (
    ExperimentEnded,
    ExperimentStarted,
    LabelMoved,
    Metric,
    PromptFact,
    ShareChanged,
    VersionPushed,
)
from workers.prompting.errors import PromptConflict
from workers.prompting.experiments.assignment import MILLION
from workers.prompting.template_history import CANDIDATE, LIVE, ExperimentRecord, TemplateHistory

SHIPPED = "shipped"
"""What the file's version is called where a version is asked for."""

SHORTEST_PREFIX = 4

_VERSION = re.compile(r"[0-9a-f]{12}")

_F = TypeVar("_F", bound=PromptFact)


def push(history: TemplateHistory, digest: str, content: str, by: str, note: str = "") -> VersionPushed | None:
    """Bring a version in; None if it is there already. `digest` is what the content compiles to."""
    if digest in history.versions:
        return None
    return _fact(VersionPushed, history, digest=digest, content=content, by=by, note=note)


def move(history: TemplateHistory, label: str, to: str | None, by: str, reason: str, shipped: str) -> LabelMoved:
    """Have a label name another version; None takes it away, and for `live` means the file, as `shipped` does.

    Moving `live` ends the experiment that runs.
    """
    template, running = history.template, history.running
    if not is_token(label):
        raise PromptConflict(f"{label!r} is no label: use 1 to 64 letters, digits, _ and -")
    if _VERSION.fullmatch(label):
        raise PromptConflict(f"{label} would be taken for a version of {template}: choose another label")
    if label == SHIPPED:
        raise PromptConflict(f"{SHIPPED} always means the file of {template}: choose another label")
    if label == CANDIDATE and running:
        raise PromptConflict(
            f"{CANDIDATE} of {template} belongs to experiment {running.k}, which runs: stop that first"
        )
    if label == LIVE and to == shipped:
        to = None
    if to is not None:
        _must_know(history, to)
    was = history.labels.get(label)
    if to == was or (label == LIVE and (to or shipped) == (was or shipped)):
        names = to or (f"the file's version {shipped}" if label == LIVE else "no version")
        raise PromptConflict(f"{label} of {template} is {names} already: there is nothing to move")
    return _fact(LabelMoved, history, n=history.next_move, label=label, to=to, was=was, by=by, reason=reason)


def roll_back(history: TemplateHistory, by: str, reason: str, shipped: str) -> LabelMoved:
    """Make the version live again that was so before the present one. Twice in a row ends where it began."""
    now = history.live or shipped
    for before in reversed(history.lives[:-1]):
        if (before or shipped) != now:
            return move(history, LIVE, before, by, reason, shipped)
    raise PromptConflict(f"no other version of {history.template} was ever live: there is nothing to go back to")


def start(
    history: TemplateHistory,
    candidate: str,
    live: str,
    share: int,
    metric: Metric,
    within_s: int,
    dearer: int | None,
    slower: int | None,
    most: int,
    by: str,
    reason: str = "",
) -> ExperimentStarted:
    """Try a candidate beside the live version. `share` is in millionths; the rest as in the fact."""
    template = history.template
    if running := history.running:
        raise PromptConflict(
            f"experiment {running.k} of {template} runs, with {running.started.candidate}: "
            "wait for its end, or stop it first"
        )
    for version in (live, candidate):
        _must_know(history, version)
    if candidate == live:
        raise PromptConflict(f"{candidate} is what is live of {template}: name another version as the candidate")
    if history.live not in (None, live):
        raise PromptConflict(f"{history.live} is live of {template} by now, and not {live}: compare with that one")
    return _fact(
        ExperimentStarted, history, k=history.next_experiment, live=live, candidate=candidate, share=_both(share),
        metric=metric, within_s=within_s, dearer=dearer, slower=slower, most=most, by=by, reason=reason,
    )  # fmt: skip


def ramp(history: TemplateHistory, share: int, by: str) -> ShareChanged:
    """Give the candidate of the experiment that runs another share, in millionths."""
    running = _must_run(history)
    if _both(share) == running.share:
        raise PromptConflict(f"the candidate of {history.template} has {share / 10_000:g} % of the tasks already")
    return _fact(ShareChanged, history, k=running.k, epoch=history.next_epoch, share=share, by=by)


def stop(history: TemplateHistory, by: str, reason: str) -> ExperimentEnded:
    """End the experiment that runs; what is live stays so."""
    k = _must_run(history).k
    return _fact(ExperimentEnded, history, k=k, verdict="stopped", why="by_hand", by=by, reason=reason)


def resolve(history: TemplateHistory, text: str, shipped: str) -> str:
    """The version that a person means: a label, `shipped`, a version or the beginning of just one."""
    if text == SHIPPED:
        return shipped
    if text == LIVE:
        return history.live or shipped
    if text in history.labels:
        return history.labels[text]
    known = sorted({*history.versions, shipped} - {""})
    found = [version for version in known if version.startswith(text)] if len(text) >= SHORTEST_PREFIX else []
    if len(found) == 1:
        return found[0]
    if found:
        raise PromptConflict(f"{text} begins {len(found)} versions of {history.template}: {', '.join(found)}; say more")
    raise PromptConflict(f"{history.template} has no version or label {text!r}; it has {_all(history, shipped)}")


def _must_know(history: TemplateHistory, version: str) -> None:
    if version not in history.versions:
        raise PromptConflict(f"the fleet has no version {version} of {history.template}: push it first")


def _must_run(history: TemplateHistory) -> ExperimentRecord:
    if history.running is None:
        raise PromptConflict(f"no experiment of {history.template} runs: start one first")
    return history.running


def _both(share: int) -> int:
    """The share, if it leaves tasks for both arms."""
    if not 0 < share < MILLION:
        raise PromptConflict(
            f"a share of {share / 10_000:g} % leaves nothing to compare: give more than 0 % and less than 100 %"
        )
    return share


def _all(history: TemplateHistory, shipped: str) -> str:
    labels = {LIVE: history.live or shipped, **history.labels, SHIPPED: shipped}
    named = [f"{label} ({version})" for label, version in labels.items() if version]
    return ", ".join((*named, *sorted(set(history.versions) - set(labels.values()))))


def _fact(cls: type[_F], history: TemplateHistory, **fields: Any) -> _F:
    try:
        return cls(role=history.role, name=history.name, **fields)
    except ValidationError as error:
        faults = "; ".join(f"{place}: {why}" for place, why in described(error))
        raise PromptConflict(f"that can't be said of {history.template}: {faults}") from None
