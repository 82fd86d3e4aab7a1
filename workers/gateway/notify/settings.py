"""Who is told of waiting approvals: one YAML file, read strictly. Secrets stand in variables or files, never in it.

public_url: https://flotilla.example.org     # where links lead
token_keys: {file: token.keys}               # one a line, base64 of 32 bytes or more; the newest first
allow: [10.1.2.0/24]                         # private addresses that may be reached
endpoints:
  - {kind: webhook, name: ops, tenants: [acme], url: https://ops.example.org/hook, secrets: {env: OPS_SECRETS}}
  - {kind: slack, name: team, tenants: ["*"], gates: [release], url: {file: slack.url}}
  - {kind: email, name: leads, tenants: [acme], sender: fleet@example.org, to: [ann@example.org], relay: {host: mail}}
"""

from collections import Counter
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from contracts.message import Token
from workers.gateway.notify.addresses import Network, networks_of
from workers.gateway.notify.mail import BadAddress, address_of
from workers.gateway.notify.urls import AddressRefused, url_of

Tenants = Annotated[
    tuple[Annotated[str, StringConstraints(pattern=r"^(\*|[A-Za-z0-9_-]{1,64})$")], ...], Field(min_length=1)
]
Principal = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]


class Strict(BaseModel):
    """A part of the file. Unknown keys are faults, and faults don't repeat what was written."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Source(Strict):
    """Where a secret is: a variable of the environment, or a file (relative ones beside the settings)."""

    env: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,99}$")] | None = None
    file: Path | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.env is None) == (self.file is None):
            raise ValueError("name either env or file")
        return self


class _Endpoint(Strict):
    name: Token
    tenants: Tenants
    gates: tuple[Token, ...] = ()
    """Only these gates; all if there are none."""

    def wants(self, tenant: str, gate: str) -> bool:
        """Whether it is told of that gate."""
        return (tenant in self.tenants or "*" in self.tenants) and (not self.gates or gate in self.gates)


class WebhookEndpoint(_Endpoint):
    """A program that is told by signed webhook. Approvals by its links name `principal`; no links without one."""

    kind: Literal["webhook"]
    url: str | Source
    secrets: Source
    principal: Principal | None = None

    @field_validator("url")
    @classmethod
    def _plain(cls, url: "str | Source") -> "str | Source":
        return _checked(url)


class SlackEndpoint(_Endpoint):
    """A channel. Its address is a secret: who has it can write there. No links without a `principal`."""

    kind: Literal["slack"]
    url: Source
    principal: Principal | None = None


class RelaySettings(Strict):
    """The server that takes mail; with a user, a password as well."""

    host: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:-]{1,253}$")]
    port: Annotated[int, Field(ge=1, le=65_535)] = 587
    security: Literal["tls", "starttls", "none"] = "starttls"
    user: Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")] = ""
    password: Source | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if bool(self.user) != (self.password is not None):
            raise ValueError("a user needs a password, and a password a user")
        if self.user and self.security == "none":
            raise ValueError("a password is sent only with security tls or starttls")
        return self


class EmailEndpoint(_Endpoint):
    """People who are told by e-mail, each in a message with links of their own; approvals name their address."""

    kind: Literal["email"]
    sender: str
    to: Annotated[tuple[str, ...], Field(min_length=1, max_length=100)]
    relay: RelaySettings

    @field_validator("sender", "to")
    @classmethod
    def _addresses(cls, given: "str | tuple[str, ...]") -> "str | tuple[str, ...]":
        for text in (given,) if isinstance(given, str) else given:
            try:
                address_of(text)
            except BadAddress as error:
                raise ValueError(str(error)) from None
        return given


Endpoint = Annotated[WebhookEndpoint | SlackEndpoint | EmailEndpoint, Field(discriminator="kind")]


class Notifications(Strict):
    """The whole file."""

    public_url: str
    token_keys: Source
    allow: tuple[str, ...] = ()
    endpoints: Annotated[tuple[Endpoint, ...], Field(max_length=200)] = ()

    @field_validator("public_url")
    @classmethod
    def _page(cls, url: str) -> str:
        if "#" in url or "?" in url:
            raise ValueError("the public address has no ? and no #")
        _checked(url)
        return url.rstrip("/")

    @field_validator("allow")
    @classmethod
    def _networks(cls, allow: tuple[str, ...]) -> tuple[str, ...]:
        networks_of(allow)
        return allow

    @model_validator(mode="after")
    def _unlike(self) -> Self:
        twice = [name for name, times in Counter(each.name for each in self.endpoints).items() if times > 1]
        if twice:
            raise ValueError(f"two endpoints have the name {twice[0]}; give each its own")
        return self

    @property
    def allowed(self) -> tuple[Network, ...]:
        """The allow-list as networks."""
        return networks_of(self.allow)


def _checked(url: "str | Source") -> "str | Source":
    if isinstance(url, str):
        try:
            url_of(url)
        except AddressRefused as error:
            raise ValueError(str(error)) from None
    return url
