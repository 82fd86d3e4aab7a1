"""The roles that there are: found as packages under `workers/roles`, so that a new one is named nowhere else."""

import pkgutil
from functools import lru_cache
from importlib import import_module

from contracts.v1.tasks import RoleBrief
from workers.runtime.role import Role
from workers.runtime.settings import Settings

SERVICE_ROLES = ("workers.packager.worker", "workers.prompt_lab.worker", "workers.sandbox.worker")
"""Roles that do no work of a project's own; they live beside the workers that they are."""


@lru_cache(maxsize=1)
def roles() -> tuple[Role, ...]:
    """Every role of this installation, by name."""
    thinking = import_module("workers.roles")
    names = [f"workers.roles.{found.name}.worker" for found in pkgutil.iter_modules(thinking.__path__) if found.ispkg]
    found: list[Role] = [import_module(name).role for name in (*names, *SERVICE_ROLES)]
    return tuple(sorted(found, key=lambda role: role.name))


def role_names(settings: Settings) -> tuple[str, ...]:
    """The names of all roles, those served by programs of one's own included."""
    return tuple(sorted({*(role.name for role in roles()), *settings.extra_roles}))


def briefs(settings: Settings) -> tuple[RoleBrief, ...]:
    """What a plan's author is told of the roles."""
    own = [RoleBrief(name=name, purpose="a role of this installation") for name in settings.extra_roles]
    return (*(RoleBrief(name=role.name, purpose=role.purpose) for role in roles()), *own)
