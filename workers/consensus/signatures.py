"""Signed ballots: whose key a vote must be signed by, and whether it is.

A vote is signed over `VoteCast.signed_bytes`, which name its tenant, run, ballot and voter: no signature is worth
anything on another ballot or for another voter.
"""

from contracts.v1.ballots import BallotOpened, VoteCast
from workers.runtime.signing import BadKey, check_bytes, check_key


def fault(ballot: BallotOpened, vote: VoteCast) -> str:
    """Why the vote does not count on a signed ballot; empty if the signature is right, or the ballot wants none."""
    if not ballot.signed:
        return ""
    if (vote.tenant, vote.run, vote.ballot) != (ballot.tenant, ballot.run, ballot.ballot):
        return f"it is a vote on {vote.tenant}/{vote.run}/{vote.ballot}, so its signature is worth nothing here"
    key = ballot.keys.get(vote.voter)
    if key is None:
        return f"the ballot counts signed votes only and has no key of {vote.voter}"
    if not vote.signature:
        return "the ballot counts signed votes only, and this one is not signed"
    try:
        check_bytes(vote.signed_bytes, vote.signature, key)
    except BadKey as error:
        return f"the signature is wrong: {error}"
    return ""


def key_fault(key: str) -> str:
    """What is wrong with a voter's key; empty for a public nkey of type user."""
    try:
        check_key(key)
    except BadKey as error:
        return str(error)
    return ""
