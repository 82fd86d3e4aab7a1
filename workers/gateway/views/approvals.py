"""The gates of a run: what each asks, what is to be approved in full, and the answer.

Files and designs are compared with what was approved last in this run, or else with what was shown last, so that
somebody who asked for changes sees those.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from contracts.v1.approvals import ApprovalGiven, GateOpened
from contracts.v1.projects import Design, FileRef
from workers.gateway.views.ballots import BallotView, ballots_of
from workers.gateway.views.changes import changes
from workers.gateway.views.facts import RunFacts, Seen, View
from workers.gateway.views.material import MaterialView, material_of


class AnswerView(View):
    """Who answered a gate, how and when. `spoiled` says why the stored answer can't be read; there is no other."""

    at: datetime
    verdict: str = ""
    option: str | None = None
    by: str = ""
    comment: str = ""
    changes: tuple[str, ...] = ()
    spoiled: str = ""


class ApprovalView(View):
    """A gate. It is `called_off` when its run ended first. `ballot` is set where the voters could not decide, and
    `undecided_because` says why not. `options` are those to choose from; without any the verdict is the answer."""

    gate: str
    state: Literal["open", "answered", "called_off", "spoiled"]
    question: str = ""
    subject_task: str | None = None
    options: tuple[str, ...] = ()
    opened_at: datetime
    deadline: datetime | None = None
    ballot: str = ""
    undecided_because: str = ""
    material: MaterialView = MaterialView()
    answer: AnswerView | None = None
    spoiled: str = ""


@dataclass(frozen=True)
class Shown:
    """What was shown at a gate before."""

    gate: str
    approved: bool
    files: dict[str, FileRef]
    design: Design | None


def approvals_of(state: RunFacts) -> tuple[ApprovalView, ...]:
    """All gates in the order in which they were opened; made anew only when a fact came that they follow from."""
    gates = [fact for fact in state.rest if fact.name.startswith("gate.")]
    if not gates:
        return ()
    ballots = {ballot.ballot: ballot for ballot in ballots_of(state)}
    of = (state.rest, state.shape, *ballots.values())
    return state.derived("approvals", of, lambda: _approvals(state, gates, ballots))


def _approvals(state: RunFacts, gates: list[Seen], ballots: dict[str, BallotView]) -> tuple[ApprovalView, ...]:
    found, shown = list[ApprovalView](), list[Shown]()
    for fact in gates:
        name = fact.tokens[1]
        view = _approval(state, fact, ballots.get(name))
        files, taken = _taken(view)
        before = _last(shown, bool(view.material.design))
        found.append(view.model_copy(update={"material": _compared(view.material, files, before)}))
        shown.append(Shown(name, taken, files, view.material.design))
    return tuple(found)


def _approval(state: RunFacts, fact: Seen, ballot: BallotView | None) -> ApprovalView:
    name, gate = fact.tokens[1], fact.message
    answer = _answer(state.names.get(f"approval.{name}"))
    standing: Literal["open", "answered", "called_off", "spoiled"] = "answered" if answer else "open"
    if answer is None and "run.closed" in state.names:
        standing = "called_off"
    if not isinstance(gate, GateOpened):
        return ApprovalView(gate=name, state="spoiled", opened_at=fact.at, answer=answer, spoiled=fact.spoiled)
    return ApprovalView(
        gate=name,
        state=standing,
        question=gate.question,
        subject_task=gate.subject_task,
        options=gate.options,
        opened_at=fact.at,
        deadline=fact.at + timedelta(seconds=gate.deadline_s) if gate.deadline_s else None,
        ballot=ballot.ballot if ballot else "",
        undecided_because=ballot.decision.reason if ballot and ballot.decision else "",
        material=material_of(state, fact, gate, ballot),
        answer=answer,
    )


def _answer(fact: Seen | None) -> AnswerView | None:
    if fact is None:
        return None
    said = fact.message
    if not isinstance(said, ApprovalGiven):
        return AnswerView(at=fact.at, spoiled=fact.spoiled)
    return AnswerView(
        at=fact.at, verdict=said.verdict, option=said.option, by=said.by, comment=said.comment, changes=said.changes
    )


def _taken(view: ApprovalView) -> tuple[dict[str, FileRef], bool]:
    """The files that were shown, by path, and whether what was shown was approved."""
    files = {file.path: file for file in view.material.files}
    if view.answer is None or view.answer.spoiled:
        return files, False
    if view.answer.option is None:
        return files, view.answer.verdict == "approve"
    offered = [one.option for one in view.material.options if one.files] or list(view.options[:1])
    return files, view.answer.option in offered


def _last(shown: list[Shown], of_design: bool) -> Shown | None:
    """What to compare with: what was approved last of this sort, or else shown last."""
    alike = [one for one in shown if (one.design is not None if of_design else bool(one.files))]
    approved = [one for one in alike if one.approved]
    return next(reversed(approved or alike), None)


def _compared(material: MaterialView, files: dict[str, FileRef], before: Shown | None) -> MaterialView:
    was = before or Shown("", False, {}, None)
    return material.model_copy(
        update={
            "changes": changes(was.files, files) if files else (),
            "against": was.gate,
            "against_is": "" if before is None else "approved" if was.approved else "shown",
            "design_before": was.design,
        }
    )
