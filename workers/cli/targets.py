"""What `flotilla models` does: read the file and the fleet's records, list; make a provider, ask it once."""

import asyncio
import json as jsonlib
import os

from workers.cli.brokers import some_broker
from workers.cli.complaints import Misused, Unreachable
from workers.cli.modelcall import Tried, ask, described, without_answer
from workers.cli.modeltable import as_json, hanging, has_catch_all, listed, rows_of, shown_routes, strangers
from workers.cli.outside import Bus, Outside, note, say
from workers.cli.progress import progress
from workers.cli.sessions import connected, session
from workers.cli.upfile import read_up
from workers.llm.accounts import Account, Health, health
from workers.llm.catalogue import BadModels, Catalogue, KeyMissing
from workers.llm.known_accounts import record_key
from workers.llm.model import Provider
from workers.llm.records import RecordsUnavailable
from workers.llm.targets import NoSuchTarget, Target
from workers.runtime.settings import Settings

RECORDS_S = 5.0
"""How long the health of all targets may take to read."""


async def list_targets(outside: Outside, json: bool, nats: str) -> None:
    """Print targets and routes."""
    settings = outside.settings()
    catalogue = _catalogue(settings)
    targets = _targets(catalogue, settings)
    known = await _health(outside, settings, nats, targets)
    rows = rows_of(targets, catalogue, os.environ, known)
    roles = {line.name for line in outside.fleet.roles()} | set(settings.extra_roles)
    for line in strangers(catalogue.routes, roles):
        note(line)
    if json:
        for entry in as_json(rows, catalogue, settings.model, os.environ):
            say(jsonlib.dumps(entry))
        return
    console = outside.console()
    width = console.width if console.is_terminal else None
    now = outside.now().timestamp()
    for line in (*listed(rows, width, now), "", *shown_routes(catalogue, settings.model, width, os.environ)):
        say(line)


def _catalogue(settings: Settings) -> Catalogue:
    try:
        return Catalogue.load(settings.models_file)
    except BadModels as error:
        raise Misused(str(error)) from None


def _targets(catalogue: Catalogue, settings: Settings) -> list[Target]:
    """The targets of the file, then those that only routes name, or the default where it can be reached."""
    try:
        default = catalogue.route(settings.model, settings.model)
    except NoSuchTarget as error:
        raise Misused(f"FLOTILLA_MODEL: {error}") from None
    used = catalogue.routes if has_catch_all(catalogue) else (*catalogue.routes, default)
    named = [name for route in used for name in (*route.targets, *route.fallback)]
    return [catalogue.target(name) for name in dict.fromkeys((*catalogue.targets, *named))]


async def _health(outside: Outside, settings: Settings, nats: str, targets: list[Target]) -> dict[str, Health]:
    """Health by account, as far as the fleet's records can be read; nothing without a broker."""
    try:
        if nats:
            async with session(outside, nats, "") as opened:
                return await _read(opened.bus, targets, outside)
        broker = some_broker("", settings, read_up(outside.state_dir, outside.alive))
        async with connected(outside, broker, settings.tenant, settings) as opened:
            return await _read(opened.bus, targets, outside)
    except Unreachable as error:
        if nats:
            raise
        note(f"health is not known: {str(error).split('. ')[0]}")
    except (RecordsUnavailable, TimeoutError):
        note("health is not known: this broker has no records of models; was it prepared (`flotilla provision`)?")
    return {}


async def _read(bus: Bus, targets: list[Target], outside: Outside) -> dict[str, Health]:
    from workers.runtime.topology import MODELS  # noqa: PLC0415 - loads nats-py, a listing without a broker does without

    records = bus.records(MODELS)
    accounts = list(dict.fromkeys(target.account for target in targets))
    async with asyncio.timeout(RECORDS_S):
        contents = await asyncio.gather(*(records.read(record_key(account)) for account in accounts))
    now = outside.now().timestamp()
    return {account: health(Account.decode(content), now) for account, content in zip(accounts, contents, strict=True)}


async def try_target(outside: Outside, name: str, json: bool) -> bool:
    """Make the call and print what came of it; True if the target works."""
    tried = await _tried(outside, name)
    if json:
        say(jsonlib.dumps(tried.as_json()))
    else:
        console = outside.console()
        for line in described(tried):
            for part in hanging(line, console.width if console.is_terminal else None, 11):
                say(part)
    return tried.ok


async def _tried(outside: Outside, name: str) -> Tried:
    settings = outside.settings()
    catalogue = _catalogue(settings)
    try:
        target = catalogue.target(name)
    except NoSuchTarget as error:
        route = next((route for route in catalogue.routes if route.name == name), None)
        there = f"{name!r} is a route; test one of its targets: {', '.join(route.targets)}" if route else str(error)
        raise Misused(there) from None
    preset = catalogue.preset_of(target)
    where = target.base_url or preset.base_url or preset.name
    note(f"asking {target.name}: {target.model or 'the built-in model'} at {where}")
    try:
        key = catalogue.key_of(target, os.environ)
        provider = _provider(target, catalogue, key, settings)
    except KeyMissing as error:
        return without_answer(target, "", "no_key", str(error))
    except ValueError as error:
        raise Misused(str(error)) from None
    try:
        with progress(outside, f"waiting for {target.name}"):
            return await ask(provider, target, catalogue, settings.first_token_s, settings.idle_token_s)
    finally:
        await provider.close()


def _provider(target: Target, catalogue: Catalogue, key: str, settings: Settings) -> Provider:
    from workers.runtime.models import provider_for  # noqa: PLC0415 - only this command needs it
    from workers.runtime.redaction import clean_other_output, redactor_for  # noqa: PLC0415

    clean_other_output(redactor_for(settings).clean)  # an SDK that is told to log says what the provider echoes
    return provider_for(target, catalogue.preset_of(target), key)
