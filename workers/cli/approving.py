"""`flotilla approve`: a person's answer at a gate, where a run or a ballot waits for one."""

import json as jsonlib
from collections.abc import Sequence
from typing import Annotated, Literal, NamedTuple

import typer
from pydantic import ValidationError

from contracts.v1.approvals import ApprovalGiven, GateOpened
from workers.cli.complaints import Complaint, Misused
from workers.cli.entries import Entry
from workers.cli.figures import plain, short
from workers.cli.gist import gist_of
from workers.cli.loops import go
from workers.cli.options import Json, Nats, RunName, Tenant
from workers.cli.outside import Outside, note, outside_of, say
from workers.cli.sessions import Session, checked_gate, checked_run, session

Gate = Annotated[str, typer.Argument(help="The gate's name.", metavar="GATE", show_default=False)]
Option = Annotated[str, typer.Option("--option", metavar="OPTION", help="Take this one of the gate's options.")]
Yes = Annotated[bool, typer.Option("--yes", help="Approve; of options it takes the first.")]
Reject = Annotated[bool, typer.Option("--reject", help="Reject; of options it takes the last.")]
Changes = Annotated[list[str] | None, typer.Option("--changes", metavar="TEXT", help="Ask for a change; repeatable.")]
Comment = Annotated[str, typer.Option("--comment", metavar="TEXT", help="Why; it is recorded with the answer.")]
Who = Annotated[str, typer.Option("--as", metavar="WHO", help="Who answers; else the name of this account.")]


class Verdict(NamedTuple):
    """What is answered; `word` is None when nobody has said anything yet."""

    word: Literal["approve", "reject", "ask_for_changes"] | None
    option: str = ""
    changes: tuple[str, ...] = ()
    comment: str = ""


def approve(
    context: typer.Context, run: RunName, gate: Gate, option: Option = "", yes: Yes = False, reject: Reject = False,
    changes: Changes = None, comment: Comment = "", who: Who = "", tenant: Tenant = "", json: Json = False,
    nats: Nats = "",
) -> None:  # fmt: skip
    """Answer the open GATE of RUN; without an answer, show what it asks."""
    outside = outside_of(context)
    verdict = _verdict(option, yes, reject, changes or [], comment)
    go(_approve(outside, run, gate, verdict, who or outside.user(), tenant, json, nats))


def _verdict(option: str, yes: bool, reject: bool, changes: Sequence[str], comment: str) -> Verdict:
    ways = {"--option": bool(option), "--yes": yes, "--reject": reject, "--changes": bool(changes)}
    given = [way for way, typed in ways.items() if typed]
    if len(given) > 1:
        raise Misused(f"{' and '.join(given)} are two answers; give one")
    if comment and not given:
        raise Misused(f"--comment goes with an answer; give one of {', '.join(ways)}")
    word: dict[str, Literal["approve", "reject", "ask_for_changes"]] = {
        "--option": "approve", "--yes": "approve", "--reject": "reject", "--changes": "ask_for_changes",
    }  # fmt: skip
    if not all(change.strip() for change in changes):
        raise Misused("--changes: say what is to be changed")
    return Verdict(word[given[0]] if given else None, option, tuple(changes), comment)


async def _approve(
    outside: Outside, run: str, gate: str, verdict: Verdict, who: str, tenant: str, json: bool, nats: str
) -> None:
    checked_run(run)
    checked_gate(gate)
    async with session(outside, nats, tenant) as opened:
        entries = await opened.entries(run)
        asked = _asked(entries, run, gate)
        answer = _answer(entries, gate)
        if verdict.word is None:
            _show(opened, asked, answer, json)
            return
        if answer is not None:
            if answer != _meant(asked, verdict, who):
                raise Complaint(_already(gate, answer))
            _tell(answer, json, " (answered already, the same)")
            return
        if any(entry.name == "run.closed" for entry in entries):
            raise Complaint(f"run {run} is over already, so nothing waits at gate {gate} any more")
        meant = _meant(asked, verdict, who)
        if not (await opened.bus.log.say(meant)).news and (answer := _answer(await opened.entries(run), gate)) != meant:
            raise Complaint(_already(gate, answer))
    _tell(meant, json)


def _tell(answer: ApprovalGiven, json: bool, more: str = "") -> None:
    say(answer.model_dump_json() if json else f"gate {answer.gate} of run {answer.run}: {gist_of(answer)}{more}")


def _asked(entries: Sequence[Entry], run: str, gate: str) -> GateOpened:
    gates = {entry.message.gate: entry.message for entry in entries if isinstance(entry.message, GateOpened)}
    if gate in gates:
        return gates[gate]
    if spoiled := next((entry.spoiled for entry in entries if entry.name == f"gate.{gate}"), ""):
        raise Complaint(f"gate {gate} of run {run} can't be read: {plain(spoiled)}")
    open_ones = [name for name in gates if _answer(entries, name) is None]
    raise Misused(f"run {run} has no gate {gate}; open gates: {', '.join(open_ones) or 'none'}")


def _answer(entries: Sequence[Entry], gate: str) -> ApprovalGiven | Entry | None:
    """The stored answer; an entry is one that can't be read, and that counts as given too."""
    stored = next((entry for entry in entries if entry.name == f"approval.{gate}"), None)
    return stored.message if stored and isinstance(stored.message, ApprovalGiven) else stored


def _already(gate: str, answer: ApprovalGiven | Entry | None) -> str:
    if isinstance(answer, ApprovalGiven):
        return f"gate {gate} was answered already: {gist_of(answer)}. The first answer counts"
    why = plain(answer.spoiled) if answer else "it is gone"
    return f"gate {gate} was answered already, and the answer can't be read: {why}"


def _show(opened: Session, asked: GateOpened, answer: ApprovalGiven | Entry | None, json: bool) -> None:
    if json:
        given = answer.model_dump(mode="json") if isinstance(answer, ApprovalGiven) else None
        say(jsonlib.dumps({**asked.model_dump(mode="json"), "answered": answer is not None, "approval": given}))
        return
    say(f"gate {asked.gate} of run {asked.run}: {plain(asked.question)}")
    if asked.options:
        say(f"  options   {', '.join(asked.options)}")
    if answer is not None:
        say(f"  {_already(asked.gate, answer)}")
        return
    command = f"flotilla approve {asked.run} {asked.gate}{opened.options}"
    if asked.options:
        note(f"answer it with `{command} --option OPTION`")
    else:
        note(f"answer it with `{command} --yes`, or with --reject or --changes TEXT in its place")


def _meant(asked: GateOpened, verdict: Verdict, who: str) -> ApprovalGiven:
    if verdict.option and not asked.options:
        raise Misused(f"gate {asked.gate} has no options to choose from; give --yes, --reject or --changes")
    if verdict.option and verdict.option not in asked.options:
        there = ", ".join(asked.options)
        raise Misused(f"{short(verdict.option)} is none of the options of gate {asked.gate}: {there}")
    if verdict.word is None:
        raise Misused("give an answer")
    taken = {"approve": asked.options[:1], "reject": asked.options[-1:]}.get(verdict.word, ())
    try:
        return ApprovalGiven(
            tenant=asked.tenant, run=asked.run, gate=asked.gate, verdict=verdict.word, by=who, comment=verdict.comment,
            changes=verdict.changes, option=verdict.option or next(iter(taken), None),
        )  # fmt: skip
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_input=False)[0]
        raise Misused(f"--{wrong['loc'][0] if wrong['loc'] else 'comment'}: {short(wrong['msg'], 200)}") from None
