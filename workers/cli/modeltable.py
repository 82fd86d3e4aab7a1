"""Targets and routes as lines and as JSON: one line for each where the terminal is wide enough, else a few."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from textwrap import wrap
from typing import Any

from contracts.codec import MESSAGES
from workers.cli.figures import plain, seconds
from workers.llm.accounts import Health
from workers.llm.catalogue import Catalogue, KeyMissing, usable_presets
from workers.llm.prices import Tariff, price_of
from workers.llm.targets import Limits, Route, Target

HEADS = ("target", "health", "provider", "model", "key", "$/M in / out", "limits a minute", "quality")


@dataclass(frozen=True)
class Row:
    """A target as it is listed. `health` is None when it is not known; `key` is where the key is looked for, empty
    when none is; `missing` says that none is there and why."""

    target: Target
    health: Health | None
    key: str
    missing: str
    tariff: Tariff | None


def rows_of(
    targets: Sequence[Target], catalogue: Catalogue, environment: Mapping[str, str], known: Mapping[str, Health]
) -> list[Row]:
    """The rows of these targets; `known` is their health by account."""
    return [_row(target, catalogue, environment, known.get(target.account)) for target in targets]


def _row(target: Target, catalogue: Catalogue, environment: Mapping[str, str], known: Health | None) -> Row:
    preset, missing = catalogue.preset_of(target), ""
    try:
        key = catalogue.key_of(target, environment)
    except KeyMissing as error:
        key, missing = "", str(error)
    place = str(target.api_key_file or "") or target.api_key_env or preset.key_env
    return Row(target, known, place if key or missing else "", missing, price_of(target, preset))


def listed(rows: Sequence[Row], width: int | None, now: float) -> Iterator[str]:
    """The table, with a line below a target that is not up; in a terminal too narrow for it a block per target."""
    cells = [_cells(row, now) for row in rows]
    widths = [max(map(len, column)) for column in zip(HEADS, *cells, strict=True)]
    if width is not None and sum(widths) + 2 * (len(widths) - 1) > width:
        for row, texts in zip(rows, cells, strict=True):
            yield from _block(row, texts, width)
        return
    yield _line(HEADS, widths)
    for row, texts in zip(rows, cells, strict=True):
        yield _line(texts, widths)
        if said := _said(row):
            yield from hanging(f"  {said}", width, 4)


def _line(texts: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(f"{text:<{width}}" for text, width in zip(texts, widths, strict=True)).rstrip()


def _cells(row: Row, now: float) -> tuple[str, ...]:
    target = row.target
    return (
        target.name, _health(row.health, now), target.provider, target.model or "-", _key(row), _price(row.tariff),
        _limits(target.limits), str(target.quality),
    )  # fmt: skip


def _block(row: Row, texts: Sequence[str], width: int) -> Iterator[str]:
    name, health, provider, model, key, price, limits, quality = texts
    yield from hanging(f"{name}  {health}", width, 4)
    yield from hanging(f"  {provider}, {model}, quality {quality}", width, 4)
    dollars = price if price in ("free", "unknown") else f"{price} $/M in / out"
    yield from hanging(f"  key {key}; price {dollars}; limits {limits}", width, 4)
    if said := _said(row):
        yield from hanging(f"  {said}", width, 4)


def _health(health: Health | None, now: float) -> str:
    if health is None:
        return "unknown"
    left = math.ceil(health.until - now)
    if health.state in ("up", "probing") or left <= 0:
        return health.state
    return f"{health.state} for {f'{left} s' if left < 60 else seconds(left)}"


def _said(row: Row) -> str:
    reason = plain(row.health.reason) if row.health and row.health.state != "up" else ""
    return "; ".join(filter(None, (reason, row.missing)))


def _key(row: Row) -> str:
    if row.missing:
        return "missing"
    return "present" if row.key else "not needed"


def _price(tariff: Tariff | None) -> str:
    return "unknown" if tariff is None else tariff.shown


def _limits(limits: Limits) -> str:
    said = [
        f"{_short(number)} {word}"
        for number, word in ((limits.requests_per_minute, "calls"), (limits.tokens_per_minute, "tokens"))
        if number is not None
    ]
    return ", ".join(said) or "none"


def _short(number: int) -> str:
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if number >= size and number % (size // 10) == 0:
            return f"{number / size:g}{letter}"
    return f"{number:,}"


def shown_routes(
    catalogue: Catalogue, default: str, width: int | None, environment: Mapping[str, str]
) -> Iterator[str]:
    """The routes in the order in which they are tried, and where everything else goes."""
    for place, route in enumerate(catalogue.routes, 1):
        yield from hanging(f"route {place}  {_route(route)}", width, 4)
    rest = "everything else" if catalogue.routes else "everything"
    if not has_catch_all(catalogue):
        yield from hanging(f"{rest} goes to {default} (FLOTILLA_MODEL)", width, 4)
    if catalogue.source is None:
        usable = ", ".join(f"{name}:<model>" for name in usable_presets(environment)) or "none: no key variable is set"
        yield from hanging(f"usable by key variables: {usable}", width, 4)
        yield from hanging("targets, limits and routes come from a models.yaml (FLOTILLA_MODELS_FILE)", width, 4)


def has_catch_all(catalogue: Catalogue) -> bool:
    """Whether some route holds every role and kind of task, so that nothing goes to the default by itself."""
    return any(not route.roles and not route.tasks for route in catalogue.routes)


def _route(route: Route) -> str:
    held = [*([f"roles {', '.join(route.roles)}"] if route.roles else ())]
    held += [f"tasks {', '.join(route.tasks)}"] if route.tasks else []
    floor = f" from quality {route.quality}" if route.policy == "best" and route.quality else ""
    then = f", then {', then '.join(route.fallback)}" if route.fallback else ""
    hedge = f", hedged after {route.hedge.after_s:g} s" if route.hedge else ""
    what = " and ".join(held) or "everything"
    return f"{route.name} ({what}): {route.policy}{floor} of {', '.join(route.targets)}{then}{hedge}"


def strangers(routes: Sequence[Route], roles: set[str]) -> Iterator[str]:
    """A sentence for each role and kind of task that a route names and nobody has."""
    kinds = {str(message.model_fields["kind"].default) for message in MESSAGES}
    for route in routes:
        for role in route.roles:
            if role not in roles:
                yield f"route {route.name}: this fleet has no role {role!r}; it has {', '.join(sorted(roles))}"
        for task in route.tasks:
            if task not in kinds:
                yield f"route {route.name}: there is no kind of task {task!r}; `flotilla schemas` lists kinds"


def hanging(line: str, width: int | None, hang: int) -> list[str]:
    """A line wrapped at words; into a pipe whole. Names and addresses that are too long are cut over lines."""
    if width is None or len(line) <= width:
        return [line]
    start = line[: len(line) - len(line.lstrip())]
    return wrap(line.lstrip(), width, initial_indent=start, subsequent_indent=" " * hang, break_on_hyphens=False)


def as_json(
    rows: Sequence[Row], catalogue: Catalogue, default: str, environment: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    """An object for each target and route, then one on what there is besides."""
    for row in rows:
        yield _target_json(row)
    for route in catalogue.routes:
        yield {"type": "route", **route.model_dump(mode="json")}
    yield {
        "type": "summary",
        "models_file": str(catalogue.source) if catalogue.source else None,
        "default": default,
        "usable": list(usable_presets(environment)),
    }


def _target_json(row: Row) -> dict[str, Any]:
    target, tariff, known = row.target, row.tariff, row.health
    return {
        "type": "target",
        "target": target.name,
        "provider": target.provider,
        "model": target.model,
        "base_url": target.base_url,
        "health": known.state if known else "unknown",
        "until": None if known is None or known.state == "up" else _at(known.until),
        "reason": known.reason if known else "",
        "key": _key(row),
        "key_from": row.key,
        "usd_per_million_in": tariff.input_usd if tariff else None,
        "usd_per_million_out": tariff.output_usd if tariff else None,
        "limits": target.limits.model_dump(),
        "quality": target.quality,
    }


def _at(seconds_: float) -> str:
    return datetime.fromtimestamp(seconds_, UTC).isoformat(timespec="seconds")
