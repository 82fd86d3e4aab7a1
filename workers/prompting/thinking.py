"""Thinking before answering: the reply gets a field `reasoning`, its first one, which nobody but the journal keeps.

none    the reply as it is
brief   a few sentences on what matters, then the answer
plan    the steps that lead to the answer, then the answer that follows them
"""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic_core import from_json, to_json

Thinking = Literal["none", "brief", "plan"]

FIELD = "reasoning"

_ASKED: Mapping[Thinking, str] = {
    "none": "",
    "brief": (
        "## Thinking\n\n"
        "Your answer begins with the field `reasoning`: think there, in two to six sentences, about what decides this "
        "task and\nwhat could go wrong with it. Then answer in the other fields. Nobody reads `reasoning` but you: "
        "whatever is to be\nknown belongs into the other fields."
    ),
    "plan": (
        "## Thinking\n\n"
        "Your answer begins with the field `reasoning`: write a plan there, the numbered steps that lead to the "
        "answer, each with\nwhat it has to hold to, and check the plan against everything above. Then answer in the "
        "other fields, step by step as\nplanned. Nobody reads `reasoning` but you: whatever is to be known belongs "
        "into the other fields."
    ),
}
_DESCRIBED: Mapping[Thinking, str] = {
    "brief": "What decides this task and what could go wrong with it, in two to six sentences. Comes first.",
    "plan": "The numbered steps that lead to the answer, and what each has to hold to. Comes first.",
}


class NoReasoning(ValueError):
    """The answer has no text in the field `reasoning`."""


def asked_for(thinking: Thinking) -> str:
    """What the system section says of it; empty for none."""
    return _ASKED[thinking]


def with_reasoning(schema: Mapping[str, Any], thinking: Thinking) -> dict[str, Any]:
    """The JSON Schema of a reply with the field as its first. One that has such a field of its own keeps that one."""
    whole = dict(schema)
    if thinking == "none" or FIELD in whole.get("properties", {}):
        return whole
    field = {"title": "Reasoning", "type": "string", "minLength": 1, "description": _DESCRIBED[thinking]}
    whole["properties"] = {FIELD: field, **whole.get("properties", {})}
    whole["required"] = [FIELD, *whole.get("required", [])]
    return whole


def without_reasoning(text: str) -> str:
    """The answer as JSON without the field. Text that is no JSON object comes back as it is.

    Raises `NoReasoning`.
    """
    try:
        answer = from_json(text)
    except ValueError:
        return text
    if not isinstance(answer, dict):
        return text
    said = answer.pop(FIELD, None)
    if not isinstance(said, str) or not said.strip():
        raise NoReasoning(f"{FIELD}: must be there, a text, before the other fields")
    return to_json(answer).decode()
