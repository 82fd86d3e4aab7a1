"""`flotilla models`: the targets and routes that calls go to, and one call to see whether a target answers."""

from typing import Annotated

import typer

from workers.cli.loops import go
from workers.cli.options import Json, Nats
from workers.cli.outside import outside_of

Asked = Annotated[str, typer.Argument(help="A target's name, or <provider>:<model>.", metavar="TARGET")]


def group() -> typer.Typer:
    """The command with its subcommand."""
    app = typer.Typer(help=models.__doc__)
    app.callback(invoke_without_command=True)(models)
    app.command(name="test")(check)
    return app


def models(context: typer.Context, json: Json = False, nats: Nats = "") -> None:
    """List the targets that calls can go to: health, key, price, limits; then the routes."""
    from workers.cli.targets import list_targets  # noqa: PLC0415 - only this command needs catalogue and prices

    if context.invoked_subcommand is None:
        go(list_targets(outside_of(context), json, nats))


def check(context: typer.Context, target: Asked, json: Json = False) -> None:
    """Make one small call to TARGET and say what came back, or why nothing did."""
    from workers.cli.targets import try_target  # noqa: PLC0415 - as above

    if not go(try_target(outside_of(context), target, json)):
        raise typer.Exit(1)
