"""Bytes ⇄ messages. Decoding is: JSON, identity from the subject, upcast, validate.

A payload must say its `kind` and `version`, so that no stray acknowledgement ever validates. The
identity fields may be left out, because the subject says them; where both speak they must agree.

Whatever the bytes are, decoding ends in a message that encodes to the same name, or in a `ContractError`
whose text is short enough to be a reason in a fact.
"""

import json
import math
import re
import reprlib
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from pydantic import ValidationError

from contracts import subjects
from contracts.message import Message
from contracts.upcasters import UPCASTERS, Raw, Upcaster
from contracts.v1 import approvals, ballots, budgets, capsules, failures, journal, prompts, runs, tasks, timers, waits

MESSAGES: tuple[type[Message], ...] = (
    runs.RunRequested, runs.CancelRequested, runs.RunClosed,
    tasks.PlanProject, tasks.DesignSystem, tasks.BuildModule, tasks.WriteTests, tasks.VerifyProject,
    tasks.RepairProject, tasks.ReviewProject, tasks.PackProject, tasks.PerformTask, tasks.CastVote,
    tasks.ProjectPlanned, tasks.DesignProposed, tasks.ModuleBuilt, tasks.TestsWritten, tasks.ProjectVerified,
    tasks.ProjectRepaired, tasks.ProjectReviewed, tasks.ProjectPacked, tasks.TaskPerformed,
    tasks.BallotAnswered,
    failures.TaskFailed, journal.ModelCalled, waits.TaskWaits, budgets.BudgetRaised,
    ballots.BallotOpened, ballots.VoteCast, ballots.DecisionMade, ballots.OutcomeSeen,
    approvals.GateOpened, approvals.ApprovalGiven,
    timers.DeadlinePassed, capsules.CapsulePacked, prompts.PromptChosen,
)  # fmt: skip
"""Every message of the log, in its newest version."""

MAX_ERRORS = 20
LONGEST_MESSAGE = 300
"""How much of a payload's faults is said: so many fields, so many characters of each."""


class ContractError(ValueError):
    """The bytes are no message of the contracts. Nothing but another payload can help."""


class NotJson(ContractError):
    """The payload is no JSON object."""


class WrongName(ContractError):
    """Subject and payload disagree, or the subject is outside of the grammar."""


class Malformed(ContractError):
    """The payload does not validate. `errors` holds (path of the field, what is wrong)."""

    def __init__(self, kind: str, errors: tuple[tuple[str, str], ...]) -> None:
        self.kind, self.errors = kind, errors
        super().__init__(f"{kind}: " + "; ".join(f"{field}: {message}" for field, message in errors))


class NewerVersion(ContractError):
    """A newer contract than this worker knows; a newer worker can read it."""


class Codec:
    """Knows the newest version of each kind and how to carry older payloads there."""

    def __init__(self, messages: Iterable[type[Message]], upcasters: Mapping[tuple[str, int], Upcaster]) -> None:
        self._newest = {_literal(cls, "kind"): (_literal(cls, "version"), cls) for cls in messages}
        self._upcasters = upcasters
        for kind, (newest, _) in self._newest.items():
            for version in range(1, newest):
                if (kind, version) not in upcasters:
                    raise ValueError(f"{kind} is at version {newest}; an upcaster must carry version {version} on")

    def decode(self, subject: str, data: bytes, prefix: str = subjects.PREFIX) -> Message:
        """The message that was published under `subject`; raises `ContractError`."""
        try:
            address = subjects.parse(subject, prefix)
        except subjects.NotASubject as error:
            raise WrongName(str(error)) from None
        return self.decode_at(address, data)

    def decode_at(self, address: subjects.Address, data: bytes) -> Message:
        """The message that was published under a subject which is taken apart already; raises `ContractError`."""
        raw = _identified(object_in(data), address)
        version, cls = self._class_of(raw, address)
        refuse_torn_text(raw, data)
        may_differ = raw["version"] < version or address.noun in _NUMBERED
        raw = self._upcast(raw, version)
        try:
            message = cls.model_validate(raw)
        except ValidationError as error:
            raise Malformed(str(raw["kind"]), described(error)) from None
        # A number can be written in more than one way, and a name in one only: `failure.t.01` is not `failure.t.1`.
        if may_differ and (named := subjects.address_of(message)) != address:
            raise WrongName(f"the payload is named {named.name}, the subject {address.name}")
        return message

    def _class_of(self, raw: Raw, address: subjects.Address) -> tuple[int, type[Message]]:
        kind, version = raw.get("kind"), raw.get("version")
        if not isinstance(kind, str) or kind not in self._newest:
            raise Malformed("message", (("kind", f"is {short(kind)}; it must name a known kind of message"),))
        newest, cls = self._newest[kind]
        if cls.noun != address.noun:
            raise WrongName(f"a {kind} is published under {cls.noun!r}, not under {address.noun!r}")
        if not isinstance(version, int) or isinstance(version, bool) or version < 1:
            raise Malformed(kind, (("version", "must be a whole number from 1"),))
        if version > newest:
            raise NewerVersion(f"{kind} version {short(version)} is newer than {newest}, the newest known here")
        return newest, cls

    def _upcast(self, raw: Raw, newest: int) -> Raw:
        kind = raw["kind"]
        for version in range(raw["version"], newest):
            try:
                raw = {**self._upcasters[kind, version](raw), "kind": kind, "version": version + 1}
            except Exception as error:
                # Upcasters work before validation: what they stumble over is a payload that never was valid.
                why = f"can't be carried from version {version} to {version + 1}: {short(error)}"
                raise Malformed(kind, (("(whole)", why),)) from error
        return raw


def encode(message: Message) -> bytes:
    """The message as UTF-8 JSON."""
    return message.model_dump_json().encode()


def _literal(cls: type[Message], field: str) -> Any:
    return cls.model_fields[field].default


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"the number {short(text)} is too large")
    return number


_JSON = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite)
"""Without NaN and infinities, which would be accepted here and then encoded as null."""

_NUMBERED = frozenset(noun for noun, fields in subjects.NOUNS.items() if {"attempt", "n"} & set(fields))
"""Nouns whose subjects hold numbers."""

_SURROGATE = re.compile("[\ud800-\udfff]")


def object_in(data: bytes) -> Raw:
    """The JSON object in a payload; raises `NotJson`."""
    try:
        # Not `json.loads`: it would take UTF-16 too, and surrogates that no encoder can write again.
        raw = _JSON.decode(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise NotJson(f"the payload is no JSON in UTF-8: {error}") from None
    if not isinstance(raw, dict):
        raise NotJson(f"the payload must be a JSON object, not {type(raw).__name__}")
    return raw


def _identified(raw: Raw, address: subjects.Address) -> Raw:
    said = zip(
        ("tenant", "run", *subjects.NOUNS[address.noun]), (address.tenant, address.run, *address.names), strict=True
    )
    for field, token in said:
        stated = raw.setdefault(field, token)
        if stated != token and not (type(stated) is int and str(stated) == token):
            raise WrongName(f"{field} is {short(stated)} in the payload and {token!r} in the subject")
    return raw


def refuse_torn_text(raw: Raw, data: bytes) -> None:
    """Raise `Malformed` if a text in the object `raw`, read from `data`, is no Unicode text."""
    # Only an escape can say half of a surrogate pair; pydantic would take it, and no encoder could write it.
    if b"\\u" in data and (torn := _torn_text(raw)) is not None:
        raise Malformed(str(raw["kind"]), ((torn, "has half of a surrogate pair, as text that was cut has"),))


def _torn_text(raw: Raw) -> str | None:
    """The path of a text that is no Unicode text."""
    left: list[tuple[tuple[int | str, ...], Any]] = [((), raw)]
    while left:
        path, value = left.pop()
        if isinstance(value, str) and _SURROGATE.search(value):
            return _path(path)
        if isinstance(value, dict):
            left += (((*path, _SURROGATE.sub("?", key)), part) for key, part in value.items())
            left += (((*path, "[key]"), key) for key in value)
        if isinstance(value, list):
            left += (((*path, place), part) for place, part in enumerate(value))
    return None


def short(value: object) -> str:
    """What a person reads of a value, however large or deep it is."""
    shortened = reprlib.Repr()
    shortened.maxstring = shortened.maxother = 100
    return shortened.repr(value)


def described(error: ValidationError) -> tuple[tuple[str, str], ...]:
    """(path of the field, what is wrong) for each fault, short enough for a reason."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    return tuple((_path(item["loc"]), item["msg"][:LONGEST_MESSAGE]) for item in found[:MAX_ERRORS])


def _path(loc: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in loc)[:LONGEST_MESSAGE] or "(whole)"


CODEC = Codec(MESSAGES, UPCASTERS)
decode = CODEC.decode
decode_at = CODEC.decode_at
