"""A run as plain lines, for logs and pipes: one per fact that matters, flushed, in a stable format.

    <seconds since the first fact>  <what happened>  <name>  <gist>

And as JSON lines: one object per fact (`"type": "fact"`), then one on the run (`"type": "summary"`).
"""

import json
from collections.abc import Callable
from datetime import datetime

from contracts.message import Message
from contracts.v1.approvals import ApprovalGiven, GateOpened
from contracts.v1.ballots import BallotOpened, DecisionMade, OutcomeSeen, VoteCast
from contracts.v1.budgets import BudgetRaised
from contracts.v1.capsules import CapsulePacked
from contracts.v1.failures import TaskFailed
from contracts.v1.runs import CancelRequested, RunClosed, RunRequested
from contracts.v1.tasks import BallotAnswered, CastVote, Outcome, Task
from contracts.v1.timers import DeadlinePassed
from contracts.v1.waits import TaskWaits
from workers.cli.ending import Hints, as_json, ending, silence, summary, what_helps
from workers.cli.entries import Entry
from workers.cli.figures import plain, short
from workers.cli.gist import gist
from workers.cli.view import RunView

WORDS: dict[type[Message], str] = {
    RunRequested: "requested",
    Task: "started",
    Outcome: "done",
    TaskFailed: "failed",
    TaskWaits: "waits",
    BudgetRaised: "raised",
    BallotOpened: "ballot",
    VoteCast: "vote",
    DecisionMade: "decision",
    OutcomeSeen: "outcome",
    GateOpened: "gate",
    ApprovalGiven: "approval",
    CancelRequested: "cancel",
    DeadlinePassed: "deadline",
    CapsulePacked: "capsule",
    RunClosed: "closed",
}
"""What happened, by kind of fact. Model calls and the asking of voters get no line:
`flotilla show` has them."""

GIST_WIDTH = 160


def line(entry: Entry, began: datetime) -> str | None:
    """The line on a fact, or None when it is not worth one."""
    word = "spoiled" if entry.message is None else _word(entry.message)
    if word is None or isinstance(entry.message, CastVote | BallotAnswered):
        return None
    since = max(0.0, (entry.at - began).total_seconds())
    return f"{since:8.1f}  {word:<9}  {plain(_about(entry)):<24}  {short(gist(entry), GIST_WIDTH)}".rstrip()


def _word(fact: Message) -> str | None:
    return next((word for kind, word in WORDS.items() if isinstance(fact, kind)), None)


def _about(entry: Entry) -> str:
    """What the line is about: a task without the marks of its noun, else the fact's name."""
    match entry.message:
        case Task() | Outcome() | TaskFailed() | TaskWaits():
            return entry.message.task
        case _:
            return entry.name


class Lines:
    """Prints lines as facts come in."""

    def __init__(self, run: str, say: Callable[[str], None], hints: Hints) -> None:
        self._run, self._say, self._hints = run, say, hints
        self._began: datetime | None = None
        self._hinted, self._helped = False, ""

    def see(self, entry: Entry, view: Callable[[], RunView]) -> None:
        """A fact came in. `view` folds the run up to here when it is asked for."""
        self._began = self._began or entry.at
        if text := line(entry, self._began):
            self._say(text)

    def tick(self, view: RunView, now: datetime) -> None:
        """Time passed; lines only mind when nothing at all happens, or nothing will until somebody helps."""
        if not self._hinted and (hint := silence(view, now)):
            self._hinted = True
            self._say(hint)
        helps = what_helps(view, self._hints)
        if helps and helps != self._helped:
            self._say(helps)
        self._helped = helps

    def pause(self) -> None:
        """Somebody is asked something; lines do not mind."""

    def end(self, view: RunView) -> None:
        """Nothing more comes; the last lines if the run is over."""
        for text in ending(self._run, view, self._hints) if view.is_over else ():
            self._say(text)


class JsonLines:
    """Prints a JSON object per fact, and one on the run at the end."""

    def __init__(self, tenant: str, run: str, say: Callable[[str], None]) -> None:
        self._tenant, self._run, self._say = tenant, run, say

    def see(self, entry: Entry, view: Callable[[], RunView]) -> None:
        """A fact came in."""
        self._say(json.dumps(as_json(entry)))

    def tick(self, view: RunView, now: datetime) -> None:
        """Time passed; JSON does not mind."""

    def pause(self) -> None:
        """Somebody is asked something; JSON does not mind."""

    def end(self, view: RunView) -> None:
        """The summary, whether the run is over or not: `status` says it."""
        self._say(json.dumps(summary(self._tenant, self._run, view)))
