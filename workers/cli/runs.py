"""Commands that start, follow and stop runs: run, submit, watch, cancel."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from contracts.v1.budgets import Budget
from contracts.v1.runs import CancelRequested, RunRequested
from workers.cli.amounts import budget_typed
from workers.cli.complaints import INTERRUPTED, Misused
from workers.cli.delivering import checked_no_ballot, deliver, leave_behind
from workers.cli.ending import Hints
from workers.cli.figures import short
from workers.cli.following import Fleet, Following, Shown
from workers.cli.lines import JsonLines, Lines
from workers.cli.loops import go
from workers.cli.options import BudgetTokens, BudgetUsd, Designs, Idea, Json, Model, Nats, Out, RunId, RunName, Tenant
from workers.cli.outside import Outside, note, outside_of, say
from workers.cli.own_fleet import fleet_for
from workers.cli.screen import Screen
from workers.cli.sessions import Session, checked_out, checked_run, checked_tenant, session
from workers.cli.view import view_of
from workers.runtime.settings import without_password

Reason = Annotated[str, typer.Option("--reason", help="Why; it is recorded with the run.")]


def run(
    context: typer.Context, idea: Idea, out: Out = None, tenant: Tenant = "", run_id: RunId = "", model: Model = "",
    budget: BudgetUsd = "", budget_tokens: BudgetTokens = "", designs: Designs = None, json: Json = False,
    nats: Nats = "",
) -> None:  # fmt: skip
    """Build IDEA and watch it: on the fleet that is up, or on one of its own for the time of the run."""
    outside = outside_of(context)
    target = checked_out(out) if out is not None else None
    request = _request(outside, idea, tenant, run_id, model, budget_typed(budget, budget_tokens), designs)
    raise typer.Exit(go(_run(outside, request, bool(run_id), target, json, nats)))


async def _run(
    outside: Outside, request: RunRequested, chosen: bool, target: Path | None, json: bool, nats: str
) -> int:
    async with fleet_for(outside, nats, request.tenant) as (opened, own_fleet):
        await _submit(opened, request, chosen)
        return await _follow(opened, request.run, json, own_fleet, target)


def submit(
    context: typer.Context, idea: Idea, tenant: Tenant = "", run_id: RunId = "", model: Model = "",
    budget: BudgetUsd = "", budget_tokens: BudgetTokens = "", designs: Designs = None, json: Json = False,
    nats: Nats = "",
) -> None:  # fmt: skip
    """Hand IDEA to the fleet and return at once; prints the run's id."""
    outside = outside_of(context)
    request = _request(outside, idea, tenant, run_id, model, budget_typed(budget, budget_tokens), designs)
    go(_submitted(outside, request, bool(run_id), json, nats))


async def _submitted(outside: Outside, request: RunRequested, chosen: bool, json: bool, nats: str) -> None:
    async with session(outside, nats, request.tenant) as opened:
        await _submit(opened, request, chosen)
        say(request.model_dump_json() if json else request.run)
        note(f"watch it with `flotilla watch {request.run}{opened.options}`")


def watch(context: typer.Context, run: RunName, tenant: Tenant = "", json: Json = False, nats: Nats = "") -> None:
    """Follow RUN to its end; one that is over is shown from its beginning."""
    raise typer.Exit(go(_watch(outside_of(context), run, tenant, json, nats)))


async def _watch(outside: Outside, run: str, tenant: str, json: bool, nats: str) -> int:
    checked_run(run)
    async with session(outside, nats, tenant) as opened:
        checked_no_ballot(opened, run, view_of(await opened.entries(run)))
        return await _follow(opened, run, json)


def cancel(context: typer.Context, run: RunName, reason: Reason = "", tenant: Tenant = "", nats: Nats = "") -> None:
    """Ask that RUN stops; what it has made so far stays in the log."""
    go(_cancel(outside_of(context), run, reason, tenant, nats))


async def _cancel(outside: Outside, run: str, reason: str, tenant: str, nats: str) -> None:
    checked_run(run)
    async with session(outside, nats, tenant) as opened:
        view = checked_no_ballot(opened, run, view_of(await opened.entries(run)))
        if view.is_over:
            say(f"run {run} is over already: {view.state}")
            return
        wish = CancelRequested(tenant=opened.tenant, run=run, reason=reason, requested_by="flotilla")
        said = await opened.bus.log.say(wish)
        say(f"run {run}: cancel asked for" if said.news else f"run {run}: somebody has asked for a cancel already")


def _request(
    outside: Outside, idea: str, tenant: str, run_id: str, model: str, budget: Budget | None, designs: int | None
) -> RunRequested:
    settings = outside.settings()
    whose, name = checked_tenant(tenant or settings.tenant), checked_run(run_id or outside.new_id())
    try:
        return RunRequested(
            tenant=whose, run=name, idea=idea, model=model, budget=budget, designs=designs, requested_by="flotilla"
        )
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_input=False)[0]
        raise Misused(f"{'.'.join(str(part) for part in wrong['loc'])}: {short(wrong['msg'], 200)}") from None


async def _submit(opened: Session, request: RunRequested, chosen: bool) -> None:
    """Say the request. Names made up here are new, so one that is taken is our own after a lost acknowledgement."""
    taken = bool(await opened.bus.log.history(request.tenant, request.run))
    if taken or (not (await opened.bus.log.say(request)).news and chosen):
        raise Misused(
            f"run {request.run} exists already; watch it with `flotilla watch {request.run}{opened.options}` "
            "or choose another --run-id"
        )


async def _follow(opened: Session, run: str, json: bool, own_fleet: Fleet = None, out: Path | None = None) -> int:
    """Show a run to its end and deliver it; returns the exit code."""
    outside, tenant, prefix = opened.outside, opened.tenant, opened.settings.prefix
    left_behind = outside.state_dir / "runs" / f"{tenant}.{run}.jsonl" if own_fleet is not None else None
    shown = _shown(opened, run, json, _hints(opened, run, left_behind, out))
    following = Following(outside, opened.bus, tenant, run, prefix, shown, own_fleet)
    ended, view = await following.follow(), following.view
    if left_behind is not None and view.state != "completed":
        leave_behind(left_behind, following.entries)
    if ended != "over":
        return INTERRUPTED
    if view.state != "completed":
        return 1
    if out is not None:
        _tell(await deliver(opened, run, view, out), json)
    return 0


def _hints(opened: Session, run: str, left_behind: Path | None, out: Path | None) -> Hints:
    """Where to look afterwards: the log, unless it ends with this command."""
    kept = Hints.kept(run, opened.options)
    if left_behind is not None:
        nats = f" --nats {without_password(opened.settings.nats_url)}"
        kept = Hints(
            f"facts in {left_behind}",
            "not kept, its broker ends with this command; --out DIR writes it",
            f"flotilla budget {run}{nats}{opened.options}",
            f"flotilla models{nats}",
            f"flotilla approve {run}{nats}{opened.options}",
        )
    return kept if out is None else kept._replace(project="")


def _shown(opened: Session, run: str, json: bool, hints: Hints) -> Shown:
    console = opened.outside.console()
    if json:
        return JsonLines(opened.tenant, run, say)
    if console.is_terminal and not console.is_dumb_terminal:
        return Screen(run, console, hints)
    return Lines(run, say, hints)


def _tell(lines: Sequence[str], json: bool) -> None:
    for line in lines:
        (note if json else say)(line)
