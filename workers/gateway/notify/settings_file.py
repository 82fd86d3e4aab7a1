"""The file of notifications: read from YAML, and refused with every fault at once."""

import json
from collections import Counter
from pathlib import Path

import yaml
from pydantic import ValidationError

from workers.gateway.notify.settings import Notifications

MOST_FILE = 1_000_000


class BadNotifications(ValueError):
    """The file can't be used. `faults` has a sentence for each: the place, and what is wrong. No secret is shown."""

    def __init__(self, source: str, faults: list[str]) -> None:
        self.source, self.faults = source, tuple(faults)
        super().__init__("\n  ".join([f"{source} can't be used:", *faults]))


def load(path: Path) -> Notifications:
    """Read the file; raises `BadNotifications` with every fault."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST_FILE)
        parsed = yaml.load(content, Loader=_Once)
    except OSError as error:
        raise BadNotifications(str(path), [f"it can't be read: {error.strerror}"]) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        at = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise BadNotifications(
            str(path), [f"it is no YAML{at}: {getattr(error, 'problem', None) or 'see there'}"]
        ) from None
    return parse(parsed, str(path))


def parse(content: object, source: str) -> Notifications:
    """Check what a file says; raises `BadNotifications`."""
    try:
        # By way of JSON: there strict validation takes lists for tuples, but still no "587" for a number.
        return Notifications.model_validate_json(json.dumps(content, default=str), strict=True)
    except ValidationError as error:
        faults = [f"{_place(fault['loc'])}: {fault['msg'].removeprefix('Value error, ')}" for fault in error.errors()]
        raise BadNotifications(source, faults) from None
    except (TypeError, ValueError, RecursionError):
        raise BadNotifications(source, ["it must be a mapping of words, numbers and lists"]) from None


class _Once(yaml.SafeLoader):
    """Refuses a key that is given twice; YAML would keep the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> "dict[object, object]":
        """The mapping of a node."""
        keys = [key.value for key, _ in node.value if isinstance(key.value, str)]
        twice = next((key for key, times in Counter(keys).items() if times > 1), None)
        if twice is not None:
            raise yaml.MarkedYAMLError(problem=f"{twice!r} is given twice", problem_mark=node.start_mark)
        return dict(super().construct_mapping(node, deep))


def _place(where: "tuple[int | str, ...]") -> str:
    kinds = {"webhook", "slack", "email", "str", "Source"}
    return ".".join(str(part) for part in where if part not in kinds) or "the file"
