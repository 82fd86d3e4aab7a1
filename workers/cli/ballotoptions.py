"""Options and arguments of the commands on ballots."""

from pathlib import Path
from typing import Annotated

import typer

BallotName = Annotated[str, typer.Argument(help="The ballot's name.", metavar="BALLOT", show_default=False)]
InRun = Annotated[str, typer.Option("--run", metavar="RUN", help="The run it belongs to; else one of its own.")]
OfRun = Annotated[str, typer.Option("--run", metavar="RUN", help="The run it is of; else the only one that has it.")]

Question = Annotated[str, typer.Option("--question", metavar="TEXT", help="What is asked.", show_default=False)]
Options = Annotated[
    str, typer.Option("--options", metavar="A,B,C", help="The answers to choose from.", show_default=False)
]
Texts = Annotated[
    list[str] | None, typer.Option("--option", metavar="NAME=FILE", help="Show voters this file as an option's text.")
]
Context = Annotated[str, typer.Option("--context", metavar="TEXT|@FILE", help="What voters should know.")]
Rule = Annotated[
    str,
    typer.Option(
        "--rule", metavar="RULE",
        help="How it is decided: majority, supermajority, unanimity, veto, approval, ranked, weighted, ahead, score.",
    ),
]  # fmt: skip
Voters = Annotated[
    str,
    typer.Option(
        "--voters", metavar="N,NAME,…",
        help="A number: so many of the fleet's own personas. A persona's name: that one. Any other name: a person or "
        "program that votes by itself.",
    ),
]  # fmt: skip
Panel = Annotated[
    str,
    typer.Option("--panel", metavar="NAME,…", help="Personas that the fleet asks: PERSONA or PERSONA@TARGET."),
]
Targets = Annotated[
    str, typer.Option("--model", metavar="TARGET,…", help="What the fleet's personas think with, in turn.")
]
Quorum = Annotated[
    int | None, typer.Option("--quorum", metavar="N", help="So many answers it takes; else more than half of all.")
]
Deadline = Annotated[str, typer.Option("--deadline", metavar="TIME", help="How long votes count: 60s, 2h; else 15m.")]
StatusQuo = Annotated[
    str,
    typer.Option("--status-quo", metavar="OPTION", help="What holds if nothing changes, for --rule veto and --tie."),
]
Tie = Annotated[
    str, typer.Option("--tie", metavar="A,B", help="What decides among equals, in order: status_quo, weight, hash.")
]
NoQuorum = Annotated[
    str,
    typer.Option(
        "--no-quorum", metavar="POLICY",
        help="What if nothing wins in time: undecided (if nothing is said), escalate to a person, extend, default.",
    ),
]  # fmt: skip
Extension = Annotated[str, typer.Option("--extension", metavar="TIME", help="With --no-quorum extend: by how long.")]
Default = Annotated[str, typer.Option("--default", metavar="OPTION", help="With --no-quorum default: what is taken.")]
Threshold = Annotated[str, typer.Option("--threshold", metavar="2/3", help="The share that a supermajority takes.")]
Vetoers = Annotated[str, typer.Option("--vetoers", metavar="A,B", help="With --rule veto: who may; else everybody.")]
AheadBy = Annotated[
    int | None, typer.Option("--ahead-by", metavar="K", help="With --rule ahead: by so many votes, else 3.")
]
ErrorRate = Annotated[
    float | None,
    typer.Option("--error-rate", metavar="RATE", help="With --rule ahead and --accuracy, in place of --ahead-by."),
]
Accuracy = Annotated[
    float | None, typer.Option("--accuracy", metavar="RATE", help="How often one voter is right, above 0.5.")
]
ScoreMax = Annotated[
    int | None, typer.Option("--score-max", metavar="N", help="With --rule score: the best score, else 10.")
]
Wave = Annotated[int | None, typer.Option("--wave", metavar="N", help="How many the fleet asks at first, else 3.")]
Families = Annotated[
    bool, typer.Option("--distinct-families", help="Ask each family of models once before any is asked twice.")
]
Signed = Annotated[bool, typer.Option("--signed", help="Count only votes signed with the voter's key in --keys.")]
Keys = Annotated[str, typer.Option("--keys", metavar="VOTER=U…,…", help="The voters' public nkeys.")]
Name = Annotated[str, typer.Option("--name", metavar="ID", help="The ballot's name; one is made up without it.")]
Budget = Annotated[str, typer.Option("--budget", metavar="USD", help="What asking the fleet's voters may cost.")]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Show votes as they come, until it is decided.")]

Voter = Annotated[str, typer.Option("--as", metavar="VOTER", help="Who votes.", show_default=False)]
Choice = Annotated[str, typer.Option("--choice", metavar="OPTION", help="The option.")]
Approve = Annotated[str, typer.Option("--approve", metavar="A,B", help="With rule approval: all that are fine.")]
Rank = Annotated[str, typer.Option("--rank", metavar="A,B,C", help="With rule ranked: the best first.")]
Score = Annotated[str, typer.Option("--score", metavar="A=3,B=5", help="With rule score: a score for options.")]
Abstain = Annotated[bool, typer.Option("--abstain", help="Answer without a preference; it counts for the quorum.")]
Because = Annotated[str, typer.Option("--because", metavar="TEXT", help="Why there is no preference.")]
Rationale = Annotated[str, typer.Option("--rationale", metavar="TEXT", help="Why this vote.")]
KeyFile = Annotated[Path | None, typer.Option("--key-file", metavar="SEED", help="The nkey seed that signs the vote.")]

Right = Annotated[str, typer.Option("--right", metavar="OPTION", help="It turned out to be right.")]
Wrong = Annotated[str, typer.Option("--wrong", metavar="OPTION", help="It turned out to be wrong.")]
Evidence = Annotated[str, typer.Option("--evidence", metavar="WHERE", help="Where that can be seen.")]
OutcomeReason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why that is known.")]
