"""The AsyncAPI 3 document of the whole bus, made from the contracts.

FastStream can describe one application; workers bind without typed handlers and have one subject for
many messages, so the document is made from what they share. A channel is a noun: its address is the
subject, its messages are those of the noun. A noun of facts about prompts is the channel `prompts.<noun>`. An operation
is what one party does with one noun.
"""

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from contracts.codec import MESSAGES
from contracts.message import Message
from contracts.schema_files import PUBLISHED, as_published, kind_of, subject_template, version_of
from contracts.subjects import NOUNS, PREFIX
from contracts.v1.failures import DeadLetter
from contracts.v1.prompts import (
    PROMPT_FACTS,
    ExampleDropped,
    ExampleKept,
    ExperimentEnded,
    ExperimentStarted,
    ImprovementSet,
    LabelMoved,
    OutcomeScored,
    PromptFact,
    RevisionTried,
    ShareChanged,
    VersionPushed,
)
from contracts.v1.tasks import (
    CastVote,
    PackProject,
    PerformTask,
    ProjectPacked,
    ProjectVerified,
    TaskPerformed,
    VerifyProject,
)

DEAD = "dead"
"""The channel of dead letters, which is no noun: it has a stream of its own."""

Topic = str | type[BaseModel]
"""A noun with all its messages, or one message."""

_OF_ROLES = tuple(
    cls
    for cls in MESSAGES
    if cls.noun in ("task", "result") and cls not in (VerifyProject, ProjectVerified, PackProject, ProjectPacked)
)

_BY_HAND: tuple[type[PromptFact], ...] = (
    VersionPushed, LabelMoved, ExperimentStarted, ShareChanged, ExperimentEnded, ImprovementSet, ExampleKept,
    ExampleDropped,
)  # fmt: skip


class Party(NamedTuple):
    """Who takes part, and in what."""

    name: str
    purpose: str
    receives: tuple[Topic, ...]
    sends: tuple[Topic, ...]


PARTIES: tuple[Party, ...] = (
    Party(
        "client",
        "Any program that asks for runs, follows and steers them.",
        receives=(*NOUNS, *PROMPT_FACTS),
        sends=("run.requested", "run.cancel", "ballot", "vote", "outcome", "approval", "budget", *_BY_HAND),
    ),
    Party(
        "orchestrator",
        "Decides what a run calls for next.",
        receives=(
            "run.requested",
            "run.cancel",
            "result",
            "failure",
            "decision",
            "outcome",
            "approval",
            "timer",
            "wait",
        ),
        sends=("task", "ballot", "outcome", "gate", "run.closed"),
    ),
    Party(
        "roles",
        "Do the tasks of their role; each role receives the subjects with its name.",
        receives=(*(cls for cls in _OF_ROLES if cls.noun == "task"), "budget", *PROMPT_FACTS),
        sends=(*(cls for cls in _OF_ROLES if cls.noun == "result"), "failure", "llm", "prompt", "wait", "vote"),
    ),
    Party(
        "sandbox",
        "Runs the tests of a project away from the fleet.",
        receives=(VerifyProject,),
        sends=(ProjectVerified, "failure"),
    ),
    Party(
        "consensus",
        "Asks for votes and counts them.",
        receives=("ballot", "vote", "timer", "failure"),
        sends=(CastVote, "vote", "decision", "gate"),
    ),
    Party(
        "packager",
        "Packs a project into a signed capsule.",
        receives=(PackProject,),
        sends=("capsule", ProjectPacked, "failure"),
    ),
    Party(
        "gateway",
        "Speaks HTTP for those who do not speak NATS.",
        receives=(*NOUNS, *PROMPT_FACTS),
        sends=("run.requested", "run.cancel", "approval", "ballot", "budget"),
    ),
    Party("timekeeper", "Records the deadlines that have passed.", receives=(), sends=("timer",)),
    Party("dead_letters", "Keeps what could not be handled.", receives=(), sends=(DeadLetter, "failure")),
    Party(
        "prompt_lab",
        "Compares prompts by what came of them, replays recorded cases, and has templates revised.",
        receives=(
            PerformTask,
            "run.closed",
            "timer",
            "prompt",
            "result",
            "failure",
            "decision",
            "outcome",
            "llm",
            *PROMPT_FACTS,
        ),
        sends=(
            "run.requested",
            TaskPerformed,
            "failure",
            "llm",
            "prompt",
            "wait",
            VersionPushed,
            ExperimentStarted,
            OutcomeScored,
            ExperimentEnded,
            RevisionTried,
        ),
    ),
)
"""The table of the design: who sends and receives what."""


def document(prefix: str = PREFIX) -> dict[str, Any]:
    """The AsyncAPI 3.0 document, as JSON values."""
    channels = _by_channel(PUBLISHED)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Flotilla",
            "version": str(max(version_of(cls) for cls in PUBLISHED)),
            "description": "Every message of the bus. The subject of a fact is its name, and the log accepts a name "
            "once: who publishes it again gets JetStream's error 10077, which means that it was said already.",
        },
        "defaultContentType": "application/json",
        "servers": {"nats": {"host": "127.0.0.1:4222", "protocol": "nats", "description": "NATS with JetStream"}},
        "channels": {name: _channel(name, classes, prefix) for name, classes in channels.items()},
        "operations": {name: operation for party in PARTIES for name, operation in _operations(party)},
        "components": {
            "messages": {kind_of(cls): _message(cls) for cls in PUBLISHED},
            "schemas": _schemas(),
            "tags": {party.name: {"name": party.name, "description": party.purpose} for party in PARTIES},
        },
    }


def channel_of(cls: type[BaseModel]) -> str:
    """The channel that a message is published on."""
    if issubclass(cls, PromptFact):
        return f"prompts.{cls.noun}"
    return cls.noun if issubclass(cls, Message) else DEAD


def _by_channel(classes: Iterable[type[BaseModel]]) -> dict[str, list[type[BaseModel]]]:
    found: dict[str, list[type[BaseModel]]] = {}
    for cls in classes:
        found.setdefault(channel_of(cls), []).append(cls)
    return found


def _channel(name: str, classes: list[type[BaseModel]], prefix: str) -> dict[str, Any]:
    address = subject_template(classes[0], prefix)
    stream = "DEAD" if name == DEAD else "PROMPTS" if issubclass(classes[0], PromptFact) else "LOG"
    return {
        "address": address,
        "title": name,
        "description": f"Kept in the stream {stream}.",
        "parameters": {
            field: {"description": f"The message's `{field}`.", "location": f"$message.payload#/{field}"}
            for field in re.findall(r"{(\w+)}", address)
        },
        "messages": {kind_of(cls): {"$ref": f"#/components/messages/{kind_of(cls)}"} for cls in classes},
    }


def _operations(party: Party) -> Iterable[tuple[str, dict[str, Any]]]:
    for action, topics in (("receive", party.receives), ("send", party.sends)):
        classes = (cls for cls in PUBLISHED if cls in topics or channel_of(cls) in topics)
        for channel, messages in _by_channel(classes).items():
            yield (
                f"{party.name}.{action}.{channel}",
                {
                    "action": action,
                    "channel": {"$ref": f"#/channels/{channel}"},
                    "summary": f"{party.name} {action}s {channel}",
                    "messages": [{"$ref": f"#/channels/{channel}/messages/{kind_of(cls)}"} for cls in messages],
                    "tags": [{"$ref": f"#/components/tags/{party.name}"}],
                },
            )


def _message(cls: type[BaseModel]) -> dict[str, Any]:
    return {
        "name": kind_of(cls),
        "title": cls.__name__,
        "summary": (cls.__doc__ or "").split("\n\n")[0],
        "contentType": "application/json",
        "payload": {"$ref": f"#/components/schemas/{cls.__name__}"},
        "x-version": version_of(cls),
    }


def _schemas() -> dict[str, Any]:
    _, whole = models_json_schema(
        [(cls, "validation") for cls in PUBLISHED], ref_template="#/components/schemas/{model}"
    )
    schemas: dict[str, Any] = whole["$defs"]
    return {**schemas, **{cls.__name__: as_published(cls, schemas[cls.__name__]) for cls in PUBLISHED}}
