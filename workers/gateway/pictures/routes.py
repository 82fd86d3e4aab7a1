"""Lines between boxes that don't run through other boxes.

Between two rows that follow each other a line bends straight over. A longer one goes down beside the boxes: in the
column of one of its ends where nothing stands in between, else in the gap between columns that is nearest. Lines from
one task share a lane there; those from others mostly have another one.
"""

from workers.gateway.pictures.layers import Layout
from workers.gateway.pictures.markup import number

WIDE, HIGH = 184.0, 92.0
BETWEEN, BELOW, BORDER = 36.0, 46.0, 32.0
"""Sizes of a box, of the gaps beside and below it, and of the picture's border."""

LANES, LANE = 5, 5.0


class Grid:
    """Where the boxes of a layout are, in the picture's units."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._lines = {task: layout.line(task) for task in layout.cells}
        self._lanes = {
            task: ((self._lines[task] + cell.column) % LANES - LANES // 2) * LANE for task, cell in layout.cells.items()
        }
        self._taken = {(self._lines[task], cell.column) for task, cell in layout.cells.items()}

    @property
    def width(self) -> float:
        """Of the whole picture."""
        return 2 * BORDER + self.layout.columns * (WIDE + BETWEEN) - BETWEEN

    @property
    def height(self) -> float:
        """Of the whole picture; without a task there is room for a line of text."""
        rows = sum(self.layout.rows)
        return 2 * BORDER + (rows * (HIGH + BELOW) - BELOW if rows else 20.0)

    def corner(self, task: str) -> tuple[float, float]:
        """Left and top of a box."""
        return self._left(self.layout.cells[task].column), BORDER + self._lines[task] * (HIGH + BELOW)

    def top(self, task: str) -> tuple[float, float]:
        """Where lines come in."""
        x, y = self.corner(task)
        return x + WIDE / 2, y

    def bottom(self, task: str) -> tuple[float, float]:
        """Where lines go out."""
        x, y = self.corner(task)
        return x + WIDE / 2, y + HIGH

    def between(self, upper: str, lower: str) -> range:
        """The rows that lie between two boxes."""
        return range(self._lines[upper] + 1, self._lines[lower])

    def way(self, upper: str, lower: str) -> float:
        """Where a line goes down past the rows in between."""
        rows = self.between(upper, lower)
        for task in (lower, upper):
            column = self.layout.cells[task].column
            if not any((row, column) in self._taken for row in rows):
                straight = column == self.layout.cells[upper].column == self.layout.cells[lower].column
                return self._left(column) + WIDE / 2 + (0 if straight else self._lanes[upper])
        middle = (self.top(upper)[0] + self.top(lower)[0]) / 2
        gaps = [self._left(column) - BETWEEN / 2 for column in range(self.layout.columns + 1)]
        return min(gaps, key=lambda gap: (abs(gap - middle), gap)) + self._lanes[upper]

    def _left(self, column: int) -> float:
        return BORDER + column * (WIDE + BETWEEN)


def route(grid: Grid, upper: str, lower: str) -> str:
    """The line from a task to one below it, as a path that ends where the tip begins."""
    (x, y), (end, tip) = grid.bottom(upper), grid.top(lower)
    last = tip - 8
    if not grid.between(upper, lower):
        return f"M{number(x)} {number(y)}{_bend(x, y, end, last)}"
    way, enter, leave = grid.way(upper, lower), y + BELOW, tip - BELOW
    return f"M{number(x)} {number(y)}{_bend(x, y, way, enter)}V{number(leave)}{_bend(way, leave, end, last)}"


def _bend(x: float, y: float, end: float, below: float) -> str:
    middle = number((y + below) / 2)
    return f"C{number(x)} {middle} {number(end)} {middle} {number(end)} {number(below)}"
