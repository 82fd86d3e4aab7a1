"""Fields that are said by what happened: `the date it was bought`, `the time at which it starts`.

The name is made of what is asked for and of what happened: `date_bought`, `written_at`, `start_time`.
"""

from workers.llm.builtin.idea.cursor import Cursor
from workers.llm.builtin.idea.lexicon import BEING, MODALS
from workers.llm.builtin.idea.statements import Item, Qualities
from workers.llm.builtin.wordset import wordset

HEADS = wordset("date day time year month moment place price location age reason cost")
WHO = wordset("it they he she i we you")
ADVERBS = wordset("last first originally initially next")
LOOSE = wordset("it them at for on in from back")
CONNECTING = ("on which", "at which", "in which", "when", "where", "that")
DONE = wordset("bought sold built written made seen read lent born sent given taken found")
NEVER = wordset("a an the many not")


def happening(cursor: Cursor) -> Item | None:
    """Read such a field, or stay."""
    place = cursor.place
    head = _head(cursor)
    happened = _happened(cursor) if head else None
    if not happened or not _ends(cursor):
        cursor.place = place
        return None
    future, words = happened
    qualities = Qualities(type="datetime" if head == "moment" else None)
    if head == "moment":
        named = (*words, "at")
    elif future:
        named = (*words, head)
    else:
        named = (head, *words)
    return Item(named, cursor.since(place), "", qualities)


def _head(cursor: Cursor) -> str:
    """What is asked for: `date`, `year`, or `moment` for a date and a time."""
    if cursor.phrase("date and time", "day and time", "moment", "exact time"):
        cursor.phrase(*CONNECTING)
        return "moment"
    if cursor.word() in ("when", "where"):
        return {"when": "date", "where": "place"}[cursor.take().word]
    head = cursor.one_of(HEADS)
    if head:
        cursor.phrase(*CONNECTING)
    return {"day": "date", "location": "place"}.get(head, head)


def _happened(cursor: Cursor) -> tuple[bool, tuple[str, ...]] | None:
    """`it was last watered` as what happened; true with it for what is still to come."""
    plain = cursor.place > 0 and cursor.tokens[cursor.place - 1].word in ("when", "where")
    if not cursor.one_of(WHO) and not (plain and (cursor.word().endswith("ed") or cursor.word() in DONE)):
        return None
    future = bool(cursor.one_of(MODALS))
    if future:
        cursor.phrase("be")
    elif cursor.one_of(BEING | {"has", "have"}):
        cursor.phrase("been")
    adverb = cursor.one_of(ADVERBS)
    verb = cursor.word()
    if not verb or verb in NEVER | WHO | BEING | MODALS:
        return None
    cursor.take()
    cursor.one_of(LOOSE)
    present = not future and cursor.tokens[cursor.place - 2].word in WHO and verb.endswith("s")
    return future or present, ((adverb,) if adverb else ()) + (verb[:-1] if present else verb,)


def _ends(cursor: Cursor) -> bool:
    """Whether the field ends here, so that nothing that was said of it is lost."""
    return cursor.done or cursor.peek().mark in (",", "(", ")", ":") or cursor.word() in ("and", "as", "which", "or")
