"""The verbs of keeping records."""

from workers.llm.builtin.idea.cursor import Cursor
from workers.llm.builtin.idea.lexicon import TRACKING


def tracked(cursor: Cursor) -> bool:
    """Go past `keep track of`, `manages`, `for storing` and the like."""
    if cursor.phrase("keep track of", "keeps track of", "keeping track of", "keep records of", "keeps records of",
                     "keep a record of", "keeps a list of", "keep a list of", "look after", "store records of",
                     "keep records about", "keeping records of", "keep a log of", "keeps a record of",
                     "keep an eye on",
        "keeps an eye on",
        "records of",
        "a record of",
        "a log of",
        "keep my",
        "keep our"):  # fmt: skip
        return True
    verb = cursor.one_of(TRACKING)
    while verb and cursor.phrase("and", ","):
        if not cursor.one_of(TRACKING):
            cursor.place -= 1
            break
    return bool(verb)
