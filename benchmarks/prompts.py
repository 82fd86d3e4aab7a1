"""What rendering a shipped prompt takes, with a plain Jinja2 template of the same text beside it.

    python -m benchmarks.prompts [--renders 2000] [--json]

Inputs are ordinary: a few kB of requirements, design or files, as workers give them; their contracts are checked each
time. Templates are checked once per version, when they are loaded, and the time of that is printed, too. The reference
renders the same sections in an environment without a sandbox, strictness, contracts or limits, and shows inputs with
Jinja's own `tojson`. Both take turns, so neither has the quieter machine. Times are in milliseconds.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import jinja2
from jinja2.utils import htmlsafe_json_dumps
from pydantic_core import to_jsonable_python

from contracts.v1.projects import Design, Requirements
from workers.prompting.templates import Prompt, Prompts

GOAL_MS = 0.2

CRITERIA = [
    {"id": f"AC-{n}", "statement": f"A book with the number {n} can be made, found & deleted."} for n in range(12)
]
MODULES = [
    {
        "name": f"module_{n}",
        "purpose": "Finds books.",
        "files": [f"src/books/module_{n}.py"],
        "interface": "def find(id: int) -> Book | None: ...",
    }
    for n in range(6)
]
DESIGN = Design.model_validate(
    {"summary": "Small.", "package": "books", "modules": MODULES, "start": ["python", "-m", "books"]}
)
FILES = [{"path": f"src/books/module_{n}.py", "content": "def find(id: int) -> None:\n" * 20} for n in range(6)]
INPUTS: dict[str, Any] = {
    "Requirements": Requirements.model_validate(
        {"title": "Books", "package": "books", "summary": "Tracks books.", "criteria": CRITERIA}
    ),
    "Design": DESIGN,
    "Module": DESIGN.modules[0],
    "[File]": FILES,
    "Evidence?": {
        "passed": False, "tests": 9, "failed": 2, "level": "landlock", "files_digest": "0" * 64,
        "failures": [{"case": f"tests/test_books.py::test_{n}", "message": "assert 404 == 200"} for n in range(2)],
    },
    "[Finding]": [{"severity": "minor", "path": "src/books/module_1.py", "message": "A page is never empty."}] * 4,
    "[Option]": [{"option": f"design-{n}", "text": "Small. " * 40, "files": FILES} for n in range(3)],
    "[RoleBrief]": [{"name": f"role_{n}", "purpose": "Does a part of the work."} for n in range(6)],
    "number": 10,
}  # fmt: skip
"""By contract; any other input is a sentence."""


def inputs_of(prompt: Prompt) -> dict[str, Any]:
    """Ordinary inputs of this prompt."""
    contracts = prompt.source.head.inputs
    return {name: _input(str(contract), f"What there is to say of {name}.") for name, contract in contracts.items()}


def _input(contract: str, sentence: str) -> Any:
    return INPUTS.get(contract, [sentence] if contract.startswith("[") else sentence)


def reference_of(prompt: Prompt) -> Callable[[dict[str, Any]], list[str]]:
    """The same with plain Jinja2."""
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
    environment.filters["data"] = lambda value, name: (
        f'<data name="{name}">\n{htmlsafe_json_dumps(to_jsonable_python(value))}\n</data>'
    )
    templates = [environment.from_string(section.text) for section in prompt.source.sections]
    return lambda inputs: [template.render(inputs) for template in templates]


def timed(action: Callable[[dict[str, Any]], object], inputs: dict[str, Any]) -> float:
    """Milliseconds that it took."""
    began = time.perf_counter_ns()
    action(inputs)
    return (time.perf_counter_ns() - began) / 1e6


def quantiles(times: Sequence[float]) -> tuple[float, float]:
    """p50 and p99."""
    return statistics.median(times), statistics.quantiles(times, n=100)[98]


def measured(prompt: Prompt, renders: int) -> dict[str, Any]:
    """p50 and p99 of both."""
    inputs, reference = inputs_of(prompt), reference_of(prompt)
    ours, plain = [], []
    for _ in range(renders):
        ours.append(timed(prompt.render, inputs))
        plain.append(timed(reference, inputs))
    p50, p99 = quantiles(ours)
    plain_p50, plain_p99 = quantiles(plain)
    size = sum(len(message.text) for message in prompt.render(inputs).messages)
    return {
        "prompt": prompt.name, "characters": size, "p50_ms": p50, "p99_ms": p99, "plain_p50_ms": plain_p50,
        "plain_p99_ms": plain_p99,
    }  # fmt: skip


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--renders", type=int, default=2_000, help="renders of each prompt")
    parser.add_argument("--json", action="store_true", help="JSON lines instead of a table")
    typed = parser.parse_args()
    began = time.perf_counter()
    prompts = list(Prompts.load())
    loaded = (time.perf_counter() - began) * 1e3
    rows = [measured(prompt, max(2, typed.renders)) for prompt in prompts]
    if typed.json:
        for row in rows:
            print(json.dumps(row))
        return
    print(f"{'prompt':<24}  {'characters':>10}  {'p50':>7}  {'p99':>7}  {'plain p50':>9}  {'plain p99':>9}")
    for row in rows:
        both = f"{row['p50_ms']:>7.3f}  {row['p99_ms']:>7.3f}  {row['plain_p50_ms']:>9.3f}  {row['plain_p99_ms']:>9.3f}"
        print(f"{row['prompt']:<24}  {row['characters']:>10,}  {both}")
    slowest = max(row["p50_ms"] for row in rows)
    print(
        f"slowest p50 {slowest:.3f} ms, the goal is {GOAL_MS} ms; loading and checking all of them took {loaded:.0f} ms"
    )


if __name__ == "__main__":
    main()
