"""The command `budget`: what a run or a tenant's day may spend and has spent, and letting a run spend more."""

import json as jsonlib
from typing import Annotated

import typer

from contracts.v1.budgets import Budget, BudgetRaised
from workers.cli.amounts import dollars_typed, tokens_typed
from workers.cli.complaints import Complaint, Misused, Unreachable
from workers.cli.ending import Hints, standing, waits_as_json
from workers.cli.entries import Entry
from workers.cli.gist import gist
from workers.cli.loops import go
from workers.cli.options import Json, Nats, Tenant
from workers.cli.outside import Outside, note, outside_of, say
from workers.cli.purses import Account, as_json, left, of_day, of_run, table
from workers.cli.sessions import Session, checked_raise, checked_run, session
from workers.cli.view import view_of
from workers.llm.purse import BadPurse, Purse
from workers.llm.records import RecordsUnavailable

BUCKET = "budgets"

AnyRun = Annotated[str, typer.Argument(help="The run's id.", metavar="RUN", show_default=False)]
Add = Annotated[str, typer.Option("--add", metavar="USD", help="Let the run spend so many dollars more.")]
AddTokens = Annotated[str, typer.Option("--add-tokens", metavar="N", help="Let the run spend so many tokens more.")]
RaiseId = Annotated[
    str, typer.Option("--raise-id", metavar="ID", help="The id of the raise; said again, it counts once.")
]
Day = Annotated[bool, typer.Option("--day", help="The tenant's day (UTC) instead of a run.")]


def budget(
    context: typer.Context, run: AnyRun = "", add: Add = "", add_tokens: AddTokens = "", raise_id: RaiseId = "",
    day: Day = False, tenant: Tenant = "", json: Json = False, nats: Nats = "",
) -> None:  # fmt: skip
    """Show what RUN may spend and has spent, or let it spend more: if it waits for budget, it goes on then."""
    outside = outside_of(context)
    more = _more(add, add_tokens, raise_id)
    if bool(run) == day:
        raise Misused("name one run, or ask for the tenant's --day")
    if day and more:
        raise Misused("a day has no raises; set FLOTILLA_DAILY_BUDGET_USD or _TOKENS where the workers run")
    go(_of_day(outside, tenant, json, nats) if day else _of_run(outside, run, more, raise_id, tenant, json, nats))


def _more(add: str, add_tokens: str, raise_id: str) -> Budget | None:
    """How much more may be spent; None when nothing is to be raised."""
    usd, tokens = dollars_typed("--add", add), tokens_typed("--add-tokens", add_tokens)
    if usd is None and tokens is None:
        if raise_id:
            raise Misused("--raise-id names a raise; say with --add or --add-tokens by how much")
        return None
    if not usd and not tokens:
        raise Misused("a raise by nothing changes nothing; give more than 0")
    return Budget(usd=usd or 0.0, tokens=tokens or 0)


async def _of_run(
    outside: Outside, run: str, more: Budget | None, raise_id: str, tenant: str, json: bool, nats: str
) -> None:
    from workers.llm.ledger import run_key  # noqa: PLC0415 - it brings along what other commands don't need

    checked_run(run)
    async with session(outside, nats, tenant) as opened:
        entries = await opened.entries(run)
        if more is not None:
            entries = await _raise(opened, run, more, checked_raise(raise_id or outside.new_id()), entries)
        record = await _record(opened, run_key(opened.tenant, run))
        settings = opened.settings
        account = of_run(record, entries, Budget(usd=settings.run_budget_usd, tokens=settings.run_budget_tokens))
        _, day = await _day(opened)
    view = view_of(entries)
    if json:
        about = {"tenant": opened.tenant, "run": run, "status": view.state}
        say(jsonlib.dumps({**about, **as_json(account), "waits": waits_as_json(view)}))
        return
    head, *rest = standing(run, view, outside.now(), Hints.kept(run, opened.options))
    if more and view.waits:  # what they say of the budget was so before the raise
        rest = ["  tasks that wait for budget look again within seconds"]
    for line in (head, *([] if view.is_over else rest), *table(account)):
        say(line)
    if day.is_limited:
        say(f"  today, the tenant has {left(day)}")


async def _raise(opened: Session, run: str, more: Budget, name: str, entries: list[Entry]) -> list[Entry]:
    """Say that the run may spend more, unless that was said; returns the facts with it."""
    if (view := view_of(entries)).is_over:
        raise Complaint(f"run {run} is over already ({view.state}), so it can spend nothing more")
    meant = BudgetRaised(
        tenant=opened.tenant, run=run, raise_id=name, usd=more.usd or 0.0, tokens=more.tokens or 0, raised_by="flotilla"
    )
    news = (await opened.bus.log.say(meant)).news
    entries = await opened.entries(run)
    found = next((entry for entry in entries if entry.name == f"budget.{name}"), None)
    if found is not None and found.message != meant and not news:
        raise Misused(f"raise {name} was said already, and it says: {gist(found)}; choose another --raise-id")
    note(f"raise {name}: {gist(found)}" if found and news else f"raise {name} was said already; it counts once")
    return entries


async def _of_day(outside: Outside, tenant: str, json: bool, nats: str) -> None:
    async with session(outside, nats, tenant) as opened:
        day, account = await _day(opened)
    if json:
        say(jsonlib.dumps({"tenant": opened.tenant, "day": day, **as_json(account)}))
        return
    say(f"tenant {opened.tenant} on {day} (UTC)")
    for line in table(account):
        say(line)
    if account.source == "nothing":
        note("nothing was spent from it yet, or the workers have no daily budget")


async def _day(opened: Session) -> tuple[str, Account]:
    from workers.llm.ledger import day_key  # noqa: PLC0415 - it brings along what other commands don't need

    key = day_key(opened.tenant, opened.outside.now().timestamp())
    default = Budget(usd=opened.settings.daily_budget_usd, tokens=opened.settings.daily_budget_tokens)
    return key.rpartition(".")[2], of_day(await _record(opened, key), default)


async def _record(opened: Session, key: str) -> bytes | None:
    """The record of a budget, if the workers keep one and it can be read."""
    try:
        content = await opened.bus.records(BUCKET).read(key)
        Purse.decode(content)
    except RecordsUnavailable as error:
        raise Unreachable.because(error) from None
    except BadPurse as error:
        raise Complaint(f"record {key} of bucket {BUCKET}: {error}") from None
    return content
