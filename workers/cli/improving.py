"""`flotilla prompts improve`: whether a template revises itself, and within which limits."""

from typing import Annotated, Any

import typer

from workers.cli.amounts import dollars_typed, tokens_typed
from workers.cli.experiments import FREELY, metric_typed, share_typed
from workers.cli.loops import go
from workers.cli.options import Json, Nats
from workers.cli.outside import outside_of

Plain = Annotated[str, typer.Argument(help="<role>/<name>.", metavar="NAME")]
On = Annotated[bool | None, typer.Option("--on/--off", help="Switch it; without either it is shown.")]
Failures = Annotated[
    int | None, typer.Option("--failures", metavar="N", min=1, max=1_000, help="Begin after so many failed tasks. [5]")
]
Candidates = Annotated[
    int | None, typer.Option("--candidates", metavar="N", min=1, max=1_000, help="So many candidates in all. [5]")
]
Cases = Annotated[
    int | None, typer.Option("--cases", metavar="N", min=4, max=500, help="Recorded cases for the gate. [20]")
]
Each = Annotated[
    str, typer.Option("--each", metavar="USD", help=f"What one attempt may spend; `{FREELY}` is no limit. [1]")
]
EachTokens = Annotated[
    str, typer.Option("--each-tokens", metavar="N", help=f"The same in tokens; `{FREELY}` is no limit.")
]
Usd = Annotated[str, typer.Option("--usd", metavar="USD", help=f"What all attempts may spend; `{FREELY}`. [5]")]
Share = Annotated[str, typer.Option("--share", metavar="PART", help="A candidate's part of the tasks: 0.2 or 20%.")]
Metric = Annotated[str, typer.Option("--metric", metavar="NAME", help="What counts as failed, and what is proven.")]
Target = Annotated[str, typer.Option("--target", metavar="TARGET", help="Who revises; else the fleet's choice.")]


def improve(
    context: typer.Context, name: Plain, on: On = None, failures: Failures = None, candidates: Candidates = None,
    cases: Cases = None, each: Each = "", each_tokens: EachTokens = "", usd: Usd = "", share: Share = "",
    metric: Metric = "", target: Target = "", json: Json = False, nats: Nats = "",
) -> None:  # fmt: skip
    """Let the template NAME revise itself from what goes wrong, or show whether it does and what came of it."""
    from workers.cli.promptmoves import improve_one  # noqa: PLC0415 - only these commands need what reads templates

    typed: dict[str, Any] = {
        "failures": failures, "candidates": candidates, "cases": cases, "target": target or None,
        "share": share_typed("--share", share) if share else None, "metric": metric_typed(metric) if metric else None,
    }  # fmt: skip
    limits = {name: value for name, value in typed.items() if value is not None}
    limits |= _amounts(each, each_tokens, usd)
    go(improve_one(outside_of(context), name, on, limits, json, nats))


def _amounts(each: str, each_tokens: str, usd: str) -> dict[str, Any]:
    """What may be spent, as far as it was typed; None is no limit."""
    found: dict[str, Any] = {}
    for field, option, text in (("usd_each", "--each", each), ("usd", "--usd", usd)):
        if text:
            found[field] = None if text == FREELY else dollars_typed(option, text)
    if each_tokens:
        found["tokens_each"] = None if each_tokens == FREELY else tokens_typed("--each-tokens", each_tokens)
    return found
