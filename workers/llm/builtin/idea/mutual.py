"""Relations of many to many that are said in so many words."""

from workers.llm.builtin.idea.cursor import Cursor
from workers.llm.builtin.idea.draft import Draft, noun
from workers.llm.builtin.idea.statements import Mutual

PAIRS = ("many-to-many", "many to many", "n-to-m", "m-to-n", "m:n")


def mutual(cursor: Cursor, draft: Draft) -> bool:
    """`Books and tags are many-to-many`, `a many-to-many relation between books and tags`."""
    start = cursor.place
    cursor.phrase("there is")
    cursor.determiner()
    if cursor.phrase(*PAIRS):
        cursor.phrase("relation", "relationship", "link")
        cursor.phrase("between", "from")
        return _pair(cursor, draft, start)
    if not _pair(cursor, draft, start, record=False):
        return False
    cursor.phrase("are", "is", "have", "should be", "have a", "are in a", "are linked")
    if not cursor.phrase(*PAIRS):
        return False
    cursor.phrase("relation", "relationship", "linked", "related", "with each other")
    end, cursor.place = cursor.place, start
    _pair(cursor, draft, start)
    cursor.place = end
    return True


def _pair(cursor: Cursor, draft: Draft, start: int, *, record: bool = True) -> bool:
    cursor.determiner()
    one = noun(cursor, draft)
    if not one or not cursor.phrase("and", "to", "with"):
        return False
    cursor.determiner()
    other = noun(cursor, draft)
    if other and record:
        draft.add(Mutual(one, other, cursor.since(start)))
    return bool(other)
