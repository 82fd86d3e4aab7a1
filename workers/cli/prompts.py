"""`flotilla prompts`: the templates that a fleet would use, what is in them, what is refused, and what differs."""

from pathlib import Path
from typing import Annotated

import typer

from workers.cli.options import Json
from workers.cli.outside import outside_of

Name = Annotated[
    str, typer.Argument(help="<role>/<name>, or <role>/<name>:<persona> as this persona sees it.", metavar="NAME")
]
Plain = Annotated[str, typer.Argument(help="<role>/<name>.", metavar="NAME")]
Folder = Annotated[
    Path | None, typer.Argument(help="A folder of prompts; else those that a fleet would use.", metavar="[FOLDER]")
]
File = Annotated[Path, typer.Argument(help="A template that is to take the live one's place.", metavar="FILE")]


def group() -> typer.Typer:
    """The commands on prompts."""
    app = typer.Typer(
        help="Look at the templates that models are asked with, and check your own.", no_args_is_help=True
    )
    app.command(name="ls")(list_prompts)
    app.command()(show)
    app.command()(lint)
    app.command()(diff)
    return app


def list_prompts(context: typer.Context, json: Json = False) -> None:
    """List the templates, shipped and of FLOTILLA_PROMPTS_DIR: version, inputs, where from, personas."""
    from workers.cli.promptfiles import list_all  # noqa: PLC0415 - only these commands need what reads templates

    list_all(outside_of(context), json)


def show(context: typer.Context, name: Name, json: Json = False) -> None:
    """Show a template: its front matter, then its messages."""
    from workers.cli.promptfiles import show_one  # noqa: PLC0415 - as above

    show_one(outside_of(context), name, json)


def lint(context: typer.Context, folder: Folder = None, json: Json = False) -> None:
    """Say everything for which templates and personas are refused; exit code 1 if there is anything."""
    from workers.cli.promptfiles import lint_all  # noqa: PLC0415 - as above

    if not lint_all(outside_of(context), folder, json):
        raise typer.Exit(1)


def diff(context: typer.Context, name: Plain, file: File, json: Json = False) -> None:
    """Show what FILE changes in the template NAME that is live."""
    from workers.cli.promptfiles import compare  # noqa: PLC0415 - as above

    compare(outside_of(context), name, file, json)
