"""When a template is revised, and when what came of it is tried on tasks. Pure.

Attempt `n` at a template is one run of one name, `improve-<role>-<name>-<n>`, and the next is asked for only once
`RevisionTried` of this one is in the stream, with what it cost. So however many replicas decide, and however often they
are told the same, no attempt is paid twice and none begins beyond the limits.
"""

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

from contracts.v1.budgets import Budget
from contracts.v1.orders import RevisePrompt
from contracts.v1.plans import Plan, PlannedTask
from contracts.v1.prompts import ExperimentStarted, ImprovementSet, RevisionTried
from contracts.v1.runs import RunRequested
from workers.prompt_lab.gate import LEAST_CASES, is_held_out, judged
from workers.prompting.choice import unit_of
from workers.prompting.errors import PromptConflict
from workers.prompting.moves import start
from workers.prompting.template_history import TemplateHistory

LAB = "prompt_lab"
TASK = "revise"
NOT_IMPROVED = frozenset({LAB, "toolkit"})
"""Roles whose templates nobody's work is judged by: the lab's own, and the turns of a conversation."""

DEADLINE_S = 4 * 3_600
MOST_DOLLARS = 1_000_000.0


class Trial(NamedTuple):
    """A task of the live version whose run is over. `known` is the sequence of the run's end in the log."""

    tenant: str
    run: str
    task: str
    known: int
    won: bool | None
    answered: bool = True
    """Whether there is a result: then the task can surely be replayed."""


def run_of(template: str, n: int) -> str:
    """The name of the run that tries to revise a template for the `n`-th time."""
    named = f"improve-{template.replace('/', '-')}-{n}"
    return named if len(named) <= 64 else f"improve-{hashlib.sha256(template.encode()).hexdigest()[:32]}-{n}"


def order_for(template: str, n: int) -> str:
    """The instruction of that run's only task."""
    return RevisePrompt(template=template, n=n).model_dump_json()


def obstacle(history: TemplateHistory, live: str) -> str:
    """Why no revision of the live version may be tried now, whatever went wrong with it; empty when one may."""
    limits, tried = history.improvement, history.next_revision - 1
    if limits is None or not limits.on:
        return "it is not set to improve itself"
    if history.role in NOT_IMPROVED:
        return f"templates of {history.role} are not revised"
    if history.running:
        return f"experiment {history.running.k} runs"
    if tried >= limits.candidates:
        return f"{tried} revisions were tried, and there may be {limits.candidates}"
    if untried(history, live):
        return f"revision {tried} has passed the gate and waits for its experiment"
    return _spent_up(history, limits)


def _spent_up(history: TemplateHistory, limits: ImprovementSet) -> str:
    if limits.usd is None:
        return ""
    known = {tried.n for tried in history.revisions if tried.cost_usd is not None}
    if unknown := sorted(set(range(1, history.next_revision)) - known):
        return f"nobody knows what revision {unknown[0]} cost, and all together may cost {limits.usd:g} USD"
    if (spent := _spent(history)) >= limits.usd > 0.0:
        return f"revisions have cost {spent:.4f} USD, and all together may cost {limits.usd:g}"
    return ""


def _spent(history: TemplateHistory) -> float:
    return sum(tried.cost_usd or 0.0 for tried in history.revisions)


def allowance(history: TemplateHistory) -> Budget | None:
    """What the next attempt may spend; None is without a limit. With 0 dollars only what is free can be asked."""
    limits = history.improvement
    if limits is None:
        return Budget(usd=0.0, tokens=0)
    left = None if limits.usd is None else max(0.0, limits.usd - _spent(history))
    caps = [cap for cap in (limits.usd_each, left) if cap is not None]
    usd = min(MOST_DOLLARS, *caps) if caps else None
    return None if usd is None and limits.tokens_each is None else Budget(usd=usd, tokens=limits.tokens_each)


def is_within(budget: Budget | None, allowed: Budget | None) -> bool:
    """Whether a run with this budget can spend no more than is allowed."""
    has, may = budget or Budget(), allowed or Budget()
    return _is_most(has.usd, may.usd) and _is_most(has.tokens, may.tokens)


def _is_most(cap: float | None, limit: float | None) -> bool:
    return limit is None or (cap is not None and cap <= limit)


def wants_revision(
    history: TemplateHistory, live: str, trials: Sequence[Trial], since: int, tenant: str
) -> RunRequested | None:
    """The run that tries the next revision, if it is time for one.

    `trials` are tasks of the live version, `since` is the place in the log that the attempt before this one began at.
    """
    limits = history.improvement
    if limits is None or obstacle(history, live):
        return None
    lost = [trial for trial in trials if trial.won is False and trial.known > since]
    units = {unit_of(limits.metric, trial.tenant, trial.run, trial.task) for trial in lost}
    if len(units) < limits.failures or all(_is_kept(history.template, trial) for trial in lost):
        return None
    if sum(_is_kept(history.template, trial) for trial in trials if trial.answered) < LEAST_CASES:
        return None
    n = history.next_revision
    order = order_for(history.template, n)
    return RunRequested(
        tenant=tenant,
        run=run_of(history.template, n),
        idea=f"Revise the prompt {history.template}, attempt {n}: {len(units)} of version {live} went wrong.",
        model=limits.target,
        plan=Plan(tasks=(PlannedTask(task=TASK, role=LAB, instruction=order),)),
        deadline_s=DEADLINE_S,
        requested_by=LAB,
        budget=allowance(history),
    )


def _is_kept(template: str, trial: Trial) -> bool:
    return is_held_out(template, trial.tenant, trial.run, trial.task)


def untried(history: TemplateHistory, live: str) -> RevisionTried | None:
    """The last revision, if it has passed the gate against what is live and was never tried on tasks."""
    tried = history.revisions[-1] if history.revisions else None
    if tried is None or tried.gate is None or tried.candidate not in history.versions or tried.of != live:
        return None
    if not judged(tried.gate.cases, tried.gate.live, tried.gate.candidate).passed:
        return None
    experiments = {record.started.candidate for record in history.experiments}
    return None if tried.candidate in experiments else tried


def wanted_experiment(history: TemplateHistory, live: str) -> ExperimentStarted | None:
    """The experiment that the last revision now calls for. Raises `PromptConflict` when it can't be had."""
    tried, limits = untried(history, live), history.improvement
    if tried is None or tried.candidate is None or limits is None or not limits.on or history.running:
        return None
    if not 0 < limits.share < 1_000_000:
        raise PromptConflict(f"{history.template} gives its candidates {limits.share / 10_000:g} % of the tasks")
    return start(
        history, tried.candidate, live, limits.share, limits.metric, **_USUAL, by=LAB, reason=tried.reason[:20_000]
    )


_USUAL: dict[str, Any] = {
    name: ExperimentStarted.model_fields[name].default for name in ("within_s", "dearer", "slower", "most")
}
