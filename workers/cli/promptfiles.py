"""What `flotilla prompts lint` does: read the files, check them, print what is refused."""

import json as jsonlib
from pathlib import Path

from workers.cli.complaints import Misused
from workers.cli.figures import count
from workers.cli.outside import Outside, note, say
from workers.cli.prompttext import refusal_as_json
from workers.prompting.checks import content_of, persona_refusals, refusals, text_of
from workers.prompting.errors import PromptRefused
from workers.prompting.source import taken_apart
from workers.prompting.templates import SHIPPED, persona_files, template_files


def lint_all(outside: Outside, path: Path | None, json: bool) -> bool:
    """Print every refusal of every file; True if there is none. `path` is a folder of prompts, or a single template."""
    own = outside.settings().prompts_dir
    if path and path.is_file():
        return _told(_loose(path, own or SHIPPED), 1, json)
    roots = [path] if path else [SHIPPED, *([own] if own else [])]
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
    return _told(found, files, json)


def _told(found: list[PromptRefused], files: int, json: bool) -> bool:
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


def _loose(file: Path, root: Path) -> list[PromptRefused]:
    """The same of a file that may lie anywhere, as if it lay in a folder of prompts; so it is when it is pushed."""
    if file.parent.name == "personas":
        return _refusals(file, True)
    try:
        content = content_of(file)
        head = taken_apart(file, text_of(file, content)).head
    except (OSError, PromptRefused):
        return _refusals(file, False)
    role, name = (head.matter.role, head.matter.name) if head else (file.parent.name, file.stem)
    if (role, name) == (file.parent.name, file.stem):
        return refusals(file, content)
    there = refusals(root / role / f"{name}.md", content)
    return [PromptRefused(file, one.line, one.why, one.column) for one in there]
