"""JSON Schemas of what may be published: one file for each message, in the version that is written today.

    python -m contracts.schema_files

writes `contracts/schemas/<kind>.v<version>.json`. A schema describes the payload as a client sends it:
`kind` and `version` must be said; what the subject says may be left out, and unknown fields are ignored.
"""

import json
import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from contracts.codec import MESSAGES
from contracts.message import Message
from contracts.prompt_facts import prompts_subject
from contracts.subjects import NOUNS, PREFIX
from contracts.v1.failures import DeadLetter
from contracts.v1.prompts import PROMPT_FACTS, PromptFact

PUBLISHED: tuple[type[BaseModel], ...] = (*MESSAGES, *PROMPT_FACTS, DeadLetter)
"""Every message of the bus; facts about prompts and dead letters are not in the log."""

SCHEMAS = Path(__file__).parent / "schemas"


def kind_of(cls: type[BaseModel]) -> str:
    """The `kind` that payloads of this message say."""
    return str(cls.model_fields["kind"].default)


def version_of(cls: type[BaseModel]) -> int:
    """The `version` that payloads of this message say."""
    return int(cls.model_fields["version"].default)


def identity_of(cls: type[BaseModel]) -> tuple[str, ...]:
    """The fields of a message that its subject says, in order."""
    if issubclass(cls, PromptFact):
        return ("role", "name", *cls.names)
    return ("tenant", "run", *NOUNS[cls.noun]) if issubclass(cls, Message) else ()


def subject_template(cls: type[BaseModel], prefix: str = PREFIX) -> str:
    """The subject with the fields of the message in braces, e.g. `flotilla.{tenant}.{run}.result.{task}`."""
    if issubclass(cls, PromptFact):
        return prompts_subject(prefix, "{role}", "{name}", cls.noun, *(f"{{{field}}}" for field in cls.names))
    if not issubclass(cls, Message):
        return f"{prefix}-dead.{{worker}}"
    names = (f"{{{field}}}" for field in NOUNS[cls.noun])
    return ".".join((prefix, "{tenant}", "{run}", cls.noun, *names))


def as_published(cls: type[BaseModel], schema: dict[str, Any]) -> dict[str, Any]:
    """pydantic's schema of a message, with the fields required that a payload must state and no others."""
    required = {"kind", "version", *schema.get("required", ())} - set(identity_of(cls))
    return {**schema, "required": [field for field in schema["properties"] if field in required]}


def schema_of(cls: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema (2020-12) of one message, with all that it refers to."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "x-subject": subject_template(cls),
        **as_published(cls, cls.model_json_schema()),
    }


def schema_files() -> dict[str, str]:
    """The text of every schema by file name."""
    return {
        f"{kind_of(cls)}.v{version_of(cls)}.json": json.dumps(schema_of(cls), indent=2, ensure_ascii=False) + "\n"
        for cls in PUBLISHED
    }


def main() -> None:
    """Write what differs; schemas of older versions stay as they are."""
    SCHEMAS.mkdir(exist_ok=True)
    for name, text in schema_files().items():
        path = SCHEMAS / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            sys.stdout.write(f"{name}\n")


if __name__ == "__main__":
    main()
