"""Which version of a template a task gets: what is live, or the arm of the experiment that runs."""

from typing import NamedTuple

from contracts.v1.prompts import Metric
from workers.prompting.experiments.assignment import Arm, arm_of
from workers.prompting.template_history import TemplateHistory

RUN_METRICS: frozenset[Metric] = frozenset({"tests_green", "no_repairs"})
"""Outcomes of a whole run. All its tasks get the same arm, and it counts once."""


class Choice(NamedTuple):
    """A version. In an experiment `experiment` is its number, else 0 with no arm."""

    digest: str
    experiment: int = 0
    epoch: int = 0
    arm: Arm | None = None


def unit_of(metric: Metric, tenant: str, run: str, task: str) -> str:
    """What is assigned and counted: `tenant/run/task`, or `tenant/run/-` for an outcome of the run."""
    return f"{tenant}/{run}/{'-' if metric in RUN_METRICS else task}"


def choose(history: TemplateHistory, shipped: str, tenant: str, run: str, task: str) -> Choice:
    """The version for a task; `shipped` is the one of the file. The same history makes the same choice."""
    record = history.running
    if record is None:
        return Choice(history.live or shipped)
    started = record.started
    arm = arm_of(record.id, record.epoch, unit_of(started.metric, tenant, run, task), record.share)
    digest = started.candidate if arm == "candidate" else started.live
    return Choice(digest, record.k, record.epoch, arm)
