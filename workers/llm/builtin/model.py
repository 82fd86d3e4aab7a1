"""The built-in model as a `Model`: it answers by rules, and makes the faults that it was told to make."""

import asyncio
from itertools import count

from workers.llm.builtin.answering import Said, answer, text_of
from workers.llm.builtin.blocks import UnreadablePrompt
from workers.llm.builtin.faults import Faults
from workers.llm.builtin.jobs.job import CannotDo
from workers.llm.model import Completion, ModelRequest, ModelUnavailable

REFUSAL = "I can't help with that. (Told to refuse now and then: refusal=…)"


class BuiltinModel:
    """Rules instead of a language model: the same request gets the same answer, offline and for nothing."""

    def __init__(self, target: str = "builtin") -> None:
        self.target = target
        self._faults = Faults.parse(target)
        self._calls = count()

    async def complete(self, request: ModelRequest) -> Completion:
        """Answer with JSON that fits the schema, or refuse and say why."""
        text = text_of(request)
        if self._faults.latency_ms:
            await asyncio.sleep(self._faults.latency_ms / 1000)
        if self._faults.strikes("error", f"{next(self._calls)}\0{text}"):
            raise ModelUnavailable("The built-in model was told to fail now and then (error=…); call again.")
        if self._faults.strikes("refusal", text):
            return _completion(text, Said(REFUSAL, "refusal"))
        try:
            said = await asyncio.to_thread(answer, request, self._faults)
        except (CannotDo, UnreadablePrompt) as problem:
            said = Said(str(problem), "refusal")
        return _completion(text, said)


def _completion(question: str, said: Said) -> Completion:
    return Completion(
        text=said.text,
        input_tokens=len(question) // 4,
        output_tokens=len(said.text) // 4,
        stop=said.stop,
        cost_usd=0.0,
    )
