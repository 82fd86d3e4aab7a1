"""Settings: one frozen value per process, read once from the environment (`FLOTILLA_…`) at the composition root."""

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from contracts.message import Token

Positive = Annotated[float, Field(gt=0)]
Money = Annotated[float, Field(ge=0, allow_inf_nan=False)] | None
Tokens = Annotated[int, Field(ge=0)] | None
Count = Annotated[int, Field(ge=1)]


class SandboxSettings(BaseModel):
    """Limits of the sandbox. `minimum` is the isolation below which it refuses to run code."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    minimum: Literal["none", "limits", "landlock", "bubblewrap"] = "landlock"
    cpu_s: Count = 60
    wall_s: Count = 120
    memory_mb: Count = 1024
    processes: Count = 64
    output_kb: Count = 256
    disk_mb: Count = 64
    open_files: Count = 256
    entries: Count = 10_000


class Settings(BaseSettings):
    """Every setting of a worker. Nested ones are joined by one underscore: `FLOTILLA_SANDBOX_MINIMUM`."""

    model_config = SettingsConfigDict(
        env_prefix="FLOTILLA_",
        env_ignore_empty=True,  # compose files and charts pass on what is not set as empty
        env_nested_delimiter="_",
        env_nested_max_split=1,
        frozen=True,
        extra="forbid",
    )

    nats_url: str = Field(
        default="nats://127.0.0.1:4222", description="where the broker is; several are joined by commas"
    )
    nats_creds: Path | None = Field(default=None, description="a NATS credentials file")
    nats_nkey_seed: Path | None = Field(default=None, description="a file that holds an nkey seed")
    prefix: Token = Field(default="flotilla", description="first token of every subject")
    tenant: Token = Field(default="default", description="the tenant of commands that name none")
    replicas: Annotated[int, Field(ge=1, le=5)] = Field(
        default=1, description="copies of every stream; 3 in production"
    )
    log_max_age_days: Count = Field(default=30, description="how long the log keeps facts")
    log_max_bytes: Count = Field(default=10 * 1024**3, description="when the log is full it refuses new facts")

    concurrency: Count = Field(default=16, description="deliveries that a worker holds at once")
    lease_s: Positive = Field(default=30.0, description="how long a delivery is held without a heartbeat")
    delivery_limit: Count = Field(default=20, description="deliveries of one message before it is a dead letter")
    publish_timeout_s: Positive = Field(
        default=60.0, description="how long a publish is retried while the broker is away"
    )
    drain_s: Positive = Field(default=20.0, description="how long a stopping worker may finish what it holds")

    model: str = Field(default="builtin", description="the target of roles when a run names none")
    models_file: Path | None = Field(default=None, description="targets and routes (models.yaml)")
    blueprint: Path | None = Field(
        default=None, description="which ballots runs have, and by which rules (blueprint.yaml)"
    )
    call_timeout_s: Positive = Field(default=600.0, description="one question to the models, fallbacks included")
    first_token_s: Positive = Field(default=180.0, description="how long a model may think before its first token")
    idle_token_s: Positive = Field(default=60.0, description="how long a model may pause within an answer")
    wait_in_place_s: Annotated[float, Field(ge=0)] = Field(
        default=5.0, description="a task that waits longer for models or budget is put back"
    )
    run_budget_usd: Money = Field(default=None, description="what a run that names no budget may spend")
    run_budget_tokens: Tokens = Field(default=None, description="the same in tokens, input and output together")
    daily_budget_usd: Money = Field(default=None, description="what a tenant may spend in a day (UTC)")
    daily_budget_tokens: Tokens = Field(default=None, description="the same in tokens")
    journal_completions: Literal["log", "none"] = Field(
        default="log", description="none keeps completions out of the log; a redelivered task then pays again"
    )
    otel: bool = Field(default=False, description="OpenTelemetry traces; needs the extra otel")
    prompts_dir: Path | None = Field(default=None, description="prompts to use in place of those that are shipped")
    extra_roles: Annotated[tuple[Token, ...], NoDecode] = Field(
        default=(), description="roles that programs of your own serve, joined by commas"
    )

    run_deadline_s: Count = Field(default=3_600, description="a run that names no deadline of its own")
    task_deadline_s: Count = Field(default=900, description="one attempt at a task of a project")
    ballot_deadline_s: Count = Field(default=3_600, description="a ballot that names no deadline of its own")
    max_attempts: Count = Field(default=3, description="attempts at a task")
    max_repairs: Annotated[int, Field(ge=0)] = Field(default=3, description="repairs of a project")
    max_tasks: Count = Field(default=200, description="tasks of a plan")

    signing_seed: SecretStr | None = Field(default=None, description="nkey seed (user) that signs capsules and votes")
    signing_seed_file: Path | None = Field(default=None, description="a file that holds it")
    sandbox: SandboxSettings = SandboxSettings()

    http_host: str = Field(default="127.0.0.1", description="where /healthz, /readyz and /metrics are served")
    http_port: Annotated[int, Field(ge=0, le=65_535)] = Field(default=0, description="0 serves none")
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "text"] = "json"

    @field_validator("extra_roles", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def without_password(url: str) -> str:
    """The address, or several joined by commas, as it may be shown; a scheme may be missing."""
    return re.sub(r"(^|,)(\s*(?:\w+://)?)[^,]*@", r"\1\2***@", url)
