"""Orders to the prompt lab: the instruction of a task for it, as JSON. They are no messages of their own."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, TypeAdapter

from contracts.message import Value
from contracts.v1.prompts import Metric, Number
from contracts.v1.runs import TargetName


class EvaluatePrompt(Value):
    """What a task's instruction asks of the prompt lab, as JSON: replay cases with versions of a template.

    `cases` is `last-<n>`, or the SHA-256 of an artifact with pinned cases. `versions` are versions or labels; none is
    the live one. `target` is who answers; empty is who answered then.
    """

    kind: Literal["evaluate_prompt"] = "evaluate_prompt"
    template: str
    versions: Annotated[tuple[str, ...], Field(max_length=5)] = ()
    cases: Annotated[str, StringConstraints(pattern=r"^(last-[1-9][0-9]{0,3}|[0-9a-f]{64})$")] = "last-50"
    target: TargetName = ""
    metric: Metric = "valid"


class RevisePrompt(Value):
    """What a task's instruction asks of the prompt lab, as JSON: revise a template, attempt `n`."""

    kind: Literal["revise_prompt"] = "revise_prompt"
    template: str
    n: Number


_ORDER: TypeAdapter[EvaluatePrompt | RevisePrompt] = TypeAdapter(
    Annotated[EvaluatePrompt | RevisePrompt, Field(discriminator="kind")]
)


def lab_order(instruction: str) -> EvaluatePrompt | RevisePrompt:
    """The order in a task's instruction; raises `pydantic.ValidationError`."""
    return _ORDER.validate_json(instruction)
