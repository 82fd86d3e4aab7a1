"""The history of a template as lines and as JSON: what was said, by whom, what it did, and on what evidence."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from contracts.v1.prompts import (
    ArmCount,
    ExperimentEnded,
    ExperimentStarted,
    OutcomeScored,
    PromptFact,
    RevisionTried,
    VersionPushed,
)
from workers.cli.figures import plain
from workers.cli.modeltable import hanging
from workers.gateway.pictures.arms import tasks_of
from workers.prompting.evidence_curves import odds
from workers.prompting.template_history import Entry, TemplateHistory, Unread

LARGE = {"content", "inputs", "reply"}
"""Fields that a history leaves out; `show`, `diff` and `examples ls` have them."""


def timeline(history: TemplateHistory, width: int | None) -> Iterator[str]:
    """Each fact below its time (UTC), the newest last; what it says beyond that is on a line of its own."""
    for entry in history.timeline:
        at, by = datetime.fromtimestamp(entry.kept.at, UTC), plain(entry.kept.fact.by)
        ignored = "ignored: " if entry.ignored else ""
        who = f"  by {by}" if by else ""
        yield from hanging(f"{at:%Y-%m-%d %H:%M:%S}  {ignored}{plain(_what(entry))}{who}", width, 21)
        for more in _more(entry.kept.fact, history):
            yield from hanging(f"{'':21}{plain(more)}", width, 23)


def _what(entry: Entry) -> str:
    """What it did; of one that is ignored what it is, too."""
    if not entry.ignored:
        return entry.did
    fact = entry.kept.fact
    noun = fact.said if isinstance(fact, Unread) else fact.noun
    return f"{noun} {'.'.join(_tokens(entry))}: {entry.did}"


def _tokens(entry: Entry) -> tuple[str, ...]:
    fact = entry.kept.fact
    if isinstance(fact, Unread):
        return fact.tokens
    return tuple(str(getattr(fact, field)) for field in fact.names)


def _more(fact: PromptFact, history: TemplateHistory) -> Iterator[str]:
    """Reasons, and the evidence of a verdict or a gate."""
    if isinstance(fact, ExperimentEnded):
        if not _has_counts(fact):
            yield f"live {counted(fact.live)}; candidate {counted(fact.candidate)}"
        if fact.curve:
            after, better, worse, *_ = fact.curve[-1]
            yield f"odds after {after} outcomes: {odds(better)} that it is better, {odds(worse)} that it is worse"
    if isinstance(fact, RevisionTried) and fact.gate:
        passed = "passed" if fact.gate.passed else "not passed"
        counts = f"live {fact.gate.live} and candidate {fact.gate.candidate} of {fact.gate.cases}"
        yield f"gate {passed}: {fact.gate.why or counts}"
    reason = fact.note if isinstance(fact, VersionPushed) else getattr(fact, "reason", "")
    if reason and not _is_told(fact, reason, history):
        yield reason


def _has_counts(fact: ExperimentEnded) -> bool:
    """Whether the verdict's reason says the counts, as the prompt lab's does; it does not say what never came."""
    arms = (fact.live, fact.candidate)
    told = (f"{arm.won} of {arm.won + arm.lost}" for arm in arms)
    return not any(arm.missing for arm in arms) and all(counts in fact.reason for counts in told)


def _is_told(fact: PromptFact, reason: str, history: TemplateHistory) -> bool:
    """Whether the reviser's reason stands with the version that it made, or with the attempt, already."""
    if isinstance(fact, RevisionTried):
        pushed = history.versions.get(fact.candidate or "")
        return pushed is not None and pushed.note.endswith(reason)
    if isinstance(fact, ExperimentStarted):
        return any((tried.candidate, tried.reason) == (fact.candidate, reason) for tried in history.revisions)
    return False


def counted(arm: ArmCount) -> str:
    """`40 of 43 won`; what never came counts as failed."""
    missing = f" ({arm.missing} without an outcome)" if arm.missing else ""
    return f"{arm.won} of {tasks_of(arm)} won{missing}"


def entry_as_json(entry: Entry) -> dict[str, Any]:
    """One fact, without large fields."""
    fact = entry.kept.fact
    unread = isinstance(fact, Unread)
    fields = {} if unread or isinstance(fact, OutcomeScored) else fact.model_dump(mode="json", exclude=LARGE)
    return {
        "sequence": entry.kept.sequence,
        "at": datetime.fromtimestamp(entry.kept.at, UTC).isoformat(),
        "did": entry.did,
        "ignored": entry.ignored,
        "fact": fields or None,
    }
