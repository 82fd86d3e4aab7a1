"""What the sandbox offers to the projects that run in it, as prompts state it.

The sandbox runs projects with the interpreter that the fleet is installed for, so the versions that
are installed here are those that a project meets there.
"""

import sys
from importlib.metadata import version
from typing import Any

LIBRARIES = ("pytest", "pytest-cov")


def sandbox_facts() -> dict[str, Any]:
    """The Python version, and the libraries besides the standard library with their versions."""
    return {
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "libraries": [f"{name} {version(name)}" for name in LIBRARIES],
    }
