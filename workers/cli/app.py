"""The `flotilla` command: its commands, and the one place where what went wrong becomes a sentence and an exit code."""

from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperGroup

from workers.cli import about, approving, ballots, budget, fleet, looks, models, prompts, runs, voters
from workers.cli.complaints import Complaint, Unreachable
from workers.cli.outside import note
from workers.runtime.errors import BusUnavailable

HELP = "Turn an idea into a tested, reviewed and packaged project, by a fleet of workers on NATS JetStream."

GROUPS: dict[str, tuple[Callable[..., None], ...]] = {
    "Runs": (
        runs.run,
        runs.submit,
        runs.watch,
        runs.cancel,
        approving.approve,
        budget.budget,
        looks.ls,
        looks.show,
        looks.fetch,
    ),
    "Ballots": (voters.voters,),
    "Fleet": (fleet.up, fleet.work, fleet.provision, fleet.roles),
    "About": (about.config, about.asyncapi, about.schemas, about.version),
}


class Commands(TyperGroup):
    """Turns complaints into a sentence on stderr and an exit code; anything else is a bug and keeps its traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except Complaint as complaint:
            note(f"flotilla: {complaint}")
            raise typer.Exit(complaint.exit_code) from None
        except BusUnavailable as error:
            note(f"flotilla: {Unreachable.because(error)}")
            raise typer.Exit(Unreachable.exit_code) from None


def made() -> typer.Typer:
    """The application with all its commands."""
    app = typer.Typer(cls=Commands, help=HELP, no_args_is_help=True, pretty_exceptions_enable=False)
    for panel, commands in GROUPS.items():
        for command in commands:
            app.command(rich_help_panel=panel)(command)
    app.add_typer(ballots.group(), name="ballot", rich_help_panel="Ballots")
    app.add_typer(models.group(), name="models", rich_help_panel="Fleet")
    app.add_typer(prompts.group(), name="prompts", rich_help_panel="Fleet")
    return app


def main() -> None:
    """The entry point of the console script."""
    from workers.cli.real import outside  # noqa: PLC0415 - reads the environment, so not at import

    made()(obj=outside())


if __name__ == "__main__":
    main()
