"""Jinja knows the line of everything that it parses; with this lexer it knows the column, too."""

from collections.abc import Iterator

from jinja2 import TemplateSyntaxError
from jinja2.lexer import Lexer


class Place(int):
    """A line (from 1) that also has a column (from 1). Jinja hands it on as the line number of its nodes."""

    column: int

    def __new__(cls, line: int, column: int) -> "Place":
        """A line that knows its column."""
        made = super().__new__(cls, line)
        made.column = column
        return made


class PlacedLexer(Lexer):
    """Yields Jinja's tokens with places for line numbers.

    Tokens are pieces of the source in its order; what lies between two of them is whitespace that Jinja leaves out.
    """

    def tokeniter(
        self, source: str, name: str | None, filename: str | None = None, state: str | None = None
    ) -> Iterator[tuple[int, str, str]]:
        """The tokens; raises `TemplateSyntaxError` with a place."""
        position, line, begins, last = 0, 1, 0, ""
        try:
            for number, token, text in super().tokeniter(source, name, filename, state):
                start = source.find(text, position)
                line, begins = _moved(source, position, start, line, begins)
                yield (Place(number, start - begins + 1) if line == number else number), token, text
                position = start + len(text)
                line, begins = _moved(source, start, position, line, begins)
                last = token
            if last in ("comment_begin", "raw_begin"):  # Jinja minds these only with text behind them
                raise TemplateSyntaxError("what begins here is never closed", line, name, filename)
        except TemplateSyntaxError as error:
            if error.lineno == line and not isinstance(error.lineno, Place):
                error.lineno = Place(line, position - begins + 1)
            raise


def _moved(source: str, start: int, end: int, line: int, begins: int) -> tuple[int, int]:
    """The line at `end`, and where in the source it begins."""
    last = source.rfind("\n", start, end)
    return line + source.count("\n", start, end), begins if last < 0 else last + 1
