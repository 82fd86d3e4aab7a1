"""What `flotilla prompts` does: read the files, check them, print."""

import json as jsonlib
from dataclasses import replace
from difflib import unified_diff
from pathlib import Path

from workers.cli.complaints import Misused
from workers.cli.figures import count
from workers.cli.outside import Outside, note, say
from workers.cli.prompttext import as_json, contents_as_json, listed, refusal_as_json, shown
from workers.prompting.checks import content_of, persona_refusals, refusals, text_of
from workers.prompting.errors import PromptError, PromptRefused
from workers.prompting.source import lines_of, parse
from workers.prompting.templates import SHIPPED, Prompt, Prompts, compiled, persona_files, template_files


def list_all(outside: Outside, json: bool) -> None:
    """Print the templates that a fleet with these settings would use."""
    prompts = _live(outside)
    found = sorted(prompts, key=lambda prompt: prompt.name)
    rows = [(prompt, prompts.personas(prompt.name.partition("/")[0])) for prompt in found]
    if json:
        for prompt, personas in rows:
            say(jsonlib.dumps(as_json(prompt, personas)))
        return
    for line in listed(rows, _width(outside)):
        say(line)


def show_one(outside: Outside, name: str, json: bool) -> None:
    """Print one of them."""
    prompts = _live(outside)
    prompt = _named(prompts, name)
    personas = prompts.personas(name.partition("/")[0])
    if json:
        say(jsonlib.dumps(as_json(prompt, personas) | contents_as_json(prompt)))
        return
    for line in shown(prompt, personas, _width(outside)):
        say(line)


def lint_all(outside: Outside, folder: Path | None, json: bool) -> bool:
    """Print every refusal of every file; True if there is none."""
    own = outside.settings().prompts_dir
    roots = [folder] if folder else [SHIPPED, *([own] if own else [])]
    files = 0
    found: list[PromptRefused] = []
    for root in roots:
        if not root.is_dir():
            raise Misused(f"there is no folder of prompts at {root}; make it, or name another one")
        templates, personas = template_files(root), persona_files(root)
        if not templates and not personas:
            raise Misused(f"there is no prompt in {root}; a template lies at <role>/<name>.md in a folder of prompts")
        files += len(templates) + len(personas)
        found += [one for file in templates for one in _refusals(file, False)]
        found += [one for file in personas for one in _refusals(file, True)]
    for one in found:
        say(jsonlib.dumps(refusal_as_json(one)) if json else str(one))
    bad = len({one.file for one in found})
    if json:
        say(jsonlib.dumps({"type": "summary", "files": files, "refused": bad, "refusals": len(found)}))
    else:
        where = f"in {bad:,} of {count(files, 'file')}" if found else f"in {count(files, 'file')}"
        note(f"{count(len(found), 'refusal') if found else 'nothing is refused'} {where}")
    return not found


def _refusals(file: Path, is_persona: bool) -> list[PromptRefused]:
    try:
        content = content_of(file)
    except OSError as error:
        return [PromptRefused(file, 1, f"the file can't be read: {error.strerror}", 1)]
    return persona_refusals(file, content) if is_persona else refusals(file, content)


def compare(outside: Outside, name: str, file: Path, json: bool) -> None:
    """Print a unified diff of the live template and a file."""
    if ":" in name:
        raise Misused(f"diff compares templates, and a persona is none; leave out :{name.partition(':')[2]}")
    live = _named(_live(outside), name)
    try:
        text = text_of(file, content_of(file))
    except OSError as error:
        raise Misused(f"{file} can't be read: {error.strerror}") from None
    except PromptRefused as error:
        raise Misused(str(error)) from None
    version, why = _version_as(live, file, text)
    old = lines_of(text_of(live.source.file, content_of(live.source.file)))
    heads = f"{name} (live, version {live.version})", f"{file} ({f'version {version}' if version else 'refused'})"
    changes = list(unified_diff(old, lines_of(text), *heads, lineterm=""))
    if json:
        entry = {"prompt": name, "version": live.version, "file": str(file), "file_version": version, "refused": why}
        say(jsonlib.dumps(entry | {"diff": "\n".join(changes)}))
        return
    for line in changes:
        say("".join(char if char.isprintable() or char == "\t" else f"\\x{ord(char):02x}" for char in line))
    if why:
        note(f"{why}; a fleet would not start with this file")
    elif version == live.version:
        note(f"{file} has the version that is live: models would see no difference")


def _version_as(live: Prompt, file: Path, text: str) -> tuple[str | None, str | None]:
    """The version that the text would have in the live one's place, or why it is refused."""
    try:
        return compiled(replace(parse(file, text), file=live.source.file)).version, None
    except PromptRefused as error:
        return None, str(PromptRefused(file, error.line, error.why, error.column))


def _live(outside: Outside) -> Prompts:
    try:
        return Prompts.load(outside.settings().prompts_dir)
    except PromptRefused as error:
        raise Misused(f"{error} (`flotilla prompts lint` says everything that is refused)") from None
    except PromptError as error:
        raise Misused(str(error)) from None


def _named(prompts: Prompts, name: str) -> Prompt:
    try:
        return prompts.named(name)
    except PromptError as error:
        raise Misused(str(error)) from None


def _width(outside: Outside) -> int | None:
    console = outside.console()
    return console.width if console.is_terminal else None
