"""Targets and routes: which (provider, model) pairs there are, and which of them a call may go to."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:/@=,-]{1,200}$")]
Dollars = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Policy = Literal["cheapest", "fastest", "best", "spread"]


class Frozen(BaseModel):
    """A part of `models.yaml`; a field that is not known is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Price(Frozen):
    """US dollars per million tokens. Cached input costs as much as other input unless it has a price of its own."""

    input: Dollars
    output: Dollars
    cached_input: Dollars | None = None


class Limits(Frozen):
    """What the provider allows, over the whole fleet; None is without a limit."""

    requests_per_minute: Annotated[int, Field(ge=1)] | None = None
    tokens_per_minute: Annotated[int, Field(ge=1)] | None = None


class Capabilities(Frozen):
    """What a model can do. None: as its provider's preset says.

    `json_schema`: `strict` and `native` send the schema as structured output, `object` asks for any JSON object and
    puts the schema into the prompt, `none` puts it into the prompt only.
    """

    json_schema: Literal["strict", "native", "object", "none"] | None = None
    context_tokens: Annotated[int, Field(ge=1)] | None = None
    max_output_tokens: Annotated[int, Field(ge=1)] | None = None
    seed: bool | None = None


class Target(Frozen):
    """One (provider, model) pair that a call can go to.

    `provider` is a preset's name. The key comes from the environment variable `api_key_env` or from the file
    `api_key_file`, never from here. `family` tells models that err together apart from others (default: the provider's
    name); `quality` is from 0 to 100, as its owner judges it. `options` go to the provider (see docs/models.md).
    """

    name: Name
    provider: str
    model: str = ""
    base_url: str = ""
    api_key_env: str = ""
    api_key_file: Path | None = None
    capabilities: Capabilities = Capabilities()
    limits: Limits = Limits()
    price: Price | None = None
    quality: Annotated[int, Field(ge=0, le=100)] = 50
    family: str = ""
    options: dict[str, str | int | float | bool] = Field(default_factory=dict)

    @property
    def account(self) -> str:
        """What shares a breaker and limits: provider, place, model, who pays and the name of the key (not the key)."""
        key = self.api_key_env or (str(self.api_key_file) if self.api_key_file else "")
        places = [f"{name}={self.options[name]}" for name in _PLACES if name in self.options]
        return "|".join((self.provider, self.base_url, self.model or self.name, key, *places))


_PLACES = ("region", "endpoint", "profile", "project_id", "organization", "project")
"""Options that say where a call goes and who pays for it."""


class Hedge(Frozen):
    """A second call to another target when the first has said nothing after `after_s`; at most `share` of all calls."""

    after_s: Annotated[float, Field(gt=0)]
    share: Annotated[float, Field(gt=0, le=0.05)] = 0.05


class Route(Frozen):
    """Where calls go: `targets` by policy, then `fallback` in order when none of those can serve.

    A call takes the first route whose `roles` and `tasks` (kinds of command, e.g. `design_system`) hold it; an empty
    list holds all. `quality` is the floor of the policy `best`, which otherwise takes targets in order.
    """

    name: Name
    roles: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    policy: Policy = "best"
    targets: Annotated[tuple[Name, ...], Field(min_length=1)]
    fallback: tuple[Name, ...] = ()
    quality: Annotated[int, Field(ge=0, le=100)] = 0
    hedge: Hedge | None = None


class NoSuchTarget(LookupError):
    """Nothing is configured under that name; the message lists what is, and says how to add it."""
