"""What the pages say, taken apart: fenced blocks, prose, and the files that a block is the content of."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_FENCED = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<text>.*?)^```$\n?", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Page:
    """A page of the documentation. A block's info string is its language and, if it is a file, the path."""

    file: Path

    @property
    def text(self) -> str:
        return self.file.read_text(encoding="utf-8")

    @property
    def prose(self) -> str:
        """The page without its fenced blocks."""
        return _FENCED.sub("", self.text)

    @property
    def files(self) -> dict[str, str]:
        """The blocks that name a path, by it."""
        named = ((block["info"].split(), block["text"]) for block in _FENCED.finditer(self.text))
        return {info[1]: text for info, text in named if len(info) == 2}

    def blocks(self, language: str) -> list[str]:
        """The blocks of a language that name no path, in order."""
        return [block["text"] for block in _FENCED.finditer(self.text) if block["info"] == language]

    def column(self, heading: str) -> list[str]:
        """The first cells of the table whose first heading this is."""
        lines = iter(self.text.splitlines())
        next(line for line in lines if line.startswith(f"| {heading} |"))
        next(lines)
        cells = []
        for line in lines:
            if not line.startswith("|"):
                break
            cells.append(line.split("|")[1].strip())
        return cells


@pytest.fixture
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture
def page():
    """Opens a page by its path in the repository."""
    return lambda path: Page(ROOT / path)


@pytest.fixture
def pages() -> list[Page]:
    """README and everything under docs/."""
    return [Page(ROOT / "README.md"), *(Page(file) for file in sorted((ROOT / "docs").rglob("*.md")))]
