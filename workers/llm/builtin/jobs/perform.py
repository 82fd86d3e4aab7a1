"""PerformReply: what there is to an instruction, because no rule can follow one."""

from collections.abc import Mapping
from typing import Any

from workers.llm.builtin.jobs.job import Brief, CannotDo, Reply
from workers.llm.builtin.jobs.review import in_python
from workers.llm.builtin.project.wording import listed

LONGEST_OUTPUT = 10_000
LONGEST_QUOTE = 500
SHOWN_FILES, SHOWN_FINDINGS = 20, 20

CAN_NOT_FOLLOW = (
    "The built-in model follows rules and no instructions, so it says what it was given and writes no files."
)


def perform(brief: Brief) -> Reply:
    """Say what was asked, what came before, and what rules find in the Python files among it. No file is written."""
    inputs = brief.block("inputs") or []
    if not isinstance(inputs, list) or not all(isinstance(given, dict) for given in inputs):
        raise CannotDo("The data block 'inputs' must list what earlier tasks said and wrote.")
    asked = str(brief.data.get("instruction") or "").strip()
    said = [
        CAN_NOT_FOLLOW,
        f"Asked: {_quoted(asked)}" if asked else "Asked: nothing beyond the idea.",
        f"Idea: {_quoted(str(brief.block('idea')))}",
        *(_given(given) for given in inputs),
        *_found(inputs),
    ]
    return {"output": "\n".join(said)[:LONGEST_OUTPUT], "files": []}


def _quoted(text: str) -> str:
    words = " ".join(text.split())
    return f"«{words}»" if len(words) <= LONGEST_QUOTE else f"«{words[:LONGEST_QUOTE]} …»"


def _given(given: Mapping[str, Any]) -> str:
    """An earlier task with how much it said and what it wrote."""
    paths = [str(file.get("path")) for file in given.get("files") or []]
    more = [f"{len(paths) - SHOWN_FILES} more"] if len(paths) > SHOWN_FILES else []
    wrote = listed([*paths[:SHOWN_FILES], *more]) if paths else "no files"
    return f"From task {given.get('task')}: {len(str(given.get('output') or '').split())} words, {wrote}."


def _found(inputs: list[dict[str, Any]]) -> list[str]:
    files = {str(file.get("path")): str(file.get("content")) for given in inputs for file in given.get("files") or []}
    found = [one for one in in_python(files) if one["severity"] != "note"]
    if not found:
        return ["Rules find nothing in its Python files."] if any(path.endswith(".py") for path in files) else []
    return [f"Found: {one['path']}: {one['message']}" for one in found[:SHOWN_FINDINGS]]
