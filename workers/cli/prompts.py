"""`flotilla prompts`: the templates that a fleet uses: what is in them, what differs, and which version is live."""

from pathlib import Path
from typing import Annotated

import typer

from workers.cli import experiments, improving, promptexamples
from workers.cli.complaints import Misused
from workers.cli.loops import go
from workers.cli.options import Json, Nats
from workers.cli.outside import outside_of

Seen = Annotated[
    str,
    typer.Argument(
        help="<role>/<name>; with :<persona> as this persona sees it, with @<version or label> that version.",
        metavar="NAME",
    ),
]
Plain = Annotated[str, typer.Argument(help="<role>/<name>.", metavar="NAME")]
Where = Annotated[
    Path | None,
    typer.Argument(
        help="A folder of prompts, or a template wherever it lies; else those that a fleet would use.",
        metavar="[FOLDER|FILE]",
    ),
]
One = Annotated[str, typer.Argument(help="A version, the beginning of one, a label, `shipped` or a file.", metavar="A")]
Other = Annotated[str, typer.Argument(help="The same; without it what is live is compared with A.", metavar="[B]")]
File = Annotated[Path, typer.Argument(help="A template; its front matter says which one.", metavar="FILE")]
Label = Annotated[str, typer.Argument(help="`live`, or any name.", metavar="LABEL")]
Version = Annotated[
    str, typer.Argument(help="A version, the beginning of one, another label or `shipped`.", metavar="[VERSION]")
]
PushLabel = Annotated[str, typer.Option("--label", metavar="LABEL", help="Have this label name it at once.")]
Remove = Annotated[bool, typer.Option("--remove", help="Take the label away; `live` goes back to the file.")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it is kept in the history.")]
Raw = Annotated[bool, typer.Option("--raw", help="Only its text, as it lies in the file or was pushed.")]
Files = Annotated[bool, typer.Option("--files", help="Only what is here as files; ask no fleet.")]


def group() -> typer.Typer:
    """The commands on prompts."""
    app = typer.Typer(
        help="The templates that models are asked with: their versions, what is live, and what is tried.",
        no_args_is_help=True,
    )
    app.command(name="ls")(list_prompts)
    app.command()(show)
    app.command()(lint)
    app.command()(diff)
    app.command()(push)
    app.command()(label)
    app.command()(rollback)
    app.command()(history)
    app.command()(improving.improve)
    app.add_typer(promptexamples.group(), name="examples")
    app.add_typer(experiments.group(), name="experiment")
    app.command(name="eval")(experiments.evaluate)
    return app


def list_prompts(context: typer.Context, files: Files = False, json: Json = False, nats: Nats = "") -> None:
    """List the templates with the version that is live: by the fleet that is named or up, else by files."""
    from workers.cli.promptviews import list_all  # noqa: PLC0415 - only these commands need what reads templates

    go(list_all(outside_of(context), json, nats, files))


def show(
    context: typer.Context, name: Seen, raw: Raw = False, files: Files = False, json: Json = False, nats: Nats = ""
) -> None:
    """Show a template: its front matter, then its messages; or its text as it is, to be edited and pushed."""
    from workers.cli.promptviews import print_raw, show_one  # noqa: PLC0415 - as above

    if raw and json:
        raise Misused("--raw is the text and nothing else; leave out --json")
    if raw:
        go(print_raw(outside_of(context), name, nats, files))
        return
    go(show_one(outside_of(context), name, json, nats, files))


def lint(context: typer.Context, path: Where = None, json: Json = False) -> None:
    """Say everything for which templates and personas are refused; exit code 1 if there is anything."""
    from workers.cli.promptfiles import lint_all  # noqa: PLC0415 - as above

    if not lint_all(outside_of(context), path, json):
        raise typer.Exit(1)


def diff(
    context: typer.Context, name: Plain, one: One, other: Other = "", files: Files = False, json: Json = False,
    nats: Nats = "",
) -> None:  # fmt: skip
    """Show what differs between two versions of the template NAME, or between what is live and A."""
    from workers.cli.promptviews import compare  # noqa: PLC0415 - as above

    go(compare(outside_of(context), name, one, other, json, nats, files))


def push(
    context: typer.Context, file: File, label: PushLabel = "", reason: Reason = "", json: Json = False, nats: Nats = ""
) -> None:
    """Bring the template in FILE into the fleet as a version; nothing uses it before a label or an experiment does."""
    from workers.cli.promptmoves import push_one  # noqa: PLC0415 - as above

    go(push_one(outside_of(context), file, label, reason, json, nats))


def label(
    context: typer.Context, name: Plain, label: Label, version: Version = "", remove: Remove = False,
    reason: Reason = "", json: Json = False, nats: Nats = "",
) -> None:  # fmt: skip
    """Have LABEL name another version of the template NAME. Tasks that begin from now on get what `live` names."""
    from workers.cli.promptmoves import label_one  # noqa: PLC0415 - as above

    go(label_one(outside_of(context), name, label, version, remove, reason, json, nats))


def rollback(context: typer.Context, name: Plain, reason: Reason = "", json: Json = False, nats: Nats = "") -> None:
    """Make the version of NAME live again that was so before the present one."""
    from workers.cli.promptmoves import roll_back_one  # noqa: PLC0415 - as above

    go(roll_back_one(outside_of(context), name, reason, json, nats))


def history(context: typer.Context, name: Plain, json: Json = False, nats: Nats = "") -> None:
    """Show all that was said of the template NAME: versions, labels, experiments and what they proved."""
    from workers.cli.promptviews import show_history  # noqa: PLC0415 - as above

    go(show_history(outside_of(context), name, json, nats))
