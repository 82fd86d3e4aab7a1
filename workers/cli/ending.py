"""The last lines on a run: what came of it, and for a failed one the task, the reason and where to look."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from workers.cli.ballotline import on_one_line, votes_in
from workers.cli.ballotview import BallotSeen, counts_of
from workers.cli.entries import Entry
from workers.cli.figures import count, dollars, plain, seconds, short
from workers.cli.gist import evidence_line
from workers.cli.taskview import WaitView
from workers.cli.view import GateView, RunView

MORE_TOKENS = 1_000_000
_AMOUNT = re.compile(r"[0-9][0-9.,]*")
SILENCE_S = 8.0
"""A fleet takes up a request within milliseconds."""


class Hints(NamedTuple):
    """Where the facts of the run can be read afterwards, how its project can be had, and the commands on its budget,
    on the models, and (with a gate's name behind it) on its gates."""

    facts: str
    project: str
    budget: str = ""
    models: str = ""
    approve: str = ""

    @classmethod
    def kept(cls, run: str, options: str = "") -> "Hints":
        """For a run whose broker stays. `options` is what commands need to get there, e.g. ` --tenant acme`."""
        nats = options.partition(" --tenant ")[0]  # targets are those of all tenants
        return cls(*(f"flotilla {how}" for how in (
            f"show {run}{options}", f"fetch {run}{options} --out DIR", f"budget {run}{options}", f"models{nats}",
            f"approve {run}{options}",
        )))  # fmt: skip


def ending(run: str, view: RunView, hints: Hints) -> list[str]:
    """The last lines on a run that is over."""
    head = f"run {run} {view.state}" + ("" if view.began is None else f" in {elapsed(view)}") + f" · {spending(view)}"
    return [head, *(_delivered(view, hints) if view.state == "completed" else _missed(view, hints))]


def silence(view: RunView, now: datetime) -> str:
    """What to say about a request that no worker has answered for a while; empty when there is nothing to say."""
    if view.tasks or view.is_over or view.began is None or view.elapsed(now).total_seconds() < SILENCE_S:
        return ""
    return "no worker has answered yet; is a fleet running on this broker? `flotilla up` starts one"


def waiting(view: RunView, now: datetime, most: int = 3) -> list[str]:
    """What waits for models or for budget, since when and why: a line for all that wait for the same reason, amounts
    aside. Tasks of lines above `most` are counted."""
    alike: dict[tuple[str, str], list[WaitView]] = {}
    for wait in view.waits:
        alike.setdefault((wait.what, _AMOUNT.sub("#", wait.reason)), []).append(wait)
    groups = list(alike.values())
    more = sum(map(len, groups[most:]))
    lines = [_waited(group, now) for group in groups[:most]]
    return [*lines, f"{count(more, 'more task')} waiting"] if more else lines


def _waited(alike: Sequence[WaitView], now: datetime) -> str:
    first, others = alike[0], len(alike) - 1
    who = f"{first.task} and {count(others, 'more task')} have" if others else f"{first.task} has"
    since = min(wait.since for wait in alike)
    return plain(f"{who} waited {seconds(now - since)} for {first.what}" + (first.reason and f": {first.reason}"))


def what_helps(view: RunView, hints: Hints) -> str:
    """What lets a run go on that waits for a person or for budget, or where to look when it waits for models; empty
    when it does not.

    It raises what the run has a limit of. A run without any waits for what its tenant may spend in a day.
    """
    if hints.approve and view.open_gates:
        return f"answer it with `{hints.approve} {view.open_gates[-1].gate}`"
    if all(wait.what != "budget" for wait in view.waits):
        return f"it goes on as soon as one can serve; see `{hints.models}`" if hints.models and view.waits else ""
    if not hints.budget:
        return ""
    usd, tokens = (view.budget.usd, view.budget.tokens) if view.budget else (None, None)
    more = ("" if usd is None else " --add 5") + ("" if tokens is None else f" --add-tokens {MORE_TOKENS}")
    return f"it goes on after `{hints.budget}{more}`" if more else f"see `{hints.budget}`"


def standing(run: str, view: RunView, now: datetime, hints: Hints) -> list[str]:
    """The last lines on a run, as it ended or as it stands."""
    if view.is_over:
        return ending(run, view, hints)
    ballots = [on_one_line(ballot) for ballot in view.ballots]
    waits = [*ballots, *waiting(view, now), *map(gate_line, view.open_gates), what_helps(view, hints)]
    if view.is_only_ballots:
        return [line for line in waits if line]
    return [f"run {run} {view.standing}", *(f"  {line}" for line in waits if line)]


def gate_line(gate: GateView) -> str:
    """What an open gate asks, on one line."""
    options = f" ({', '.join(gate.options)})" if gate.options else ""
    return plain(f"waits at gate {gate.gate}: {gate.question}{options}")


def elapsed(view: RunView, now: datetime | None = None) -> str:
    """How long the run took, or has been going on at `now`."""
    until = view.ended or now or view.began
    return "0.0 s" if until is None else seconds(view.elapsed(until))


def spending(view: RunView, brief: bool = False) -> str:
    """Calls, tokens and cost; without tokens where room is short."""
    spent = view.spent
    tokens = "" if brief else f"{count(spent.input_tokens + spent.output_tokens, 'token')}, "
    return f"{count(spent.calls, 'call' if brief else 'model call')}, {tokens}{dollars(spent.cost_usd)}"


def _delivered(view: RunView, hints: Hints) -> list[str]:
    lines = [f"  tests     {evidence_line(view.evidence)}"] if view.evidence else []
    if view.capsule:
        lines.append(f"  capsule   {count(view.capsule.files, 'file')}, sha256 {view.capsule.sha256}")
        lines += [f"  project   {hints.project}"] if hints.project else []
    return lines


def _missed(view: RunView, hints: Hints) -> list[str]:
    lines = [f"  task      {view.failed_task}"] if view.failed_task else []
    if view.reason:
        lines.append(f"  reason    {plain(view.reason)}")
    lines += [f"  field     {plain(error.field)}: {plain(error.message)}" for error in view.errors]
    if view.evidence and not view.evidence.passed:
        lines.append(f"  tests     {plain(evidence_line(view.evidence))}")
        lines += [f"            {plain(red.case)}: {short(red.message)}" for red in view.evidence.failures[:5]]
    lines += [f"  spoiled   {plain(name)}: {plain(reason)}" for name, reason in view.spoiled]
    lines.append(f"  evidence  {_where(view)}{hints.facts}")
    return lines


def _where(view: RunView) -> str:
    places = [plain(view.evidence_at)] if view.evidence_at else []
    if view.evidence and view.evidence.junit and view.evidence.junit not in view.evidence_at:
        places.append(f"artifact {view.evidence.junit}")
    return "".join(f"{place} · " for place in places)


def as_json(entry: Entry) -> dict[str, Any]:
    """A fact as a JSON object; `message` is null and `spoiled` says why when it does not decode."""
    return {
        "type": "fact",
        "sequence": entry.sequence,
        "at": entry.at.isoformat(),
        "name": entry.name,
        "message": None if entry.message is None else entry.message.model_dump(mode="json"),
        "spoiled": entry.spoiled or None,
    }


def waits_as_json(view: RunView) -> list[dict[str, Any]]:
    """The tasks that wait for models or for budget, as JSON objects."""
    return [
        {
            "task": wait.task,
            "what": wait.what,
            "reason": wait.reason,
            "since": wait.since.isoformat(),
            "until": wait.until.isoformat() if wait.until else None,
        }
        for wait in view.waits
    ]


def summary(tenant: str, run: str, view: RunView) -> dict[str, Any]:
    """The final JSON object on a run."""
    return {
        "type": "summary",
        "tenant": tenant,
        "run": run,
        "status": view.state,
        "reason": view.reason,
        "failed_task": view.failed_task,
        "errors": [error.model_dump() for error in view.errors],
        "elapsed_s": round(view.elapsed(view.ended or view.began).total_seconds(), 3) if view.began else 0.0,
        "spent": view.spent.model_dump(),
        "evidence": view.evidence.model_dump(mode="json") if view.evidence else None,
        "evidence_at": view.evidence_at,
        "capsule": view.capsule.sha256 if view.capsule else None,
        "tasks": [
            {"task": task.task, "role": task.role, "state": task.state, "attempt": task.attempt, "calls": task.calls}
            for task in view.tasks
        ],
        "waits": waits_as_json(view),
        "ballots": [_ballot_json(ballot) for ballot in view.ballots],
        "gates": [
            {
                "gate": gate.gate,
                "question": gate.question,
                "options": list(gate.options),
                "verdict": gate.verdict or None,
                "option": gate.option or None,
                "by": gate.by or None,
            }
            for gate in view.gates
        ],
        "spoiled": [{"name": name, "reason": reason} for name, reason in view.spoiled],
    }


def _ballot_json(seen: BallotSeen) -> dict[str, Any]:
    return {
        "ballot": seen.name,
        "outcome": seen.outcome or None,
        "votes": votes_in(seen),
        "electorate": len(seen.terms.electorate),
        "counts": counts_of(seen),
    }
