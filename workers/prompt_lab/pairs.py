"""Pairs of score and feedback: what a reviser is shown of a template's tasks.

None of it is from a task that is held out for the gate, and all of it may be anybody's words.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from contracts.subjects import run_filter
from contracts.v1.journal import ModelCalled
from contracts.v1.prompts import Metric
from contracts.v1.tasks import Task
from workers.prompt_lab.cases import Record
from workers.prompt_lab.feedback import Replies, feedback_of
from workers.prompt_lab.gate import is_held_out
from workers.prompt_lab.outcomes import Facts, readable
from workers.prompt_lab.trigger import Trial
from workers.prompting.examples import text_of

MOST_LOST, MOST_WON = 8, 3
MOST_FEEDBACK = 12
LONGEST_TASK = 6_000
LONGEST_ANSWER = 8_000
"""Characters; what is longer is cut, and says so."""

MEANS: dict[Metric, str] = {
    "valid": "the reply fits its schema at the first try, without a repair turn or another attempt",
    "tests_green": "the tests of the run's project pass when they are run for the first time",
    "no_repairs": "the run completes without a repair",
    "votes_won": "what the task made, or voted for, won its ballot",
    "cost": "the reply fits at the first try, and the task costs little",
    "latency": "the reply fits at the first try, and the task takes little time",
}
"""What counts as going well, by metric."""

_IDENTITY = {"tenant", "run", "role", "task", "attempt", "model", "budget", "deadline_s", "kind", "version"}


class Pair(NamedTuple):
    """A task with how it went: `score` is 1 if it went well, `feedback` is what was said of it."""

    score: int
    feedback: tuple[str, ...]
    asked: str
    answered: str


async def pairs_of(log: Record, prefix: str, template: str, trials: Sequence[Trial], replies: Replies) -> list[Pair]:
    """Of the trials that are not held out the newest that were lost, then the newest that were won."""
    shown = [trial for trial in reversed(trials) if not is_held_out(template, trial.tenant, trial.run, trial.task)]
    lost = [trial for trial in shown if trial.won is False][:MOST_LOST]
    won = [trial for trial in shown if trial.won][:MOST_WON]
    return [await _pair(log, prefix, template, trial, replies) for trial in (*lost, *won)]


async def _pair(log: Record, prefix: str, template: str, trial: Trial, replies: Replies) -> Pair:
    facts = readable(await log.scan(run_filter(trial.tenant, trial.run, prefix)), prefix)
    # What the log has beyond the run's end came later, and a redelivery must show the same.
    facts = facts[: next((n for n, (_, fact) in enumerate(facts, 1) if fact.noun == "run.closed"), None)]
    said = feedback_of(facts, trial.task, replies)[:MOST_FEEDBACK]
    return Pair(int(trial.won is True), said, _asked(facts, trial.task), _answered(facts, template, trial.task))


def _asked(facts: Facts, task: str) -> str:
    command = next((fact for _, fact in facts if isinstance(fact, Task) and fact.task == task), None)
    if command is None:
        return ""
    return _cut(command.model_dump_json(exclude=_IDENTITY, exclude_defaults=True), LONGEST_TASK)


def _answered(facts: Facts, template: str, task: str) -> str:
    """The first answer to the template; the others were given to what is said about that one."""
    for _, fact in facts:
        if isinstance(fact, ModelCalled) and fact.task == task and fact.prompt.partition(":")[0] == template:
            kept = "its answer is too long to be kept here" if fact.completion_artifact else "its answer is not kept"
            return _cut(fact.completion, LONGEST_ANSWER) or f"({kept})"
    return "(there is no answer)"


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]} … ({len(text) - most:,} more characters are left out)"


def feedback_block(metric: Metric, trials: Sequence[Trial], pairs: Iterable[Pair]) -> dict[str, Any]:
    """What a reviser is shown: how often it went wrong, and the pairs with a number each."""
    lost = sum(trial.won is False for trial in trials)
    known = sum(trial.won is not None for trial in trials)
    return {
        "summary": f"{lost} of the last {known} tasks did not go well; one goes well if {MEANS[metric]}.",
        "pairs": [{"pair": n, **pair._asdict()} for n, pair in enumerate(pairs, start=1)],
    }


def words_in(pairs: Iterable[Pair]) -> list[str]:
    """What tasks, answers and feedback say, as it stands there and as JSON's texts read."""
    found: list[str] = []
    for pair in pairs:
        for text in (pair.asked, pair.answered, *pair.feedback):
            found += [text, text_of(_parsed(text))]
    return list(dict.fromkeys(found))


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text.replace("\\n", "\n").replace('\\"', '"')
