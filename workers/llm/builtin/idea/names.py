"""The names of fields: `release year`, `artist's name`, `a link to the original page`."""

from workers.llm.builtin.idea.cursor import Cursor
from workers.llm.builtin.idea.lexicon import (
    BEING,
    BY_HEAD,
    DETERMINERS,
    HAVING,
    MEDIA,
    MODALS,
    OPTIONAL,
    REQUIRED,
    STATES,
    UNIQUE,
)
from workers.llm.builtin.idea.statements import Qualities, Words
from workers.llm.builtin.wordset import wordset

NAME_STOPS = (
    REQUIRED
    | OPTIONAL
    | UNIQUE
    | BEING
    | (HAVING - {"record", "store", "hold", "get"})
    | MODALS
    | wordset(
        "as which that in defaults default defaulting from between either and or with if eg such by for who when "
        "where while because using so but without each every to on at belongs belong not plus initially"
    )
)
TRAILING = wordset("to by on at in for")
# What can be «of low, normal or high»; a number can't.
GRADED = wordset("status state one priority level severity condition stage role mood difficulty colour color")
LONGEST_NAME = 4
ARTICLES = wordset("a an the its their his her our my")
NEVER_IN_NAMES = (DETERMINERS - {"own"}) | wordset(
    "i we you they he she it them everyone yes no lets let allow allows tracks please always never every each also "
    "only than how what then"
)


def field_name(cursor: Cursor, qualities: Qualities) -> Words:
    """Read the words of a name up to where something else is said; a flag is noted in the qualities."""
    words: list[str] = []
    if (cursor.word(), cursor.word(1)) in STATES or (
        cursor.word() in ("is", "has") and cursor.word(1) not in NAME_STOPS | {""}
    ):
        words = [cursor.take().word, cursor.take().word]
    while word := cursor.word():
        if _owned(cursor, words):
            continue
        ends_here = cursor.peek(1).mark != "word" or cursor.word(1) in ("and",)
        if (
            word == "'s"
            or (words and yes_or_no(Cursor(cursor.tokens[cursor.place :])))
            or (word in NAME_STOPS and not (words and word in TRAILING and ends_here))
        ):
            break
        if word == "out" and cursor.word(1) == "of":
            break
        if word == "of" and words and (words[-1] in GRADED or cursor.word(1) in ARTICLES | {""}):
            break
        words.append(cursor.take().word)
    if words and words[-1] == "field" and len(words) > 1:
        words.pop()
    if len(words) > 1 and words[-1] in ("flag", "checkbox"):
        qualities.state("type", "boolean", " ".join(words))
        words.pop()
    if words and words[-1] in ("date", "day") and cursor.word(1) == "time" and cursor.phrase("and time"):
        qualities.state("type", "datetime", " ".join(words))
        words += ["and", "time"]
    return tuple([*_object(cursor, words), *words])


def _owned(cursor: Cursor, words: list[str]) -> bool:
    """Go past the `'s` in `the artist's name`."""
    owned = bool(words) and cursor.word() == "'s" and cursor.word(1) not in NAME_STOPS | {""}
    cursor.place += owned
    return owned


def _object(cursor: Cursor, words: list[str]) -> list[str]:
    """What a field is about: `a link to the original page`, `a description of the problem`."""
    place = cursor.place
    links = words and words[-1] in MEDIA | BY_HEAD["url"]
    found: list[str] = []
    if words and cursor.phrase("of", *(("to",) if links else ())) and cursor.one_of(ARTICLES):
        while cursor.word() and cursor.word() not in NAME_STOPS | NEVER_IN_NAMES | {"of"}:
            found.append(cursor.take().word)
    if not found or len(found) + len(words) > LONGEST_NAME or (cursor.word() and cursor.word() != "and"):
        cursor.place = place
        return []
    return found


def yes_or_no(cursor: Cursor) -> bool:
    """`yes/no` or `true/false` in running text."""
    answer = (cursor.word(), cursor.peek(1).word, cursor.word(2))
    if answer in (("yes", "/", "no"), ("yes", "or", "no"), ("true", "/", "false"), ("true", "or", "false")):
        cursor.place += 3
        return True
    return False
