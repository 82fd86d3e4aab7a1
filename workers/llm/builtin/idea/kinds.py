"""Kinds of records while their fields and relations are being collected."""

from dataclasses import dataclass, field

from workers.llm.builtin.idea.inflection import identifier
from workers.llm.builtin.idea.statements import Item, Qualities, Words
from workers.llm.builtin.idea.unreadable import RECORDS_HINT, Unreadable

SET_BY_SERVICE = {"id", "created_at", "updated_at", "creation_date", "created"}
TAKEN = {"q": "q_value", "sort": "sort_key", "page": "page_number", "page_size": "page_length"}


@dataclass
class Relation:
    """A relation that a kind has to another one."""

    name: str
    to: str
    many: bool = False
    required: bool = False


@dataclass
class KindDraft:
    """A kind while its fields and relations are being collected."""

    name: str
    plural: str
    fields: dict[str, tuple[Words, Qualities]] = field(default_factory=dict)
    relations: dict[str, Relation] = field(default_factory=dict)


@dataclass
class Resolved:
    """All kinds by name, in the order in which the idea names them, and what had to be assumed."""

    kinds: dict[str, KindDraft]
    assumptions: list[str]


def add_field(resolved: Resolved, kind: KindDraft, item: Item) -> None:
    """Give the kind a field, or say more of one that it has."""
    name = identifier(item.words)
    if name in SET_BY_SERVICE:
        resolved.assumptions.append("every record gets id, created_at and updated_at from the service")
        return
    if not name:
        raise Unreadable(f"I can't make a name of «{item.said}»", RECORDS_HINT)
    name = TAKEN.get(name, name)
    before = kind.fields.get(name)
    if before:
        before[1].merge(item.qualities, item.said)
    else:
        kind.fields[name] = (item.words, item.qualities)
