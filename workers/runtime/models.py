"""Targets by name: `<provider>` or `<provider>:<options>`; an empty name is the fleet's default."""

from collections.abc import Callable, Mapping
from functools import lru_cache

from workers.llm.model import Model
from workers.runtime.errors import Impossible

Maker = Callable[[str], Model]
"""Makes the model of a whole target text; raises `ValueError` for options that it does not know."""


def _builtin(target: str) -> Model:
    from workers.llm.builtin import BuiltinModel  # noqa: PLC0415 - only fleets that use it pay for the import

    return BuiltinModel(target)


PROVIDERS: Mapping[str, Maker] = {"builtin": _builtin}


class Models:
    """The models that this fleet can call. One target keeps one model, so that clients are reused."""

    def __init__(self, default: str, providers: Mapping[str, Maker] = PROVIDERS) -> None:
        self._default, self._providers = default, providers
        self._made = lru_cache(maxsize=64)(self._make)

    def named(self, target: str) -> Model:
        """The model of that target; raises `Impossible` when there is none."""
        return self._made(target or self._default)

    def _make(self, target: str) -> Model:
        make = self._providers.get(target.partition(":")[0])
        if make is None:
            known = ", ".join(sorted(self._providers))
            raise Impossible(f"there is no model target {target!r}; known are {known} (with options: <name>:<options>)")
        try:
            return make(target)
        except ValueError as error:
            raise Impossible(f"the model target {target!r} can't be used: {error}") from error
