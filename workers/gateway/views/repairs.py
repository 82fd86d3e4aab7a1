"""The repairs of a project: what each mended, and which facts called for it."""

from collections.abc import Mapping

from contracts.v1.projects import Evidence, FileRef, Finding
from contracts.v1.tasks import ProjectRepaired, RepairProject
from workers.gateway.views.decided import files_put_to
from workers.gateway.views.facts import RunFacts, Seen
from workers.gateway.views.files import RepairView, Writing

LONGEST_REASON = 300
"""Characters of a red test's output that are repeated at each file; the evidence has the whole."""

MOST_FAILURES = 5
"""Red tests that are repeated at each file."""


def is_repair(writing: Writing) -> bool:
    """Whether a result is that of a repair."""
    return isinstance(writing.outcome, ProjectRepaired)


def repairs_in(known: Mapping[str, RepairView], written: list[tuple[Writing, FileRef]]) -> tuple[RepairView, ...]:
    """Those of the repairs, by task, that changed this file."""
    found, was = [], None
    for one, file in written:
        repair = known.get(one.outcome.task)
        if repair is not None and file.sha256 != was:
            findings = tuple(finding for finding in repair.findings if finding.path in (None, file.path))
            found.append(repair.model_copy(update={"findings": findings, "before": was, "after": file.sha256}))
        was = file.sha256
    return tuple(found)


def repair_of(state: RunFacts, writing: Writing, verified: list[Seen], reviewed: list[Seen]) -> RepairView:
    """A repair as all its files share it; `verified` and `reviewed` are the results of those who judged."""
    before = [[one for one in some if one.sequence < writing.fact.sequence] for some in (verified, reviewed)]
    ballots = [
        state.names.get(f"{noun}.{box.ballot}") for box in state.boxes.values() for noun in ("ballot", "decision")
    ]
    return state.derived(
        f"repair.{writing.outcome.task}",
        (writing.outcome, writing.command, *before[0], None, *before[1], None, *ballots),
        lambda: _repair(state, writing, verified, reviewed),
    )


def _repair(state: RunFacts, writing: Writing, verified: list[Seen], reviewed: list[Seen]) -> RepairView:
    asked = writing.command if isinstance(writing.command, RepairProject) else None
    seen = asked.evidence if asked else None
    red = seen if seen and not seen.is_green else None
    findings = asked.findings if asked else ()
    diagnosis = writing.outcome.diagnosis if isinstance(writing.outcome, ProjectRepaired) else ""
    failures = red.failures[:MOST_FAILURES] if red else ()
    return RepairView(
        task=writing.outcome.task,
        attempt=writing.outcome.attempt,
        round=asked.round if asked else 1,
        at=writing.fact.at,
        because=_because(state, writing, red, findings, (verified, reviewed)),
        reason=red.reason if red else "",
        red=red.failed if red else 0,
        failures=tuple(one.model_copy(update={"message": one.message[-LONGEST_REASON:]}) for one in failures),
        findings=findings,
        diagnosis=diagnosis,
    )


def _because(
    state: RunFacts,
    writing: Writing,
    red: Evidence | None,
    findings: tuple[Finding, ...],
    seen: tuple[list[Seen], list[Seen]],
) -> tuple[str, ...]:
    """The facts that called for a repair: red tests, a review that says what the command says, or else a ballot."""
    verified, reviewed = ([one for one in some if one.sequence < writing.fact.sequence] for some in seen)
    names = [one.name for one in verified if red and getattr(one.message, "evidence", None) == red][-1:]
    if not findings:
        return tuple(names)
    said = [one.name for one in reviewed if set(findings) <= set(getattr(one.message, "findings", ()))][-1:]
    ballots = [box.decided for box in state.boxes.values() if box.decided and files_put_to(box)]
    voted = [one for one in ballots if one.sequence < writing.fact.sequence]
    newest = sorted(voted, key=lambda one: one.sequence)[-1:]
    return (*names, *(said or [one.address.name for one in newest]))
