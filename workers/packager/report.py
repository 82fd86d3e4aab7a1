"""The report of the project's tests as a capsule carries it: which tests there were and how each ended.

Times, host names and printed output are left out, so that the same tests with the same ends give the same bytes. The
report as the sandbox collected it stays among the artifacts; the run's evidence names it.
"""

from xml.parsers import expat
from xml.sax.saxutils import quoteattr

from workers.packager.capsule import JUNIT, CapsuleRefused

_ELEMENTS = frozenset(("testsuites", "testsuite", "testcase", "skipped", "failure", "error"))
_ATTRIBUTES = (
    "name", "classname", "file", "line", "tests", "failures", "errors", "skipped", "type", "message",
)  # fmt: skip


def lasting_report(junit: bytes) -> bytes:
    """The JUnit report with what lasts in it; raises `CapsuleRefused` when it is none.

    It was written beside code that nobody vouches for, so a document type, which brings entities, is refused.
    """
    copy = _Copy()
    parser = expat.ParserCreate("utf-8")
    parser.StartDoctypeDeclHandler = copy.refuse
    parser.StartElementHandler = copy.start
    parser.EndElementHandler = copy.end
    try:
        parser.Parse(junit, True)
    except expat.ExpatError as error:
        raise CapsuleRefused(JUNIT, f"is no XML: {error}") from None
    return "".join(copy.lines).encode()


class _Copy:
    """What was written so far, a line for each tag; only `lasting_report` sees it."""

    def __init__(self) -> None:
        self.lines = ['<?xml version="1.0" encoding="utf-8"?>\n']
        self._depth = 0
        self._empty = False

    def refuse(self, *_: object) -> None:
        raise CapsuleRefused(JUNIT, "has a document type; a test report has none")

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if len(self.lines) == 1 and tag not in ("testsuites", "testsuite"):
            raise CapsuleRefused(JUNIT, f"begins with <{tag}>; a test report begins with <testsuites> or <testsuite>")
        if tag not in _ELEMENTS:
            return
        said = "".join(f" {name}={quoteattr(attributes[name])}" for name in _ATTRIBUTES if name in attributes)
        self.lines.append(f"{' ' * self._depth}<{tag}{said}>\n")
        self._depth, self._empty = self._depth + 1, True

    def end(self, tag: str) -> None:
        if tag not in _ELEMENTS:
            return
        self._depth -= 1
        if self._empty:
            self.lines[-1] = self.lines[-1].removesuffix(">\n") + "/>\n"
        else:
            self.lines.append(f"{' ' * self._depth}</{tag}>\n")
        self._empty = False
