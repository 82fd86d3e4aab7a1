"""Options and arguments that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

Nats = Annotated[
    str, typer.Option("--nats", metavar="URL", help="The broker; else FLOTILLA_NATS_URL, else the fleet that is up.")
]
Tenant = Annotated[str, typer.Option("--tenant", metavar="NAME", help="Whose runs; else FLOTILLA_TENANT.")]
Json = Annotated[bool, typer.Option("--json", help="JSON instead of text.")]
Idea = Annotated[str, typer.Argument(help="What is to be built, in plain language.", metavar="IDEA")]
RunName = Annotated[str, typer.Argument(help="The run's id.", metavar="RUN")]
RunId = Annotated[str, typer.Option("--run-id", metavar="ID", help="The run's id; one is made up without it.")]
Model = Annotated[
    str,
    typer.Option("--model", metavar="TARGET", help="A target, a route or <provider>:<model>; else the fleet's choice."),
]
BudgetUsd = Annotated[
    str, typer.Option("--budget", metavar="USD", help="What the run may spend; it waits when that is gone.")
]
BudgetTokens = Annotated[
    str, typer.Option("--budget-tokens", metavar="N", help="The same in tokens, input and output together.")
]
Designs = Annotated[
    int | None,
    typer.Option("--designs", metavar="N", min=1, max=9, help="Make so many designs and let voters choose one."),
]
Out = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Write the project there; new or empty.")]
Workers = Annotated[str, typer.Option("--workers", metavar="A,B", help="Only these workers.")]
Data = Annotated[Path | None, typer.Option("--data", metavar="DIR", help="Keep the embedded broker's data there.")]
Processes = Annotated[bool, typer.Option("--processes", help="One process per worker.")]
