"""A ballot while votes come in: a picture on the terminal, lines or JSON lines into a pipe."""

import json as jsonlib
from datetime import datetime
from typing import Protocol

from rich.console import Console
from rich.live import Live
from rich.text import Text

from contracts.v1.ballots import BallotOpened, DecisionMade
from workers.cli.ballotline import votes_in
from workers.cli.ballottext import Page, as_json, kept_up, page_of, summed_up, what_it_says
from workers.cli.ballotview import BallotSeen, VoteSeen, counts_of, figure
from workers.cli.ending import as_json as fact_as_json
from workers.cli.entries import Entry
from workers.cli.figures import plain, short
from workers.cli.lines import GIST_WIDTH, line
from workers.cli.outside import say
from workers.cli.sessions import Session

SILENCE_S = 8.0
OVERDUE_S = 10.0
"""A fleet asks within milliseconds, and decides within two seconds of a deadline."""

FLEET = "is a fleet with a consensus worker running on this broker? `flotilla up` starts one"


class Shown(Protocol):
    """Where an open ballot is shown."""

    def see(self, entry: Entry, seen: BallotSeen) -> None:
        """A fact about it came in."""
        ...

    def tick(self, seen: BallotSeen, now: datetime) -> None:
        """Time passed."""
        ...

    def pause(self) -> None:
        """Something else is about to be written."""
        ...

    def end(self, seen: BallotSeen | None, now: datetime) -> None:
        """Nothing more will come."""
        ...


def shown_for(opened: Session, ballot: BallotOpened, json: bool, ends: bool) -> Shown:
    """The way that fits where the output goes. A ballot that `ends` with the command has no gate to answer later."""
    console = opened.outside.console()
    approve = "" if ends else f"flotilla approve {ballot.run} {ballot.ballot}{opened.options}"
    if json:
        return JsonLines()
    if console.is_terminal and not console.is_dumb_terminal:
        return Picture(console, approve)
    return Lines(approve)


class Picture:
    """Keeps the votes and the tally up to date on a terminal; the last picture stays."""

    def __init__(self, console: Console, approve: str) -> None:
        self._console, self._approve = console, approve
        self._live: Live | None = None

    def see(self, entry: Entry, seen: BallotSeen) -> None:
        """The next tick shows it."""

    def tick(self, seen: BallotSeen, now: datetime) -> None:
        """Draw it as of now."""
        if self._live is None:
            self._live = Live(console=self._console, auto_refresh=False)
            self._live.start()
        page = page_of(self._console)
        lines = kept_up(seen, now, page, self._console.height, self._approve)
        lines += [hint] if (hint := silence(seen, now)) else []
        self._live.update(Text("\n".join(lines), no_wrap=True, overflow="ellipsis"), refresh=True)

    def pause(self) -> None:
        """Leave the picture as it is."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def end(self, seen: BallotSeen | None, now: datetime) -> None:
        """Leave the last picture."""
        if seen is not None:
            self.tick(seen, now)
        self.pause()


class Lines:
    """A line per vote, with the counts up to it; then the tally and the decision."""

    def __init__(self, approve: str) -> None:
        self._approve, self._hinted = approve, ""

    def see(self, entry: Entry, seen: BallotSeen) -> None:
        """Print what came in."""
        if isinstance(entry.message, DecisionMade):
            return  # it stands at the end, with all that belongs to it
        vote = next((vote for vote in seen.votes if vote.sequence == entry.sequence), None)
        text = line(entry, seen.opened_at) if vote is None else vote_line(vote, seen)
        if text is not None:
            say(text)

    def tick(self, seen: BallotSeen, now: datetime) -> None:
        """Say it when nothing at all happens."""
        hint = silence(seen, now)
        if hint and hint != self._hinted:
            say(hint)
        self._hinted = hint or self._hinted

    def pause(self) -> None:
        """Lines do not mind."""

    def end(self, seen: BallotSeen | None, now: datetime) -> None:
        """The tally and the decision."""
        if seen is None or not seen.is_decided:
            return
        for text in summed_up(seen, now, Page(None), self._approve):
            say(text)


class JsonLines:
    """A JSON object per fact, then one on the ballot."""

    def see(self, entry: Entry, seen: BallotSeen) -> None:
        """A fact came in."""
        say(jsonlib.dumps(fact_as_json(entry)))

    def tick(self, seen: BallotSeen, now: datetime) -> None:
        """JSON does not mind."""

    def pause(self) -> None:
        """JSON does not mind."""

    def end(self, seen: BallotSeen | None, now: datetime) -> None:
        """The ballot, whether it is decided or not: `state` says it."""
        if seen is not None:
            say(jsonlib.dumps(as_json(seen, now)))


def vote_line(vote: VoteSeen, seen: BallotSeen) -> str:
    """A vote as it came: by whom, what it says, the counts with it, and why."""
    since = max(0.0, (vote.at - seen.opened_at).total_seconds())
    counts = ", ".join(f"{option} {figure(seen.terms.rule, number)}" for option, number in counts_of(seen).items())
    so_far = f"{short(counts, 100)}; {votes_in(seen)} of {len(seen.terms.electorate)}"
    why = plain(vote.reason or vote.rationale)
    text = f"{what_it_says(vote)}  ({so_far})" + (f"  {why}" if why else "")
    return f"{since:8.1f}  {'vote':<9}  {plain(vote.voter):<24}  {short(text, GIST_WIDTH)}"


def silence(seen: BallotSeen, now: datetime) -> str:
    """What to say when no worker does what is due; empty while all goes well."""
    if seen.is_decided:
        return ""
    if seen.terms.panel and not seen.asked and (now - seen.opened_at).total_seconds() >= SILENCE_S:
        return f"no worker has asked the voters yet; {FLEET}"
    if seen.deadline is not None and (now - seen.deadline).total_seconds() >= OVERDUE_S:
        return f"the deadline has passed and no worker has decided; {FLEET}"
    return ""
