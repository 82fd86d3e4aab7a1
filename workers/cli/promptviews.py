"""What `flotilla prompts ls`, `show`, `diff` and `history` do: look at files and at what the fleet says, and print."""

import json as jsonlib
from dataclasses import dataclass, replace
from difflib import unified_diff
from pathlib import Path

from workers.cli.ballottext import page_of
from workers.cli.complaints import Misused
from workers.cli.figures import visible
from workers.cli.outside import Outside, note, say
from workers.cli.prompthistory import entry_as_json, timeline
from workers.cli.promptstores import Known, checked_name, known_prompts, prompts_of
from workers.cli.prompttext import Row, as_json, contents_as_json, listed, shown
from workers.prompting.checks import content_of, text_of
from workers.prompting.errors import PromptError, PromptRefused
from workers.prompting.source import lines_of, parse
from workers.prompting.template_history import LIVE
from workers.prompting.templates import Prompt, compiled


async def list_all(outside: Outside, json: bool, nats: str, only_files: bool) -> None:
    """Print every template with the version that is live."""
    async with known_prompts(outside, nats, only_files) as known:
        rows = [_row(known, name, known.version(name)) for name in known.names if _has_live(known, name)]
        without = [name for name in known.names if not _has_live(known, name)]
    if json:
        for row in rows:
            say(jsonlib.dumps(as_json(row)))
        return
    for line in listed(rows, page_of(outside.console()).width):
        say(line)
    for name in without:
        note(f"{name} has versions, but none is live and no file is here")


def _has_live(known: Known, name: str) -> bool:
    return known.shipped(name) is not None or known.history(name).live is not None


def _row(known: Known, name: str, prompt: Prompt) -> Row:
    history = known.history(name) if known.store else None
    return Row(prompt, known.files.personas(name.partition("/")[0]), history, prompt is known.shipped(name))


async def show_one(outside: Outside, typed: str, json: bool, nats: str, only_files: bool) -> None:
    """Print a version of one; `typed` is `role/name`, `role/name:persona`, or either with `@version`."""
    name, _, version = typed.partition("@")
    plain_name, colon, persona = name.partition(":")
    async with known_prompts(outside, nats, only_files) as known:
        found = known.version(plain_name, version or LIVE)
        row = _row(known, plain_name, found)
        try:
            seen, by_default = known.files.seen(found, persona if colon else None), found.source.head.persona
            row = replace(row, prompt=seen, plain=found, by_default="" if colon else by_default)
        except PromptError as error:
            raise Misused(str(error)) from None
    if json:
        say(jsonlib.dumps(as_json(row) | contents_as_json(row)))
        return
    for line in shown(row, page_of(outside.console()).width):
        say(line)


async def print_raw(outside: Outside, typed: str, nats: str, only_files: bool) -> None:
    """Print the text of a version as it lies in its file or was pushed; `typed` is `role/name` or that `@version`."""
    name, _, version = typed.partition("@")
    if ":" in name:
        raise Misused(f"--raw prints the template, and a persona is no part of it; leave out :{name.partition(':')[2]}")
    async with known_prompts(outside, nats, only_files) as known:
        text = _text_in(known, name, known.version(name, version or LIVE))
    say(text.removesuffix("\n"))


@dataclass(frozen=True)
class _Side:
    """A text that is compared; `version` is None if it is refused, and then `why` says why."""

    title: str
    text: str
    version: str | None
    why: str | None = None
    file: Path | None = None


async def compare(outside: Outside, name: str, one: str, other: str, json: bool, nats: str, only_files: bool) -> None:
    """Print a unified diff of two versions or files; with one of them, of what is live and that."""
    if ":" in name:
        raise Misused(f"diff compares templates, and a persona is none; leave out :{name.partition(':')[2]}")
    async with known_prompts(outside, nats, only_files) as known:
        checked_name(known.names, name)
        old, new = (_side(known, name, text) for text in ((one, other) if other else (LIVE, one)))
    was, now = (f"{side.title} ({f'version {side.version}' if side.version else 'refused'})" for side in (old, new))
    if not other and old.version:
        was = f"{name} (live, version {old.version})"
    changes = list(unified_diff(lines_of(old.text), lines_of(new.text), was, now, lineterm=""))
    if json:
        entry = {"prompt": name, "version": old.version, "file": str(new.file) if new.file else None}
        refused = old.why or new.why
        entry |= {"file_version": new.version, "refused": refused, "diff": "\n".join(changes)}
        say(jsonlib.dumps(entry))
        return
    for line in changes:
        say(visible(line))
    for side in (old, new):
        if side.why:
            note(f"{side.why}; a fleet would not start with this file")
    if old.version and old.version == new.version:
        note(f"both have the version {old.version}: models would see no difference")


def _side(known: Known, name: str, typed: str) -> _Side:
    """A file, where it looks like one or is one, else a version."""
    if "/" in typed or typed.endswith(".md") or Path(typed).is_file():
        return _of_file(name, Path(typed))
    prompt = known.version(name, typed)
    text = _text_in(known, name, prompt)
    return _Side(name if prompt.version.startswith(typed) else f"{name} {typed}", text, prompt.version)


def _text_in(known: Known, name: str, prompt: Prompt) -> str:
    """The whole text of a version, as it lies in its file or was pushed."""
    if prompt is known.shipped(name):
        return text_of(prompt.source.file, content_of(prompt.source.file))
    return known.history(name).versions[prompt.version].content


def _of_file(name: str, file: Path) -> _Side:
    """A file as it would be in the template's place."""
    try:
        text = text_of(file, content_of(file))
    except OSError as error:
        raise Misused(f"{file} can't be read: {error.strerror}") from None
    except PromptRefused as error:
        raise Misused(str(error)) from None
    try:
        version = compiled(replace(parse(file, text), file=Path(f"{name}.md"))).version
    except PromptRefused as error:
        return _Side(str(file), text, None, str(PromptRefused(file, error.line, error.why, error.column)), file)
    return _Side(str(file), text, version, file=file)


async def show_history(outside: Outside, name: str, json: bool, nats: str) -> None:
    """Print everything that was said of a template in order, and what it did."""
    async with prompts_of(outside, nats) as (_, store):
        history = store.of(checked_name(store.names(), name))
        start = f"-prompts.{name.replace('/', '.')}."
        spoiled = [f"{subject}: {why}" for subject, why in store.spoiled.items() if start in subject]
    if json:
        for entry in history.timeline:
            say(jsonlib.dumps(entry_as_json(entry)))
        return
    if not history.timeline:
        note(f"nobody has touched {name}: the file that ships is live")
    for line in timeline(history, page_of(outside.console()).width):
        say(line)
    for line in spoiled:
        note(f"can't be read: {line}")
