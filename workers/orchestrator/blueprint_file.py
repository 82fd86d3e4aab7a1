"""The blueprint as it is read: YAML to terms, and every fault in it with its path and what to do.

designs: 3                      # made to choose from
ballots:
  design: {rule: approval, voters: [simplicity, {persona: security, target: sonnet}]}
  release: off                  # no ballot; what is not said stays as it is without a file
"""

from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from workers.llm.yaml_mapping import NoMapping, mapping_in
from workers.orchestrator.blueprint import Ballots, BallotTerms, Blueprint, Voter

_PARTS: dict[str, type[BaseModel]] = {"ballots": Ballots, "design": BallotTerms, "release": BallotTerms}


WORDS = {
    "too_short": "is empty; name at least one",
    "too_long": "are too many; there can be 25 voters",
    "tuple_type": "must be a list",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "string_type": "must be a word",
}
"""Faults whose words are the library's own."""


class BadBlueprint(ValueError):
    """The file can't be used. `faults` has a sentence for each: path in the file, what is wrong, what to do."""

    def __init__(self, source: str, faults: list[str]) -> None:
        self.source, self.faults = source, tuple(faults)
        super().__init__("\n  ".join([f"{source} can't be used:", *faults]))


def read_blueprint(path: Path | None) -> Blueprint:
    """The blueprint of a file; the default without one. Raises `BadBlueprint` with all faults."""
    if path is None:
        return Blueprint()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        fault = f"it can't be read: {why}; name another file in FLOTILLA_BLUEPRINT"
        raise BadBlueprint(str(path), [fault]) from None
    try:
        content = mapping_in(text, "`designs:` and `ballots:`") or {}
    except NoMapping as error:
        raise BadBlueprint(str(path), [str(error)]) from None
    try:
        return Blueprint.model_validate(_filled(content))
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_input=False)
        faults = [_fault(one["loc"], one["type"], one["msg"]) for one in wrong]
        raise BadBlueprint(str(path), list(dict.fromkeys(faults))) from None


def _filled(content: dict[Any, Any]) -> dict[Any, Any]:
    """The content with what is written short written out: voters, `off`, and fields that a ballot leaves out."""
    ballots = content.get("ballots")
    if ballots is False:
        return {**content, "ballots": dict.fromkeys(Ballots.model_fields)}
    if not isinstance(ballots, dict):
        return content if ballots is not None else {key: value for key, value in content.items() if key != "ballots"}
    return {**content, "ballots": {name: _terms(name, terms) for name, terms in ballots.items()}}


def _terms(name: Any, terms: Any) -> Any:
    default = getattr(Ballots(), name) if name in Ballots.model_fields else None
    if terms is True or terms is None:
        return default
    if not isinstance(terms, dict):
        return None if terms is False else terms
    usual = default.model_dump() if default else {}
    own = dict(terms)
    if isinstance(own.get("threshold"), str):
        own["threshold"] = own["threshold"].split("/")
    if "voters" in own:
        own["voters"] = _voters(own["voters"])
        if isinstance(own["voters"], list) and "quorum" in usual:  # fewer voters than usual need no quorum beside them
            usual["quorum"] = max(1, min(usual["quorum"], len(own["voters"])))
    return {**usual, **own}


def _voters(written: Any) -> Any:
    """Voters as mappings: one may stand alone, and a persona without anything else."""
    listed = [written] if isinstance(written, str | dict) else written
    return [{"persona": one} if isinstance(one, str) else one for one in listed] if isinstance(listed, list) else listed


def _fault(place: tuple[int | str, ...], kind: str, said: str) -> str:
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).removeprefix(".")
    if kind == "extra_forbidden":
        fields = list(_fields(place))
        close = get_close_matches(str(place[-1]), fields, n=1)
        meant = f" (did you mean {close[0]!r}?)" if close else ""
        return f"{where}: unknown field{meant}; there are {', '.join(fields)}"
    if kind == "missing":
        return f"{where}: is missing; add it"
    if kind in ("model_type", "model_attributes_type"):
        hint = ", or `off` for no ballot" if len(place) == 2 else ""
        return f"{where}: must be a mapping of fields{hint}"
    if kind in WORDS:
        return f"{where}: {WORDS[kind]}"
    said = said.removeprefix("Value error, ").replace("Input should be", "must be")
    return f"{where}: {said[:1].lower()}{said[1:]}"


def _fields(place: tuple[int | str, ...]) -> Iterator[str]:
    """The fields that there are where one was found that is unknown."""
    if len(place) == 1:
        return iter(Blueprint.model_fields)
    owner = _PARTS.get(str(place[-2]))
    return iter((owner or Voter).model_fields)
