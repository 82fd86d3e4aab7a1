"""What the orchestrator holds runs to: limits and the roles that there are."""

from dataclasses import dataclass

from contracts.v1.budgets import Budget
from contracts.v1.tasks import RoleBrief


@dataclass(frozen=True)
class Policy:
    """`roles` may be planned; deadlines are in seconds; `max_repairs` counts repairs of a whole run.

    `run_budget_usd` and `run_budget_tokens` are what a run may spend that says nothing else; None is without a limit.
    """

    roles: tuple[RoleBrief, ...]
    run_deadline_s: int = 3_600
    task_deadline_s: int = 900
    max_attempts: int = 3
    max_repairs: int = 3
    max_tasks: int = 200
    run_budget_usd: float | None = None
    run_budget_tokens: int | None = None

    def budget(self, asked: Budget | None) -> Budget | None:
        """What a run may spend that asked for this much: its own word on each field, else the fleet's."""
        own = asked or Budget()
        usd = self.run_budget_usd if own.usd is None else own.usd
        tokens = self.run_budget_tokens if own.tokens is None else own.tokens
        return None if usd is None and tokens is None else Budget(usd=usd, tokens=tokens)
