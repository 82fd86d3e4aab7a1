"""The fleet's prompts as a process knows them: the files that it has, and what the stream `PROMPTS` says beyond them.

The broker repeats each fact once it is stored, without its payload; that wakes the store, which reads what is new.
Facts may be taken in in any order, so each noun is read by itself. A store that may have missed a wake-up reads again
before it is asked, at most every 10 s.
"""

import asyncio
import time
from collections.abc import Iterable, Mapping

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg

from contracts.prompt_facts import decode_prompt, encode_prompt, prompts_subject, subject_of_prompt
from contracts.v1.prompts import PromptFact, VersionPushed
from workers.prompting.history import Histories, Kept, TemplateHistory, Unread
from workers.prompting.templates import Prompt, Prompts, compiled_text
from workers.runtime.direct_get import DirectGets
from workers.runtime.ports import Stored
from workers.runtime.publish import Publisher
from workers.runtime.topology import PROMPTS, prompts_said

NOUNS = ("version", "label", "experiment", "share", "verdict", "example", "dropped", "improvement", "revision")
"""What a store keeps. Outcomes are many, and only those who weigh them read them."""

STALE_S = 10.0

_logger = structlog.get_logger(__name__)


class PromptStore:
    """Histories and compiled versions of all templates. Start it before it is asked."""

    def __init__(self, client: Client, publisher: Publisher, shipped: Prompts, prefix: str) -> None:
        self._client, self._publisher, self._prompts, self._prefix = client, publisher, shipped, prefix
        self._gets = DirectGets(client, PROMPTS)
        self._histories = Histories()
        self._compiled: dict[tuple[str, str], Prompt] = {(one.name, one.version): one for one in shipped}
        self._upto = dict.fromkeys(NOUNS, 0)
        self._reading = asyncio.Lock()
        self._told, self._read_at = 0, 0.0
        self._waking: asyncio.Task[None] | None = None
        self._spoiled: dict[str, str] = {}

    @property
    def spoiled(self) -> Mapping[str, str]:
        """Subjects of the stream that hold no fact, with the reason."""
        return dict(self._spoiled)

    @property
    def files(self) -> Prompts:
        """The templates and personas that this process has as files."""
        return self._prompts

    async def start(self) -> None:
        """Read all that there is, and listen for more. Raises `BusUnavailable`."""
        await self._gets.start()
        await self._client.subscribe(prompts_said(self._prefix), cb=self._tell)
        await self.refresh()

    async def stop(self) -> None:
        """End what is being read."""
        if self._waking is not None:
            self._waking.cancel()

    async def fresh(self) -> "PromptStore":
        """This store, read again if it has heard of news or may have missed some. Raises `BusUnavailable`."""
        if self._told or time.monotonic() - self._read_at > STALE_S:
            await self.refresh()
        return self

    async def refresh(self) -> None:
        """Read what the stream has beyond what is known. Raises `BusUnavailable`."""
        async with self._reading:
            self._told, now = 0, time.monotonic()
            for found in await asyncio.gather(*(self._news(noun) for noun in NOUNS)):
                for stored in found:
                    self._take(stored)
            self._read_at = now

    async def _news(self, noun: str) -> list[Stored]:
        found = await self.scan(prompts_subject(self._prefix, "*", "*", noun, ">"), self._upto[noun])
        if found:
            self._upto[noun] = found[-1].sequence
        return found

    async def scan(self, subjects: str, after: int = 0) -> list[Stored]:
        """All messages of the stream under a wildcard with a sequence above `after`, in order."""
        return await self._gets.scan(subjects, after)

    async def _tell(self, msg: Msg) -> None:
        """Something was stored. What comes while it is read is read right after."""
        tokens = msg.subject.split(".")
        if len(tokens) < 4 or tokens[3] not in NOUNS:
            return
        self._told += 1
        if self._waking is None or self._waking.done():
            self._waking = asyncio.create_task(self._wake())

    async def _wake(self) -> None:
        while self._told:
            try:
                await self.refresh()
            except Exception as error:  # whoever asks next reads again, and hears of it
                self._told = 1
                _logger.warning("prompts_not_read", error=repr(error))
                return

    def _take(self, stored: Stored) -> None:
        try:
            fact = decode_prompt(stored.subject, stored.data, self._prefix)
            if isinstance(fact, VersionPushed):
                self._compile(fact)
        except Exception as error:  # whatever anybody says under a name, it must not keep others from being read
            if stored.subject not in self._spoiled:
                _logger.error("spoiled_prompt", subject=stored.subject, sequence=stored.sequence, reason=str(error))
            self._spoiled[stored.subject] = str(error)
            fact = _unread(stored.subject)
        self._histories.take(Kept(stored.sequence, stored.at.timestamp(), fact))

    def _compile(self, pushed: VersionPushed) -> None:
        prompt = compiled_text(pushed.role, pushed.name, pushed.content)
        if prompt.version != pushed.digest:
            raise ValueError(f"the content has version {prompt.version}, and the subject says {pushed.digest}")
        self._compiled.setdefault((pushed.template, pushed.digest), prompt)

    def of(self, template: str) -> TemplateHistory:
        """What is known of `role/name`; nothing yet for one that nobody has touched."""
        role, _, name = template.partition("/")
        return self._histories.of(role, name)

    def names(self) -> tuple[str, ...]:
        """Every template that there is as a file or in the stream, sorted."""
        return tuple(sorted({*(prompt.name for prompt in self._prompts), *self._histories.names()}))

    def shipped(self, template: str) -> Prompt | None:
        """The file that this process has for a template."""
        return next((prompt for prompt in self._prompts if prompt.name == template), None)

    def prompt(self, template: str, digest: str) -> Prompt | None:
        """A version of a template, compiled; None if it is not known here."""
        return self._compiled.get((template, digest))

    def versions(self, template: str) -> tuple[Prompt, ...]:
        """Every version of a template that is known here, the file's among them."""
        return tuple(prompt for (name, _), prompt in self._compiled.items() if name == template)

    def live(self, template: str) -> Prompt | None:
        """The version that is live: by its label, else the file."""
        digest = self.of(template).live
        return self._compiled.get((template, digest)) if digest else self.shipped(template)

    async def say(self, fact: PromptFact) -> bool:
        """Publish a fact and take in what the stream now has; whether it was news.

        Its name may be taken by this very fact: another replica was first, or an acknowledgement was lost. Who must be
        the only one to say it asks `say_all`. Raises `BusUnavailable`.
        """
        said = await self._publisher.publish(subject_of_prompt(fact, self._prefix), encode_prompt(fact))
        await self.refresh()
        return said.news

    async def say_all(self, facts: Iterable[PromptFact]) -> bool:
        """Publish facts one after the other, until one's name is taken by something else; whether the stream has all
        of them. Raises `BusUnavailable`.
        """
        for fact in facts:
            if not await self.say(fact) and not self._has(fact):
                return False
        return True

    def _has(self, fact: PromptFact) -> bool:
        return any(entry.kept.fact == fact for entry in self.of(fact.template).timeline)


def _unread(subject: str) -> Unread:
    """A name that is taken by something that can't be read."""
    _, role, name, noun, *tokens = subject.split(".")
    return Unread.model_construct(role=role, name=name, said=noun, tokens=tuple(tokens), by="")
