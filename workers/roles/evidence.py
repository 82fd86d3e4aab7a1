"""Evidence as models are shown it: what was found, and nothing that is different each time it is found again.

So the same project gets the same question, and the journal shows it by the question's digest.
"""

import re
from typing import Any

from contracts.v1.projects import Evidence

_TIMES = re.compile(r"\bin \d+(?:\.\d+)?s\b(?: \(\d+:\d\d:\d\d\))?")
_REPORT = re.compile(r"\S*coverage-\w+\.json")


def shown(evidence: Evidence) -> dict[str, Any]:
    """The evidence without how long it took, where its report lies, and the like in what the tests printed."""
    seen = evidence.model_dump(mode="json", exclude={"duration_s", "junit"})
    return {**seen, "output": _REPORT.sub("coverage.json", _TIMES.sub("in a while", evidence.output))}
