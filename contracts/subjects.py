"""The grammar of subjects: `<prefix>.<tenant>.<run>.<noun>.<name…>`, both ways.

The contract version is in the payload and never in the subject: a versioned subject would hide new
messages from old consumers.
"""

import re
from typing import NamedTuple

from contracts.message import Message

PREFIX = "flotilla"

NOUNS: dict[str, tuple[str, ...]] = {
    "run.requested": (),
    "run.cancel": (),
    "run.closed": (),
    "task": ("role", "task", "attempt"),
    "result": ("task",),
    "failure": ("task", "attempt"),
    "llm": ("task", "attempt", "n"),
    "prompt": ("task", "template"),
    "wait": ("task", "attempt", "n", "what"),
    "budget": ("raise_id",),
    "ballot": ("ballot",),
    "vote": ("ballot", "voter"),
    "decision": ("ballot",),
    "outcome": ("ballot",),
    "gate": ("gate",),
    "approval": ("gate",),
    "timer": ("name",),
    "capsule": (),
}
"""Each noun and the fields of its messages that complete the subject, in order."""

_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TOKENS = re.compile(r"[A-Za-z0-9_-]{1,64}(?:\.[A-Za-z0-9_-]{1,64})*")


class Address(NamedTuple):
    """A subject taken apart. `names` holds the tokens behind the noun as text."""

    tenant: str
    run: str
    noun: str
    names: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The message's name within its run, e.g. `result.design`; in the log it is used once."""
        return ".".join((self.noun, *self.names))

    def subject(self, prefix: str = PREFIX) -> str:
        """The whole subject."""
        return ".".join((prefix, self.tenant, self.run, self.noun, *self.names))


class NotASubject(ValueError):
    """The text is no subject of the grammar; the message says which part is wrong."""


def is_token(text: str) -> bool:
    """Whether `text` may stand between two dots of a subject."""
    return _TOKEN.fullmatch(text) is not None


def address_of(message: Message) -> Address:
    """The address that a message is published under."""
    fields = vars(message)
    names = tuple([str(fields[field]) for field in NOUNS[message.noun]])
    return Address(fields["tenant"], fields["run"], message.noun, names)


def name_of(message: Message) -> str:
    """The message's name within its run; the same as its address says, made faster."""
    fields = vars(message)
    return ".".join([message.noun, *[str(fields[field]) for field in NOUNS[message.noun]]])


def subject_of(message: Message, prefix: str = PREFIX) -> str:
    """The subject that a message is published under."""
    fields = vars(message)
    return f"{prefix}.{fields['tenant']}.{fields['run']}.{name_of(message)}"


def parse(subject: str, prefix: str = PREFIX) -> Address:
    """Take a subject apart; raises `NotASubject` when it is outside of the grammar."""
    if not subject.startswith(prefix + "."):
        raise NotASubject(f"{subject!r} does not begin with {prefix + '.'!r}")
    tokens = subject[len(prefix) + 1 :].split(".")
    if _TOKENS.fullmatch(subject) is None:
        wrong = next((token for token in (prefix, *tokens) if not is_token(token)), "")
        raise NotASubject(f"{subject!r}: {wrong!r} is no token; use 1 to 64 of A-Z a-z 0-9 _ -")
    tenant, run, *rest = tokens if len(tokens) > 2 else (*tokens, "", "")[:3]
    noun, names = _split_noun(rest)
    if noun not in NOUNS:
        raise NotASubject(f"{subject!r}: {noun!r} is no noun; known are {', '.join(NOUNS)}")
    if len(names) != len(NOUNS[noun]):
        expected = ".".join((noun, *(f"<{field}>" for field in NOUNS[noun])))
        raise NotASubject(f"{subject!r}: a {noun} is named {expected}")
    return Address(tenant, run, noun, names)


def _split_noun(rest: list[str]) -> tuple[str, tuple[str, ...]]:
    if rest[0] == "run" and len(rest) > 1:
        return f"run.{rest[1]}", tuple(rest[2:])
    return rest[0], tuple(rest[1:])


def run_filter(tenant: str = "*", run: str = "*", prefix: str = PREFIX) -> str:
    """The wildcard that covers a whole run."""
    return f"{prefix}.{tenant}.{run}.>"


def noun_filter(noun: str, *names: str, prefix: str = PREFIX) -> str:
    """The wildcard that covers a noun in every run; `names` fixes its first tokens."""
    tail = [">"] if len(names) < len(NOUNS[noun]) else []
    return ".".join((prefix, "*", "*", noun, *names, *tail))
