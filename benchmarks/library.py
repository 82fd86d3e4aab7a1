"""How often each shipped template does its work, measured by the prompt lab on recorded tasks.

    python -m benchmarks.library [--cases 40] [--tries 100] [--seed 7] [--json]

A broker and the whole fleet in this process. First recordings, by the built-in model without faults but wrong code:
projects over different ideas, of which some are built, tested and repaired and the others end where their tests would
begin; plans of one's own; ballots by rules of each kind. Then every template is evaluated as `flotilla prompts eval`
does it, with all faults of the built-in model in place. Where recorded tasks are fewer than `--tries`, they are done
again with the next seeds, in which other answers are struck. Revisions are asked for by a role of the benchmark's own,
from what the evaluations found. The turns of `toolkit` are counted in the journals of all that.

A try goes well if the reply fits at once, without any further turn, or if the project's tests pass with it; the bound
is one-sided, at 95 % (Clopper and Pearson). Exit code 1 if some template has no figure.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence

from benchmarks.library_fleet import Row, library, target_of
from benchmarks.library_recordings import REVISE
from benchmarks.library_turns import CONTINUE, MEND
from workers.prompt_lab.bounds import lower_bound
from workers.prompt_lab.replay import BUILDERS
from workers.prompting.templates import Prompts

BEGAN = time.monotonic()
MEANS = {"valid": "fits at once", "tests_green": "tests pass"}


async def measure(cases: int, tries: int, tested: int, seed: int) -> list[Row]:
    """All figures, a row for each template and metric."""
    async with library(seed) as measured:
        note(f"recording {cases} projects, plans and votes …")
        await measured.record(cases)
        rows = list[Row]()
        for name in sorted(prompt.name for prompt in Prompts.load()):
            if name in (REVISE, CONTINUE, MEND):
                continue
            note(f"evaluating {name} …")
            rows.append(await measured.evaluated(name, "valid", cases, tries))
            if name in BUILDERS:
                rows.append(await measured.evaluated(name, "tests_green", cases, tested))
        note(f"trying {REVISE} …")
        return [*rows, await measured.revised(cases, tries), measured.turned(CONTINUE), measured.turned(MEND)]


def note(text: str) -> None:
    """Say how far it is, beside the table."""
    print(f"{time.monotonic() - BEGAN:5.0f} s  {text}", file=sys.stderr, flush=True)


def table(rows: Sequence[Row], seed: int, took_s: float) -> str:
    """The figures for people, as Markdown."""
    lines = [
        "| template | goes well if | recorded | tries | went well | rate | at least (95 %) | fits in the end |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
        *map(_line, rows),
        "",
        f"Target `{target_of(seed)}`, and the next seeds where recorded tasks are fewer than tries. "
        f"All of it took {took_s:.0f} s.",
    ]
    return "\n".join(lines)


def _line(row: Row) -> str:
    means = "it is whole after the turn" if row.template in (CONTINUE, MEND) else MEANS[row.metric]
    if not row.tries:
        return f"| `{row.template}` | {means} | 0 | 0 | | | | not measured: {row.note} |"
    at_last = "" if row.at_last is None else f"{row.at_last / row.tries:.1%}"
    rate, bound = row.successes / row.tries, lower_bound(row.successes, row.tries)
    counts = f"{row.recorded} | {row.tries} | {row.successes}"
    return f"| `{row.template}` | {means} | {counts} | {rate:.1%} | {bound:.1%} | {at_last} |"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=40, help="recorded tasks of each template, where these are cheap")
    parser.add_argument("--tries", type=int, default=100, help="tries of each template")
    parser.add_argument("--tested", type=int, default=20, help="tries that are judged by a project's tests")
    parser.add_argument("--seed", type=int, default=7, help="of the faults")
    parser.add_argument("--json", action="store_true", help="JSON lines instead of a table")
    typed = parser.parse_args()
    began = time.monotonic()
    rows = asyncio.run(measure(typed.cases, typed.tries, typed.tested, typed.seed))
    if typed.json:
        for row in rows:
            print(json.dumps(row.figures()))
    else:
        print(table(rows, typed.seed, time.monotonic() - began))
    if any(not row.tries for row in rows):
        sys.exit(1)


if __name__ == "__main__":
    main()
