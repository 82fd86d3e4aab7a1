"""The journal of one task attempt: each completed model call is a fact under the next number.

the name is free            call, publish, go on with what the model said
a delivery before this one  has said it already: read it, don't pay twice
a zombie was faster         its entry holds the name: go on with that answer, so that both end alike
held by something else      another question (a prompt changed) or a spoiled fact: use the next number
"""

import asyncio
import hashlib
import json
import time
from dataclasses import dataclass

import structlog

from contracts import subjects
from contracts.codec import ContractError, decode
from contracts.v1.journal import MAX_INLINE_COMPLETION, ModelCalled
from contracts.v1.tasks import Task
from workers.llm.model import Completion, Model, ModelRequest, ModelUnavailable
from workers.prompting.templates import Rendered
from workers.runtime.errors import BusUnavailable
from workers.runtime.ports import ArtifactMissing, Artifacts, Log

_logger = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Answer:
    """What a model said, and the journal entry that holds it."""

    entry: ModelCalled
    text: str


@dataclass(frozen=True)
class Asked:
    """A request to a model and the prompt that it was rendered from."""

    model: Model
    prompt: Rendered
    request: ModelRequest

    @property
    def sha256(self) -> str:
        """Digest of the canonical JSON of target and request: the same question has the same digest."""
        content = {"target": self.model.target, "request": self.request.model_dump(mode="json")}
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(canonical.encode()).hexdigest()


class Journal:
    """The calls of one attempt, in order. Questions are asked one after another, so that numbers mean the same
    in every delivery."""

    def __init__(
        self, task: Task, log: Log, artifacts: Artifacts, *, redelivered: bool, prefix: str, call_timeout_s: float
    ) -> None:
        self._task, self._log, self._artifacts = task, log, artifacts
        self._redelivered, self._prefix, self._call_timeout_s = redelivered, prefix, call_timeout_s
        self._n = 0

    async def answer(self, asked: Asked) -> Answer:
        """The journal's answer to this question, or else the model's, which is in the journal on return."""
        sha256 = asked.sha256
        fresh: Answer | None = None
        while True:
            self._n += 1
            if fresh is None and self._redelivered:
                taken, kept = await self._read(self._n, sha256)
                if kept is not None:
                    return kept
                if taken:
                    continue
            fresh = await self._ask(asked, sha256) if fresh is None else self._renumbered(fresh)
            if (await self._log.say(fresh.entry)).news:
                return fresh
            taken, kept = await self._read(self._n, sha256)
            if kept is not None:
                return kept
            if not taken:
                raise BusUnavailable(f"{self._subject(self._n)} is in the log but can't be read yet")

    async def _read(self, n: int, sha256: str) -> tuple[bool, Answer | None]:
        """Whether the name is taken, and its answer if that is one to this question."""
        stored = await self._log.find(self._subject(n))
        if stored is None:
            return False, None
        try:
            entry = decode(stored.subject, stored.data, self._prefix)
            if not isinstance(entry, ModelCalled) or entry.request_sha256 != sha256:
                return True, None
            return True, Answer(entry, await self._text_of(entry))
        except (ContractError, ArtifactMissing, UnicodeDecodeError) as error:
            _logger.error("spoiled_fact", subject=stored.subject, sequence=stored.sequence, reason=str(error))
            return True, None

    async def _text_of(self, entry: ModelCalled) -> str:
        if entry.completion_artifact is None:
            return entry.completion
        return (await self._artifacts.get(entry.completion_artifact)).decode()

    async def _ask(self, asked: Asked, sha256: str) -> Answer:
        began = time.monotonic()
        completion = await self._completed(asked)
        latency_ms = (time.monotonic() - began) * 1_000.0
        long = len(completion.text) > MAX_INLINE_COMPLETION
        entry = ModelCalled(
            tenant=self._task.tenant,
            run=self._task.run,
            task=self._task.task,
            attempt=self._task.attempt,
            n=self._n,
            role=self._task.role,
            target=asked.model.target,
            prompt=asked.prompt.name,
            prompt_version=asked.prompt.version,
            request_sha256=sha256,
            input_tokens=completion.input_tokens,
            output_tokens=completion.output_tokens,
            cost_usd=completion.cost_usd,
            latency_ms=latency_ms,
            stop=completion.stop,
            completion="" if long else completion.text,
            completion_artifact=await self._artifacts.put(completion.text.encode()) if long else None,
        )
        return Answer(entry, completion.text)

    async def _completed(self, asked: Asked) -> Completion:
        try:
            async with asyncio.timeout(self._call_timeout_s):
                return await asked.model.complete(asked.request)
        except TimeoutError as error:
            waited = f"{self._call_timeout_s:g} s"
            raise ModelUnavailable(f"{asked.model.target} did not answer within {waited}") from error

    def _renumbered(self, answer: Answer) -> Answer:
        return Answer(answer.entry.model_copy(update={"n": self._n}), answer.text)

    def _subject(self, n: int) -> str:
        names = (self._task.task, str(self._task.attempt), str(n))
        return subjects.Address(self._task.tenant, self._task.run, "llm", names).subject(self._prefix)
