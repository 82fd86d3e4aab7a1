"""The journal of one task attempt: each completed model call is a fact under the next number.

the name is free            call, publish, go on with what the model said
a delivery before this one  has said it already: read it, don't pay twice
a zombie was faster         its entry holds the name: go on with that answer, so that both end alike
held by something else      another question (a prompt changed), a completion that is withheld, a call that was lost,
                            or a spoiled fact: use the next number

An answer keeps its number. Calls that were cut off because it came first are billed as well: their entries follow it,
and nobody takes one for an answer.
"""

import time
from dataclasses import dataclass, replace

import structlog

from contracts import subjects
from contracts.codec import ContractError, decode
from contracts.v1.journal import MAX_INLINE_COMPLETION, Call, ModelCalled
from contracts.v1.tasks import Task
from workers.llm import calls
from workers.llm.calls import Caller
from workers.llm.model import Completion, Heard
from workers.runtime.errors import BusUnavailable
from workers.runtime.ports import ArtifactMissing, Artifacts, Log, Stored
from workers.runtime.questions import Answer, Asked, asked_in, digest_of, storable, told_in

_logger = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Terms:
    """How one delivery asks. `deadline` is in unix seconds, `timeout_s` what one question may take at most.

    With `keeps` completions go into the log. `heard` is told the pieces of an answer as they come.
    """

    redelivered: bool
    prefix: str
    deadline: float
    timeout_s: float
    keeps: bool
    heard: Heard | None = None


class Journal:
    """The calls of one attempt, in order. Questions are asked one after another, so that numbers mean the same
    in every delivery. `cited` are the entries that were used or paid for so far, `target` is who answered last."""

    def __init__(self, task: Task, log: Log, artifacts: Artifacts, gateway: Caller, terms: Terms) -> None:
        self._task, self._log, self._artifacts, self._gateway, self._terms = task, log, artifacts, gateway, terms
        self._n = 0
        self.cited: tuple[Call, ...] = ()
        self.target = ""

    async def answer(self, asked: Asked) -> Answer:
        """The journal's answer to this question, or else a model's, which is in the journal on return.

        Raises `ModelUnavailable` when no model can answer now, `CannotServe` when none ever can.
        """
        found = await self._found(asked) if self._terms.redelivered else None
        answer = found or await self._asked(asked)
        self.target = answer.entry.target
        return answer

    async def said_before(self, prompt: str) -> frozenset[str]:
        """Digests of what models answered to this prompt in the attempt before this one."""
        said, n, before = set[str](), 1, self._task.attempt - 1
        while before > 0 and (stored := await self._log.find(self._subject(n, before))) is not None:
            entry, n = self._decoded(stored), n + 1
            if entry is not None and entry.prompt == prompt and not entry.lost:
                said.add(entry.completion_sha256 or entry.completion_artifact or digest_of(entry.completion))
        return frozenset(said)

    async def _found(self, asked: Asked) -> Answer | None:
        """The answer that a delivery before this one has left; without one the next number is the first free one."""
        sha256 = asked.sha256
        while True:
            taken, answer = await self._read(self._n + 1, sha256)
            if not taken:
                return None
            self._n += 1
            if answer is not None:
                await self._settle(answer.entry)
                self._cite(answer.entry)
                await self._pass_lost()
                return answer

    async def _asked(self, asked: Asked) -> Answer:
        self._n += 1
        completion = storable(await self._gateway.complete(self._call(asked), asked.request, self._terms.heard))
        sha256, entry = asked.sha256, await self._entry(asked, completion)
        answer: Answer | None = Answer(entry, completion.text)
        while answer is None or not (await self._log.say(answer.entry)).news:
            taken, answer = await self._read(self._n, sha256, answer)
            if answer is not None:
                break
            if not taken:
                raise BusUnavailable(f"{self._subject(self._n)} is in the log but can't be read yet")
            self._n += 1
            answer = Answer(entry.model_copy(update={"n": self._n}), completion.text)
        self._cite(answer.entry)
        for lost in completion.lost:
            await self._say_lost(await self._entry(asked, storable(replace(lost, tries=()))))
        return answer

    async def _say_lost(self, entry: ModelCalled) -> None:
        """Say what was billed beside an answer, under the next number that is free."""
        news = False
        while not news:
            self._n += 1
            entry = entry.model_copy(update={"n": self._n, "lost": True})
            news = (await self._log.say(entry)).news
        self._cite(entry)

    async def _pass_lost(self) -> None:
        """Go past the calls that were cut off for the answer that was just found."""
        while (stored := await self._log.find(self._subject(self._n + 1))) is not None:
            entry = self._decoded(stored)
            if entry is None or not entry.lost:
                return
            self._n += 1
            self._cite(entry)

    async def _settle(self, entry: ModelCalled) -> None:
        """Whoever said this entry may have died before the budget heard what the call cost."""
        tokens = entry.input_tokens + entry.output_tokens
        await self._gateway.paid(self._name(entry.n), entry.cost_usd, tokens, self._task.budget)

    def _call(self, asked: Asked) -> calls.Call:
        task = self._task
        deadline = min(time.time() + self._terms.timeout_s, self._terms.deadline)
        kind = str(getattr(task, "kind", ""))
        return calls.Call(self._name(self._n), asked.whom, task.role, kind, deadline, asked.without, task.budget)

    async def _entry(self, asked: Asked, completion: Completion) -> ModelCalled:
        """The entry of a call under the present number; its words go into it, into an artifact, or nowhere."""
        task, text, keeps = self._task, completion.text, self._terms.keeps
        long = keeps and len(text) > MAX_INLINE_COMPLETION
        return ModelCalled(
            tenant=task.tenant,
            run=task.run,
            task=task.task,
            attempt=task.attempt,
            n=self._n,
            role=task.role,
            completion=text if keeps and not long else "",
            completion_artifact=await self._artifacts.put(text.encode()) if long else None,
            withheld=not keeps,
            **asked_in(asked),
            **told_in(completion),
        )

    async def _read(self, n: int, sha256: str, mine: Answer | None = None) -> tuple[bool, Answer | None]:
        """Whether the name is taken, and its answer if that is one to this question. It is `mine` if it is the very
        entry that was just said: then only its acknowledgement was lost."""
        stored = await self._log.find(self._subject(n))
        if stored is None:
            return False, None
        entry = self._decoded(stored)
        if entry is None or entry.request_sha256 != sha256:
            return True, None
        if mine is not None and entry == mine.entry:
            return True, mine
        if entry.lost or entry.withheld:
            self._cite(entry)
            return True, None
        try:
            return True, Answer(entry, await self._text_of(entry))
        except (ArtifactMissing, UnicodeDecodeError) as error:
            _spoiled(stored, error)
            return True, None

    def _decoded(self, stored: Stored) -> ModelCalled | None:
        """The entry; None when it is spoiled."""
        try:
            entry = decode(stored.subject, stored.data, self._terms.prefix)
        except ContractError as error:
            _spoiled(stored, error)
            return None
        return entry if isinstance(entry, ModelCalled) else None

    async def _text_of(self, entry: ModelCalled) -> str:
        if entry.completion_artifact is None:
            return entry.completion
        return (await self._artifacts.get(entry.completion_artifact)).decode()

    def _cite(self, entry: ModelCalled) -> None:
        self.cited = (*self.cited, entry.cited())

    def _address(self, n: int, attempt: int) -> subjects.Address:
        return subjects.Address(self._task.tenant, self._task.run, "llm", (self._task.task, str(attempt), str(n)))

    def _subject(self, n: int, attempt: int = 0) -> str:
        return self._address(n, attempt or self._task.attempt).subject(self._terms.prefix)

    def _name(self, n: int) -> str:
        """The name of an entry over all runs, by which reservations go."""
        return f"{self._task.tenant}/{self._task.run}/{self._address(n, self._task.attempt).name}"


def _spoiled(stored: Stored, error: Exception) -> None:
    _logger.error("spoiled_fact", subject=stored.subject, sequence=stored.sequence, reason=str(error))
