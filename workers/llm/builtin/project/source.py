"""Laying out generated Python the way a formatter would: lines of at most 100 characters."""

import json
import re
from itertools import pairwise

LIMIT = 100
CLOSING = {"(": ")", "[": "]", "{": "}"}


def literal(value: object) -> str:
    """A Python literal with double quotes."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return f"[{', '.join(literal(item) for item in value)}]"
    if isinstance(value, tuple):
        return f"({', '.join(literal(item) for item in value)}{',' if len(value) == 1 else ''})"
    return repr(value)


def entries(opening: str, items: list[str], closing: str, indent: int = 0) -> str:
    """A bracketed list on one line if it fits, else one item per line."""
    lone = "," if len(items) == 1 and opening.endswith("(") and opening.rstrip("(").endswith("= ") else ""
    flat = f"{' ' * indent}{opening}{', '.join(items)}{lone}{closing}"
    if len(flat) <= LIMIT and "\n" not in flat:
        return flat
    inner = "".join(f"{' ' * (indent + 4)}{item},\n" for item in items)
    return f"{' ' * indent}{opening}\n{inner}{' ' * indent}{closing}"


def tidy(text: str) -> str:
    """Fold the lines that came out too long and drop the blank ones at the end."""
    text = re.sub(r"\{ \*\*", "{**", text)
    text = re.sub(r"(?<=\n)\n+(?=(?:def|class|@|async) ?\w)", "\n\n", text)
    lines: list[str] = []
    for line in text.rstrip("\n").split("\n"):
        lines += fold(line)
    return "\n".join(lines) + "\n"


def _unfolded(part: str, indent: str) -> list[str]:
    line = f"{indent}    {part},"
    return fold(line) if part.startswith("[") else [line]


def fold(line: str) -> list[str]:
    """Split a line at the last bracket pair that ends it, as formatters do; comments and prose stay."""
    if len(line) <= LIMIT or line.lstrip().startswith(("#", '"""')):
        return [line]
    pair = _last_pair(line)
    if pair is None:
        return [line]
    start, end = pair
    indent = " " * (len(line) - len(line.lstrip()))
    head, inner, tail = line[: start + 1], line[start + 1 : end].rstrip(","), line[end:]
    if len(indent) + 4 + len(inner) <= LIMIT and line[start] != "[":
        return [head, f"{indent}    {inner}", f"{indent}{tail}"]
    parts = [line for part in _parts(inner) for line in _unfolded(part, indent)]
    return [head, *parts, f"{indent}{tail}"]


def _last_pair(line: str) -> tuple[int, int] | None:
    """The positions of the outermost brackets that close last on the line."""
    stack: list[int] = []
    found = None
    for position, mark in _marks(line):
        if mark in CLOSING:
            stack.append(position)
        elif mark in CLOSING.values() and stack:
            opened = stack.pop()
            if not stack:
                found = (opened, position)
    return found


def _parts(inner: str) -> list[str]:
    depth, cuts = 0, [-1]
    for position, mark in _marks(inner):
        depth += (mark in CLOSING) - (mark in CLOSING.values())
        if mark == "," and depth == 0:
            cuts.append(position)
    cuts.append(len(inner))
    return [inner[a + 1 : b].strip() for a, b in pairwise(cuts)]


def _marks(line: str) -> list[tuple[int, str]]:
    """The brackets and commas of a line that are not inside of text literals."""
    marks: list[tuple[int, str]] = []
    quote, escaped = "", False
    for position, mark in enumerate(line):
        if quote:
            quote = "" if mark == quote and not escaped else quote
            escaped = mark == "\\" and not escaped
        elif mark in "\"'":
            quote = mark
        elif mark in "()[]{},":
            marks.append((position, mark))
    return marks
