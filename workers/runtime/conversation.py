"""The conversation that gets one reply out of models.

    ask ──▶ answer ──────────────────────▶ fits? ─ yes ─▶ done
              ╰ cut off ▶ one continuation ╯  ╰ no ▶ one repair turn ▶ answer ─────────────────────▶ fits? ─▶ done
                                                                        ╰ cut off ▶ one continuation ╯  ╰ MalformedReply

So a reply takes at most four answers. A repair that says the same as before is not continued. A refusal is an answer as
well, beside these four: the target is not asked again in this conversation, and the next one gets the same question,
unless it may not be answered elsewhere.
Every answer is a journal entry, and what comes next follows from the entries alone: each delivery goes the same way.
"""

from dataclasses import dataclass
from typing import Generic

from workers.llm.calls import CannotServe
from workers.llm.model import ModelRequest, PromptMessage
from workers.prompting.slots import schema_shown
from workers.prompting.templates import Prompts, Rendered
from workers.runtime.errors import Impossible, MalformedReply, RefusedByModel, RepeatedReply
from workers.runtime.journal import Journal
from workers.runtime.questions import Answer, Asked, digest_of
from workers.runtime.replies import CUT_OFF, Check, DoesNotFit, Guard, R, cut, fitting, joins, schema_for

REPAIR_PROMPT = "toolkit/malformed_reply"
CONTINUE_PROMPT = "toolkit/continue"
NOTHING = "(nothing)"
"""Stands for an answer without words; providers refuse messages that are empty."""


@dataclass(frozen=True)
class Question(Generic[R]):
    """What is asked of whom (a target or a route, empty for the fleet's choice), and what the answer must be.

    What is not to be answered `elsewhere` ends with the first refusal: nobody else speaks for a voter that would not.
    `guard` says what is wrong with the answer as text, say that it copies an example: a fault like any other.
    """

    whom: str
    prompt: Rendered
    reply: type[R]
    check: Check[R] | None
    seed: int
    elsewhere: bool = True
    guard: Guard | None = None

    @property
    def request(self) -> ModelRequest:
        """What a model is asked first."""
        prompt = self.prompt
        schema = schema_for(self.reply, prompt.thinking)
        messages = prompt.with_system(schema_shown(schema)) if prompt.shown else prompt.messages
        return ModelRequest(
            messages=tuple(PromptMessage(role=message.role, text=message.text) for message in messages),
            reply_schema=schema,
            max_output_tokens=prompt.output_tokens,
            seed=self.seed,
        )


@dataclass(frozen=True)
class _Said:
    """An answer in the pieces that it came in: one, or two when it was cut off."""

    pieces: tuple[Answer, ...]

    @property
    def texts(self) -> tuple[str, ...]:
        """What it may be as a whole, the likeliest first."""
        return joins(self.pieces[0].text, self.pieces[1].text) if len(self.pieces) > 1 else (self.pieces[0].text,)

    @property
    def is_cut_off(self) -> bool:
        return self.pieces[-1].entry.stop == "length"

    @property
    def target(self) -> str:
        return self.pieces[-1].entry.target


class Conversation(Generic[R]):
    """One question with all its turns."""

    def __init__(self, question: Question[R], journal: Journal, prompts: Prompts) -> None:
        self._question, self._journal, self._prompts = question, journal, prompts
        self._refused: dict[str, str] = {}

    async def reply(self) -> R:
        """The reply. Raises `MalformedReply`, `RefusedByModel`, `Impossible` and `ModelUnavailable`."""
        request = self._question.request
        first = await self._whole(request, await self._answer(request))
        try:
            return self._fitting(first)
        except DoesNotFit as misfit:
            return await self._mended(request, first, misfit)

    async def _mended(self, request: ModelRequest, first: _Said, misfit: DoesNotFit) -> R:
        asked = _after(request, first.texts[0], self._prompts.named(REPAIR_PROMPT).render({"errors": misfit.faults}))
        answer = await self._follow_up(asked, first, misfit)
        same = answer.text.strip() in {first.texts[0].strip(), first.pieces[0].text.strip()}
        second = _Said((answer,)) if same else await self._whole(asked, answer)
        try:
            return self._fitting(second)
        except DoesNotFit as again:
            raise await self._malformed(second, again, same) from None

    async def _whole(self, request: ModelRequest, answer: Answer) -> _Said:
        """The answer, with the part that goes on from there if it was cut off."""
        if answer.entry.stop != "length" or not answer.text.strip():
            return _Said((answer,))
        turn = self._prompts.named(CONTINUE_PROMPT).render({})
        more = _after(request, answer.text, turn).model_copy(update={"reply_schema": None})
        return _Said((answer, await self._follow_up(more, _Said((answer,)), DoesNotFit([CUT_OFF]))))

    def _fitting(self, said: _Said) -> R:
        if said.is_cut_off:
            raise DoesNotFit([CUT_OFF])
        question = self._question
        return fitting(said.texts, question.reply, question.check, question.prompt.thinking, question.guard)

    async def _follow_up(self, request: ModelRequest, before: _Said, misfit: DoesNotFit) -> Answer:
        """The answer to a turn about an answer, which may have become too long for any target."""
        try:
            return await self._answer(request)
        except Impossible as error:
            raise MalformedReply(f"{self._complaint(before)}: {cut(str(misfit))}; not mended: {error}") from error

    async def _answer(self, request: ModelRequest) -> Answer:
        """The answer of the first target that does not refuse."""
        question = self._question
        while True:
            try:
                answer = await self._journal.answer(
                    Asked(question.whom, question.prompt, request, frozenset(self._refused))
                )
            except CannotServe as error:
                if self._refused:
                    raise self._refusal(str(error)) from error
                raise Impossible(str(error)) from error
            entry = answer.entry
            if entry.stop != "refusal":
                return answer
            if entry.target in self._refused:
                raise self._refusal(f"{entry.target} was asked once more all the same")
            self._refused[entry.target] = cut(answer.text.strip()) or "(no words)"
            if not question.elsewhere:
                raise self._refusal("nobody else answers in its place")

    def _refusal(self, rest: str) -> RefusedByModel:
        name = self._question.prompt.name
        refused = "; ".join(f"{target} refused to answer {name}: {words}" for target, words in self._refused.items())
        return RefusedByModel(f"{refused} (and nobody else can be asked: {rest})")

    async def _malformed(self, said: _Said, misfit: DoesNotFit, same: bool) -> MalformedReply:
        """Why there is no reply. What the attempt before ended with as well will not be any other the next time."""
        told = f"{self._complaint(said)}{', but gave the same answer again' if same else ''}: {cut(str(misfit))}"
        digests = {piece.entry.completion_sha256 or digest_of(piece.text) for piece in said.pieces}
        if digests <= await self._journal.said_before(self._question.prompt.name):
            return RepeatedReply(f"{told} (word for word what the attempt before this one was given)")
        return MalformedReply(told)

    def _complaint(self, said: _Said) -> str:
        question = self._question
        return f"{said.target} did not answer {question.prompt.name} with a {question.reply.__name__}"


def messages_of(rendered: Rendered) -> tuple[PromptMessage, ...]:
    """The messages as models read them."""
    return tuple(PromptMessage(role=message.role, text=message.text) for message in rendered.messages)


def _after(request: ModelRequest, said: str, turn: Rendered) -> ModelRequest:
    """The request that goes on after an answer with another turn."""
    answered = PromptMessage(role="assistant", text=said if said.strip() else NOTHING)
    return request.model_copy(update={"messages": (*request.messages, answered, *messages_of(turn))})
