"""What the clauses of an idea state, before it is known which words name kinds and which name fields."""

from dataclasses import dataclass, field

from contracts.v1.projects import FieldType
from workers.llm.builtin.idea.unreadable import Unreadable

Words = tuple[str, ...]


@dataclass
class Qualities:
    """What is said of a field. A second, different statement about the same thing is a contradiction."""

    type: FieldType | None = None
    required: bool | None = None
    unique: bool | None = None
    default: str | None = None
    choices: tuple[str, ...] = ()

    def state(self, name: str, value: object, said: str) -> None:
        before = getattr(self, name)
        if before not in (None, ()) and before != value:
            raise Unreadable(
                f"«{said}» contradicts what was said before: {name} is both {_shown(before)} and {_shown(value)}",
                "State each quality of a field once.",
            )
        setattr(self, name, value)

    def merge(self, other: "Qualities", said: str) -> None:
        for name in ("type", "required", "unique", "default", "choices"):
            value = getattr(other, name)
            if value not in (None, ()):
                self.state(name, value, said)


def _shown(value: object) -> str:
    return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)


@dataclass(frozen=True)
class Item:
    """Something that a kind has: a field, or, where the words name a kind, a relation."""

    words: Words
    said: str
    quantity: str = ""
    qualities: Qualities = field(default_factory=Qualities)


@dataclass(frozen=True)
class KindNamed:
    """Records of this kind are to be kept."""

    kind: Words
    said: str


@dataclass(frozen=True)
class Has:
    """A kind has a field or is related to another kind. `single` says «a book has», not «books have»."""

    kind: Words
    item: Item
    single: bool = False


@dataclass(frozen=True)
class Belongs:
    """Each `child` refers to one `parent`, or to many."""

    child: Words
    parent: Words
    said: str
    many: bool = False
    required: bool | None = None


@dataclass(frozen=True)
class Holds:
    """One `parent` does something with many of the kind `child`."""

    parent: Words
    child: Words
    said: str
    verb: str = ""
    single: bool = False


@dataclass(frozen=True)
class Mutual:
    """Two kinds are related many-to-many."""

    one: Words
    other: Words
    said: str


@dataclass(frozen=True)
class Ruled:
    """A quality of a field that is stated on its own. `near` is the kind that the text spoke of before."""

    kind: Words | None
    near: Words
    subject: Words
    said: str
    qualities: Qualities


@dataclass(frozen=True)
class Listed:
    """A wish to search, filter or sort by fields."""

    kind: Words | None
    fields: tuple[Words, ...]
    said: str


Statement = KindNamed | Has | Belongs | Holds | Mutual | Ruled | Listed
