"""The clauses that say what a kind has, what it belongs to, and what holds for a field."""

from workers.llm.builtin.idea.cursor import Cursor
from workers.llm.builtin.idea.draft import LONGEST_KIND, Draft, noun
from workers.llm.builtin.idea.entries import fields_of, kind_list
from workers.llm.builtin.idea.features import done_anyway, listed_passively, paged, participles, wish
from workers.llm.builtin.idea.inflection import is_plural, singular_name
from workers.llm.builtin.idea.items import items, refuse_impossible
from workers.llm.builtin.idea.lexicon import BEING, EACH, HAVING, IMPOSSIBLE, MODALS, PEOPLE, PRONOUNS
from workers.llm.builtin.idea.mutual import mutual
from workers.llm.builtin.idea.perspectives import adding, of_every, there_are
from workers.llm.builtin.idea.qualifiers import choices
from workers.llm.builtin.idea.ruled import ruled, ruled_default, ruled_of, ruled_several
from workers.llm.builtin.idea.statements import Belongs, Has, Holds, Item, Qualities, Words
from workers.llm.builtin.idea.tracking import tracked
from workers.llm.builtin.idea.unreadable import Unreadable
from workers.llm.builtin.wordset import wordset

MUST = frozenset(["must", "should", "shall"])
PREPOSITIONS = wordset("to by for in at on of from with into")
CONNECTING = ("and", "where", "but", "also", "then", "so that", "in which", "additionally", "furthermore", "finally",
              "in addition", "whereby", "plus", "as well as", "while", "of course")  # fmt: skip


def statement(cursor: Cursor, draft: Draft) -> bool:
    """Read one statement by the first rule that fits; otherwise stay."""
    while cursor.mark(",") or cursor.phrase(*CONNECTING):
        pass
    for rule in (
        paged,
        _wish_to_list,
        there_are,
        of_every,
        adding,
        _tracking,
        mutual,
        _fields_of,
        ruled_of,
        ruled_several,
        ruled_default,
        wish,
        participles,
        _about_subject,
        _more_items,
    ):
        place = cursor.place
        if cursor.done or rule(cursor, draft):
            return True
        cursor.place = place
    return done_anyway(cursor)


def _wish_to_list(cursor: Cursor, draft: Draft) -> bool:
    """`List the books by author` lists what is described elsewhere; `list books (title)` describes it."""
    return cursor.word() in ("list", "lists", "listing") and wish(cursor, draft)


def _tracking(cursor: Cursor, draft: Draft) -> bool:
    """`It should also keep track of loans (…)`, `we store a list of suppliers`."""
    cursor.determiner()
    actor = cursor.one_of(PEOPLE | {"it", "service", "app", "application", "api", "system", "tool", "program"})
    while cursor.one_of(MODALS | {"also", "want", "need", "to", "like", "would"}):
        actor = actor or "we"
    return tracked(cursor) and kind_list(cursor, draft)


def _about_subject(cursor: Cursor, draft: Draft) -> bool:
    start = cursor.place
    single = cursor.word() in EACH | {"a", "an"}
    owner = draft.current if cursor.word() in ("their", "its", "his", "her") else ()
    cursor.determiner()
    subject: Words = ()
    if cursor.word() in PRONOUNS and draft.current:
        subject = draft.current
        cursor.take()
    elif cursor.place == start and cursor.word() in HAVING | BEING | MODALS | {"belong", "belongs"}:
        subject = draft.current
    subject = subject or noun(cursor, draft)
    if not subject or len(subject) > LONGEST_KIND:
        return False
    if owner and draft.knows(subject) and singular_name(subject) != singular_name(owner):
        draft.add(Holds(owner, subject, cursor.since(start), "have"))
    _relative_clause(cursor, draft, subject, single)
    if cursor.word() not in MODALS | HAVING | BEING and fields_of(cursor, draft, subject):
        refuse_impossible(subject, cursor.since(start))
        draft.name(subject, cursor.since(start))
        return True
    return _predicate(cursor, draft, subject, single, start)


def _fields_of(cursor: Cursor, draft: Draft) -> bool:
    """`Fields of a ticket: title, status`."""
    cursor.phrase("the")
    if not cursor.phrase("fields of", "fields for", "attributes of", "properties of", "columns of"):
        return False
    single = cursor.determiner()
    kind = noun(cursor, draft)
    if not kind or not (cursor.phrase("are") or cursor.peek().mark == ":"):
        return False
    return _has(cursor, draft, kind, single, required=None)


def _relative_clause(cursor: Cursor, draft: Draft, subject: Words, single: bool) -> None:
    """`every tag, which has a unique name, can …` says what a tag has before it goes on."""
    place = cursor.place
    if cursor.mark(",") and cursor.one_of({"which", "who", "that"}) and cursor.one_of(HAVING):
        found = items(cursor, None)
        if found and cursor.mark(","):
            draft.name(subject, cursor.since(place))
            for item in found:
                draft.add(Has(subject, item, single))
            return
    cursor.place = place


def _predicate(cursor: Cursor, draft: Draft, subject: Words, single: bool, start: int) -> bool:
    place = cursor.place
    modal = cursor.one_of(MODALS)
    cursor.phrase("also", "optionally", "then")
    required = True if modal in MUST else False if modal else None
    verb = cursor.word()
    if verb in IMPOSSIBLE:
        refuse_impossible((verb,), cursor.rest)
    if verb in HAVING and (draft.knows(subject) or single or is_plural(subject[-1])):
        cursor.take()
        cursor.phrase("of")
        needed = True if verb in ("need", "needs", "require", "requires") else required
        return _has(cursor, draft, subject, single, needed if needed is not None or not modal else None)
    if verb in ("belongs", "belong"):
        return _belongs(cursor, draft, subject, required, start)
    if verb == "be" or verb in BEING:
        return _is(cursor, draft, subject, place, required, start)
    if verb in ("defaults", "default"):
        return ruled(cursor, draft, None, subject, start)
    return bool(verb) and _does(cursor, draft, subject, single, required, start)


def _has(cursor: Cursor, draft: Draft, subject: Words, single: bool, required: bool | None) -> bool:
    cursor.mark(":")
    cursor.phrase("the following fields", "the following", "these fields", "fields")
    cursor.mark(":")
    found = items(cursor, required)
    if not found:
        return False
    draft.name(subject, " ".join(subject))
    for item in found:
        draft.add(Has(subject, item, single))
    draft.in_list = True
    return True


def _belongs(cursor: Cursor, draft: Draft, child: Words, required: bool | None, start: int) -> bool:
    cursor.take()
    if not cursor.phrase("to"):
        return False
    while True:
        quantity = cursor.quantity()
        cursor.determiner()
        parent = noun(cursor, draft)
        if not parent or len(parent) > LONGEST_KIND:
            return False
        many = quantity == "many"
        needed = None if many else required is not False
        draft.add(Belongs(child, parent, cursor.since(start), many, needed))
        if not (cursor.word() == "and" and cursor.word(1) in ("a", "an", "one", "exactly", "to", "many")):
            break
        cursor.take()
        cursor.phrase("to")
    if not draft.knows(child):
        draft.name(child, " ".join(child))
    draft.current = child
    return True


def _is(cursor: Cursor, draft: Draft, subject: Words, place: int, required: bool | None, start: int) -> bool:
    """`is written by an author`, `is unique`, `can be searched by title`."""
    cursor.take()
    if listed_passively(cursor, draft, subject):
        return True
    behind = cursor.place
    cursor.phrase("always", "usually", "part")
    while cursor.word() and cursor.word() not in PREPOSITIONS:
        if cursor.place - behind > 1:
            break
        cursor.take()
    if draft.knows(subject) and cursor.one_of(PREPOSITIONS):
        quantity = cursor.quantity()
        single = cursor.determiner() or quantity == "one"
        parent = noun(cursor, draft)
        if draft.knows(parent) or (parent and single and len(parent) <= LONGEST_KIND):
            many = quantity == "many"
            needed = None if many else required is not False
            draft.add(Belongs(subject, parent, cursor.since(start), many, needed))
            draft.current = subject
            _further_parents(cursor, draft, subject, needed)
            return True
    cursor.place = place
    return _is_either(cursor, draft, subject, start) or ruled(cursor, draft, None, subject, start)


def _further_parents(cursor: Cursor, draft: Draft, child: Words, required: bool | None) -> None:
    """`(a booking is made by a guest) for a flat`."""
    while True:
        place = cursor.place
        found = cursor.one_of(PREPOSITIONS) and cursor.word() in EACH | {"a", "an", "one"}
        cursor.determiner()
        cursor.quantity()
        parent = noun(cursor, draft)
        if not found or not draft.knows(parent):
            cursor.place = place
            return
        draft.add(Belongs(child, parent, cursor.since(place), False, required))


def _is_either(cursor: Cursor, draft: Draft, subject: Words, start: int) -> bool:
    """`a task is either open or done`: the states that a record can be in are the choices of its status."""
    place = cursor.place
    if draft.knows(subject) and cursor.one_of(BEING):
        cursor.phrase("always", "either")
        options = choices(cursor)
        if len(options) > 1:
            said = cursor.since(start)
            draft.assumptions.append(f"«{said}» is a field status")
            draft.add(Has(subject, Item(("status",), said, "", Qualities(choices=tuple(options)))))
            return True
    cursor.place = place
    return False


def _does(cursor: Cursor, draft: Draft, subject: Words, single: bool, required: bool | None, start: int) -> bool:
    """`a member can borrow many books`, `authors write books`: some verb between two kinds."""
    verb = cursor.take().word
    cursor.phrase("place", "part", "up", "out")
    cursor.one_of(PREPOSITIONS)
    quantity = cursor.quantity()
    cursor.one_of({"different", "other"})
    determined = cursor.word() in ("a", "an", "exactly")
    cursor.determiner()
    other = noun(cursor, draft)
    if not other or not draft.knows(subject) or not (draft.knows(other) or quantity == "many"):
        return False
    said = cursor.since(start)
    refuse_impossible((verb, *other), said)
    if cursor.word() in PREPOSITIONS or not (
        cursor.done or cursor.peek().mark == "," or cursor.word() in ("and", "but")
    ):
        raise Unreadable(f"I can't read «{cursor.rest}» in «{said} {cursor.rest}»")
    if quantity == "many" or is_plural(other[-1]):
        draft.add(Holds(subject, other, said, verb, single))
    else:
        draft.add(Belongs(subject, other, said, many=False, required=determined and required is not False))
    return True


def _more_items(cursor: Cursor, draft: Draft) -> bool:
    """A list of fields that goes on after a rule about one of them."""
    if not draft.in_list or not draft.current:
        return False
    found = items(cursor, None)
    for item in found:
        draft.add(Has(draft.current, item))
    return bool(found)
