"""The fleet's prompts for the time of a command: the files that are here, and what the fleet says beyond them."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from contracts.message import MAX_PAYLOAD_BYTES
from contracts.prompt_facts import encode_prompt
from contracts.v1.prompts import PromptFact
from workers.cli.brokers import given_broker
from workers.cli.complaints import Complaint, Misused
from workers.cli.figures import plain, short
from workers.cli.outside import Outside, note
from workers.cli.sessions import Session, connected, session
from workers.cli.upfile import read_up
from workers.prompting.checks import content_of, text_of
from workers.prompting.errors import PromptConflict, PromptError, PromptRefused
from workers.prompting.history import after
from workers.prompting.moves import push, resolve
from workers.prompting.template_history import LIVE, Entry, Kept, TemplateHistory, empty
from workers.prompting.templates import Prompt, Prompts
from workers.runtime.prompt_store import PromptStore

TRIES = 5
"""Somebody else may say something of the same template at the same moment; more often than that is no accident."""

Decide = Callable[[TemplateHistory], Sequence[PromptFact]]


@dataclass(frozen=True)
class Known:
    """The templates that are here as files, and what the fleet says of them, if one was asked."""

    files: Prompts
    store: PromptStore | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """All templates, sorted."""
        return self.store.names() if self.store else tuple(sorted(prompt.name for prompt in self.files))

    def history(self, name: str) -> TemplateHistory:
        """What the fleet says of a template; nothing if none was asked."""
        role, _, own = name.partition("/")
        return self.store.of(name) if self.store else empty(role, own)

    def shipped(self, name: str) -> Prompt | None:
        """The file that is here."""
        return next((prompt for prompt in self.files if prompt.name == name), None)

    def version(self, name: str, text: str = LIVE) -> Prompt:
        """The version of the template `role/name` that is meant by a label, `shipped`, or the beginning of a version.

        Complains about what is not known.
        """
        checked_name(self.names, name)
        file = self.shipped(name)
        try:
            digest = resolve(self.history(name), text, file.version if file else "")
        except PromptConflict as error:
            asked = "" if self.store else "; no fleet was asked for more, name one with --nats or FLOTILLA_NATS_URL"
            raise Misused(f"{error}{asked}") from None
        found = file if file and file.version == digest else self.store and self.store.prompt(name, digest)
        if not found:
            raise Misused(f"{name} has no file here and nothing is {text}; label a version, or say which one is meant")
        return found


def checked_name(names: Sequence[str], name: str) -> str:
    """The name of a template that there is, without persona."""
    if name not in names:
        persona = "; leave the persona out, versions are those of the template" if ":" in name else ""
        raise Misused(f"there is no prompt {short(name)!r}{persona}; known are {', '.join(names) or 'none'}")
    return name


def files_of(outside: Outside) -> Prompts:
    """The templates that are here as files; complains about what is refused."""
    try:
        return Prompts.load(outside.settings().prompts_dir)
    except PromptRefused as error:
        raise Misused(f"{error} (`flotilla prompts lint` says everything that is refused)") from None
    except PromptError as error:
        raise Misused(str(error)) from None


@asynccontextmanager
async def prompts_of(outside: Outside, nats: str, tenant: str = "") -> AsyncIterator[tuple[Session, PromptStore]]:
    """A connection, and what the fleet there says of prompts."""
    files = files_of(outside)
    async with session(outside, nats, tenant) as opened, opened.bus.prompt_store(files) as store:
        yield opened, store


@asynccontextmanager
async def known_prompts(outside: Outside, nats: str, only_files: bool = False) -> AsyncIterator[Known]:
    """The files, with what the fleet says if one was named or is up. One that was named must answer."""
    files, settings = files_of(outside), outside.settings()
    broker = None if only_files else given_broker(nats, settings, read_up(outside.state_dir, outside.alive))
    if broker is None:
        yield Known(files)
        return
    note(f"broker {broker}")
    async with (
        connected(outside, broker, settings.tenant, settings) as opened,
        opened.bus.prompt_store(files) as store,
    ):
        yield Known(files, store)


async def agreed(
    store: PromptStore, name: str, decide: Decide, about: Callable[[TemplateHistory], object] | None = None
) -> list[Entry]:
    """Say what is decided and return it with what it did; decided anew when somebody else was quicker.

    Not so if they changed what the decision is `about`: then a person should look first.
    """
    before = about(store.of(name)) if about else None
    for _ in range(TRIES):
        if about and about(store.of(name)) != before:
            last = plain(store.of(name).timeline[-1].did)
            raise Complaint(f"somebody else changed {name} at the same moment: {last}. Nothing was done")
        try:
            facts = decide(store.of(name))
        except PromptConflict as error:
            raise Misused(str(error)) from None
        _check_size(facts)
        if await store.say_all(facts):
            return [_held(store, fact) for fact in facts]
    raise Complaint(f"somebody else keeps changing {name}; see `flotilla prompts history {name}` and try again")


def with_file(history: TemplateHistory, file: Prompt | None, by: str) -> tuple[TemplateHistory, list[PromptFact]]:
    """What brings the file's version in, unless the fleet has it, and the history after that."""
    if file is None:
        return history, []
    content = text_of(file.source.file, content_of(file.source.file))
    pushed = push(history, file.version, content, by, "the file that ships")
    return (followed(history, pushed), [pushed]) if pushed else (history, [])


def followed(history: TemplateHistory, fact: PromptFact) -> TemplateHistory:
    """The history if this fact were said next."""
    last = history.timeline[-1].kept.sequence if history.timeline else 0
    return after(history, Kept(last + 1, 0.0, fact))


def _check_size(facts: Sequence[PromptFact]) -> None:
    for fact in facts:
        if (size := len(encode_prompt(fact))) > MAX_PAYLOAD_BYTES:
            raise Misused(f"that has {size:,} bytes as a message, and the bus takes {MAX_PAYLOAD_BYTES:,}; shorten it")


def _held(store: PromptStore, fact: PromptFact) -> Entry:
    """What the fact did; complains if somebody said something first with which it can't hold."""
    entry = next(entry for entry in reversed(store.of(fact.template).timeline) if entry.kept.fact == fact)
    if entry.ignored:
        raise Complaint(f"that came too late for {fact.template}: {plain(entry.did)}")
    return entry
