"""What an input must be: its contract, as the front matter states it.

    text        a string                        number      an int or a float
    json        whatever JSON can say           Design      that class of the contracts, or a mapping that fits it
    [Finding]   any number of these             Evidence?   one of these, or null

A mapping is as good as the class: recorded inputs and examples are JSON. What prompts leave out on purpose may be
missing: the `duration_s` of evidence, and of an option all but its name; its `files` have their content.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, TypeAdapter, ValidationError
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from contracts.message import Prose, Token
from contracts.v1 import projects
from contracts.v1.ballots import Option
from contracts.v1.projects import Evidence, FileRef
from contracts.v1.tasks import RoleBrief

MOST_FAULTS = 3
"""Faults of one input that are named."""


class File(BaseModel):
    """A file with its whole content, as text."""

    model_config = ConfigDict(frozen=True)

    path: str
    content: str


class _ShownEvidence(Evidence):
    duration_s: float = 0.0


class _ShownOption(BaseModel):
    option: Token
    title: Prose = ""
    text: Prose = ""
    evidence: _ShownEvidence | None = None
    files: tuple[Annotated[File | FileRef, Field(union_mode="left_to_right")], ...] = ()


CLASSES: Mapping[str, type[BaseModel]] = {
    **{
        name: found
        for name, found in vars(projects).items()
        if isinstance(found, type) and issubclass(found, BaseModel) and found.__module__ == projects.__name__
    },
    **{found.__name__: found for found in (Option, RoleBrief, File)},
}
"""The classes that an input may be of, by name."""

_SHOWN: Mapping[str, type[BaseModel]] = {"Evidence": _ShownEvidence, "Option": _ShownOption}
_PLAIN: Mapping[str, Callable[[Any], bool]] = {
    "text": lambda value: isinstance(value, str),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "json": lambda value: True,
}


@dataclass(frozen=True)
class Contract:
    """What an input must be: `kind` is `text`, `number`, `json` or a class's name."""

    kind: str = "json"
    many: bool = False
    nullable: bool = False

    def __str__(self) -> str:
        return (f"[{self.kind}]" if self.many else self.kind) + "?" * self.nullable

    def faults(self, value: Any) -> list[str]:
        """What keeps the value from fitting; nothing if it fits."""
        if value is None and self.nullable:
            return []
        if not self.many:
            return self._faults(value)
        if not isinstance(value, list | tuple):
            return [f"must be a list, not {_kind_of(value)}"]
        return [f"{at}: {fault}" for at, one in enumerate(value) for fault in self._faults(one)]

    def _faults(self, value: Any) -> list[str]:
        if self.kind in _PLAIN:
            return [] if _PLAIN[self.kind](value) else [f"must be a {self.kind}, not {_kind_of(value)}"]
        if isinstance(value, CLASSES[self.kind]):
            return []
        if not isinstance(value, Mapping):
            return [f"must be a {self.kind}, not {_kind_of(value)}"]
        try:
            self._validator.validate_python(dict(value))
        except ValidationError as error:
            found = error.errors(include_url=False, include_input=False, include_context=False)
            return [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in found[:MOST_FAULTS]]
        return []

    @cached_property
    def _validator(self) -> TypeAdapter[Any]:
        return TypeAdapter(_SHOWN.get(self.kind, CLASSES[self.kind]))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """In a front matter a contract is a text, or a list with one text in it."""
        return core_schema.no_info_plain_validator_function(_contract)


def _contract(stated: Any) -> Contract:
    match stated:
        case Contract():
            return stated
        case [str() as one]:
            text, many, nullable = one, True, False
        case str():
            text = stated.removesuffix("?")
            nullable = text != stated
            many = text.startswith("[") and text.endswith("]")
            text = text[1:-1].strip() if many else text
        case _:
            raise PydanticCustomError("form", "a contract is one name: X, [X] for a list, X? for one that may be null")
    if text not in CLASSES and text not in _PLAIN:
        known = {"what": repr(text[:60]), "known": ", ".join((*_PLAIN, *sorted(CLASSES)))}
        raise PydanticCustomError("contract", "there is no contract {what}; there are {known}", known)
    return Contract(text, many, nullable)


def _kind_of(value: Any) -> str:
    return "null" if value is None else type(value).__name__
