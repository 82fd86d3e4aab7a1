"""What the built-in model says to a request. Pure: the same request has the same answer.

The schema's title names the job. A request without a schema that comes after an answer wants that answer's rest: the
job is then the one whose answer begins with what was said.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from workers.llm.builtin.blocks import UnreadablePrompt, blocks
from workers.llm.builtin.faults import Faults
from workers.llm.builtin.jobs.build import module, repair
from workers.llm.builtin.jobs.design import design
from workers.llm.builtin.jobs.job import Brief, CannotDo, Reply
from workers.llm.builtin.jobs.perform import perform
from workers.llm.builtin.jobs.plan import plan
from workers.llm.builtin.jobs.review import review
from workers.llm.builtin.jobs.revise import revise
from workers.llm.builtin.jobs.tests import tests
from workers.llm.builtin.jobs.vote import approval, choice, ranking, scores
from workers.llm.model import ModelRequest, PromptMessage, Stop

JOBS: dict[str, Callable[[Brief], Reply]] = {
    "PlanReply": plan,
    "DesignReply": design,
    "ModuleReply": module,
    "TestsReply": tests,
    "RepairReply": repair,
    "ReviewReply": review,
    "ChoiceReply": choice,
    "ApprovalReply": approval,
    "RankingReply": ranking,
    "ScoresReply": scores,
    "PerformReply": perform,
    "RevisionReply": revise,
}

WRITES_CODE = "ModuleReply"
"""The answer in which a careless model makes a mistake; others it spoils."""

CONSTRAINTS = "## Constraints"
"""The line without which a careless model is careless."""

REASONING = "reasoning"


class Said(NamedTuple):
    """An answer, and why it ends where it ends."""

    text: str
    stop: Stop = "end"


def answer(request: ModelRequest, faults: Faults) -> Said:
    """JSON that fits the schema, but for the faults that strike. Raises `CannotDo` and `UnreadablePrompt`."""
    if _goes_on(request):
        return Said(_rest(request, faults))
    schema = request.reply_schema or {}
    title, asked = schema.get("title", ""), text_of(request)
    careless = _is_careless(request.messages, faults, asked)
    if title not in JOBS:
        whole = json.dumps(_smallest(schema, title))
    else:
        reasons = REASONING in schema.get("properties", {})
        whole = _whole(title, request.messages, asked, faults, careless, reasons)
        if faults.strikes("cut_off", asked):
            return Said(whole[: len(whole) // 2], "length")
    if faults.strikes("malformed", asked) or (careless and title != WRITES_CODE):
        whole = _spoiled(whole, schema)
    return Said(whole)


def text_of(request: ModelRequest, title: str = "") -> str:
    """All that the request says, for seeded draws; `title` stands for the schema's where there is none."""
    messages = "\0".join(f"{message.role}\0{message.text}" for message in request.messages)
    again = f"\0{request.seed}" if request.seed > 1 else ""
    return f"{(request.reply_schema or {}).get('title', title)}\0{messages}{again}"


def _goes_on(request: ModelRequest) -> bool:
    return request.reply_schema is None and [one.role for one in request.messages[-2:]] == ["assistant", "user"]


def _rest(request: ModelRequest, faults: Faults) -> str:
    """What is missing of the answer that the request's last but one message begins."""
    said = request.messages[-2].text
    first = request.model_copy(update={"messages": request.messages[:-2]})
    for whole in _all_answers(first, said.startswith(f'{{"{REASONING}"'), faults):
        if whole.startswith(said):
            return whole[len(said) :]
    raise CannotDo("The built-in model can't go on with an answer that it did not begin.")


def _all_answers(first: ModelRequest, reasons: bool, faults: Faults) -> Iterator[str]:
    """What each job would say in full to this request."""
    for title in JOBS:
        asked = text_of(first, title)
        careless = _is_careless(first.messages, faults, asked)
        with suppress(CannotDo, UnreadablePrompt):
            yield _whole(title, first.messages, asked, faults, careless, reasons)


def _whole(
    title: str, messages: Sequence[PromptMessage], asked: str, faults: Faults, careless: bool, reasons: bool
) -> str:
    """The job's answer as JSON, with its reasoning first where the schema has a field for it."""
    data = blocks(messages)
    reply = JOBS[title](Brief(data, asked, faults, careless and title == WRITES_CODE))
    if reasons:
        reasoning = (
            f"1. Read the data blocks {', '.join(data)}. 2. Follow the fixed rules that there are for a {title}."
        )
        reply = {REASONING: reasoning, **reply}
    return json.dumps(reply, ensure_ascii=False)


def _is_careless(messages: Sequence[PromptMessage], faults: Faults, asked: str) -> bool:
    """Whether this answer is to be a wrong one, which no prompt with constraints gets."""
    lines = (line for message in messages if message.role == "system" for line in message.text.splitlines())
    return faults.strikes("careless", asked) and all(line.rstrip() != CONSTRAINTS for line in lines)


def _smallest(schema: dict[str, Any], title: str) -> Reply:
    """An empty object where the schema allows it; anything else would be made up."""
    if schema.get("type") == "object" and not schema.get("required"):
        return {}
    raise CannotDo(f"The built-in model does not know the job {title!r}; it knows {', '.join(JOBS)}.")


def _spoiled(answer: str, schema: dict[str, Any]) -> str:
    """Cut the answer in half, or, every other time, leave out a field that is required."""
    required = [name for name in schema.get("required", []) if name != REASONING]
    if len(answer) % 2 and required:
        reply = json.loads(answer)
        reply.pop(required[0], None)
        return json.dumps(reply, ensure_ascii=False)
    return answer[: len(answer) // 2]
