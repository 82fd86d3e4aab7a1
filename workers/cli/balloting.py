"""What the commands on ballots do with the log: find a ballot, show it, vote, say what came of it."""

import json as jsonlib
from typing import NamedTuple

from contracts.v1.ballots import OutcomeSeen, VoteCast
from workers.cli.ballotscreen import silence
from workers.cli.ballottext import as_json, described, page_of
from workers.cli.ballotview import BallotSeen, ballot_seen, vote_in_words
from workers.cli.ballotwords import of_run
from workers.cli.complaints import Complaint, Misused
from workers.cli.entries import Entry
from workers.cli.figures import plain, short
from workers.cli.gist import gist_of
from workers.cli.outside import Outside, note, say
from workers.cli.progress import progress
from workers.cli.sessions import RECENT, Session, checked_ballot, checked_run, session
from workers.cli.voting import Answered, says_the_same, vote_on_ballot


class Found(NamedTuple):
    """A ballot, the run that it is of, and the facts of that run."""

    seen: BallotSeen
    run: str
    entries: list[Entry]


async def found(opened: Session, ballot: str, run: str) -> Found:
    """The ballot of that name; complains when there is none, or several and no run is named."""
    checked_ballot(ballot)
    with progress(opened.outside, "reading the log"):
        run = checked_run(run) if run else await _run_of(opened, ballot)
        entries = await opened.entries(run)
    seen = ballot_seen(entries, ballot)
    if seen is not None:
        return Found(seen, run, entries)
    stored = next((entry for entry in entries if entry.name == f"ballot.{ballot}"), None)
    if stored is not None:
        raise Complaint(f"ballot {ballot} of run {run} can't be read: {plain(stored.spoiled)}")
    there = [entry.name.removeprefix("ballot.") for entry in entries if entry.name.startswith("ballot.")]
    raise Misused(f"run {run} has no ballot {ballot}; it has {', '.join(there) or 'none'}")


async def _run_of(opened: Session, ballot: str) -> str:
    prefix = f"{opened.settings.prefix}.{opened.tenant}"
    runs = [_run(fact.subject, opened) for fact in await opened.bus.log.scan(f"{prefix}.*.ballot.{ballot}")]
    if len(runs) > 1:
        raise Misused(f"{len(runs)} runs have a ballot {ballot}; name one of them: --run {' | '.join(runs[-RECENT:])}")
    if runs:
        return runs[0]
    known = [fact.subject.rpartition(".")[2] for fact in await opened.bus.log.scan(f"{prefix}.*.ballot.*")]
    recent = f"; recent ballots: {', '.join(known[-RECENT:][::-1])}" if known else ", nor any other"
    raise Misused(f"there is no ballot {ballot} of tenant {opened.tenant}{recent}")


def _run(subject: str, opened: Session) -> str:
    return subject.removeprefix(f"{opened.settings.prefix}.").split(".")[1]


async def show_it(outside: Outside, ballot: str, run: str, tenant: str, json: bool, nats: str) -> None:
    """Print the ballot."""
    async with session(outside, nats, tenant) as opened:
        seen, run, _ = await found(opened, ballot, run)
    now = outside.now()
    if json:
        say(jsonlib.dumps(as_json(seen, now)))
        return
    for line in described(seen, now, page_of(outside.console()), approve_command(run, ballot, opened)):
        say(line)
    if hint := silence(seen, now):
        note(hint)


def approve_command(run: str, gate: str, opened: Session) -> str:
    """The command that shows a gate and how it is answered."""
    return f"flotilla approve {run} {gate}{opened.options}"


async def vote_on(
    outside: Outside, ballot: str, answered: Answered, run: str, tenant: str, json: bool, nats: str
) -> None:
    """Say the vote, unless that voter has voted."""
    async with session(outside, nats, tenant) as opened:
        seen, run, entries = await found(opened, ballot, run)
        if _has_voted(entries, seen, answered, json):
            return
        vote = vote_on_ballot(seen, answered)
        if not (await opened.bus.log.say(vote)).news and _has_voted(await opened.entries(run), seen, answered, json):
            return
    if json:
        say(vote.model_dump_json())
        return
    said = vote_in_words(seen.terms, vote)
    say(f"ballot {seen.name}: {vote.voter} votes {said}" if said else f"ballot {seen.name}: {vote.voter} abstains")
    note(f"see it with `flotilla ballot show {seen.name}{of_run(seen.terms)}{opened.options}`")


def _has_voted(entries: list[Entry], seen: BallotSeen, answered: Answered, json: bool) -> bool:
    """Whether the log has this voter's vote and it says the same; complains when it says something else."""
    stored = next((entry for entry in entries if entry.name == f"vote.{seen.name}.{answered.voter}"), None)
    if stored is None:
        return False
    who = f"{short(answered.voter)} has voted already on ballot {seen.name}"
    vote = stored.message
    if not isinstance(vote, VoteCast):
        raise Complaint(f"{who}, and the stored vote can't be read: {plain(stored.spoiled)}")
    said = vote_in_words(seen.terms, vote) or "abstains" + (f": {short(vote.because)}" if vote.because else "")
    if not says_the_same(vote, answered):
        raise Complaint(f"{who}, and it says: {said}. The first vote counts, and there is no second one")
    say(vote.model_dump_json() if json else f"{who}, the same: {said}")
    return True


async def say_outcome(
    outside: Outside, ballot: str, right: str, wrong: str, why: tuple[str, str], run: str, tenant: str, json: bool,
    nats: str,
) -> None:  # fmt: skip
    """Say whose votes the outcome proves right or wrong, unless an outcome was said."""
    if bool(right) == bool(wrong):
        raise Misused("say --right OPTION or --wrong OPTION: what the decision turned out to be worth")
    async with session(outside, nats, tenant) as opened:
        seen, run, _ = await found(opened, ballot, run)
        meant = outcome_of(seen, right or wrong, bool(right), *why)
        said = (await opened.bus.log.say(meant)).news
        stored = meant if said else _stored_outcome(await opened.entries(run), ballot)
    if stored != meant:
        raise Complaint(f"the outcome of ballot {ballot} was said already: {gist_of(stored)}; there is one")
    if json:
        say(meant.model_dump_json())
        return
    say(f"ballot {ballot}: {gist_of(meant)}" + ("" if said else " (said already; it counts once)"))


def _stored_outcome(entries: list[Entry], ballot: str) -> OutcomeSeen:
    stored = next((entry for entry in entries if entry.name == f"outcome.{ballot}"), None)
    if stored is None or not isinstance(stored.message, OutcomeSeen):
        raise Complaint(f"the outcome of ballot {ballot} was said already, and it can't be read")
    return stored.message


def outcome_of(seen: BallotSeen, option: str, right: bool, reason: str, evidence: str) -> OutcomeSeen:
    """What the outcome proves of those whose votes counted. Where an option was right, everybody with another
    preference was wrong; where it was wrong, nothing is known of the others."""
    names = [one.option for one in seen.terms.options]
    if option not in names:
        raise Misused(f"{short(option)} is none of the options {', '.join(names)}")
    if seen.decision is None:
        raise Complaint(f"ballot {seen.name} is not decided yet, so there is nothing to learn from it")
    stood = [one.voter for one in seen.decision.counted if option in one.options]
    others = [one.voter for one in seen.decision.counted if one.options and option not in one.options]
    return OutcomeSeen(
        tenant=seen.terms.tenant, run=seen.terms.run, ballot=seen.name, option=option, right=right,
        voters_right=tuple(stood) if right else (), voters_wrong=tuple(others) if right else tuple(stood),
        by="flotilla", reason=reason, evidence_at=evidence,
    )  # fmt: skip
