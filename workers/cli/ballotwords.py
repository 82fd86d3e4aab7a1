"""The terms of a ballot in words."""

from contracts.v1.ballots import BallotOpened
from workers.cli.durations import as_typed
from workers.cli.figures import count, plain


def rule_in_words(ballot: BallotOpened) -> str:
    """How the ballot is decided, in one line."""
    numerator, denominator = ballot.threshold
    vetoers = ", ".join(ballot.vetoers) or "any voter"
    words = {
        "majority": "more than half of the votes for options",
        "supermajority": f"at least {numerator}/{denominator} of the votes for options",
        "unanimity": "all votes for options are for one",
        "veto": f"more than half, unless {vetoers} votes for {ballot.status_quo}",
        "approval": "the option that most voters approve of",
        "ranked": "Schulze's method over the rankings",
        "weighted": "more than half of the weight",
        "ahead": f"the first option that leads by {count(ballot.ahead_by, 'vote')}, else the one with the most",
        "score": f"the highest median of scores from 0 to {ballot.score_max}",
    }
    return f"{ballot.rule}: {words[ballot.rule]}" if ballot.rule in words else plain(ballot.rule)


def of_run(ballot: BallotOpened) -> str:
    """The option that names the run of a ballot; empty for one of its own."""
    return "" if ballot.run == ballot.ballot else f" --run {ballot.run}"


def terms_in_words(ballot: BallotOpened) -> str:
    """Quorum, deadline, ties and what happens without a winner, in one line."""
    said = [f"quorum {ballot.quorum} of {len(ballot.electorate)}"]
    if ballot.deadline_s:
        said.append(f"votes count for {as_typed(ballot.deadline_s)}")
    ties = ballot.tie_order or (("status_quo",) if ballot.tie == "status_quo" else ())
    said += [f"ties by {', '.join(tie.replace('_', ' ') for tie in ties)}"] if ties else []
    said += [f"status quo {ballot.status_quo}"] if ballot.status_quo else []
    extension = f" once by {as_typed(ballot.extension_s)}" if ballot.extension_s else ""
    said.append({
        "undecided": "without a winner it stays undecided",
        "escalate": "without a winner a person is asked",
        "extend": f"without a winner it is extended{extension}",
        "default": f"without a winner {ballot.default_option} is taken",
    }[ballot.no_quorum])  # fmt: skip
    return "; ".join([*said, *(["votes must be signed"] if ballot.signed else [])])
