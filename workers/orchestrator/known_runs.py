"""A run as the orchestrator knows it."""

from contracts import subjects
from contracts.codec import ContractError, NewerVersion, decode_at
from workers.orchestrator.run import Run, fold, fold_spoiled
from workers.runtime.known_runs import KnownRun
from workers.runtime.ports import Stored

UNFOLDED = ("llm", "vote", "budget")
"""Nouns that no decision of the orchestrator rests on."""


class FoldedRun(KnownRun):
    """What this replica knows of a run, folded."""

    def __init__(self, tenant: str, run: str) -> None:
        super().__init__(tenant, run)
        self.run = Run(tenant, run)

    def take_in(self, address: subjects.Address, stored: Stored) -> None:
        """Take in a fact as the log has it; one that does not validate burns its name."""
        if address.noun not in UNFOLDED:
            self.fold_stored(address, stored.data)

    def fold_stored(self, address: subjects.Address, data: bytes) -> None:
        """Fold the bytes that the log has under a name."""
        try:
            self.run = fold(self.run, [decode_at(address, data)])
        except NewerVersion:
            raise
        except ContractError:
            self.run = fold_spoiled(self.run, address.name)
