"""What can be said of a field: its type, whether it is required or unique, its choices and its default."""

import re

from workers.llm.builtin.idea.clauses import Token
from workers.llm.builtin.idea.cursor import Cursor
from workers.llm.builtin.idea.lexicon import OPTIONAL, REQUIRED, TYPE_NAMES, UNIQUE, UNITS, WHOLE_UNITS
from workers.llm.builtin.idea.statements import Qualities
from workers.llm.builtin.idea.unreadable import RECORDS_HINT, Unreadable

LINKING = (
    "which must be", "that must be", "which is", "that is", "which are", "that are", "which can be", "that can be",
    "which may be", "must be", "has to be", "have to be", "should be", "can be", "may be", "being", "is", "are",
)  # fmt: skip
GIVEN = ("must be given", "must not be empty", "not empty", "cannot be empty", "always given", "has to be given")
FREE = ("can be empty", "may be empty", "if known", "if any", "if available", "if there is one", "not required",
        "not mandatory", "can be left out", "may be missing", "if needed", "when known")  # fmt: skip
DEFAULT = ("that defaults to", "which defaults to", "that default to", "which default to", "and defaults to",
           "defaults to", "default to", "defaulting to", "by default", "default is", "the default is", "default",
           "starting as", "starts as", "initially")  # fmt: skip
STOPS = REQUIRED | OPTIONAL | UNIQUE | {"or", "and", "which", "that", "defaults", "default", "defaulting", "initially"}
YES_NO = ({"yes", "no"}, {"true", "false"}, {"y", "n"})


def group(cursor: Cursor, found: Qualities) -> None:
    """Read all of a bracketed group that qualifies a field."""
    options: list[str] = []
    whole = cursor.rest
    while not cursor.done:
        if not options and cursor.phrase(
            "one of", "either", "any of", "possible values", "values", "choices", "options"
        ):
            cursor.phrase("are", "the following")
            continue
        if cursor.mark(",", "/", ":") or cursor.phrase("or", "and"):
            continue
        if cursor.phrase("eg", "such as", "for example", "like"):
            cursor.place = len(cursor.tokens)
        elif not quality(cursor, found, inside=True):
            option = _option(cursor)
            if not option:
                raise Unreadable(f"I can't read «{cursor.rest}» in the brackets «{whole}»", RECORDS_HINT)
            options.append(option)
    settle(options, found, whole)


def settle(options: list[str], found: Qualities, said: str) -> None:
    """Make what was listed the choices of the field, or yes/no."""
    if {option.lower() for option in options} in YES_NO:
        found.state("type", "boolean", said)
    elif len(set(options)) > 1:
        found.state("choices", tuple(dict.fromkeys(options)), said)
    elif options:
        raise Unreadable(
            f"«{options[0]}» in «{said}» is no type, rule or list of choices that I know",
            "Say for example (required), (unique), (as money), (open or done), (defaults to open).",
        )


def quality(cursor: Cursor, found: Qualities, *, inside: bool = False) -> bool:
    """Read one quality if there is one here; otherwise stay."""
    place = cursor.place
    if cursor.phrase(*GIVEN):
        found.state("required", True, cursor.since(place))
        return True
    if cursor.phrase(*FREE):
        found.state("required", False, cursor.since(place))
        return True
    linking = cursor.phrase(*LINKING)
    cursor.phrase("also", "always")
    if _word(cursor, found) or _default(cursor, found) or _type(cursor, found, inside or bool(linking)):
        return True
    if _range(cursor, found) or _stated_choices(cursor, found, bool(linking)):
        return True
    cursor.place = place
    return False


def _word(cursor: Cursor, found: Qualities) -> bool:
    place = cursor.place
    stated = not cursor.phrase("not")
    if cursor.one_of(REQUIRED):
        found.state("required", stated, cursor.since(place))
    elif cursor.one_of(OPTIONAL):
        found.state("required", not stated, cursor.since(place))
    elif cursor.one_of(UNIQUE):
        found.state("unique", stated, cursor.since(place))
    else:
        cursor.place = place
        return False
    return True


def _default(cursor: Cursor, found: Qualities) -> bool:
    place = cursor.place
    if cursor.phrase(*DEFAULT):
        cursor.mark(":")
        option = _option(cursor)
        if option:
            found.state("default", option, cursor.since(place))
            return True
        cursor.place = place
    return False


def _type(cursor: Cursor, found: Qualities, bare: bool) -> bool:
    """`as money`, `in euros`, `(date)`, `is a date`; in running text a type needs one of these words."""
    place = cursor.place
    announced = cursor.phrase("as", "in", "of type", "type")
    cursor.phrase("a", "an", "the")
    for size in (4, 3, 2, 1):
        words = tuple(cursor.word(ahead) for ahead in range(size))
        if words in TYPE_NAMES and (announced or bare) and _ends(cursor, size):
            cursor.place += size
            cursor.phrase("field", "value")
            found.state("type", TYPE_NAMES[words], cursor.since(place))
            return True
    if announced and cursor.word() in ("square", "cubic") and cursor.word(1) in UNITS | {"feet"}:
        cursor.take()
    if (announced or bare) and cursor.word() in UNITS and _ends(cursor, 1):
        unit = cursor.take().word
        found.state("type", "integer" if unit in WHOLE_UNITS else "number", cursor.since(place))
        return True
    if announced and cursor.phrase("yes / no"):
        return True
    cursor.place = place
    return False


def _ends(cursor: Cursor, size: int) -> bool:
    after: Token = cursor.peek(size)
    return after.mark not in ("word", "/") or after.word in STOPS | {"field", "value", "with", "if"}


def _range(cursor: Cursor, found: Qualities) -> bool:
    """`1 to 5` becomes the choices 1, 2, 3, 4, 5; that needs whole numbers of one digit."""
    place = cursor.place
    cursor.phrase("from", "between")
    bounds = re.fullmatch(r"(\d+)-(\d+)", cursor.word())
    if bounds:
        low, high = bounds.groups()
        cursor.take()
    elif cursor.phrase("out of") and cursor.word().isdigit():
        low, high = "1", cursor.take().word
    elif cursor.word().isdigit() and cursor.word(1) in ("to", "and") and cursor.word(2).isdigit():
        low, high = cursor.word(), cursor.word(2)
        cursor.place += 3
    else:
        cursor.place = place
        return False
    cursor.one_of({"stars", "points"})
    if not (len(low) == len(high) == 1 and low < high):
        raise Unreadable(
            f"«{cursor.since(place)}» is a range that I can't check",
            "I can do ranges of single digits such as 1 to 5, or a number without a range.",
        )
    found.state("choices", tuple(str(value) for value in range(int(low), int(high) + 1)), cursor.since(place))
    return True


def _stated_choices(cursor: Cursor, found: Qualities, linked: bool) -> bool:
    place = cursor.place
    if not (cursor.phrase("one of", "either", "chosen from") or linked):
        return False
    cursor.mark(":")
    inner = cursor.group()
    if inner is not None:
        group(inner, found)
        return True
    options = choices(cursor)
    if not options:
        cursor.place = place
        return False
    settle(options, found, cursor.since(place))
    return True


def choices(cursor: Cursor) -> list[str]:
    """Read `a/b/c` or `a, b or c` in running text; nothing if it is not such a list."""
    place, options = cursor.place, []
    while True:
        cursor.phrase("a", "an")
        option = _option(cursor)
        if not option:
            break
        options.append(option)
        if cursor.mark("/"):
            continue
        comma = cursor.mark(",")
        if cursor.phrase("or"):
            options.append(_option(cursor))
            return options
        if not comma or "/" in cursor.since(place):
            cursor.place -= comma
            break
    if len(options) > 1 and "/" in cursor.since(place):
        return options
    cursor.place = place
    return []


def examples(cursor: Cursor) -> bool:
    """Go past examples, which bind nothing; stay where it can't be told where they end."""
    place = cursor.place
    if not choices(cursor) and not (_option(cursor) and (cursor.done or cursor.word() == "and")):
        cursor.place = place
        return False
    return True


def _option(cursor: Cursor) -> str:
    words: list[str] = []
    while cursor.word() and cursor.word() not in STOPS:
        words.append(cursor.take().text)
    if not words and cursor.word() in STOPS and cursor.word() not in ("or", "and"):
        words.append(cursor.take().text)
    return " ".join(words)
