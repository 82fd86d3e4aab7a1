"""The ballots of a run as the consensus worker knows them."""

from contracts.codec import ContractError, NewerVersion, decode_at
from contracts.subjects import Address
from workers.consensus.box import Box, Heard, ballot_in, fold
from workers.runtime.known_runs import KnownRun
from workers.runtime.ports import Stored


class KnownBallots(KnownRun):
    """What this replica knows of the ballots of one run."""

    def __init__(self, tenant: str, run: str) -> None:
        super().__init__(tenant, run)
        self.boxes: dict[str, Box] = {}
        self.is_closed = False

    def box(self, ballot: str) -> Box:
        """What is known of a ballot; nothing yet, if it is new."""
        return self.boxes.get(ballot) or Box(*self.key, ballot)

    def take_in(self, address: Address, stored: Stored) -> None:
        """Take in a fact as the log has it, if it is about a ballot."""
        if address.noun == "run.closed":
            self.is_closed = True
        elif (ballot := ballot_in(address)) is not None:
            self.put(ballot, heard(address, stored))

    def put(self, ballot: str, news: Heard) -> None:
        """Put a fact into its ballot's box, unless that is shut."""
        box = self.box(ballot)
        if not box.is_over:
            self.boxes[ballot] = fold(box, news)

    def shut(self, ballot: str) -> None:
        """Keep of a ballot that is over what may still be asked for, and not all of its votes."""
        if (box := self.box(ballot)).is_over:
            self.boxes[ballot] = box.shut()


def heard(address: Address, stored: Stored) -> Heard:
    """The stored bytes as a fact, or why they are none. Raises `NewerVersion`, but not for a vote.

    A vote is said by anybody who may vote: one that says to be newer counts as one that can't be read. If it were
    waited for, one voter could hold up the whole ballot.
    """
    at = stored.at.timestamp()
    try:
        return Heard(address, stored.sequence, at, decode_at(address, stored.data))
    except NewerVersion as error:
        if address.noun != "vote":
            raise
        return Heard(address, stored.sequence, at, None, str(error))
    except ContractError as error:
        return Heard(address, stored.sequence, at, None, str(error))
