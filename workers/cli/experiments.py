"""`flotilla prompts experiment`: a candidate tried beside what is live. And `flotilla prompts eval`: recorded cases
done again. What is typed is checked here, before any broker is asked."""

from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, get_args

import typer

from contracts.v1.prompts import Metric
from workers.cli.complaints import Misused
from workers.cli.durations import seconds_typed
from workers.cli.figures import short
from workers.cli.loops import go
from workers.cli.options import BudgetTokens, BudgetUsd, Json, Nats, Tenant
from workers.cli.outside import outside_of

MILLION = 1_000_000
FREELY = "any"

Name = Annotated[str, typer.Argument(help="The template: <role>/<name>.", metavar="NAME")]
Which = Annotated[int | None, typer.Argument(help="Which experiment; else the last one.", metavar="[K]", min=1)]
NewShare = Annotated[str, typer.Argument(help="The candidate's part of the tasks: 0.2 or 20%.", metavar="SHARE")]
Candidate = Annotated[
    str, typer.Option("--candidate", metavar="VERSION", help="A version, the beginning of one, or a label.")
]
Share = Annotated[str, typer.Option("--share", metavar="PART", help="The candidate's part of the tasks: 0.2 or 20%.")]
Measure = Annotated[str, typer.Option("--metric", metavar="NAME", help=f"What counts: {', '.join(get_args(Metric))}.")]
Within = Annotated[
    str, typer.Option("--within", metavar="TIME", help="A task without an outcome by then has failed: 30m, 2h.")
]
Dearer = Annotated[str, typer.Option("--dearer", metavar="PERCENT", help="It may cost so much more; `any`: no limit.")]
Slower = Annotated[str, typer.Option("--slower", metavar="PERCENT", help="It may take so much more; `any`: no limit.")]
Most = Annotated[int, typer.Option("--most", metavar="N", help="Without a decision it ends after so many outcomes.")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it is kept in the history.")]
Watch = Annotated[bool, typer.Option("--watch", help="Keep it up to date until it ends.")]
Svg = Annotated[Path | None, typer.Option("--svg", metavar="FILE", help="Draw the evidence there as well, as SVG.")]
Cases = Annotated[
    str, typer.Option("--cases", metavar="LAST-N|FILE", help="The last N recorded tasks, or a file of pinned cases.")
]
Versions = Annotated[
    list[str] | None,
    typer.Option("--version", metavar="VERSION", help="A version or label, up to five times; else what is live."),
]
Target = Annotated[
    str, typer.Option("--target", metavar="TARGET", help="Who answers; else whoever did when it was recorded.")
]
Pin = Annotated[Path | None, typer.Option("--pin", metavar="FILE", help="Write the cases there, to be used again.")]


def group() -> typer.Typer:
    """The commands on experiments."""
    app = typer.Typer(help="Try a version beside the live one, and see what outcomes prove.", no_args_is_help=True)
    app.command()(start)
    app.command()(show)
    app.command()(share)
    app.command()(stop)
    app.command(name="ls")(list_experiments)
    return app


def start(
    context: typer.Context, name: Name, candidate: Candidate, share: Share = "0.5", metric: Measure = "valid",
    within: Within = "2h", dearer: Dearer = "25", slower: Slower = "50", most: Most = 1_000, reason: Reason = "",
    json: Json = False, nats: Nats = "",
) -> None:  # fmt: skip
    """Try a candidate of the template NAME beside what is live, until outcomes prove which is better."""
    from workers.cli.experimenting import Terms, start_one  # noqa: PLC0415 - needs what reads templates

    if not 10 <= most <= MILLION:
        raise Misused(f"--most {most}: give a number of outcomes from 10 to {MILLION:,}")
    terms = Terms(
        share=share_typed("--share", share), metric=metric_typed(metric),
        within_s=seconds_typed("--within", within) or 7_200, dearer=percent_typed("--dearer", dearer),
        slower=percent_typed("--slower", slower), most=most, reason=reason,
    )  # fmt: skip
    go(start_one(outside_of(context), name, candidate, terms, json, nats))


def show(
    context: typer.Context, name: Name, k: Which = None, watch: Watch = False, svg: Svg = None, json: Json = False,
    nats: Nats = "",
) -> None:  # fmt: skip
    """Show an experiment: what is tried, how both arms do, and the evidence over time."""
    from workers.cli.experimenting import show_one  # noqa: PLC0415 - as above

    if watch and svg is not None:
        raise Misused("--svg draws it once and --watch goes on: give one of them")
    raise typer.Exit(go(show_one(outside_of(context), name, k, watch, json, nats, svg)))


def share(context: typer.Context, name: Name, part: NewShare, json: Json = False, nats: Nats = "") -> None:
    """Give the candidate another part of the tasks."""
    from workers.cli.experimenting import share_one  # noqa: PLC0415 - as above

    go(share_one(outside_of(context), name, share_typed("SHARE", part), json, nats))


def stop(context: typer.Context, name: Name, reason: Reason = "", json: Json = False, nats: Nats = "") -> None:
    """End the experiment that runs; what is live stays so."""
    from workers.cli.experimenting import stop_one  # noqa: PLC0415 - as above

    go(stop_one(outside_of(context), name, reason, json, nats))


def list_experiments(context: typer.Context, json: Json = False, nats: Nats = "") -> None:
    """List the experiments of all templates."""
    from workers.cli.experimenting import list_all  # noqa: PLC0415 - as above

    go(list_all(outside_of(context), json, nats))


def evaluate(
    context: typer.Context, name: Name, cases: Cases = "last-50", version: Versions = None, target: Target = "",
    metric: Measure = "valid", pin: Pin = None, budget: BudgetUsd = "", budget_tokens: BudgetTokens = "",
    tenant: Tenant = "", json: Json = False, nats: Nats = "",
) -> None:  # fmt: skip
    """Do recorded cases of the template NAME again, with any versions and target, and compare what comes."""
    from workers.cli.amounts import budget_typed  # noqa: PLC0415 - as above
    from workers.cli.evaluate import Wanted, evaluate_it  # noqa: PLC0415

    wanted = Wanted(
        template=name, cases=cases, versions=tuple(dict.fromkeys(version or ())), target=target,
        metric=metric_typed(metric), pin=pin, budget=budget_typed(budget, budget_tokens),
    )  # fmt: skip
    raise typer.Exit(go(evaluate_it(outside_of(context), wanted, tenant, json, nats)))


def share_typed(option: str, text: str) -> int:
    """Millionths, from `0.2` or `20%`; complains about what leaves nothing to compare."""
    said = text.strip()
    try:
        part = Decimal(said.removesuffix("%").strip()) / (100 if said.endswith("%") else 1)
        millionths = int(part * MILLION)
    except (InvalidOperation, ValueError, OverflowError):
        raise Misused(f"{option} {short(text)!r}: give a part of the tasks such as 0.2 or 20%") from None
    if not 0 < millionths < MILLION:
        why = "leaves nothing to compare: give more than 0 and less than 1, such as 0.2 or 20%"
        raise Misused(f"{option} {short(text)!r} {why}")
    return millionths


def percent_typed(option: str, text: str) -> int | None:
    """Whole percent, or None for `any`."""
    said = text.strip().lower().removesuffix("%").strip()
    if said == FREELY:
        return None
    if not (said.isascii() and said.isdigit()) or int(said) > 10_000:
        raise Misused(f"{option} {short(text)!r}: give whole percent from 0 to 10000, or `{FREELY}` for no limit")
    return int(said)


def metric_typed(text: str) -> Metric:
    """The metric of that name."""
    for metric in get_args(Metric):
        if text == metric:
            found: Metric = metric
            return found
    raise Misused(f"--metric {short(text)!r}: there are {', '.join(get_args(Metric))}")
