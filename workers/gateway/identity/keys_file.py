"""`keys.yaml` as it is read: YAML to keys, and every fault in it with its line and what to do.

keys:
  - id: 7kq2mdx4
    sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    name: build server
    tenant: acme          # "*" is every tenant, which takes the role admin
    role: operator        # viewer, operator, approver or admin
    expires: 2027-01-31   # may be left out; a day is its beginning in UTC, 2027-01-31T12:00:00Z a moment
    revoked: true         # may be left out
    limits: {requests_per_minute: 600, burst: 60}
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import yaml

from workers.gateway.identity.keys import Key, Keys, Minted, hidden
from workers.gateway.identity.keys_fields import EVERY_TENANT, FIELDS, NEEDED, READERS, Fault, fields_of

MOST_FAULTS = 50


class BadKeys(ValueError):
    """The file can't be used. `faults` has a sentence for each: file, line, what is wrong, what to do."""

    def __init__(self, faults: list[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n  ".join(["the keys can't be used:", *faults]))


def read_keys(text: str, source: str) -> Keys:
    """The keys of a file's text. Raises `BadKeys` with all faults; a fault of YAML itself comes alone."""
    try:
        root = _root(text, source)
        entries = _entries(root)
    except Fault as fault:
        raise BadKeys([f"{source}, line {fault.line}: {fault}"]) from None
    found: list[tuple[Key, Any]] = []
    faults: list[str] = []
    for entry in entries:
        key, wrong = _key(entry)
        found += [(key, entry)] if key else []
        faults += [f"{source}, line {fault.line}: {fault}" for fault in wrong]
    faults += [f"{source}, line {fault.line}: {fault}" for fault in _clashes(found)]
    if faults:
        raise BadKeys(faults[:MOST_FAULTS])
    return Keys(key for key, _ in found)


def entry_text(minted: Minted) -> str:
    """The lines that keep a new key, to be put under `keys:`."""
    key = minted.key
    said = {
        "id": key.id,
        "sha256": key.sha256,
        "name": key.name,
        "tenant": key.tenant or EVERY_TENANT,
        "role": key.role,
    }
    # Text in quotes of JSON is text of YAML, whatever is in it.
    lines = [f"{field}: {json.dumps(value, ensure_ascii=False)}" for field, value in said.items()]
    if key.expires is not None:
        lines.append(f"expires: {datetime.fromtimestamp(key.expires, UTC).strftime('%Y-%m-%dT%H:%M:%SZ')}")
    return "  - " + "\n    ".join(lines) + "\n"


def _root(text: str, source: str) -> Any:
    """The file as nodes, which know their lines; only this way has a fault a line."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = f", line {mark.line + 1}" if mark else ""
        raise BadKeys([f"{source}{at}: {hidden(error.problem or error.context or 'no YAML')}"]) from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise BadKeys([f"{source}: is no YAML; write it as UTF-8 text, without control characters"]) from None
    if root is None:
        raise BadKeys([f"{source}, line 1: the file is empty; it needs `keys:` with a list below"])
    return root


def _entries(root: Any) -> list[Any]:
    parts = fields_of(root, ("keys",), "the file must be `keys:` with a list below")
    if "keys" not in parts:
        raise Fault(root, "`keys:` is missing; put the list of keys below it")
    if not isinstance(parts["keys"], yaml.SequenceNode):
        raise Fault(parts["keys"], "`keys:` must be a list; begin each key with `- id: …`")
    return list(parts["keys"].value)


def _key(entry: Any) -> tuple[Key | None, list[Fault]]:
    """The key of an entry and no fault, or None and all faults."""
    try:
        parts = fields_of(entry, FIELDS, "a key must be a mapping; write its fields as `name: value`")
    except Fault as fault:
        return None, [fault]
    wrong = [Fault(entry, f"{name} is missing; add it") for name in NEEDED if name not in parts]
    values: dict[str, Any] = {}
    for name, node in parts.items():
        try:
            values[name] = READERS[name](node)
        except Fault as fault:
            wrong.append(fault)
    if "tenant" in values and values["tenant"] is None and values.get("role", "admin") != "admin":
        said = f"every tenant is for the role admin, not for {values['role']}; name one tenant"
        wrong.append(Fault(parts["tenant"], said))
    return (None, wrong) if wrong else (Key(**values), [])


def _clashes(found: list[tuple[Key, Any]]) -> Iterator[Fault]:
    """Ids and digests that are there twice."""
    first: dict[str, int] = {}
    for key, entry in found:
        for said, what in ((key.id, f"id {key.id}"), (key.sha256, "sha256")):
            if said in first:
                yield Fault(entry, f"has the same {what} as the key at line {first[said]}; remove one of them")
            first.setdefault(said, entry.start_mark.line + 1)
