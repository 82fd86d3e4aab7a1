"""Wishes about the service as a whole: search, filters, order, pages, and what is done anyway."""

from workers.llm.builtin.idea.cursor import Cursor
from workers.llm.builtin.idea.draft import Draft, noun
from workers.llm.builtin.idea.inflection import is_plural
from workers.llm.builtin.idea.lexicon import ACTIONS, DONE_ANYWAY, MODALS, PEOPLE, TITLE_NOISE
from workers.llm.builtin.idea.statements import Listed, Words
from workers.llm.builtin.idea.unreadable import Unreadable
from workers.llm.builtin.wordset import wordset

ACTORS = PEOPLE | {"it", "they", "service", "api", "app", "application", "system", "tool", "program"}
WISHES = ("want to", "want", "need to", "needs to", "need", "be able to", "would like to", "like to", "allow me to",
          "allow us to", "allow", "let me", "let us", "lets me", "support", "supports", "offer", "offers", "provide",
          "include", "includes", "has to", "have to", "have", "there should be", "there must be", "with", "to", "also",
          "help me", "possible to", "it should be possible to", "allows", "let you", "lets you", "lets users",
          "please")  # fmt: skip
DOING = {f"{verb}ing": verb for verb in ("search", "filter", "add", "edit", "view", "list", "find", "read")} | {
    "sorting": "sort", "deleting": "delete", "creating": "create", "updating": "update", "paging": "page",
    "removing": "remove", "changing": "change", "browsing": "browse", "listing": "list", "pagination": "page",
    "filters": "filter", "pages": "page", "searches": "search", "ordering": "order", "finding": "find",
}  # fmt: skip
DONE_TO = wordset(
    "searched searchable filtered filterable sorted sortable listed added edited deleted changed updated created "
    "removed browsed found ordered viewed paged paginated"
)
OBJECTS = wordset("them these those records everything entries items results lists each all it things")
GOING_ON = wordset("for that which to where")
LISTS = wordset("list lists listing listings results responses everything records searches")
BY = ("by", "on", "through", "in", "for", "of", "within")
SMALL = wordset(
    "use using uses in with over written as a an and the it should be have has want via through on of from to its is "
    "all data please only plain standard automatic full simple automated include including also make sure must that i "
    "we"
)
POLITE = (
    "please",
    "thanks",
    "thank you",
    "that is all",
    "that 's it",
    "that 's all",
    "nothing else",
    "nothing more",
    "many thanks",
    "cheers",
    "etc",
    "and so on",
)


def wish(cursor: Cursor, draft: Draft) -> bool:
    """`I can search books by title`, `filter by status`, `users can add and delete records`, `with pages`."""
    place = cursor.place
    _lead_in(cursor)
    verbs = _verbs(cursor)
    if not verbs:
        cursor.place = place
        return False
    kind = _object(cursor, draft)
    fields: list[Words] = []
    by = cursor.phrase(*BY)
    if by == "of" and "page" in verbs and cursor.word().isdigit():
        _page_size(cursor)
    elif by:
        fields = field_names(cursor)
    if (by and not fields and "page" not in verbs) or not _finished(cursor):
        cursor.place = place
        return False
    cursor.phrase("in pages", "page by page", "with pages", "with paging", "with pagination", "as pages")
    draft.add(Listed(kind or (draft.current or None), tuple(fields), cursor.since(place)))
    return True


def _page_size(cursor: Cursor) -> None:
    """Pages have 20 records unless a client asks for another number."""
    size = cursor.take().word
    if size != "20":
        raise Unreadable(
            f"«pages of {size}» is not what I can do: pages have 20 records",
            "Clients can ask for 1 to 100 records a page with ?page_size=.",
        )


def listed_passively(cursor: Cursor, draft: Draft, kind: Words) -> bool:
    """Behind `books can be` or `books are`: `searched by title and filtered by genre`."""
    place = cursor.place
    done = False
    while cursor.one_of(DONE_TO):
        done = True
        if cursor.phrase(*BY):
            draft.add(Listed(kind, tuple(field_names(cursor)), cursor.since(place)))
        if not ((cursor.word() in ("and", "or") and cursor.word(1) in DONE_TO) or _comma_before(cursor)):
            break
        cursor.separator()
        cursor.phrase("or")
    return done


def participles(cursor: Cursor, draft: Draft) -> bool:
    """`…, sorted by issue date` behind a wish to list something."""
    last = draft.statements[-1] if draft.statements else None
    kind = last.kind if isinstance(last, Listed) and last.kind else draft.current
    return cursor.word() in DONE_TO and cursor.word(1) in BY and listed_passively(cursor, draft, kind)


def paged(cursor: Cursor, draft: Draft) -> bool:
    """`Lists come in pages`, `results should be paginated`: lists have pages anyway."""
    start = cursor.place
    cursor.determiner()
    cursor.one_of({"all"})
    if not cursor.one_of(LISTS) and not (draft.knows((cursor.word(),)) and is_plural(cursor.take().word)):
        cursor.place = start
        return False
    cursor.one_of(MODALS)
    coming = cursor.phrase("come back", "come", "be", "are returned", "are shown", "are given", "are", "is", "have")
    if coming and cursor.phrase("in pages", "page by page", "paginated", "paged", "pages", "pagination"):
        if cursor.phrase("of"):
            _page_size(cursor)
        draft.add(Listed(None, (), cursor.since(start)))
        return True
    cursor.place = start
    return False


def done_anyway(cursor: Cursor) -> bool:
    """`in Python with SQLite`, `as a JSON API with tests`: true of every service that is written."""
    place = cursor.place
    found = 0
    while cursor.word() in SMALL | DONE_ANYWAY | TITLE_NOISE:
        if cursor.take().word in DONE_ANYWAY:
            found = cursor.place
    if found and (cursor.done or cursor.peek().mark in (",", ":")):
        return True
    if found and cursor.tokens[found : found + 1] and cursor.tokens[found].word in GOING_ON:
        cursor.place = found
        return True
    cursor.place = place
    return bool(cursor.phrase(*POLITE))


def field_names(cursor: Cursor) -> list[Words]:
    """The fields of a search, filter or order."""
    found: list[Words] = []
    while True:
        place = cursor.place
        if found and not (cursor.separator() or cursor.phrase("or")):
            break
        cursor.determiner()
        words: list[str] = []
        while cursor.word() and cursor.word() not in ("and", "or", "with", "in", "then", "using", "so"):
            word = cursor.take().word
            words += [word] * (word != "'s")
        if not words or words[0] in ACTIONS | set(DOING) | MODALS | {"each", "i", "a"} or (found and "by" in words):
            cursor.place = place
            break
        found.append(tuple(words))
    return found


def _lead_in(cursor: Cursor) -> None:
    cursor.determiner()
    cursor.one_of(ACTORS)
    cursor.one_of(MODALS)
    while cursor.phrase(*WISHES) or cursor.one_of(MODALS | PEOPLE):
        pass
    cursor.determiner()


def _verbs(cursor: Cursor) -> list[str]:
    verbs: list[str] = []
    while True:
        place = cursor.place
        if verbs and not (cursor.separator() or cursor.phrase("or") or cursor.mark("/")):
            break
        word = cursor.one_of(ACTIONS | set(DOING) | {"crud"})
        if not word:
            cursor.place = place
            break
        verbs.append(DOING.get(word, word))
    return verbs


def _object(cursor: Cursor, draft: Draft) -> Words | None:
    place = cursor.place
    cursor.phrase("for", "through", "of")
    cursor.determiner()
    while cursor.one_of(OBJECTS) or cursor.one_of({"me", "us"}):
        cursor.determiner()
    if cursor.word() in BY or cursor.done:
        return None
    kind: Words | None = None
    while True:
        start = cursor.place
        words = noun(cursor, draft)
        if not (words and (draft.knows(words))):
            cursor.place = start if kind else place
            break
        kind = kind or words
        start = cursor.place
        if not (((cursor.mark(",") or True) and cursor.phrase("and", "or")) or start != cursor.place):
            break
        if not draft.knows((cursor.word(),)) or not is_plural(cursor.word()):
            cursor.place = start
            break
    return kind


def _finished(cursor: Cursor) -> bool:
    if cursor.word() == "with":
        return cursor.word(1) in DONE_ANYWAY | set(DOING)
    if cursor.word() in DONE_TO and cursor.word(1) in BY:
        return True
    return cursor.done or cursor.peek().mark == "," or cursor.word() in ("and", "in", "page", "but", "as", "so")


def _comma_before(cursor: Cursor) -> bool:
    return cursor.peek().mark == "," and (cursor.word(1) in DONE_TO or cursor.word(2) in DONE_TO)
