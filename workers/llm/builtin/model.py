"""The built-in model as a `Model`: finds the job, does it, and makes the faults that it was told to make."""

import asyncio
import json
from collections.abc import Callable
from itertools import count
from typing import Any

from workers.llm.builtin.blocks import UnreadablePrompt, blocks
from workers.llm.builtin.faults import Faults
from workers.llm.builtin.jobs.build import module, repair
from workers.llm.builtin.jobs.design import design
from workers.llm.builtin.jobs.job import Brief, CannotDo, Reply
from workers.llm.builtin.jobs.plan import plan
from workers.llm.builtin.jobs.review import review
from workers.llm.builtin.jobs.tests import tests
from workers.llm.builtin.jobs.vote import approval, choice, ranking, scores
from workers.llm.model import Completion, ModelRequest, ModelUnavailable

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
}


class BuiltinModel:
    """Rules instead of a language model: the same request gets the same answer, offline and for nothing."""

    def __init__(self, target: str = "builtin") -> None:
        self.target = target
        self._faults = Faults.parse(target)
        self._calls = count()

    async def complete(self, request: ModelRequest) -> Completion:
        """Answer with JSON that fits the schema, or refuse and say why."""
        text, schema = _text(request), request.reply_schema or {}
        if self._faults.latency_ms:
            await asyncio.sleep(self._faults.latency_ms / 1000)
        if self._faults.strikes("error", f"{next(self._calls)}\0{text}"):
            raise ModelUnavailable("The built-in model was told to fail now and then (error=…); call again.")
        if self._faults.strikes("refusal", text):
            return _completion(text, "I can't help with that. (Told to refuse now and then: refusal=…)", refused=True)
        try:
            reply = await asyncio.to_thread(_answer, request, text, self._faults)
        except (CannotDo, UnreadablePrompt) as problem:
            return _completion(text, str(problem), refused=True)
        answer = json.dumps(reply, ensure_ascii=False)
        if self._faults.strikes("malformed", text):
            answer = _spoil(answer, schema)
        return _completion(text, answer)


def _answer(request: ModelRequest, text: str, faults: Faults) -> Reply:
    schema = request.reply_schema or {}
    title = schema.get("title", "")
    job = JOBS.get(title)
    if job is None:
        return _smallest(schema, title)
    return job(Brief(blocks(request.messages), text, faults))


def _smallest(schema: dict[str, Any], title: str) -> Reply:
    """An empty object where the schema allows it; anything else would be made up."""
    if schema.get("type") == "object" and not schema.get("required"):
        return {}
    raise CannotDo(f"The built-in model does not know the job {title!r}; it knows {', '.join(JOBS)}.")


def _spoil(answer: str, schema: dict[str, Any]) -> str:
    """Cut the answer in half, or, every other time, leave out a field that is required."""
    required = schema.get("required", [])
    if len(answer) % 2 and required:
        reply = json.loads(answer)
        reply.pop(required[0], None)
        return json.dumps(reply, ensure_ascii=False)
    return answer[: len(answer) // 2]


def _text(request: ModelRequest) -> str:
    messages = "\0".join(f"{message.role}\0{message.text}" for message in request.messages)
    again = f"\0{request.seed}" if request.seed > 1 else ""
    return f"{(request.reply_schema or {}).get('title', '')}\0{messages}{again}"


def _completion(question: str, answer: str, *, refused: bool = False) -> Completion:
    return Completion(
        text=answer,
        input_tokens=len(question) // 4,
        output_tokens=len(answer) // 4,
        stop="refusal" if refused else "end",
        cost_usd=0.0,
    )
