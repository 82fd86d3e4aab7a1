"""Requirements seen as a service: names of paths, columns and tables, derived once for code, tests and design."""

import keyword
from dataclasses import dataclass, field
from functools import cached_property

from contracts.v1.projects import FieldSpec, Link, RecordKind, Requirements
from workers.llm.builtin.project.wording import article
from workers.llm.builtin.wordset import wordset

TAKEN_IN_TESTS = wordset(
    "service answer sample path name value ids record unknown change required other stored first second same pool "
    "found wanted text by_number rising without document method target parameter expected children back replacement "
    "by_filter of_nothing this_path that_path number body headers media_type described id json pytest urlencode "
    "answers list set dict str range sorted"
)


def _variable(name: str) -> str:
    """The name as a variable of a test, where nothing else has it."""
    return f"the_{name}" if name in TAKEN_IN_TESTS or keyword.iskeyword(name) else name


@dataclass(frozen=True)
class Reference:
    """A column that holds the id of one record of the kind `to`; `children` is the path under that record."""

    kind: "Kind"
    to: "Kind"
    name: str
    required: bool
    children: str

    @property
    def column(self) -> str:
        return f"{self.name}_id"

    @property
    def variable(self) -> str:
        return f"the_{self.name}" if self.name == self.kind.name else _variable(self.name)

    @property
    def child_variable(self) -> str:
        return f"its_{self.kind.name}" if self.variable == self.kind.variable else self.kind.variable

    @property
    def alone(self) -> bool:
        """Whether the child's other required parents never refer to this parent themselves."""
        return not any(self.to in other.needed for other in self.kind.parents if other is not self.to)


@dataclass(frozen=True)
class Pairing:
    """A many-to-many relation with a table of its own."""

    kind: "Kind"
    to: "Kind"
    name: str
    children: str

    @property
    def table(self) -> str:
        return f"{self.kind.name}_{self.name}"[:48]

    @property
    def this_column(self) -> str:
        return f"{self.kind.name}_id"

    @property
    def that_column(self) -> str:
        return f"other_{self.to.name}_id" if self.to is self.kind else f"{self.to.name}_id"

    @property
    def this_variable(self) -> str:
        return self.kind.variable

    @property
    def that_variable(self) -> str:
        return f"another_{self.to.name}" if self.to is self.kind else self.to.variable

    @property
    def alone(self) -> bool:
        return self.kind not in self.to.needed and self.to not in self.kind.needed


@dataclass(frozen=True, eq=False)
class Kind:
    """A kind of record. Compared by identity: a blueprint holds each kind once."""

    spec: RecordKind
    references: list[Reference] = field(default_factory=list)
    pairings: list[Pairing] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def plural(self) -> str:
        return self.spec.plural

    @property
    def label(self) -> str:
        return self.name.replace("_", " ")

    @property
    def labels(self) -> str:
        return self.plural.replace("_", " ")

    @property
    def article(self) -> str:
        return article(self.name)

    @property
    def constant(self) -> str:
        return self.name.upper()

    @property
    def samples_constant(self) -> str:
        return self.plural.upper()

    @property
    def variable(self) -> str:
        return _variable(self.name)

    @property
    def fields(self) -> tuple[FieldSpec, ...]:
        return self.spec.fields

    @property
    def parents(self) -> list["Kind"]:
        """The kinds that a record of this kind must refer to."""
        return [reference.to for reference in self.references if reference.required]

    @property
    def needed(self) -> set["Kind"]:
        """All kinds of which a record must be stored before one of this kind can be."""
        found: set[Kind] = set()
        ahead = list(self.parents)
        while ahead:
            kind = ahead.pop()
            if kind not in found:
                found.add(kind)
                ahead += kind.parents
        return found

    @property
    def search(self) -> tuple[str, ...]:
        texts = {spec.name for spec in self.fields if spec.type in ("text", "email", "url")}
        return tuple(name for name in self.spec.search if name in texts)


@dataclass(frozen=True)
class Blueprint:
    """A whole service."""

    requirements: Requirements
    kinds: tuple[Kind, ...]

    @property
    def package(self) -> str:
        return self.requirements.package

    @property
    def title(self) -> str:
        return self.requirements.title

    @cached_property
    def references(self) -> list[Reference]:
        return [reference for kind in self.kinds for reference in kind.references]

    @cached_property
    def pairings(self) -> list[Pairing]:
        return [pairing for kind in self.kinds for pairing in kind.pairings]

    @property
    def types(self) -> set[str]:
        return {spec.type for kind in self.kinds for spec in kind.fields}

    def is_parent(self, kind: Kind) -> bool:
        """Whether some record must refer to one of this kind."""
        return any(reference.to is kind and reference.required for reference in self.references)


def blueprint(requirements: Requirements) -> Blueprint:
    """Derive all names. A relation to a kind that is not there is left out."""
    kinds = {spec.name: Kind(spec) for spec in requirements.records}
    wanted = [(kinds[spec.name], kinds[link.to], link) for spec, link in _links(requirements) if link.to in kinds]
    for kind, to, link in wanted:
        children = _children(kind, to, link, wanted)
        if link.many:
            kind.pairings.append(Pairing(kind, to, link.name, children))
        else:
            kind.references.append(Reference(kind, to, link.name, link.required, children))
    return Blueprint(requirements, tuple(kinds.values()))


def _links(requirements: Requirements) -> list[tuple[RecordKind, Link]]:
    return [(spec, link) for spec in requirements.records for link in spec.links]


def _children(kind: Kind, to: Kind, link: Link, wanted: list[tuple[Kind, Kind, Link]]) -> str:
    """The plural of the kind, made longer where another relation of `to` has the same path."""
    rivals = [other for child, target, other in wanted if target is to and child is kind]
    own_paths = [other.name for child, _, other in wanted if child is to and other.many]
    if len(rivals) > 1 or kind.plural in own_paths:
        return f"{kind.plural}_as_{link.name}"
    return kind.plural
