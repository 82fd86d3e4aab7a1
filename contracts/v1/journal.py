"""The journal: each model call is a fact, so a redelivered task reads it instead of calling again."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from contracts.message import Attempt, Fact, Token, Value
from contracts.v1.projects import Sha256

MAX_INLINE_COMPLETION = 65_536
"""Characters; a longer completion is kept as an artifact."""

CallNumber = Annotated[int, Field(ge=1, le=1_000)]


class Call(Value):
    """A model call as results cite it. `entry` is the name of its journal fact within the run."""

    entry: str
    target: str
    prompt: str
    prompt_version: str
    input_tokens: int
    output_tokens: int
    cost_usd: float | None


class Try(Value):
    """A call to a target that gave no answer. `kind` is the class of what went wrong, `reason` says more."""

    target: str
    kind: str
    reason: Annotated[str, StringConstraints(max_length=500)] = ""


class ModelCalled(Fact):
    """One completed model call: who was asked what with which prompt, and what it said.

    `latency_ms` runs from request to the whole completion. `completion` is the text, unless it is
    longer than `MAX_INLINE_COMPLETION`: then `completion_artifact` holds it. With `withheld` the fleet keeps
    completions out of the log, and only `completion_sha256` is there.

    `asked` is the target or route that was asked for and `target` the one that answered; `tries` are those that gave
    no answer before it. `finish` is the provider's own word for `stop`. `input_tokens` include the cached ones,
    `output_tokens` those of reasoning. With `lost` the call was cut off because another one answered first; then, and
    wherever the provider did not say what it counted, `estimated` is set and tokens and cost are upper bounds.
    """

    noun: ClassVar[str] = "llm"

    kind: Literal["model_called"] = "model_called"
    version: Literal[1] = 1
    task: Token
    attempt: Attempt
    n: CallNumber
    role: Token
    target: str
    prompt: str
    prompt_version: str
    request_sha256: Sha256
    input_tokens: Annotated[int, Field(ge=0)]
    output_tokens: Annotated[int, Field(ge=0)]
    cost_usd: float | None = None
    latency_ms: Annotated[float, Field(ge=0)] = 0.0
    stop: Literal["end", "length", "refusal"] = "end"
    completion: Annotated[str, StringConstraints(max_length=MAX_INLINE_COMPLETION)] = ""
    completion_artifact: Sha256 | None = None
    completion_sha256: Sha256 | None = None
    withheld: bool = False
    asked: str = ""
    finish: str = ""
    parameters: dict[str, int | float | str | bool] = Field(default_factory=dict)
    cached_input_tokens: Annotated[int, Field(ge=0)] = 0
    reasoning_tokens: Annotated[int, Field(ge=0)] = 0
    first_token_ms: Annotated[float, Field(ge=0)] | None = None
    tries: Annotated[tuple[Try, ...], Field(max_length=50)] = ()
    estimated: bool = False
    lost: bool = False

    def cited(self) -> Call:
        """The entry as results cite it."""
        return Call(
            entry=f"llm.{self.task}.{self.attempt}.{self.n}",
            target=self.target,
            prompt=self.prompt,
            prompt_version=self.prompt_version,
            input_tokens=self.input_tokens,
            output_tokens=self.output_tokens,
            cost_usd=self.cost_usd,
        )
