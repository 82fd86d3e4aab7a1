"""What the log says against a task's work, in sentences for whoever revises the template that it was asked with.

its attempts        why they failed
its replies         what did not fit, found by reading them once more as what they should have been
the run's tests     which cases were red when they were run first after it
the reviews         what blocked the project
the ballots         the reasons of those who were against what it made, or for another option than it
"""

from collections.abc import Iterator, Mapping, Sequence

from pydantic import BaseModel, ValidationError

from contracts.v1.ballots import BallotOpened, DecisionMade
from contracts.v1.failures import TaskFailed
from contracts.v1.journal import ModelCalled
from contracts.v1.tasks import CastVote, Outcome, ProjectReviewed, ProjectVerified
from workers.prompt_lab.outcomes import Facts, calls_of
from workers.prompting.thinking import NoReasoning, without_reasoning
from workers.runtime.replies import CUT_OFF, faults_of, unfenced

MOST = 40
"""Sentences of one task."""

LONGEST = 600
"""Characters of a sentence."""

REPAIR = "repair"
"""The option of ballots on releases that wants another repair."""

Replies = Mapping[str, type[BaseModel]]
"""What models must answer, by the title of the schema that they are asked for."""


def feedback_of(facts: Facts, task: str, replies: Replies | None = None) -> tuple[str, ...]:
    """What speaks against the task's work, each thing once, in the order above; empty if nothing does."""
    sentences = (
        *_of_attempts(facts, task),
        *_of_replies(facts, task, replies or {}),
        *_of_project(facts, task),
        *_of_ballots(facts, task),
    )
    return tuple(dict.fromkeys(_cut(sentence) for sentence in sentences))[:MOST]


def _of_attempts(facts: Facts, task: str) -> Iterator[str]:
    for _, fact in facts:
        if isinstance(fact, TaskFailed) and fact.task == task:
            yield f"attempt {fact.attempt} failed ({fact.error}): {fact.reason}"


def _of_replies(facts: Facts, task: str, replies: Replies) -> Iterator[str]:
    journal = [entry for entry in calls_of(facts, task).values() if not entry.lost]
    for place, entry in enumerate(journal):
        if entry.stop == "refusal":
            yield f"the model would not answer: {entry.completion}"
        elif entry.stop == "length":
            yield f"a reply to {entry.prompt} was too long: {CUT_OFF}"
        elif "reply_schema" in entry.parameters:  # the rest of an answer that was cut off has none
            faults = _faults(entry, replies)
            if not faults and _is_mended(entry, journal[place + 1 :]):
                faults = ["it says what can't be; the reply had to be mended"]
            yield from (f"a reply to {entry.prompt} did not fit: {fault}" for fault in faults)


def _faults(entry: ModelCalled, replies: Replies) -> list[str]:
    reply = replies.get(str(entry.parameters.get("reply_schema", "")))
    if reply is None or not entry.completion:
        return []
    try:
        reply.model_validate_json(_answer(entry.completion, reply))
    except ValidationError as error:
        return faults_of(error)
    except NoReasoning as error:
        return [str(error)]
    return []


def _answer(said: str, reply: type[BaseModel]) -> str:
    """The answer without the model's thoughts, if it begins with some."""
    text = unfenced(said)
    thinks = text.lstrip().removeprefix("{").lstrip().startswith('"reasoning"')
    return without_reasoning(text) if thinks and "reasoning" not in reply.model_fields else text


def _is_mended(entry: ModelCalled, later: Sequence[ModelCalled]) -> bool:
    """Whether the attempt went on to ask something else with the template: an answer that will do is the last."""
    asked = (entry.attempt, entry.prompt)
    return any((one.attempt, one.prompt) == asked and one.request_sha256 != entry.request_sha256 for one in later)


def _of_project(facts: Facts, task: str) -> Iterator[str]:
    """What was seen of the project once the task was done; of test runs the first alone, for others follow repairs."""
    done = next((n for n, (_, fact) in enumerate(facts) if isinstance(fact, Outcome) and fact.task == task), None)
    if done is None:
        return
    later = [fact for _, fact in facts[done + 1 :]]
    verified = next((fact for fact in later if isinstance(fact, ProjectVerified)), None)
    if verified is not None and not verified.evidence.is_green:
        seen = verified.evidence
        yield from (f"the test {one.case} failed: {one.message}" for one in seen.failures)
        if not seen.failures:
            yield f"the tests did not pass: {seen.reason or seen.output[-LONGEST // 2 :] or 'none was run'}"
    for fact in later:
        if isinstance(fact, ProjectReviewed):
            blocking = [one for one in fact.findings if one.severity == "blocking"]
            yield from (f"a reviewer found in {one.path or 'the project'}: {one.message}" for one in blocking)
        elif isinstance(fact, DecisionMade) and fact.option == REPAIR and fact.ballot.startswith("release-"):
            yield from _reasons(fact, for_option=REPAIR)


def _of_ballots(facts: Facts, task: str) -> Iterator[str]:
    votes = {fact.ballot: fact.voter for _, fact in facts if isinstance(fact, CastVote) and fact.task == task}
    for _, fact in facts:
        if not isinstance(fact, DecisionMade) or fact.option is None:
            continue
        voter = votes.get(fact.ballot)
        stands = {one.voter: one.options for one in fact.counted}
        if voter is not None and fact.option not in stands.get(voter, ()):
            chose = ", ".join(stands.get(voter, ())) or "nothing"
            yield f"ballot {fact.ballot} took {fact.option}, and this voter was for {chose}"
            yield from _reasons(fact, for_option=fact.option)
        elif task not in votes and fact.option != task and _is_option(facts, fact.ballot, task):
            yield from _reasons(fact, for_option=fact.option)


def _is_option(facts: Facts, ballot: str, task: str) -> bool:
    opened = (fact for _, fact in facts if isinstance(fact, BallotOpened) and fact.ballot == ballot)
    return any(option.option == task for one in opened for option in one.options)


def _reasons(decision: DecisionMade, for_option: str) -> Iterator[str]:
    for one in decision.counted:
        if for_option in one.options and one.text:
            yield f"{one.voter} was for {for_option}: {one.text}"


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"
