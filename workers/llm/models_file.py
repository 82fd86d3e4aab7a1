"""`models.yaml` as it is read: YAML to targets and routes, and every fault in it with its path and what to do.

targets:                # by name
  sonnet: {provider: anthropic, model: claude-sonnet-4-5, quality: 85}
routes:                 # a list: the first that holds role and kind of task is taken
  - {name: design, roles: [architect], targets: [sonnet]}
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from math import isinf
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from pydantic import BaseModel, ValidationError

from workers.llm.presets import PRESETS
from workers.llm.targets import Capabilities, Hedge, Limits, Price, Route, Target
from workers.llm.yaml_mapping import NoMapping, mapping_in

PARTS: dict[str, type[BaseModel]] = {"capabilities": Capabilities, "limits": Limits, "price": Price, "hedge": Hedge}
NEEDS_ADDRESS = frozenset({"compatible", "azure"})
"""Presets that can't know where their endpoint is."""

_SECRET = re.compile(r"(key|token|secret|password|authorization|credentials)$", re.IGNORECASE)
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*|[a-z_][a-z0-9_]*")


class BadModels(ValueError):
    """The file can't be used. `faults` has a sentence for each: path in the file, what is wrong, what to do."""

    def __init__(self, source: str, faults: list[str]) -> None:
        self.source, self.faults = source, tuple(faults)
        super().__init__("\n  ".join([f"{source} can't be used:", *faults]))


class Read(NamedTuple):
    """What a file says, in its order."""

    targets: dict[str, Target]
    routes: tuple[Route, ...]


def read_models(text: str, source: str, is_ad_hoc: Callable[[str], bool]) -> Read:
    """Targets and routes of a file's text. `is_ad_hoc` tells which names work without being in it.

    Raises `BadModels` with all faults; a fault of YAML itself comes alone, because nothing can be read after it.
    """
    content = _loaded(text, source)
    faults = [
        f"{key}: unknown part; a models file has targets and routes" for key in content if key not in Read._fields
    ]
    bodies, listed = content.get("targets") or {}, content.get("routes") or []
    if not isinstance(bodies, dict):
        faults.append("targets: must be a mapping of names to targets, like `fast: {provider: groq, model: …}`")
        bodies = {}
    if not isinstance(listed, list):
        faults.append("routes: must be a list, like `- {name: design, roles: [architect], targets: [fast]}`")
        listed = []
    targets = {str(name): _target(name, body, faults) for name, body in bodies.items()}
    routes = [_route(place, body, faults) for place, body in enumerate(listed)]
    faults += [*_clashes(set(targets), listed), *_strangers(set(targets), listed, is_ad_hoc)]
    if faults:
        raise BadModels(source, faults)
    return Read({name: found for name, found in targets.items() if found}, tuple(route for route in routes if route))


def _loaded(text: str, source: str) -> dict[str, Any]:
    try:
        content = mapping_in(text, "`targets:` and `routes:`")
    except NoMapping as error:
        raise BadModels(source, [str(error)]) from None
    if content is None:
        raise BadModels(source, ["the file is empty; it needs targets, or name no file to do without"])
    return content


def _target(name: Any, body: Any, faults: list[str]) -> Target | None:
    path = f"targets.{name}"
    if not isinstance(name, str):
        faults.append(f"{path}: a name must be text; put it into quotes")
        return None
    if not isinstance(body, dict):
        faults.append(f"{path}: must be a mapping, like {{provider: groq, model: llama-3.3-70b-versatile}}")
        return None
    found = [*_secrets(path, body), *_addresses(path, body), *_provider(path, body), *_rates(path, body)]
    if "name" in body:
        found.append(f"{path}.name: unknown field; the name is the key, {name!r}")
    plain = {key: value for key, value in body.items() if not (key == "name" or _is_secret(key))}
    made, wrong = _validated(Target, {"name": name, **plain}, path)
    # What was said in better words above is not said again.
    said = tuple(fault.split(": ")[0] for fault in found)
    faults += found + [fault for fault in wrong if fault.split(": ")[0] not in said]
    return None if found or wrong else made


def _route(place: int, body: Any, faults: list[str]) -> Route | None:
    path = f"routes[{place}]"
    if not isinstance(body, dict):
        faults.append(f"{path}: must be a mapping, like {{name: design, roles: [architect], targets: [fast]}}")
        return None
    made: Route | None
    made, wrong = _validated(Route, body, path)
    faults += wrong
    return made


def _validated(model: type[BaseModel], body: Mapping[Any, Any], path: str) -> tuple[Any, list[str]]:
    """The value and no fault, or None and all faults."""
    odd = [f"{path}.{key}: a field's name must be text" for key in body if not isinstance(key, str)]
    if odd:
        return None, odd
    try:
        return model.model_validate(body), []
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_input=False)
        return None, list(
            dict.fromkeys(_fault(model, path, tuple(one["loc"]), one["type"], one["msg"]) for one in wrong)
        )


def _fault(model: type[BaseModel], path: str, place: tuple[int | str, ...], kind: str, said: str) -> str:
    if place[:1] == ("options",) and len(place) > 1:
        return f"{path}.options.{place[1]}: must be text, a number, true or false"
    where = path + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    if kind == "missing":
        return f"{where}: is missing; add it"
    if kind == "extra_forbidden":
        known = PARTS.get(str(place[-2]), model) if len(place) > 1 else model
        fields = [field for field in known.model_fields if not (known is Target and field == "name")]
        return f"{where}: unknown field{meant(str(place[-1]), fields)}; there are {', '.join(fields)}"
    if kind == "too_short":
        return f"{where}: names nothing; name at least one target"
    if kind == "string_pattern_mismatch":
        named = where.removesuffix(".name") if model is Target else where
        return f"{named}: use 1 to 200 characters of A-Z a-z 0-9 _ . : / @ = , -"
    return f"{where}: {said[:1].lower()}{said[1:]}"


def _is_secret(key: Any) -> bool:
    return isinstance(key, str) and bool(_SECRET.search(key))


def _secrets(path: str, body: Mapping[Any, Any]) -> Iterator[str]:
    """Keys belong into the environment or into files of their own; the file is shared and shown."""
    options = body.get("options")
    places = [(f"{path}.{key}", key) for key in body]
    places += [(f"{path}.options.{key}", key) for key in options] if isinstance(options, dict) else []
    for where, key in places:
        if _is_secret(key):
            yield f"{where}: refused; put it into an environment variable and name that in api_key_env"
    variable = body.get("api_key_env")
    if isinstance(variable, str) and variable and not (_VARIABLE.fullmatch(variable) and len(variable) <= 100):
        yield f"{path}.api_key_env: is no name of an environment variable; give its name, never the key itself"
    if body.get("api_key_env") and body.get("api_key_file"):
        yield f"{path}.api_key_file: api_key_env names the key already; keep one of them"


def _addresses(path: str, body: Mapping[Any, Any]) -> Iterator[str]:
    """What is wrong with base_url, which is shown and shared: so it must hold no secret."""
    url = body.get("base_url")
    if not isinstance(url, str) or not url:
        if body.get("provider") in NEEDS_ADDRESS:
            yield f"{path}.base_url: is missing; {body['provider']} needs the address of your endpoint"
        return
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname is not None and parts.port != 0
    except ValueError:
        yield f"{path}.base_url: is no address; it looks like https://host/v1"
        return
    if "@" in parts.netloc:
        yield f"{path}.base_url: has a user or password; put the key into an environment variable (api_key_env)"
    elif not usable:
        yield f"{path}.base_url: is no address; it looks like https://host/v1"
    elif parts.query or parts.fragment:
        yield f"{path}.base_url: must end before `?` and `#`; what a provider needs besides goes into options"


def _provider(path: str, body: Mapping[Any, Any]) -> Iterator[str]:
    provider = body.get("provider")
    if not isinstance(provider, str):
        if provider is None:
            yield f"{path}.provider: is missing; there are {', '.join(PRESETS)}"
        return
    if provider not in PRESETS:
        yield f"{path}.provider: unknown {provider[:60]!r}{meant(provider, PRESETS)}; there are {', '.join(PRESETS)}"
    elif provider != "builtin" and not body.get("model"):
        yield f"{path}.model: is missing; name the model as {provider} calls it"


def _rates(path: str, body: Mapping[Any, Any]) -> Iterator[str]:
    """Numbers that a type alone does not refuse: endless prices, and options of the built-in model."""
    price, options = body.get("price"), body.get("options")
    for field, value in price.items() if isinstance(price, dict) else ():
        if isinstance(value, float) and isinf(value):
            yield f"{path}.price.{field}: must be a number of dollars per million tokens"
    if body.get("provider") == "builtin" and isinstance(options, dict):
        try:
            check_builtin(builtin_options(options))
        except ValueError as error:
            yield f"{path}.options: {str(error).rstrip('.')}"


def builtin_options(options: Mapping[str, Any]) -> str:
    """Options of the built-in model as its target text: `builtin:error=0.2,seed=1`."""
    return ":".join(filter(None, ("builtin", ",".join(f"{key}={value}" for key, value in options.items()))))


def check_builtin(text: str) -> None:
    """Raises `ValueError` with what is wrong with a target text of the built-in model."""
    from workers.llm.builtin.faults import Faults  # noqa: PLC0415 - only fleets that use it pay for the import

    Faults.parse(text)


def _clashes(targets: set[str], listed: list[Any]) -> Iterator[str]:
    """A name means one thing: a target, a route, or what a preset makes of it."""
    places = [(f"targets.{name}", name) for name in sorted(targets)]
    seen: set[str] = set()
    for place, body in enumerate(listed):
        name = body.get("name") if isinstance(body, dict) else None
        if not isinstance(name, str):
            continue
        places.append((f"routes[{place}].name", name))
        if name in targets:
            yield f"routes[{place}].name: {name!r} is a target's name as well; rename one of them"
        if name in seen:
            yield f"routes[{place}].name: {name!r} is given twice; rename one of them"
        seen.add(name)
    for path, name in places:
        if (preset := name.partition(":")[0]) in PRESETS:
            yield f"{path}: {preset!r} is the name of a provider; choose another name"


def _strangers(targets: set[str], listed: list[Any], is_ad_hoc: Callable[[str], bool]) -> Iterator[str]:
    """Names in routes that nothing is called by."""
    bodies = [body if isinstance(body, dict) else {} for body in listed]
    routes = {body.get("name") for body in bodies if isinstance(body.get("name"), str)}
    for where, name in _named(bodies):
        if name in targets or is_ad_hoc(name):
            continue
        if name in routes:
            yield f"{where}: {name!r} is a route; a route names targets"
        else:
            there = ", ".join(sorted(targets)) or "none"
            yield f"{where}: there is no target {name!r}{meant(name, targets)}; there are {there}"


def _named(bodies: list[dict[Any, Any]]) -> Iterator[tuple[str, str]]:
    """(path, name) of everything that routes name."""
    for place, body in enumerate(bodies):
        for part in ("targets", "fallback"):
            names = body.get(part)
            for index, name in enumerate(names) if isinstance(names, list) else ():
                if isinstance(name, str):
                    yield f"routes[{place}].{part}[{index}]", name


def meant(word: str, known: Iterable[str]) -> str:
    """A question after a word that is not known, empty when nothing is close."""
    close = get_close_matches(word, list(known), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
