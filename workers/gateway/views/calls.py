"""The model calls of a run or of a task: what each was, took and cost. What was said is not repeated."""

import math
from collections.abc import Iterable
from datetime import datetime

from contracts.v1.journal import ModelCalled, Try
from contracts.v1.prompts import PromptChosen
from contracts.v1.runs import Spent
from workers.gateway.views.facts import Facts, RunFacts, Seen, View

NANOS = 10**9


class CallView(View):
    """A model call. `entry` names it in the log; `spoiled` says why it can't be read, and then it has no more.

    `experiment` and `arm` say whether its prompt's version was on trial. Tokens and cost are upper bounds when it is
    `estimated`; a `lost` one was cut off because another one answered first. `completion_chars` is how much was said
    inline; a longer answer is the artifact `completion_artifact`.
    """

    entry: str
    sequence: int
    at: datetime
    task: str
    attempt: int = 0
    n: int = 0
    role: str = ""
    asked: str = ""
    target: str = ""
    prompt: str = ""
    prompt_version: str = ""
    experiment: int = 0
    arm: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    reasoning_tokens: int = 0
    cost_usd: float | None = None
    latency_ms: float = 0.0
    first_token_ms: float | None = None
    stop: str = ""
    finish: str = ""
    tries: tuple[Try, ...] = ()
    estimated: bool = False
    lost: bool = False
    withheld: bool = False
    completion_chars: int = 0
    completion_artifact: str | None = None
    spoiled: str = ""


class CallsTotal(View):
    """What calls came to. `spent.cost_usd` is None as soon as one cost is unknown; `known_cost_usd` leaves those out.

    `tries` counts calls to targets that gave no answer.
    """

    spent: Spent = Spent()
    known_cost_usd: float = 0.0
    unknown_costs: int = 0
    cached_input_tokens: int = 0
    reasoning_tokens: int = 0
    tries: int = 0
    latency_ms: float = 0.0


NO_CALLS = CallsTotal()


def calls_of(facts: Facts) -> tuple[CallView, ...]:
    """The calls among the facts of a task, in the order of the log."""
    chosen = {fact.prompt: fact for fact in (seen.message for seen in facts) if isinstance(fact, PromptChosen)}
    return tuple(_call(seen, chosen) for seen in facts if seen.name.startswith("llm."))


def _call(seen: Seen, chosen: dict[str, PromptChosen]) -> CallView:
    call = seen.message
    if not isinstance(call, ModelCalled):
        task = seen.tokens[1]
        return CallView(entry=seen.name, sequence=seen.sequence, at=seen.at, task=task, spoiled=seen.spoiled)
    trial = chosen.get(call.prompt)
    trial = trial if trial is not None and trial.prompt_version == call.prompt_version else None
    return CallView(
        entry=seen.name,
        sequence=seen.sequence,
        at=seen.at,
        experiment=trial.experiment if trial else 0,
        arm=(trial.arm or "") if trial else "",
        completion_chars=len(call.completion),
        **{field: getattr(call, field) for field in _ALIKE},
    )


_ALIKE = tuple(CallView.model_fields.keys() & ModelCalled.model_fields.keys())


def total(calls: Iterable[CallView]) -> CallsTotal:
    """The sum; costs are added as whole nano-dollars, so their order does not matter."""
    read = [call for call in calls if not call.spoiled]
    costs = [round(call.cost_usd * NANOS) for call in read if call.cost_usd is not None]
    unknown, known = len(read) - len(costs), sum(costs) / NANOS
    return CallsTotal(
        spent=Spent(
            calls=len(read),
            input_tokens=sum(call.input_tokens for call in read),
            output_tokens=sum(call.output_tokens for call in read),
            cost_usd=None if unknown else known,
        ),
        known_cost_usd=known,
        unknown_costs=unknown,
        cached_input_tokens=sum(call.cached_input_tokens for call in read),
        reasoning_tokens=sum(call.reasoning_tokens for call in read),
        tries=sum(len(call.tries) for call in read),
        latency_ms=math.fsum(call.latency_ms for call in read),
    )


def summed(totals: Iterable[CallsTotal]) -> CallsTotal:
    """The total of totals."""
    every = list(totals)
    unknown = sum(one.unknown_costs for one in every)
    known = sum(round(one.known_cost_usd * NANOS) for one in every) / NANOS
    return CallsTotal(
        spent=Spent(
            calls=sum(one.spent.calls for one in every),
            input_tokens=sum(one.spent.input_tokens for one in every),
            output_tokens=sum(one.spent.output_tokens for one in every),
            cost_usd=None if unknown else known,
        ),
        known_cost_usd=known,
        unknown_costs=unknown,
        cached_input_tokens=sum(one.cached_input_tokens for one in every),
        reasoning_tokens=sum(one.reasoning_tokens for one in every),
        tries=sum(one.tries for one in every),
        latency_ms=math.fsum(one.latency_ms for one in every),
    )


def of_task(state: RunFacts, task: str) -> tuple[tuple[CallView, ...], CallsTotal]:
    """The calls of a task and what they came to; made anew only when a fact about the task came."""
    facts = state.tasks.get(task, ())
    return state.derived(f"calls.{task}", (facts,), lambda: _with_total(calls_of(facts)))


def _with_total(made: tuple[CallView, ...]) -> tuple[tuple[CallView, ...], CallsTotal]:
    return made, total(made) if made else NO_CALLS


def cost_of(state: RunFacts) -> CallsTotal:
    """What all calls of a run came to, those of voters too."""
    totals = [cost for task in state.tasks if (cost := of_task(state, task)[1]) is not NO_CALLS]
    return summed(totals)


def calls(state: RunFacts) -> tuple[CallView, ...]:
    """All calls of a run, those of voters too, in the order of the log."""
    every = [call for task in state.tasks for call in of_task(state, task)[0]]
    return tuple(sorted(every, key=lambda call: call.sequence))
