"""`flotilla prompts examples`: questions and answers that prompts of the template may show."""

from typing import Annotated

import typer

from workers.cli.experiments import metric_typed
from workers.cli.loops import go
from workers.cli.options import Json, Nats, Tenant
from workers.cli.outside import outside_of

Plain = Annotated[str, typer.Argument(help="<role>/<name>.", metavar="NAME")]
Source = Annotated[
    str,
    typer.Argument(help='A task that was done, or a file with {"inputs": {…}, "reply": {…}}.', metavar="RUN/TASK|FILE"),
]
Id = Annotated[str, typer.Argument(help="The example's id, or its beginning.", metavar="ID")]
Won = Annotated[
    bool | None,
    typer.Option("--won/--lost", help="How it turned out; else read off the run. One that lost is not shown."),
]
Metric = Annotated[
    str,
    typer.Option("--metric", metavar="NAME", help="What it must have won by; else `tests_green` of code, or `valid`."),
]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it is kept in the history.")]


def group() -> typer.Typer:
    """The commands on examples."""
    app = typer.Typer(help="Keep questions and answers that the template's prompts may show.", no_args_is_help=True)
    app.command()(add)
    app.command(name="ls")(list_examples)
    app.command()(drop)
    return app


def add(
    context: typer.Context, name: Plain, source: Source, won: Won = None, metric: Metric = "", tenant: Tenant = "",
    json: Json = False, nats: Nats = "",
) -> None:  # fmt: skip
    """Keep what the task was asked with the template NAME and what was answered, or what is in a file."""
    from workers.cli.keeping import add_one  # noqa: PLC0415 - only these commands need what reads templates

    by = metric_typed(metric) if metric else None
    go(add_one(outside_of(context), name, source, won, by, tenant, json, nats))


def list_examples(context: typer.Context, name: Plain, json: Json = False, nats: Nats = "") -> None:
    """List the examples of the template NAME."""
    from workers.cli.keeping import list_all  # noqa: PLC0415 - as above

    go(list_all(outside_of(context), name, json, nats))


def drop(context: typer.Context, name: Plain, id: Id, reason: Reason = "", json: Json = False, nats: Nats = "") -> None:
    """Show the example no more, for ever."""
    from workers.cli.keeping import drop_one  # noqa: PLC0415 - as above

    go(drop_one(outside_of(context), name, id, reason, json, nats))
