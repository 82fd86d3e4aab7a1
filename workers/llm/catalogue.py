"""The targets and routes that this fleet can call, and which of them is meant by a name.

A name is one of four things: a target of `models.yaml`, a route of it, `builtin[:options]`, or `<provider>:<model>`,
which makes a target ad hoc with everything else as the provider's preset says. Without a file only the last two are
there. An empty name takes the first route that holds the role and the kind of task; without one, the fleet's default.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

from workers.llm.models_file import NEEDS_ADDRESS, BadModels, Read, builtin_options, check_builtin, meant, read_models
from workers.llm.presets import PRESETS, Preset
from workers.llm.targets import Capabilities, NoSuchTarget, Route, Target

__all__ = ["BadModels", "Catalogue", "KeyMissing", "builtin_text", "usable_presets"]

AD_HOC_KEPT = 256
_NAME = re.compile(r"[A-Za-z0-9_.:/@=,-]{1,200}")


class KeyMissing(LookupError):
    """A target's key is not there; the message names the target and where the key was looked for, never a key."""


@dataclass(frozen=True)
class Catalogue:
    """What is configured. `source` is the file, None without one; `targets` and `routes` are in the file's order."""

    targets: Mapping[str, Target] = field(default_factory=dict)
    routes: tuple[Route, ...] = ()
    source: Path | None = None

    @classmethod
    def load(cls, path: Path | None) -> "Catalogue":
        """Read `models.yaml`; None is the default without targets. Raises `BadModels` with every fault."""
        if path is None:
            return cls()
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise BadModels(
                str(path), [f"it can't be read: {why}; name another file in FLOTILLA_MODELS_FILE"]
            ) from None
        read: Read = read_models(text, str(path), _is_ad_hoc)
        return cls(MappingProxyType(read.targets), read.routes, path)

    def target(self, name: str) -> Target:
        """The target of that name, of the file or ad hoc; raises `NoSuchTarget`."""
        found = self.targets.get(name)
        return found if found is not None else self._ad_hoc(name)

    def route(self, asked: str, default: str, role: str = "", task_kind: str = "") -> Route:
        """Where a call goes. `asked` is what the task names, `default` the fleet's setting; a single target is a
        route of itself. Raises `NoSuchTarget`."""
        if not asked:
            held = next((route for route in self.routes if holds(route, role, task_kind)), None)
            if held is not None:
                return held
        name = asked or default
        named = next((route for route in self.routes if route.name == name), None)
        return named or _alone(self.target(name).name)

    def preset_of(self, target: Target) -> Preset:
        """The preset of its provider."""
        return PRESETS[target.provider]

    def capabilities_of(self, target: Target) -> Capabilities:
        """What it can do: its own words over those of its preset. No field is None that the preset fills."""
        own = {name: value for name, value in target.capabilities if value is not None}
        return PRESETS[target.provider].capabilities.model_copy(update=own)

    def family_of(self, target: Target) -> str:
        """What it errs together with."""
        return target.family or PRESETS[target.provider].family or target.provider

    def key_of(self, target: Target, environment: Mapping[str, str]) -> str:
        """Its key: from the file or variable that it names, else from its preset's variable; "" where none is needed.

        A relative `api_key_file` stands in the folder of models.yaml. Raises `KeyMissing`.
        """
        preset = PRESETS[target.provider]
        if target.api_key_file is not None:
            folder = self.source.parent if self.source else Path()
            return _checked(_content(folder / target.api_key_file, target), f"{target.api_key_file}", target)
        variable = target.api_key_env or preset.key_env
        key = environment.get(variable, "").strip() if variable else ""
        if key:
            return _checked(key, variable, target)
        if preset.key_needed or target.api_key_env:
            raise KeyMissing(f"target {target.name} has no key: set the environment variable {variable}")
        return ""

    def _ad_hoc(self, name: str) -> Target:
        try:
            return _ad_hoc(name)
        except ValueError as error:
            raise NoSuchTarget(_absent(name, str(error).rstrip("."), self)) from None


def holds(route: Route, role: str, task_kind: str) -> bool:
    """Whether a route is for that role and kind of task."""
    return (not route.roles or role in route.roles) and (not route.tasks or task_kind in route.tasks)


def usable_presets(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Presets whose key variable is set: `<preset>:<model>` works with them as it is."""
    return tuple(name for name, preset in PRESETS.items() if preset.key_env and environment.get(preset.key_env))


def builtin_text(target: Target) -> str:
    """What a target of the built-in model asks of it: `builtin:error=0.2`. Its name says it, or its options."""
    return target.name if target.name.partition(":")[0] == "builtin" else builtin_options(target.options)


@lru_cache(maxsize=512)
def _alone(target: str) -> Route:
    return Route(name=target, targets=(target,))


@lru_cache(maxsize=AD_HOC_KEPT)
def _ad_hoc(name: str) -> Target:
    """The target that a name makes by itself; raises `ValueError` with what is wrong with it."""
    provider, _, model = name.partition(":")
    if not _NAME.fullmatch(name):
        raise ValueError("a name has 1 to 200 characters of A-Z a-z 0-9 _ . : / @ = , -")
    if provider == "builtin":
        check_builtin(name)
        return Target(name=name, provider=provider)
    if provider not in PRESETS:
        raise ValueError("")
    if provider in NEEDS_ADDRESS:
        raise ValueError(f"{provider} needs the address of your endpoint (base_url)")
    if not model:
        raise ValueError(f"name a model of {provider} as well: {provider}:<model>")
    return Target(name=name, provider=provider, model=model)


def _is_ad_hoc(name: str) -> bool:
    try:
        _ad_hoc(name)
    except ValueError:
        return False
    return True


def _absent(name: str, why: str, catalogue: Catalogue) -> str:
    there = [*catalogue.targets, *(route.name for route in catalogue.routes)]
    shown = name if len(name) <= 100 else name[:100] + "…"
    file = str(catalogue.source) if catalogue.source else "a models file (FLOTILLA_MODELS_FILE)"
    parts = [
        f"there is no model target {shown!r}{meant(name, there)}",
        why,
        f"there are {_listed(there)}builtin, and <provider>:<model> with {', '.join(_without_address())}",
        f"add a target to {file} for anything else",
    ]
    return "; ".join(part for part in parts if part)


def _listed(names: Iterable[str]) -> str:
    return "".join(f"{name}, " for name in names)


def _without_address() -> list[str]:
    return [name for name in PRESETS if name != "builtin" and name not in NEEDS_ADDRESS]


def _content(path: Path, target: Target) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise KeyMissing(f"target {target.name} has no key: {path} can't be read ({why})") from None


def _checked(key: str, place: str, target: Target) -> str:
    """The key if it can stand in a header; an SDK that can't send it might show it."""
    if not key:
        raise KeyMissing(f"target {target.name} has no key: {place} is empty")
    if not (key.isascii() and key.isprintable() and " " not in key):
        raise KeyMissing(f"the key of target {target.name} has characters that no key has; look at {place}")
    return key
