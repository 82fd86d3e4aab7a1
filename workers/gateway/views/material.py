"""What is to be approved at a gate, in full.

It is that of the gate's task; without one, the options of the ballot of the gate's name; else what the gate's own name
says: `requirements`, `design`, and at any other name the files.
"""

from typing import Literal

from contracts.v1.approvals import GateOpened
from contracts.v1.plans import Plan
from contracts.v1.projects import Design, Evidence, FileRef, Finding, Requirements
from contracts.v1.tasks import DesignProposed, Outcome, ProjectPlanned, ProjectReviewed, ProjectVerified
from workers.gateway.views.ballots import BallotView, OptionView
from workers.gateway.views.changes import ChangeView
from workers.gateway.views.facts import RunFacts, Seen, View
from workers.gateway.views.files import command_of, files_at

About = Literal["requirements", "design", "files", "options", "output", "nothing"]


class MaterialView(View):
    """What is to be approved. `against` is the gate that the changes are counted from, empty when nothing was shown
    before; `against_is` says whether that was approved. `changes` has every file."""

    about: About = "nothing"
    requirements: Requirements | None = None
    plan: Plan | None = None
    design: Design | None = None
    design_before: Design | None = None
    files: tuple[FileRef, ...] = ()
    changes: tuple[ChangeView, ...] = ()
    against: str = ""
    against_is: Literal["", "approved", "shown"] = ""
    evidence: Evidence | None = None
    findings: tuple[Finding, ...] = ()
    options: tuple[OptionView, ...] = ()
    output: str = ""


def material_of(state: RunFacts, fact: Seen, gate: GateOpened, ballot: BallotView | None) -> MaterialView:
    """What the gate that a fact opened asks about, as it was then."""
    if gate.subject_task is not None:
        outcome = state.fact(f"result.{gate.subject_task}", Outcome)
        if outcome is not None:
            return _of_outcome(state, fact, outcome)
    if ballot is not None:
        return _of_ballot(state, ballot)
    kind = {"requirements": ProjectPlanned, "design": DesignProposed}.get(gate.gate.partition("-")[0])
    made = [one.message for one in state.shape if one.sequence < fact.sequence]
    newest = next((one for one in reversed(made) if kind is not None and isinstance(one, kind)), None)
    if isinstance(newest, Outcome):
        return _of_outcome(state, fact, newest)
    files = tuple(files_at(state, fact.sequence).values())
    verified = next((one for one in reversed(made) if isinstance(one, ProjectVerified)), None)
    reviewed = next((one for one in reversed(made) if isinstance(one, ProjectReviewed)), None)
    return MaterialView(
        about="files" if files else "nothing",
        files=files,
        evidence=verified.evidence if verified else None,
        findings=reviewed.findings if reviewed else (),
    )


def _of_outcome(state: RunFacts, fact: Seen, outcome: Outcome) -> MaterialView:
    if isinstance(outcome, ProjectPlanned):
        return MaterialView(about="requirements", requirements=outcome.requirements, plan=outcome.plan)
    if isinstance(outcome, DesignProposed):
        return MaterialView(about="design", design=outcome.design)
    command = command_of(state, outcome.task, outcome.attempt)
    evidence = outcome.evidence if isinstance(outcome, ProjectVerified) else getattr(command, "evidence", None)
    files = tuple(getattr(command, "files", ())) or tuple(files_at(state, fact.sequence).values())
    output = str(getattr(outcome, "output", ""))
    return MaterialView(
        about="output" if output else "files",
        files=tuple(FileRef(path=file.path, sha256=file.sha256, size=file.size) for file in files),
        evidence=evidence,
        findings=outcome.findings if isinstance(outcome, ProjectReviewed) else getattr(command, "findings", ()),
        output=output,
    )


def _of_ballot(state: RunFacts, ballot: BallotView) -> MaterialView:
    """The options; with the files of the one that has any, or the design where there is just one to take or not."""
    with_files = next((option for option in ballot.options if option.files), None)
    designs = [made.design for one in ballot.options if (made := state.fact(f"result.{one.option}", DesignProposed))]
    return MaterialView(
        about="files" if with_files else "design" if len(designs) == 1 else "options",
        design=designs[0] if len(designs) == 1 else None,
        files=with_files.files if with_files else (),
        evidence=with_files.evidence if with_files else None,
        options=ballot.options,
    )
