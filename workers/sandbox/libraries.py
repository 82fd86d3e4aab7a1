"""Which libraries generated code has, besides the standard one. What is here is said to the model in the prompt."""

import importlib.metadata
import sys
from functools import cache

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LIBRARIES = ("pytest", "pytest-cov")


def libraries() -> dict[str, str]:
    """What generated code may import in the sandbox, besides itself: name → version, Python first."""
    versions = {name: distribution.version for name, distribution in distributions().items()}
    return {"python": ".".join(map(str, sys.version_info[:3])), **dict(sorted(versions.items()))}


@cache
def distributions() -> dict[str, importlib.metadata.Distribution]:
    """`LIBRARIES` and all that they need, by name, as they are installed beside the fleet."""
    found: dict[str, importlib.metadata.Distribution] = {}
    todo = list(LIBRARIES)
    while todo:
        name = canonicalize_name(todo.pop())
        if name in found:
            continue
        found[name] = importlib.metadata.distribution(name)
        for text in found[name].requires or ():
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                todo.append(requirement.name)
    return found
