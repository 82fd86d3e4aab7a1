"""The evidence of one experiment: assignments and outcomes, folded until they decide. Pure.

Whoever has taken the same facts, in whatever order and however often, finds the same decision to the last digit. An
outcome says all that the log says of its assignment, so nothing is lost when the log has forgotten that. An assignment
of an epoch that is not known yet holds back itself and all behind it. Once it has an outcome it is left out: a change
of the share is in the stream before all outcomes by it, so there was none, or whoever reads is behind (`is_ahead`).
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

from contracts.v1.prompts import ArmCount, ExperimentEnded, OutcomeScored, PromptChosen
from workers.prompting.choice import RUN_METRICS, unit_of
from workers.prompting.experiments.experiment import Assigned, Decision, Experiment, Goal, Plan, Settled
from workers.prompting.template_history import ExperimentRecord

MOST_POINTS = 1_000
"""Points of the curve that a verdict has room for."""

_VERDICTS: Mapping[str, Literal["promoted", "rolled_back", "stopped"]] = {
    "promote": "promoted",
    "roll_back": "rolled_back",
    "stopped": "stopped",
}
_GOALS: Mapping[str, Goal] = {"cost": "cost", "latency": "latency"}


class Pending(NamedTuple):
    """A unit that was assigned and has no outcome yet: by which fact, stored at which place and time."""

    place: int
    at: float
    unit: str
    chosen: PromptChosen


def plan_of(record: ExperimentRecord) -> Plan:
    """What the fold needs to know of an experiment."""
    started = record.started
    return Plan(
        nth=record.k,
        shares=record.shares,
        dearer=started.dearer,
        slower=started.slower,
        goal=_GOALS.get(started.metric, "won"),
        most=started.most,
    )


def counted_as(record: ExperimentRecord, task: str) -> str:
    """The task that an outcome is said of: `-` where the run counts as a whole."""
    return "-" if record.started.metric in RUN_METRICS else task


class Weighing:
    """The fold of one experiment's assignments and outcomes. It changes in place, because there are many."""

    def __init__(self, record: ExperimentRecord) -> None:
        self.record = record
        started = record.started
        self._which = started.k, started.role, started.name
        self._template, self._metric = started.template, started.metric
        self._experiment = Experiment(plan_of(record))
        self._assigned: dict[str, Assigned] = {}
        self._settled: dict[str, Settled] = {}
        self._pending: dict[str, Pending] = {}
        self._is_stale = False

    def renew(self, record: ExperimentRecord) -> None:
        """Take in what the experiment has become: it may have new epochs."""
        self._is_stale |= record.shares != self.record.shares
        self.record = record

    def assigned(self, place: int, at: float, chosen: PromptChosen) -> None:
        """Take an assignment of the log; those of other experiments change nothing."""
        if chosen.experiment != self._which[0] or chosen.prompt != self._template or chosen.arm is None:
            return
        unit = unit_of(self._metric, chosen.tenant, chosen.run, chosen.task)
        known = self._pending.get(unit)
        if unit not in self._settled and (known is None or place < known.place):
            self._pending[unit] = Pending(place, at, unit, chosen)
        self._assign(Assigned(place, unit, chosen.epoch, chosen.arm))

    def scored(self, sequence: int, outcome: OutcomeScored) -> None:
        """Take an outcome with its sequence in `PROMPTS`; those of other experiments change nothing."""
        if (outcome.k, outcome.role, outcome.name) != self._which:
            return
        unit = f"{outcome.tenant}/{outcome.run}/{outcome.task}"
        known = self._settled.get(unit)
        if known is not None and known.place <= sequence:
            return
        settled = self._settled[unit] = Settled(
            sequence, unit, outcome.won, outcome.cost, outcome.latency, outcome.void
        )
        self._assign(Assigned(outcome.place, unit, outcome.epoch, outcome.arm))
        self._experiment.take(settled)
        self._leave(unit)

    def spoiled(self, sequence: int, unit: str) -> None:
        """Take that the name of a unit's outcome is taken by something that can't be read: it counts for nothing."""
        if unit not in self._settled:
            settled = self._settled[unit] = Settled(sequence, unit, None, void=True)
            self._experiment.take(settled)
            self._leave(unit)

    def awaits(self, outcome: OutcomeScored) -> bool:
        """Whether the unit of an outcome was assigned and has none yet."""
        return f"{outcome.tenant}/{outcome.run}/{outcome.task}" in self._pending

    @property
    def is_ahead(self) -> bool:
        """Whether facts are of epochs that the record does not have."""
        return any(fact.epoch >= len(self.record.shares) for fact in self._assigned.values())

    @property
    def pending(self) -> tuple[Pending, ...]:
        """The units without an outcome, the oldest first: nothing behind that one is taken before it."""
        return tuple(sorted(self._pending.values()))

    def decision(self) -> Decision:
        """What is decided by all facts so far, with counts and the curve."""
        return self._counted().decide()

    def ended(self, by: str = "") -> ExperimentEnded | None:
        """The fact that ends the experiment; None while nothing is decided."""
        if self._counted().verdict()[0] == "running":
            return None
        decision = self.decision()
        started = self.record.started
        return ExperimentEnded(
            role=started.role,
            name=started.name,
            by=by,
            k=started.k,
            verdict=_VERDICTS[decision.verdict],
            why=decision.why or "success",
            live=ArmCount(**decision.live._asdict()),
            candidate=ArmCount(**decision.candidate._asdict()),
            curve=thinned(decision),
            reason=reason_of(decision),
        )

    def _leave(self, unit: str) -> None:
        """A unit has its outcome; if its epoch is not known, it holds nothing back any more."""
        self._pending.pop(unit, None)
        assigned = self._assigned.get(unit)
        self._is_stale |= assigned is not None and assigned.epoch >= len(self.record.shares)

    def _assign(self, fact: Assigned) -> None:
        known = self._assigned.get(fact.task)
        if known is not None and known <= fact:
            return
        self._assigned[fact.task] = fact
        self._is_stale |= fact.epoch >= len(self.record.shares)
        if not self._is_stale:
            self._experiment.take(fact)

    def _counted(self) -> Experiment:
        """The fold of all facts, up to the first assignment of an epoch that is not known yet."""
        if self._is_stale:
            epochs, assigned = len(self.record.shares), self._assigned.values()
            unknown = [fact for fact in assigned if fact.epoch >= epochs and fact.task not in self._settled]
            first = min((fact.place for fact in unknown), default=None)
            taken = [fact for fact in assigned if fact.epoch < epochs and (first is None or fact.place < first)]
            self._experiment = Experiment(plan_of(self.record), [*taken, *self._settled.values()])
            self._is_stale = first is not None
        return self._experiment


def thinned(decision: Decision) -> tuple[tuple[int, int, int, int, int, int], ...]:
    """The curve in at most `MOST_POINTS` points: every so many, and the last."""
    step = -(-len(decision.curve) // (MOST_POINTS - 1)) or 1
    return (*decision.curve[:-1:step], *decision.curve[-1:])


def reason_of(decision: Decision) -> str:
    """A verdict in a sentence."""
    (won, lost, missing), (more, less, none) = decision.candidate, decision.live
    counts = (
        f"the candidate succeeded in {won} of {won + lost + missing} outcomes and the live version in {more} of "
        f"{more + less + none}"
    )
    match decision.verdict, decision.why:
        case "promote", "cost" | "latency":
            return f"the candidate {_less(decision.why)}; {counts}"
        case "roll_back", "cost" | "latency":
            return f"the candidate {_too_much(decision.why)}; {counts}"
        case "stopped", "split":
            return f"tasks were not split as planned, so nothing else can be believed; {counts}"
        case "stopped", _:
            return f"nothing was certain by the last outcome; {counts}"
    return counts


def _less(why: str) -> str:
    return "costs less" if why == "cost" else "takes less time"


def _too_much(why: str) -> str:
    return "costs more than it may" if why == "cost" else "takes longer than it may"
