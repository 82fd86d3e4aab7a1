"""Bytes ⇄ messages. Decoding is: JSON, identity from the subject, upcast, validate.

A payload must say its `kind` and `version`, so that no stray acknowledgement ever validates. The
identity fields may be left out, because the subject says them; where both speak they must agree.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from contracts import subjects
from contracts.message import Message
from contracts.upcasters import UPCASTERS, Raw, Upcaster
from contracts.v1 import approvals, ballots, capsules, failures, journal, runs, tasks, timers

MESSAGES: tuple[type[Message], ...] = (
    runs.RunRequested, runs.CancelRequested, runs.RunClosed,
    tasks.PlanProject, tasks.DesignSystem, tasks.BuildModule, tasks.WriteTests, tasks.VerifyProject,
    tasks.RepairProject, tasks.ReviewProject, tasks.PackProject, tasks.PerformTask,
    tasks.ProjectPlanned, tasks.DesignProposed, tasks.ModuleBuilt, tasks.TestsWritten, tasks.ProjectVerified,
    tasks.ProjectRepaired, tasks.ProjectReviewed, tasks.ProjectPacked, tasks.TaskPerformed,
    failures.TaskFailed, journal.ModelCalled,
    ballots.BallotOpened, ballots.VoteCast, ballots.DecisionMade,
    approvals.GateOpened, approvals.ApprovalGiven,
    timers.DeadlinePassed, capsules.CapsulePacked,
)  # fmt: skip
"""Every message of the log, in its newest version."""


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

    def decode(self, subject: str, data: bytes, prefix: str = subjects.PREFIX) -> Message:
        """The message that was published under `subject`; raises `ContractError`."""
        try:
            address = subjects.parse(subject, prefix)
        except subjects.NotASubject as error:
            raise WrongName(str(error)) from None
        raw = _identified(_object(data), address)
        version, cls = self._class_of(raw, address)
        raw = self._upcast(raw, version)
        try:
            return cls.model_validate(raw)
        except ValidationError as error:
            raise Malformed(str(raw["kind"]), _errors(error)) from None

    def _class_of(self, raw: Raw, address: subjects.Address) -> tuple[int, type[Message]]:
        kind, version = raw.get("kind"), raw.get("version")
        if not isinstance(kind, str) or kind not in self._newest:
            raise Malformed("message", (("kind", f"is {kind!r}; it must name a known kind of message"),))
        newest, cls = self._newest[kind]
        if not isinstance(version, int) or isinstance(version, bool) or version < 1:
            raise Malformed(kind, (("version", "must be a whole number from 1"),))
        if version > newest:
            raise NewerVersion(f"{kind} version {version} is newer than {newest}, the newest that is known here")
        if cls.noun != address.noun:
            raise WrongName(f"a {kind} is published under {cls.noun!r}, not under {address.noun!r}")
        return newest, cls

    def _upcast(self, raw: Raw, newest: int) -> Raw:
        for version in range(raw["version"], newest):
            raw = {**self._upcasters[raw["kind"], version](raw), "version": version + 1}
        return raw


def encode(message: Message) -> bytes:
    """The message as UTF-8 JSON."""
    return message.model_dump_json().encode()


def _literal(cls: type[Message], field: str) -> Any:
    return cls.model_fields[field].default


def _object(data: bytes) -> Raw:
    try:
        raw = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise NotJson(f"the payload is no JSON: {error}") from None
    if not isinstance(raw, dict):
        raise NotJson(f"the payload must be a JSON object, not {type(raw).__name__}")
    return raw


def _identified(raw: Raw, address: subjects.Address) -> Raw:
    said = zip(
        ("tenant", "run", *subjects.NOUNS[address.noun]), (address.tenant, address.run, *address.names), strict=True
    )
    for field, token in said:
        stated = raw.setdefault(field, token)
        if str(stated) != token:
            raise WrongName(f"{field} is {stated!r} in the payload and {token!r} in the subject")
    return raw


def _errors(error: ValidationError) -> tuple[tuple[str, str], ...]:
    found = error.errors(include_url=False, include_input=False, include_context=False)
    return tuple((".".join(str(part) for part in item["loc"]) or "(whole)", item["msg"]) for item in found[:20])


CODEC = Codec(MESSAGES, UPCASTERS)
decode = CODEC.decode
