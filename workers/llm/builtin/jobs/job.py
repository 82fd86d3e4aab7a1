"""What a job gets, and how it says that it can't be done."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from contracts.v1.projects import Evidence, Requirements
from workers.llm.builtin.faults import Faults, draw
from workers.llm.builtin.project.blueprint import Blueprint, blueprint

Reply = dict[str, Any]


Parsed = TypeVar("Parsed", bound=BaseModel)


class CannotDo(Exception):
    """The built-in model can't do this; the message says what and why."""


@dataclass(frozen=True)
class Brief:
    """The data of a prompt, and the faults to make. `text` is the whole request, for seeded draws.

    `careless` says that this answer is to be a wrong one; jobs that write code make a mistake in it then.
    """

    data: dict[str, Any]
    text: str
    faults: Faults
    careless: bool = False

    def block(self, name: str) -> Any:
        """The block with this name, which the job needs."""
        if name not in self.data:
            raise CannotDo(f"The prompt has no data block {name!r}, which this job needs.")
        return self.data[name]

    def blueprint(self) -> Blueprint:
        """The service that the requirements describe."""
        requirements = parsed(Requirements, self.block("requirements"), "requirements")
        if not requirements.records:
            raise CannotDo(
                "The requirements name no kinds of records. The built-in model only writes record-keeping services."
            )
        return blueprint(requirements)

    def draw(self, purpose: str) -> float:
        """A seeded number for this request."""
        return draw(self.faults.seed, purpose, self.text)


def evidence_in(shown: Mapping[str, Any]) -> Evidence:
    """The evidence that a prompt shows, which does not say how long the tests took."""
    return parsed(Evidence, {"duration_s": 0, **shown}, "evidence")


def parsed(model: type[Parsed], content: Any, name: str) -> Parsed:
    """The content of a block as a contract value."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or name
        raise CannotDo(f"The data block {name!r} does not fit its contract: {place}: {first['msg']}.") from None
