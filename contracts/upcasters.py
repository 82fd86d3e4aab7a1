"""Upcasters carry an old payload to the next version, as plain dicts, before anything is validated."""

from collections.abc import Callable
from typing import Any

Raw = dict[str, Any]
Upcaster = Callable[[Raw], Raw]

UPCASTERS: dict[tuple[str, int], Upcaster] = {}
"""By (kind, version that it reads). An entry returns the payload of the next version; `version` is set for it."""
