"""What the launcher says at the end of a run."""

import json
from dataclasses import dataclass


@dataclass(frozen=True)
class Report:
    """`ended` is an exit code (128 + n for signal n) or None; `killed` says why the warden ended it; `error` is set
    when nothing was run; `contained` means own network, process table and mounts."""

    ended: int | None
    killed: str = ""
    error: str = ""
    contained: bool = False


def read_report(line: bytes) -> Report:
    """Read the launcher's line. If it is not one, the text is the error: the launcher itself broke."""
    try:
        told = json.loads(line)
        return Report(told["ended"], told["killed"], told["error"], told["contained"])
    except (ValueError, KeyError, TypeError):
        return Report(None, error=line.decode(errors="replace").strip()[-2000:] or "the launcher ended without a word")
