"""What the orchestrator holds runs to: limits and the roles that there are."""

from dataclasses import dataclass

from contracts.v1.tasks import RoleBrief


@dataclass(frozen=True)
class Policy:
    """`roles` may be planned; deadlines are in seconds; `max_repairs` counts repairs of a whole run."""

    roles: tuple[RoleBrief, ...]
    run_deadline_s: int = 3_600
    task_deadline_s: int = 900
    max_attempts: int = 3
    max_repairs: int = 3
    max_tasks: int = 200
