"""What is known of voters by now: the outcomes in the log, read as far as they go and folded."""

from typing import Protocol

from contracts.codec import ContractError, decode
from contracts.subjects import Address
from contracts.v1.ballots import OutcomeSeen
from workers.consensus.outcomes import Known, fold
from workers.runtime.ports import Stored


class Scans(Protocol):
    """A log that can be read by wildcard."""

    async def scan(self, subjects: str, after: int = 0) -> list[Stored]:
        """All messages under a wildcard with a sequence above `after`, in order."""
        ...


class Learned:
    """Each tenant's voters. Only what has come since it was asked last is read; replicas read for themselves."""

    def __init__(self, log: Scans, prefix: str) -> None:
        self._log, self._prefix = log, prefix
        self._known: dict[str, tuple[Known, int]] = {}

    async def by_now(self, tenant: str) -> Known:
        """What the outcomes of a tenant say of its voters. Raises `BusUnavailable`.

        An outcome that does not validate teaches nothing, nor does one of a newer version.
        """
        known, upto = self._known.get(tenant, (Known(tenant), 0))
        every = Address(tenant, "*", "outcome", ("*",)).subject(self._prefix)
        outcomes: list[OutcomeSeen] = []
        for stored in await self._log.scan(every, upto):
            upto = stored.sequence
            try:
                fact = decode(stored.subject, stored.data, self._prefix)
            except ContractError:
                continue
            if isinstance(fact, OutcomeSeen):
                outcomes.append(fact)
        self._known[tenant] = fold(known, outcomes), upto
        return self._known[tenant][0]
