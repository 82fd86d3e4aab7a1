"""How a task went, read off the facts of its run: whether it succeeded by a metric, what it cost, how long it took.

    valid, cost, latency   the first attempt has a result, by one call of the template that nothing had to mend
    tests_green            the run's tests pass when they are run for the first time
    no_repairs             the run completes, and nothing was repaired on the way
    votes_won              what the task made or voted for won its ballot, or turned out right

Cost and latency are the task's; for metrics of the whole run they are the run's. What the facts do not say yet is None,
and so is what they never can say: a task that has no ballot wins none.

A run's facts are pairs (time of storage in seconds since 1970, message), in the order of the log.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import fsum
from typing import NamedTuple, TypeVar

from contracts.codec import ContractError, decode
from contracts.message import Message
from contracts.subjects import PREFIX
from contracts.v1.failures import TaskFailed
from contracts.v1.journal import Call, ModelCalled
from contracts.v1.prompts import Metric, PromptChosen
from contracts.v1.runs import RunClosed, RunRequested
from contracts.v1.tasks import Outcome, ProjectVerified, RepairProject, Task
from workers.prompt_lab.ballots import of_task
from workers.prompting.choice import RUN_METRICS
from workers.runtime.ports import Stored

Facts = Sequence[tuple[float, Message]]
"""What a run has said so far, with the time at which each fact was stored."""

MOST_WHY = 500

M = TypeVar("M", bound=Message)


class Score(NamedTuple):
    """How a task went. `won` is None if nothing says so (yet). `cost` is in millionths of a dollar, `latency` in
    milliseconds; None is not known. `why` says what decided."""

    won: bool | None
    cost: int | None
    latency: int | None
    why: str


def readable(stored: Iterable[Stored], prefix: str = PREFIX) -> list[tuple[float, Message]]:
    """The facts that can be read, in their order; the others say nothing."""
    found: list[tuple[float, Message]] = []
    for one in stored:
        try:
            found.append((one.at.timestamp(), decode(one.subject, one.data, prefix)))
        except ContractError:
            continue
    return found


def outcome_of(facts: Facts, chosen: PromptChosen, metric: Metric) -> Score:
    """How the task that was given a version went, as far as its run's facts say."""
    won, why = _WON.get(metric, _valid)(facts, chosen)
    cost, latency = _of_run(facts) if metric in RUN_METRICS else _of_task(facts, chosen.task)
    return Score(won, cost, latency, why[:MOST_WHY])


def template_tasks(facts: Facts, template: str) -> tuple[str, ...]:
    """The run's tasks that were given a version of `role/name` or asked with it, in the order of the log."""
    found: dict[str, None] = {}
    for _, fact in facts:
        match fact:
            case PromptChosen(prompt=name) | ModelCalled(prompt=name) if name.partition(":")[0] == template:
                found[fact.task] = None
    return tuple(found)


def calls_of(facts: Facts, task: str) -> dict[str, ModelCalled]:
    """The journal of a task, over all of its attempts, by entry."""
    return {fact.cited().entry: fact for _, fact in facts if isinstance(fact, ModelCalled) and fact.task == task}


def _valid(facts: Facts, chosen: PromptChosen) -> tuple[bool | None, str]:
    result = _result(facts, chosen.task)
    if result is None:
        failure = next((one for one in of_kind(facts, TaskFailed) if one.task == chosen.task), None)
        return (None, "there is no result") if failure is None else (False, _failed(failure))
    if result.attempt > 1:
        return False, f"it took {result.attempt} attempts"
    journal, entry = calls_of(facts, chosen.task), f"llm.{chosen.task}.{result.attempt}."
    used = [call for call in result.calls if call.entry.startswith(entry) and not _is_lost(journal, call)]
    asked = [call for call in used if call.prompt.partition(":")[0] == chosen.prompt]
    if len(asked) != 1:  # a repair turn and the rest of an answer are calls of the template as well
        return False, f"it took {len(asked)} calls of the template"
    refused = (call := journal.get(asked[0].entry)) is not None and call.stop != "end"
    return (False, f"the answer of {asked[0].target} was no reply") if refused else (True, "the first reply fits")


def _tests_green(facts: Facts, chosen: PromptChosen) -> tuple[bool | None, str]:
    verified = next(of_kind(facts, ProjectVerified), None)
    if verified is None:
        return None, "no tests were run"
    seen = verified.evidence
    if seen.is_green:
        return True, f"{seen.tests} tests passed at their first run"
    return False, f"{seen.failed} of {seen.tests} tests failed at their first run {seen.reason}".rstrip()


def _no_repairs(facts: Facts, chosen: PromptChosen) -> tuple[bool | None, str]:
    if any(True for _ in of_kind(facts, RepairProject)):
        return False, "the project had to be repaired"
    closed = next(of_kind(facts, RunClosed), None)
    if closed is None or closed.status in ("cancelled", "refused"):
        return None, "the run has no end" if closed is None else f"the run was {closed.status}"
    if closed.status == "failed":
        return False, f"the run failed: {closed.reason}"
    return True, "the run completed without a repair"


def _votes_won(facts: Facts, chosen: PromptChosen) -> tuple[bool | None, str]:
    return of_task([fact for _, fact in facts], chosen.task)


_WON: Mapping[Metric, Callable[[Facts, PromptChosen], tuple[bool | None, str]]] = {
    "tests_green": _tests_green,
    "no_repairs": _no_repairs,
    "votes_won": _votes_won,
}


def _of_task(facts: Facts, task: str) -> tuple[int | None, int | None]:
    """What all calls of the task cost, and the time from its first command to its result."""
    costs = [call.cost_usd for call in calls_of(facts, task).values()]
    known = [cost for cost in costs if cost is not None]
    began = next((at for at, fact in facts if isinstance(fact, Task) and fact.task == task), None)
    ended = next((at for at, fact in facts if isinstance(fact, Outcome) and fact.task == task), None)
    return _micro(fsum(known)) if known and len(known) == len(costs) else None, _between(began, ended)


def _of_run(facts: Facts) -> tuple[int | None, int | None]:
    """What the run spent, and the time from its request to its end."""
    began = next((at for at, fact in facts if isinstance(fact, RunRequested)), None)
    for at, fact in facts:
        if isinstance(fact, RunClosed):
            cost = fact.spent.cost_usd
            return None if cost is None else _micro(cost), _between(began, at)
    return None, None


def _result(facts: Facts, task: str) -> Outcome | None:
    return next((one for one in of_kind(facts, Outcome) if one.task == task), None)


def of_kind(facts: Facts, kind: type[M]) -> Iterator[M]:
    """The facts of one kind, in their order."""
    return (fact for _, fact in facts if isinstance(fact, kind))


def _is_lost(journal: Mapping[str, ModelCalled], call: Call) -> bool:
    """Whether the call was cut off because another one answered first; its prompt is that of the other."""
    return (entry := journal.get(call.entry)) is not None and entry.lost


def _failed(failure: TaskFailed) -> str:
    return f"attempt {failure.attempt} failed ({failure.error}): {failure.reason}"


def _micro(dollars: float) -> int:
    return max(round(dollars * 1_000_000), 0)


def _between(began: float | None, ended: float | None) -> int | None:
    return None if began is None or ended is None else max(round((ended - began) * 1_000), 0)
