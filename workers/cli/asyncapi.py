"""The AsyncAPI 3 document of the bus, made from the contracts: every noun a channel, every message in it.

Whoever speaks NATS may say any of these under its name; the log keeps the first of each.
"""

from typing import Any

from contracts.codec import MESSAGES
from contracts.message import Message
from contracts.subjects import NOUNS

REF = "#/components/{part}/{name}"
ABOUT = (
    "Every fact of a run is a message in one JetStream stream, LOG, whose subject is its identity: "
    "a name is accepted once, and a second publish is refused with error 10077, which means: already said. "
    "Publish to run.requested to start a run, and subscribe to {prefix}.<tenant>.<run>.> to follow it."
)
TOKEN = "1 to 64 characters of A-Z a-z 0-9 _ -"


def document(prefix: str, version: str) -> dict[str, Any]:
    """The document as JSON values."""
    by_noun: dict[str, list[type[Message]]] = {noun: [] for noun in NOUNS}
    for message in MESSAGES:
        by_noun[message.noun].append(message)
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Flotilla", "version": version, "description": ABOUT.format(prefix=prefix)},
        "defaultContentType": "application/json",
        "channels": {_channel_name(noun): _channel(prefix, noun, messages) for noun, messages in by_noun.items()},
        "operations": _operations(by_noun),
        "components": {"messages": {_kind(message): _message(message) for message in MESSAGES}, "schemas": _schemas()},
    }


def _channel_name(noun: str) -> str:
    return noun.replace(".", "_")


def _channel(prefix: str, noun: str, messages: list[type[Message]]) -> dict[str, Any]:
    fields = ("tenant", "run", *NOUNS[noun])
    names = "".join(f".{{{field}}}" for field in NOUNS[noun])
    return {
        "address": f"{prefix}.{{tenant}}.{{run}}.{noun}{names}",
        "parameters": {field: {"description": f"{field}: {TOKEN}"} for field in fields},
        "messages": {_kind(message): {"$ref": _ref("messages", _kind(message))} for message in messages},
    }


def _operations(by_noun: dict[str, list[type[Message]]]) -> dict[str, Any]:
    """Anybody may follow everything; `send` is what clients say themselves."""
    from_clients = ("run.requested", "run.cancel", "vote", "approval")
    follow = {
        f"follow_{_channel_name(noun)}": {
            "action": "receive",
            "channel": {"$ref": f"#/channels/{_channel_name(noun)}"},
            "summary": f"Learn of every {noun}.",
        }
        for noun in by_noun
    }
    say = {
        f"say_{_channel_name(noun)}": {
            "action": "send",
            "channel": {"$ref": f"#/channels/{_channel_name(noun)}"},
            "summary": f"Say a {noun}; the first under its name counts.",
        }
        for noun in from_clients
    }
    return {**say, **follow}


def _message(message: type[Message]) -> dict[str, Any]:
    return {
        "name": _kind(message),
        "title": message.__name__,
        "summary": " ".join((message.__doc__ or "").split()),
        "contentType": "application/json",
        "payload": {"$ref": _ref("schemas", message.__name__)},
    }


def _schemas() -> dict[str, Any]:
    """All schemas side by side; parts that several messages share appear once."""
    found: dict[str, Any] = {}
    for message in MESSAGES:
        schema = message.model_json_schema(ref_template=_ref("schemas", "{model}"))
        found.update(schema.pop("$defs", {}))
        found[message.__name__] = schema
    return found


def _kind(message: type[Message]) -> str:
    return str(message.model_fields["kind"].default)


def _ref(part: str, name: str) -> str:
    return REF.format(part=part, name=name)
