"""The opening of an idea: `Build a library service for our school that tracks …`, `I want to keep track of …`."""

from workers.llm.builtin.idea.cursor import Cursor
from workers.llm.builtin.idea.draft import STOPS, Draft, noun
from workers.llm.builtin.idea.entries import kind_list
from workers.llm.builtin.idea.features import done_anyway
from workers.llm.builtin.idea.inflection import is_plural
from workers.llm.builtin.idea.items import clause_ahead, kind_ahead, refuse_impossible
from workers.llm.builtin.idea.lexicon import EACH, MODALS, PEOPLE, PRONOUNS, SOFTWARE, TITLE_NOISE, TRACKING
from workers.llm.builtin.idea.places import PLACES
from workers.llm.builtin.idea.statements import Belongs, Words
from workers.llm.builtin.idea.tracking import tracked
from workers.llm.builtin.idea.unreadable import Unreadable
from workers.llm.builtin.wordset import wordset

LEAD = wordset(
    "please can could you i we want need would like to have build make create write develop design implement me us "
    "get give set up help let should am looking hello hi there be able just"
)
TITLE_STOPS = (STOPS | {"called", "named", "tracking", "managing", "storing"}) - {"record", "records", "store"}
LONGEST_SAID = 120
POSSESSIVES = wordset("my our your a an the his her their")
INSTEAD = (
    "I can build a service that keeps records of the things it is about, if you name them and their fields, "
    "for example «a service that keeps records of players (name, country) and matches (date, score)»."
)


def introduction(cursor: Cursor, draft: Draft) -> bool:
    """Read the opening; false if the clause does not ask for a service."""
    start = cursor.place
    lead = False
    while cursor.phrase("we are looking") or cursor.one_of(LEAD):
        lead = True
    lead = (lead and cursor.mark(":")) or lead
    before = cursor.place
    if tracked(cursor) and (_place(cursor, draft) or kind_list(cursor, draft)):
        return True
    cursor.place = before
    if not lead and _keeper(cursor, draft):
        return True
    determined = cursor.word() in POSSESSIVES
    cursor.determiner()
    title = _title(cursor)
    if title and not lead and _heads(cursor, draft, title):
        refuse_impossible(title, cursor.since(before))
        draft.title = title
        return True
    service = any(word in SOFTWARE for word in title)
    opens = (
        cursor.done or cursor.peek().mark in (":", ",", "(") or cursor.word() in TITLE_STOPS - MODALS - {"has", "have"}
    )
    long = len(title) > 1 or cursor.word() == "of" or (determined and _says_more(cursor, draft, title))
    if not service or not (lead or (long and opens)):
        if lead and title:
            return _tracked_after_all(cursor, draft, title, cursor.since(before))
        cursor.place = start
        return False
    refuse_impossible(title, cursor.since(before))
    draft.title = title
    while _suffix(cursor, draft):
        pass
    _plain_kinds(cursor, draft)
    return True


def _plain_kinds(cursor: Cursor, draft: Draft) -> None:
    """`A CRM: companies, contacts and deals`: nothing but plurals behind the colon."""
    place = cursor.place
    if (
        cursor.mark(":")
        and all(
            token.word in (",", "and") or (token.mark == "word" and token.word not in STOPS and is_plural(token.word))
            for token in cursor.tokens[cursor.place :]
        )
        and kind_list(cursor, draft)
    ):
        return
    cursor.place = place


def _keeper(cursor: Cursor, draft: Draft) -> bool:
    """`A film club keeps track of screenings` says for whom, and what."""
    place = cursor.place
    cursor.determiner()
    words: Words = ()
    while cursor.word() not in STOPS | {"", "keep", "keeps"}:
        words = (*words, cursor.take().word)
    said = cursor.since(place)
    keeps = cursor.word() in ("keep", "keeps") and tracked(cursor)
    if words and keeps and words[-1] not in SOFTWARE and not draft.knows(words) and kind_list(cursor, draft):
        refuse_impossible(words, said)
        if any(isinstance(found, Belongs) for found in draft.statements):
            raise Unreadable(f"I can't tell what «{cursor.since(place)}» keeps records of", INSTEAD)
        draft.audience = f"for {said[:1].lower()}{said[1:]}"
        return True
    cursor.place = place
    return False


def _heads(cursor: Cursor, draft: Draft, title: Words) -> bool:
    """Whether `A bookshelf:` stands above clauses about other things."""
    place = cursor.place
    heads = cursor.mark(":") and cursor.word() not in PRONOUNS and not draft.knows(title)
    heads = heads and (clause_ahead(cursor) or (title[-1] in SOFTWARE | PLACES and kind_ahead(cursor)))
    cursor.place = place
    return heads


def _says_more(cursor: Cursor, draft: Draft, title: Words) -> bool:
    """Whether `a service` goes on as a service does: `for …`, `that tracks …`; a record would have fields."""
    if cursor.word() in ("that", "which", "where", "to"):
        return cursor.word(1) in TRACKING | PEOPLE | MODALS | EACH | {"lets", "helps", "allows", "look"}
    return not draft.knows(title) and (cursor.done or cursor.word() == "for")


def _tracked_after_all(cursor: Cursor, draft: Draft, title: Words, said: str) -> bool:
    """`Build an online shop that keeps track of orders` asks for records though a shop is no software."""
    refuse_impossible(title, said)
    place = cursor.place
    whole = f"{said} {cursor.rest}".strip()[:LONGEST_SAID]
    draft.title = title
    while not draft.statements and _suffix(cursor, draft):
        pass
    if not any(word in TRACKING for word in cursor.since(place).lower().split()):
        raise Unreadable(f"«{whole}» is not record-keeping", INSTEAD)
    return True


def _title(cursor: Cursor) -> Words:
    words: list[str] = []
    while cursor.word() and cursor.word() not in TITLE_STOPS:
        words.append(cursor.take().word)
    return tuple(words)


def _suffix(cursor: Cursor, draft: Draft) -> bool:
    """One of the phrases behind the title, or false where the rest is for the other rules."""
    place = cursor.place
    if cursor.done:
        return False
    if cursor.one_of({"called", "named"}):
        draft.title = (*_title(cursor), "service")
        return True
    if cursor.word() == "for":
        return _for(cursor, draft, place)
    if done_anyway(cursor) or (tracked(cursor) and kind_list(cursor, draft)):
        return True
    cursor.place = place
    if _names_kinds(cursor, draft):
        return True
    cursor.place = place
    return False


def _names_kinds(cursor: Cursor, draft: Draft) -> bool:
    """`that tracks books`, `with books`, `of books`."""
    if cursor.one_of({"that", "which", "to", "where", "so"}):
        _permission(cursor)
        return tracked(cursor) and (_place(cursor, draft) or kind_list(cursor, draft))
    return bool(cursor.one_of({"with", "of", "about"})) and kind_list(cursor, draft)


def _place(cursor: Cursor, draft: Draft) -> bool:
    """`(to manage) a vet clinic.` says where records are kept, not of what."""
    start = cursor.place
    if cursor.phrase("these things", "the following things", "the following", "things") and cursor.word() == "for":
        return _for(cursor, draft, start)
    if cursor.one_of({"a", "an", "the", "my", "our"}):
        words = noun(cursor, draft)
        ends = cursor.done or _lists_follow(cursor)
        if words and ends and not draft.knows(words) and not is_plural(words[-1]):
            refuse_impossible(words, cursor.since(start))
            draft.audience = f"for {cursor.since(start)}"
            return True
    cursor.place = start
    return False


def _lists_follow(cursor: Cursor) -> bool:
    """Whether a colon and what is said of others follow: `a vineyard: barrels have a number`."""
    place = cursor.place
    follow = cursor.mark(":") and (clause_ahead(cursor) or kind_ahead(cursor))
    cursor.place = place
    return follow


def _permission(cursor: Cursor) -> None:
    """`(that) lets me`, `(where) we can`, `(which) will help us to`."""
    while cursor.one_of(PEOPLE | MODALS | {"lets", "let", "helps", "help", "allows", "me", "us", "to", "that", "will"}):
        pass


def _for(cursor: Cursor, draft: Draft, place: int) -> bool:
    """`for tracking books`, `for my workshop`, `for books (title, author) and members`."""
    cursor.take()
    if tracked(cursor):
        return kind_list(cursor, draft)
    owned = cursor.word() in POSSESSIVES
    before = cursor.place
    cursor.determiner()
    words = noun(cursor, draft)
    if cursor.word() and cursor.word() not in STOPS:
        words = (*words, *_title(cursor))
    said = cursor.since(before)
    follows = cursor.peek().mark in ("(", ",") or cursor.word() in ("with", "and")
    if words and not owned and is_plural(words[-1]) and (follows or draft.knows(words)):
        cursor.place = before
        return kind_list(cursor, draft)
    refuse_impossible(words, said)
    if not words:
        cursor.place = place
        return False
    draft.audience = f"for {said}"
    return True


def subject_of(title: Words) -> Words:
    """The title without the words that any service could have in it."""
    return tuple(word for word in title if word not in TITLE_NOISE)
