"""A ballot as lines: whole, as it is kept up to date while it is open, and on one line of a run's picture."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from rich.cells import cell_len
from rich.console import Console

from contracts.v1.ballots import Option
from workers.cli.ballotline import answered
from workers.cli.ballotview import BallotSeen, VoteSeen, counts_of, figure, unit_of
from workers.cli.ballotwords import rule_in_words, terms_in_words
from workers.cli.figures import ELLIPSIS, count, plain, seconds, short
from workers.cli.gist import evidence_line, gist_of
from workers.cli.modeltable import hanging
from workers.consensus.reading import why_not

HANG = 12
WIDEST_BAR, NARROWEST_BAR = 40, 8
WIDEST_NAME, WIDEST_VOTER = 24, 36
BLOCK, PLAIN_BLOCK = "█", "#"
COUNTED = {"counted": "", "abstained": "abstains", "invalid": "not counted", "late": "too late"}
MOST_NAMES = 8


class Page(NamedTuple):
    """Where lines go: columns (None: no limit) and whether it shows more than ASCII."""

    width: int | None
    unicode: bool = True


def page_of(console: Console) -> Page:
    """Lines fit the terminal; into a pipe they are whole."""
    return Page(console.width if console.is_terminal else None, console.encoding.lower().startswith("utf"))


def described(seen: BallotSeen, now: datetime, page: Page, approve: str = "") -> Iterator[str]:
    """Everything about a ballot. `approve` is the command that answers its gate."""
    yield from _wrapped([headline(seen, now), f"  {plain(seen.terms.question)}"], page)
    yield from _part("rule", [rule_in_words(seen.terms), terms_in_words(seen.terms)], page)
    if seen.terms.context:
        yield from _part("context", [_context(seen.terms.context)], page)
    yield from _part("options", [_option(option, seen) for option in seen.terms.options], page)
    yield from _part("asked", list(_asked(seen)), page)
    yield from _part(
        "votes", [line for vote in seen.votes for line in _vote(vote, seen.votes)] or [_no_votes(seen)], page
    )
    yield from _part("tally", bars(seen, page), page)
    yield from foot(seen, page, approve)


def kept_up(seen: BallotSeen, now: datetime, page: Page, height: int, approve: str = "") -> list[str]:
    """What changes while votes come in, in at most so many lines: the newest votes, the tally, what came of it."""
    head = list(_wrapped([headline(seen, now), f"  {short(seen.terms.question, 200)}"], page))
    rest = [*_part("tally", bars(seen, page), page), *foot(seen, page, approve)]
    room = max(1, height - len(head) - len(rest) - 2)
    newest, before = seen.votes[-room:], len(seen.votes) - room
    votes = [_cut(_words_of(vote, newest) + (f": {_why(vote)}" if _why(vote) else ""), page, HANG) for vote in newest]
    votes += [f"and {count(before, 'vote')} before"] if before > 0 else []
    return [*head, *_part("votes", votes or [_no_votes(seen)], page), *rest]


def _no_votes(seen: BallotSeen) -> str:
    if seen.is_decided:
        return "none"
    if not seen.terms.panel:
        return "none yet"
    return f"none yet; asked so far: {_some(seen.asked) or 'nobody'}"


def _context(text: str) -> str:
    """What voters were told; of what was written for programs only how much it is."""
    return f"{count(len(text), 'character')} of JSON" if text.lstrip()[:1] in ("{", "[") else short(text, 400)


def summed_up(seen: BallotSeen, now: datetime, page: Page, approve: str = "") -> Iterator[str]:
    """The end of a ballot whose votes have been shown: how it stands, the tally, what came of it."""
    yield from _wrapped([headline(seen, now)], page)
    yield from _part("tally", bars(seen, page), page)
    yield from foot(seen, page, approve)


def headline(seen: BallotSeen, now: datetime) -> str:
    """The ballot's name and how it stands, with the time that is left."""
    return f"ballot {seen.name}  {standing(seen, now)}"


def standing(seen: BallotSeen, now: datetime) -> str:
    """How it stands in a few words."""
    if seen.is_decided:
        after = f" after {seconds(seen.decided_at - seen.opened_at)}" if seen.decided_at else ""
        words = {"undecided": "undecided", "escalated": "left to a person", "refused": "refused"}
        taken = seen.decision is not None and seen.decision.option is not None
        return (f"decided: {seen.outcome}" if taken else words.get(seen.outcome, "decided")) + after
    if seen.deadline is None:
        return "open"
    left = (seen.deadline - now).total_seconds()
    extended = "extended, " if seen.tally is not None and seen.tally.extended else ""
    return f"open, {extended}{seconds(left)} left" if left > 0 else "open, its deadline has passed"


def bars(seen: BallotSeen, page: Page) -> list[str]:
    """A bar for each option that can win, as long as its count; the highest fills what room there is."""
    counts, rule = counts_of(seen), seen.terms.rule
    if not counts:
        return ["no option can win"]
    names = {option: short(option, WIDEST_NAME) for option in counts}
    said = {option: figure(rule, number) for option, number in counts.items()}
    name_width, said_width = max(map(cell_len, names.values())), max(map(len, said.values()))
    room = WIDEST_BAR if page.width is None else page.width - HANG - name_width - said_width - 4
    room, most = max(NARROWEST_BAR, min(WIDEST_BAR, room)), max(counts.values())
    block = BLOCK if page.unicode else PLAIN_BLOCK
    lines = []
    for option, number in counts.items():
        length = max(1, round(room * number / most)) if number > 0 else 0
        lines.append(f"{names[option]:<{name_width}}  {block * length:<{room}}  {said[option]:>{said_width}}")
    unit = unit_of(rule)
    return lines if unit == "votes" else [*lines, f"{unit} by option"]


def foot(seen: BallotSeen, page: Page, approve: str = "") -> Iterator[str]:
    """What is missing, what came of it, whether our own count agrees, and what a person can do."""
    if seen.missing:
        of = f"{len(seen.missing)} of {count(len(seen.terms.electorate), 'vote')}"
        yield from _part("missing", [f"{of}: {_some(seen.missing)}{_short_of_quorum(seen)}"], page)
    if seen.wrong and not seen.is_decided:
        yield from _part("wrong", [*seen.wrong], page)
    if seen.spoiled:
        yield from _part("decision", [f"it can't be read: {seen.spoiled}"], page)
    if seen.decision is not None:
        early = "" if not seen.decision.early else " (early)"
        yield from _part("decision", [f"{seen.outcome}{early}: {plain(seen.decision.reason)}"], page)
        same = "the same, counted again from the log"
        yield from _part("recount", [same if seen.recount == "same" else f"IT DIFFERS: {seen.recount}"], page)
    if seen.approval is not None:
        yield from _part("approval", [f"{answered(seen)}" + _comment(seen.approval.comment)], page)
    elif seen.gate is not None:
        yield from _part("gate", [plain(seen.gate.question), f"answer it with `{approve}`" if approve else ""], page)
    if seen.turned_out is not None:
        yield from _part("outcome", [gist_of(seen.turned_out) + _comment(seen.turned_out.reason)], page)


def _comment(comment: str) -> str:
    return f": {plain(comment)}" if comment else ""


def _short_of_quorum(seen: BallotSeen) -> str:
    lacking = seen.terms.quorum - (seen.tally.votes if seen.tally else 0)
    return f"; {count(lacking, 'answer')} short of the quorum" if lacking > 0 else ""


def _asked(seen: BallotSeen) -> Iterator[str]:
    panel = {one.voter: one for one in seen.terms.panel}
    alone = [voter for voter in seen.terms.electorate if voter not in panel]
    if panel:
        who = [
            f"{voter} on {panel[voter].target}" if panel[voter].target else voter
            for voter in seen.asked
            if voter in panel
        ]
        so_far = f": {_some(who)}" if who else ""
        yield f"{len(who)} of {count(len(panel), 'panelist')}{so_far}"
    if alone:
        yield f"voting by themselves: {_some(alone)}"


def _some(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _option(option: Option, seen: BallotSeen) -> str:
    said = [plain(option.title)] if option.title else []
    said += [f"by {option.author}"] if option.author else []
    said += [evidence_line(option.evidence)] if option.evidence else []
    same = [other.option for other in seen.terms.options if option.content and other.content == option.content]
    said += [f"the same content as {same[0]}, counts for it"] if same and same[0] != option.option else []
    said += [f"can't win: {reason}"] if (reason := why_not(option)) else []
    said += [f"{count(len(option.text), 'character')} of text"] if option.text else []
    said += [count(len(option.files), "file")] if option.files else []
    return f"{option.option}" + (f"  {'; '.join(said)}" if said else "")


def _vote(vote: VoteSeen, beside: Sequence[VoteSeen]) -> Iterator[str]:
    yield _words_of(vote, beside) + (f": {plain(vote.reason)}" if vote.reason else "")
    if vote.rationale:
        yield f"  {plain(vote.rationale)}"


def _words_of(vote: VoteSeen, beside: Sequence[VoteSeen]) -> str:
    """Who votes what; what is below it stands in the same column."""
    width = min(WIDEST_VOTER, max(len(_who(one)) for one in beside))
    return f"{_who(vote):<{width}}  {what_it_says(vote)}"


def _who(vote: VoteSeen) -> str:
    return f"{vote.voter} ({vote.target})" if vote.target else vote.voter


def what_it_says(vote: VoteSeen) -> str:
    """The preference, and how it was counted if it was not."""
    said = [plain(vote.said)] if vote.said and vote.counted != "abstained" else []
    return ", ".join([*said, *([COUNTED[vote.counted]] if COUNTED[vote.counted] else [])])


def _why(vote: VoteSeen) -> str:
    return plain(vote.reason or vote.rationale)


def _part(name: str, texts: Sequence[str], page: Page) -> Iterator[str]:
    """A word in the first column, texts in the second; what is too long goes on below its text."""
    said = [text for text in texts if text]
    for place, text in enumerate(said):
        start = f"  {name if place == 0 else '':<{HANG - 2}}"
        own = len(text) - len(text.lstrip())
        yield from _wrapped([f"{start}{text}"], page, HANG + own + (2 if len(said) > 1 else 0))


def _wrapped(lines: Sequence[str], page: Page, hang: int | None = None) -> Iterator[str]:
    for line in lines:
        own = len(line) - len(line.lstrip()) + (2 if hang is None else 0)
        yield from hanging(line, page.width, own if hang is None else hang)


def _cut(text: str, page: Page, taken: int) -> str:
    if page.width is None or len(text) + taken <= page.width:
        return text
    return text[: page.width - taken - 1].rstrip() + (ELLIPSIS if page.unicode else "")


def as_json(seen: BallotSeen, now: datetime) -> dict[str, Any]:
    """A ballot as one JSON object: what was asked, who voted how, how it stands by our own count, the decision."""
    counted = seen.tally
    return {
        "type": "ballot",
        "tenant": seen.terms.tenant,
        "run": seen.terms.run,
        "ballot": seen.name,
        "state": "decided" if seen.is_decided else "open",
        "outcome": seen.outcome or None,
        "opened_at": seen.opened_at.isoformat(),
        "deadline": seen.deadline.isoformat() if seen.deadline else None,
        "left_s": _left(seen, now),
        "terms": seen.terms.model_dump(mode="json", exclude={"tenant", "run", "ballot", "kind", "version"}),
        "wrong": list(seen.wrong),
        "asked": list(seen.asked),
        "votes": [_vote_json(vote) for vote in seen.votes],
        "counts": counts_of(seen),
        "missing": list(seen.missing),
        "valid": counted.votes if counted else 0,
        "abstained": counted.abstained if counted else 0,
        "decision": seen.decision.model_dump(mode="json", exclude={"tenant", "run"}) if seen.decision else None,
        "recount": seen.recount or None,
        "gate": seen.gate.gate if seen.gate else None,
        "approval": seen.approval.model_dump(mode="json", exclude={"tenant", "run"}) if seen.approval else None,
        "turned_out": seen.turned_out.model_dump(mode="json", exclude={"tenant", "run"}) if seen.turned_out else None,
        "spoiled": seen.spoiled or None,
    }


def _left(seen: BallotSeen, now: datetime) -> float | None:
    if seen.deadline is None or seen.is_decided:
        return None
    return round(max(0.0, (seen.deadline - now).total_seconds()), 3)


def _vote_json(vote: VoteSeen) -> dict[str, Any]:
    return {
        "voter": vote.voter,
        "counted": vote.counted,
        "says": vote.said,
        "reason": vote.reason,
        "rationale": vote.rationale,
        "target": vote.target,
        "sequence": vote.sequence,
        "at": vote.at.isoformat(),
    }
