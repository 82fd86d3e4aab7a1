"""A vote as it is typed, checked the way the fleet will count it, and signed. Pure but for reading the key."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from contracts.subjects import is_token
from contracts.v1.ballots import BallotOpened, VoteCast
from workers.cli.asking import in_a_sentence, pairs_typed
from workers.cli.ballotview import BallotSeen
from workers.cli.complaints import Complaint, Misused
from workers.cli.figures import short
from workers.cli.panels import names_typed
from workers.consensus.reading import READ, Cast, invalid
from workers.runtime.signing import BadKey, Signer

HOW = {"choice": "--choice", "approved": "--approve", "ranking": "--rank", "scores": "--score"}
"""The option that states each field of a vote."""


SAID = {"choice": "…", "approved": "…,…", "ranking": "…,…", "scores": "…=3,…=5"}


def way_to_vote(terms: BallotOpened) -> str:
    """The options that a vote on this ballot takes, to be filled in."""
    field = READ.get(terms.rule, ("choice",))[0]
    return f"{HOW[field]} {SAID[field]}" + (" --key-file SEED" if terms.signed else "")


@dataclass(frozen=True)
class Answered:
    """A vote before it is known what it is about. `signer` is there when a key was given."""

    voter: str
    choice: str | None = None
    approved: tuple[str, ...] = ()
    ranking: tuple[str, ...] = ()
    scores: tuple[tuple[str, str], ...] = ()
    because: str = ""
    rationale: str = ""
    signer: Signer | None = None


def answer_typed(
    voter: str, choice: str, approve: str, rank: str, score: str, abstain: bool, because: str, rationale: str,
    key_file: Path | None,
) -> Answered:  # fmt: skip
    """One way of voting, and only one."""
    if not is_token(voter):
        raise Misused(f"--as: {short(voter)!r} is no name of a voter: use 1 to 64 characters of A-Z a-z 0-9 _ -")
    ways = {"--choice": choice, "--approve": approve, "--rank": rank, "--score": score, "--abstain": abstain}
    given = [option for option, typed in ways.items() if typed]
    if len(given) != 1:
        what = "nothing is voted" if not given else f"{' and '.join(given)} are two votes"
        raise Misused(f"{what}; give one of {', '.join(ways)}")
    if because and not abstain:
        raise Misused("--because says why there is no preference, with --abstain; say why you vote so with --rationale")
    ranking = names_typed(rank)
    if len(set(ranking)) != len(ranking):
        raise Misused("--rank names an option twice")
    scores = tuple(pairs_typed("--score", names_typed(score)).items())
    signer = _signer(key_file) if key_file else None
    return Answered(voter, choice or None, names_typed(approve), ranking, scores, because, rationale, signer)


def _signer(key_file: Path) -> Signer:
    try:
        return Signer(key_file.read_bytes().strip() or b"-")
    except OSError as error:
        raise Misused(f"--key-file {key_file} can't be read: {(error.strerror or str(error)).lower()}") from None
    except BadKey as error:
        raise Misused(f"--key-file {key_file}: {error}") from None


def vote_on_ballot(seen: BallotSeen, answered: Answered) -> VoteCast:
    """The vote on this ballot; complains of what would make it invalid, or too late."""
    terms = seen.terms
    vote = _vote(seen, answered)
    if seen.is_decided:
        raise Complaint(f"ballot {seen.name} is decided already ({seen.outcome}); a vote now would not count")
    if answered.voter not in terms.electorate:
        said = f"{short(answered.voter)} is not in the electorate of ballot {seen.name}"
        raise Misused(f"{said}; may vote: {short(', '.join(terms.electorate), 300)}")
    if terms.signed and answered.signer is None:
        raise Misused(f"ballot {seen.name} counts signed votes only; sign with --key-file SEED")
    if answered.signer is not None:
        vote = _signed(seen, vote, answered.signer)
    if reason := invalid(terms, Cast(2**62, answered.voter, vote)):
        raise Misused(f"this vote would not count: {reason}{_way(terms.rule, reason)}")
    return vote


def says_the_same(vote: VoteCast, answered: Answered) -> bool:
    """Whether a stored vote states what was typed now; reasons are not looked at."""
    scores = {option: str(score) for option, score in vote.scores.items()}
    stored = (vote.choice, set(vote.approved), vote.ranking, scores)
    return stored == (answered.choice, set(answered.approved), answered.ranking, dict(answered.scores))


def _vote(seen: BallotSeen, answered: Answered) -> VoteCast:
    terms = seen.terms
    try:
        return VoteCast.model_validate({
            "tenant": terms.tenant, "run": terms.run, "ballot": terms.ballot, "voter": answered.voter,
            "choice": answered.choice, "approved": answered.approved, "ranking": answered.ranking,
            "scores": dict(answered.scores), "because": answered.because, "rationale": answered.rationale,
        })  # fmt: skip
    except ValidationError as error:
        raise Misused(in_a_sentence(error)) from None


def _signed(seen: BallotSeen, vote: VoteCast, signer: Signer) -> VoteCast:
    key = seen.terms.keys.get(vote.voter)
    if seen.terms.signed and key != signer.public_key:
        wanted = f"the ballot knows {vote.voter} by {key}" if key else f"the ballot has no key of {vote.voter}"
        raise Misused(f"--key-file: its key is {signer.public_key}, and {wanted}")
    return vote.model_copy(update={"signature": signer.sign_bytes(vote.signed_bytes)})


def _way(rule: str, reason: str) -> str:
    """How to vote by this rule, where the shape of the vote is what is wrong."""
    ways = " or ".join(HOW[field] for field in READ.get(rule, ("choice",)))
    return f"; use {ways}" if reason.startswith("it has only") else ""
