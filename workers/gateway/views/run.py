"""One run as it looks from outside: everything that the API and the live page show of it.

    state = RunFacts(tenant, run)
    state = take(state, fact)          # each fact as it comes, in any order, more than once
    view(state, now)                   # what has not changed since is not made again

Nothing here knows a clock: times are those at which the log stored the facts, and `now` comes in for the age.
"""

from datetime import datetime, timedelta
from typing import Literal

from contracts.v1.budgets import Budget, BudgetRaised
from contracts.v1.capsules import CapsulePacked
from contracts.v1.projects import Design, Evidence, Requirements
from contracts.v1.runs import RunRequested
from contracts.v1.tasks import ProjectVerified, Task
from workers.gateway.views.approvals import ApprovalView, approvals_of
from workers.gateway.views.attempts import WaitView
from workers.gateway.views.ballots import BallotView, ballots_of
from workers.gateway.views.calls import CallsTotal, cost_of
from workers.gateway.views.ends import CancelView, EndView, RaiseView, RunState, cancel_of, end_of, raise_of, state_of
from workers.gateway.views.facts import RunFacts, SpoiledView, View
from workers.gateway.views.files import FileView
from workers.gateway.views.shape import shape_of
from workers.gateway.views.tasks import GraphView, graph_of, spoiled_among
from workers.gateway.views.why import files_of

Standing = RunState | Literal["waiting for a person", "waiting for models", "waiting for budget"]


class EvidenceView(View):
    """What the sandbox saw of the project. `is_newest` is the evidence that counts now."""

    task: str
    attempt: int
    at: datetime
    evidence: Evidence
    is_newest: bool = False


class RunView(View):
    """What is known of a run, up to the sequence `upto` of the log.

    `standing` says what the run waits for when nothing goes on meanwhile. `age_s` runs from the first fact to the end,
    or to the time of looking, and is None if that was not said. `deadline` is None where the fleet's default holds.
    `budget` is that of the newest command, before `raises`. `cost` is the sum of the journal, votes included.
    """

    tenant: str
    run: str
    upto: int = 0
    state: RunState = "unknown"
    standing: Standing = "unknown"
    idea: str = ""
    model: str = ""
    requested_by: str = ""
    began: datetime | None = None
    age_s: float | None = None
    deadline: datetime | None = None
    end: EndView | None = None
    cancel: CancelView | None = None
    budget: Budget | None = None
    raises: tuple[RaiseView, ...] = ()
    cost: CallsTotal = CallsTotal()
    requirements: Requirements | None = None
    design: Design | None = None
    graph: GraphView = GraphView()
    waits: tuple[WaitView, ...] = ()
    ballots: tuple[BallotView, ...] = ()
    approvals: tuple[ApprovalView, ...] = ()
    files: tuple[FileView, ...] = ()
    evidence: tuple[EvidenceView, ...] = ()
    capsule: CapsulePacked | None = None
    spoiled: tuple[SpoiledView, ...] = ()


def view(state: RunFacts, now: datetime | None = None) -> RunView:
    """The view of a run; `now` is only needed for the age of one that goes on."""
    graph, shape, approvals = graph_of(state), shape_of(state), approvals_of(state)
    request = state.fact("run.requested", RunRequested)
    end = state.names.get("run.closed")
    standing = state_of(state)
    waits = tuple(node.wait for node in (*graph.nodes, *graph.voting) if node.wait)
    until = end.at if end else now
    return RunView(
        tenant=state.tenant,
        run=state.run,
        upto=state.upto,
        state=standing,
        standing=_standing(standing, graph, waits, approvals),
        idea=request.idea if request else "",
        model=request.model if request else "",
        requested_by=request.requested_by if request else "",
        began=state.began,
        age_s=max(0.0, (until - state.began).total_seconds()) if until and state.began else None,
        deadline=_deadline(state, request),
        end=end_of(end) if end else None,
        cancel=cancel_of(state.names.get("run.cancel")),
        budget=_budget(state),
        raises=tuple(raise_of(fact) for fact in state.rest if isinstance(fact.message, BudgetRaised)),
        cost=cost_of(state),
        requirements=shape.requirements,
        design=shape.chosen.design if shape.chosen else None,
        graph=graph,
        waits=waits,
        ballots=ballots_of(state),
        approvals=approvals,
        files=files_of(state),
        evidence=_evidence(state),
        capsule=state.fact("capsule", CapsulePacked),
        spoiled=state.derived("spoiled", (state.spoiled,), lambda: spoiled_among(state.spoiled)),
    )


def _standing(
    state: RunState, graph: GraphView, waits: tuple[WaitView, ...], approvals: tuple[ApprovalView, ...]
) -> Standing:
    going_on = any(node.state == "working" for node in (*graph.nodes, *graph.voting))
    if state != "running" or going_on:
        return state
    if any(one.state == "open" for one in approvals):
        return "waiting for a person"
    if not waits:
        return state
    return "waiting for budget" if any(wait.what == "budget" for wait in waits) else "waiting for models"


def _deadline(state: RunFacts, request: RunRequested | None) -> datetime | None:
    if request is None or request.deadline_s is None:
        return None
    return state.names["run.requested"].at + timedelta(seconds=request.deadline_s)


def _budget(state: RunFacts) -> Budget | None:
    """That of the newest command, which the orchestrator has taken from the request or from its own settings."""
    commands = (fact.message for fact in reversed(state.shape) if isinstance(fact.message, Task))
    request = state.fact("run.requested", RunRequested)
    newest = next(commands, None)
    return newest.budget if newest else request.budget if request else None


def _evidence(state: RunFacts) -> tuple[EvidenceView, ...]:
    return state.derived("evidence", (state.shape,), lambda: _all_evidence(state))


def _all_evidence(state: RunFacts) -> tuple[EvidenceView, ...]:
    seen = [(fact, fact.message) for fact in state.shape if isinstance(fact.message, ProjectVerified)]
    return tuple(
        EvidenceView(
            task=verified.task,
            attempt=verified.attempt,
            at=fact.at,
            evidence=verified.evidence,
            is_newest=place == len(seen),
        )
        for place, (fact, verified) in enumerate(seen, 1)
    )
