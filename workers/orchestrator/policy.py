"""What the orchestrator holds runs to: limits and the roles that there are."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from contracts.v1.budgets import Budget
from contracts.v1.tasks import RoleBrief
from workers.orchestrator.blueprint import Blueprint


@dataclass(frozen=True)
class Policy:
    """`roles` may be planned; deadlines are in seconds; `max_repairs` counts repairs of a whole run.

    `run_budget_usd` and `run_budget_tokens` are what a run may spend that says nothing else; None is without a limit.
    `families` says of targets which of them err together; the fleet's default target is named "".
    """

    roles: tuple[RoleBrief, ...]
    run_deadline_s: int = 3_600
    task_deadline_s: int = 900
    max_attempts: int = 3
    max_repairs: int = 3
    max_tasks: int = 200
    run_budget_usd: float | None = None
    run_budget_tokens: int | None = None
    blueprint: Blueprint = field(default_factory=Blueprint)
    families: Mapping[str, str] = field(default_factory=dict)

    def budget(self, asked: Budget | None) -> Budget | None:
        """What a run may spend that asked for this much: its own word on each field, else the fleet's."""
        own = asked or Budget()
        usd = self.run_budget_usd if own.usd is None else own.usd
        tokens = self.run_budget_tokens if own.tokens is None else own.tokens
        return None if usd is None and tokens is None else Budget(usd=usd, tokens=tokens)
