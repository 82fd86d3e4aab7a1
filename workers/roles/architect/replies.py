"""What a model must answer to the architect's questions."""

from contracts.v1.projects import DesignDecision, Endpoint, Module, Table
from workers.roles.reply import Reply


class DesignReply(Reply):
    """A design that developers can build from, each module alone."""

    summary: str
    modules: tuple[Module, ...]
    endpoints: tuple[Endpoint, ...] = ()
    tables: tuple[Table, ...] = ()
    decisions: tuple[DesignDecision, ...] = ()
    start: tuple[str, ...] = ()
