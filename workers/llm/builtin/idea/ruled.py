"""Rules about fields that are described elsewhere: `the title must be unique`, `tags and notes are optional`."""

from dataclasses import replace

from workers.llm.builtin.idea.cursor import Cursor
from workers.llm.builtin.idea.draft import STOPS, Draft, noun
from workers.llm.builtin.idea.lexicon import BEING, MODALS
from workers.llm.builtin.idea.qualifiers import quality
from workers.llm.builtin.idea.statements import Qualities, Ruled, Words


def ruled_of(cursor: Cursor, draft: Draft) -> bool:
    """`the title of a book must be unique`, `a book's ISBN is required`, `book titles must be unique`."""
    start = cursor.place
    cursor.determiner()
    first = noun(cursor, draft)
    kind: Words | None = None
    if first and cursor.word() == "'s":
        cursor.take()
        kind, subject = first, noun(cursor, draft)
    elif first and draft.knows(first) and cursor.word() and cursor.word() not in STOPS:
        kind, subject = first, noun(cursor, draft)
    elif first and cursor.word() == "of" and not draft.knows(first):
        cursor.take()
        cursor.determiner()
        subject, kind = first, noun(cursor, draft)
    else:
        return False
    if cursor.word() not in BEING | MODALS | {"defaults", "default", "has"} or not subject or not kind:
        return False
    return ruled(cursor, draft, kind, subject, start)


def ruled(cursor: Cursor, draft: Draft, kind: Words | None, subject: Words, start: int) -> bool:
    """Read what is said of the subject; false if that is no rule."""
    found = Qualities()
    while quality(cursor, found):
        if cursor.word() == "and" and cursor.word(1) not in BEING | MODALS | {
            "unique",
            "required",
            "optional",
            "defaults",
        }:
            break
        if cursor.word() == "and" or (cursor.peek().mark == "," and cursor.word(1) == "defaults"):
            cursor.take()
    if found == Qualities():
        return False
    draft.add(Ruled(kind, draft.current, subject, cursor.since(start), found))
    return True


def ruled_several(cursor: Cursor, draft: Draft) -> bool:
    """`a description and tags are optional`."""
    start = cursor.place
    subjects: list[Words] = []
    while not subjects or cursor.separator():
        cursor.determiner()
        words = noun(cursor, draft, stops=STOPS | {"each"})
        if not words or draft.knows(words):
            return False
        subjects.append(words)
    if len(subjects) < 2 or not draft.current or cursor.word() not in BEING | MODALS:
        return False
    found = Qualities()
    if not quality(cursor, found) or found.default or found.choices or not cursor.done:
        return False
    for subject in subjects:
        draft.add(Ruled(None, draft.current, subject, cursor.since(start), replace(found)))
    return True


def ruled_default(cursor: Cursor, draft: Draft) -> bool:
    """`the default status is open`."""
    start = cursor.place
    cursor.determiner()
    if not cursor.phrase("default") or not draft.current:
        return False
    subject = noun(cursor, draft)
    if not subject or not cursor.phrase("is") or not cursor.word():
        return False
    found = Qualities(default=cursor.take().text)
    if not cursor.done and cursor.peek().mark != ",":
        return False
    draft.add(Ruled(None, draft.current, subject, cursor.since(start), found))
    return True
