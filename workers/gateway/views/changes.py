"""What changed between two states of a project: files by digest, and the text of one file line by line."""

from collections.abc import Mapping
from difflib import unified_diff
from typing import Literal

from contracts.v1.projects import FileRef
from workers.gateway.views.facts import View

LARGEST_TEXT = 200_000
"""Bytes of a file whose lines are compared; comparing larger ones would take seconds."""


class ChangeView(View):
    """A file before and after; None where it is not there. The contents are artifacts."""

    path: str
    change: Literal["added", "changed", "removed", "same"]
    before: FileRef | None = None
    after: FileRef | None = None


class DiffView(View):
    """A file's change as a unified diff. `note` says why there is no text: the file is not text, or too large."""

    path: str
    text: str = ""
    added: int = 0
    removed: int = 0
    note: str = ""


def changes(before: Mapping[str, FileRef], after: Mapping[str, FileRef]) -> tuple[ChangeView, ...]:
    """The change of each file by path, those that stayed the same too."""
    return tuple(_change(path, before.get(path), after.get(path)) for path in sorted({*before, *after}))


def _change(path: str, before: FileRef | None, after: FileRef | None) -> ChangeView:
    if before is None or after is None:
        return ChangeView(path=path, change="added" if before is None else "removed", before=before, after=after)
    same = before.sha256 == after.sha256
    return ChangeView(path=path, change="same" if same else "changed", before=before, after=after)


def diff(path: str, before: bytes | None, after: bytes | None) -> DiffView:
    """The diff of a file's contents; None is a file that is not there."""
    if max(len(before or b""), len(after or b"")) > LARGEST_TEXT:
        return DiffView(path=path, note=f"it is larger than {LARGEST_TEXT:,} bytes; fetch both to compare them")
    try:
        was, now = ((content or b"").decode().splitlines() for content in (before, after))
    except UnicodeDecodeError:
        return DiffView(path=path, note="it is not text in UTF-8")
    of, to = "/dev/null" if before is None else f"a/{path}", "/dev/null" if after is None else f"b/{path}"
    lines = list(unified_diff(was, now, of, to, lineterm=""))
    said = lines[2:]
    return DiffView(
        path=path,
        text="\n".join(lines),
        added=sum(line.startswith("+") for line in said),
        removed=sum(line.startswith("-") for line in said),
    )
