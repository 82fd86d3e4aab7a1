"""What the gateway adds to a model call: beside the bare SDK, and beside LiteLLM's Router where it can be installed.

    python -m benchmarks.gateway [--calls 500] [--rounds 3] [--litellm PYTHON | --no-litellm] [--json]

All of them make the same streamed Chat Completion against one fake provider on this machine, in turns, each in a fresh
process, so that all meet the same machine. CPU is that of the calling process alone. Figures are medians over rounds.
LiteLLM needs openai<3, so it runs in an environment of its own: the one of `--litellm`, or one that is made for this.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
GOALS = ("≤ 0.5 ms more CPU than the bare SDK", "≤ 20 % of what LiteLLM adds", "≤ 15 MB more", "ready in ≤ 1 s")


@dataclass(frozen=True)
class Way:
    """A way to make the call: its name, and the command without address and number of calls."""

    name: str
    command: tuple[str, ...]


@contextmanager
def fake_provider() -> Iterator[str]:
    """The address of a fake provider in a process of its own."""
    command = (sys.executable, "-m", "tests.fakes.provider", "--text", '{"ok": true, "why": "it is sound"}')
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())["url"]
        finally:
            process.terminate()


def litellm_python(given: str, folder: Path) -> str | None:
    """The Python of an environment with LiteLLM: the given one, or a new one; None when it can't be installed."""
    if given:
        return given
    print("installing LiteLLM into an environment of its own …", file=sys.stderr)
    venv.create(folder, with_pip=True)
    python = str(folder / "bin" / "python")
    install = (python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "litellm")
    done = subprocess.run(install, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode:
        print(f"LiteLLM can't be installed here: {done.stderr.strip()[-300:]}", file=sys.stderr)
        return None
    return python


async def measured(way: Way, url: str, calls: int) -> dict[str, float]:
    """What one process of this way says of itself."""
    process = await asyncio.create_subprocess_exec(
        *way.command, url, str(calls), cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    said, complained = await asyncio.wait_for(process.communicate(), 300)
    if process.returncode:
        raise RuntimeError(f"{way.name} ended with {process.returncode}: {complained.decode()[-2_000:]}")
    figures: dict[str, float] = json.loads(said.decode().strip().splitlines()[-1])
    return figures


async def rounds(ways: Sequence[Way], url: str, calls: int, number: int) -> dict[str, dict[str, float]]:
    """Medians by way over that many rounds; each round has another order."""
    found: dict[str, list[dict[str, float]]] = {way.name: [] for way in ways}
    for turn in range(number):
        for way in (*ways[turn % len(ways) :], *ways[: turn % len(ways)]):
            found[way.name].append(await measured(way, url, calls))
            print(f"round {turn + 1} of {number}: {way.name}", file=sys.stderr)
    return {
        name: {figure: statistics.median(one[figure] for one in all_of_it) for figure in all_of_it[0]}
        for name, all_of_it in found.items()
    }


def added(medians: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """What each way adds to the bare SDK, and the share of what LiteLLM adds."""
    base = medians["bare SDK"]
    more = {
        name: {figure: value - base[figure] for figure, value in figures.items()}
        for name, figures in medians.items()
        if figures is not base
    }
    theirs = more.get("LiteLLM Router")
    if theirs is not None:
        for name, figures in more.items():
            if name != "LiteLLM Router":
                figures["share_of_litellm"] = figures["cpu_ms"] / theirs["cpu_ms"]
    return more


def table(medians: dict[str, dict[str, float]]) -> str:
    """The figures for people."""
    head = f"{'':<28}{'CPU ms':>8}{'p50 ms':>8}{'CPU ms, 16 at once':>20}{'MB':>8}{'ready s':>9}"
    lines = [
        f"{name:<28}{m['cpu_ms']:>8.2f}{m['p50_ms']:>8.2f}{m['cpu_together_ms']:>20.2f}"
        f"{m['memory_mb']:>8.0f}{m['ready_s']:>9.2f}"
        for name, m in medians.items()
    ]
    for name, more in added(medians).items():
        share = f", {more['share_of_litellm']:.0%} of what LiteLLM adds" if "share_of_litellm" in more else ""
        lines.append(
            f"{name} adds {more['cpu_ms']:.2f} ms of CPU ({more['cpu_together_ms']:.2f} with 16 at once{share}), "
            f"{more['memory_mb']:.0f} MB"
        )
    return "\n".join((head, *lines, f"goals of the gateway: {'; '.join(GOALS)}"))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gateway", description=__doc__.partition("\n")[0])
    parser.add_argument("--calls", type=int, default=500, help="calls of each kind in a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--litellm", default="", help="a Python that has LiteLLM")
    parser.add_argument("--no-litellm", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    here = (sys.executable, "-m", "benchmarks.callers")
    ways = [
        Way("bare SDK", (*here, "bare")),
        Way("gateway", (*here, "gateway")),
        Way("gateway, limits and budgets", (*here, "shared")),
    ]
    with tempfile.TemporaryDirectory() as folder, fake_provider() as url:
        python = None if options.no_litellm else litellm_python(options.litellm, Path(folder) / "litellm")
        if python is not None:
            ways.append(Way("LiteLLM Router", (python, str(ROOT / "benchmarks" / "litellm_caller.py"))))
        medians = asyncio.run(rounds(ways, url, options.calls, options.rounds))
    if options.json:
        print(json.dumps({"medians": medians, "added": added(medians)}))
    else:
        print(table(medians))


if __name__ == "__main__":
    main()
