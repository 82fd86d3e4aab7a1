"""Commands about the program itself: config, asyncapi, schemas, version."""

import json as jsonlib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import BaseModel

from contracts.schema_files import schema_files
from workers.cli.options import Json
from workers.cli.outside import outside_of, say
from workers.runtime.settings import without_password

Folder = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Write one file per message there.")]


def config(context: typer.Context, json: Json = False) -> None:
    """Print the effective settings, secrets masked, each with the variable that sets it."""
    settings = outside_of(context).settings()
    rows = list(_settings(settings, "FLOTILLA_"))
    if json:
        say(jsonlib.dumps({variable: value for variable, value, _ in rows}, indent=2))
        return
    widest = max(len(variable) for variable, _, _ in rows)
    for variable, value, is_set in rows:
        shown = "" if value is None else value if isinstance(value, str) else jsonlib.dumps(value)
        say(f"{variable:<{widest}}  {shown}{'  (set)' if is_set else ''}".rstrip())


def _settings(part: BaseModel, prefix: str) -> Iterator[tuple[str, Any, bool]]:
    """(variable, value as JSON, whether it was set) of every setting; nested ones joined by an underscore."""
    shown = part.model_dump(mode="json")
    for name in type(part).model_fields:
        value = getattr(part, name)
        if isinstance(value, BaseModel):
            yield from _settings(value, f"{prefix}{name.upper()}_")
        else:
            safe = without_password(shown[name]) if name == "nats_url" else shown[name]
            yield f"{prefix}{name.upper()}", safe, name in part.model_fields_set


def asyncapi(context: typer.Context) -> None:
    """Print the AsyncAPI 3 document of the whole bus, as JSON."""
    from workers.runtime.asyncapi import document  # noqa: PLC0415 - only this command needs it

    say(jsonlib.dumps(document(outside_of(context).settings().prefix), indent=2))


def schemas(out: Folder = None) -> None:
    """Print the JSON Schemas of all messages by kind, or write them to a folder."""
    found = schema_files()
    if out is None:
        say(jsonlib.dumps({Path(name).stem: jsonlib.loads(text) for name, text in found.items()}, indent=2))
        return
    out.mkdir(parents=True, exist_ok=True)
    for name, text in found.items():
        (out / name).write_text(text, encoding="utf-8")
    say(f"{len(found)} schemas in {out}")


def version() -> None:
    """Print the version."""
    say(f"flotilla {program_version()}")


def program_version() -> str:
    """The installed version; 0 when the program runs from a folder that was never installed."""
    try:
        return installed_version("flotilla")
    except PackageNotFoundError:
        return "0"
