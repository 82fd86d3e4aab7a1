"""Lists of kinds: `books (title, author), members with a required e-mail and loans of books to members`."""

from workers.llm.builtin.idea.cursor import Cursor
from workers.llm.builtin.idea.draft import LONGEST_KIND, STOPS, Draft, noun
from workers.llm.builtin.idea.inflection import is_plural, plural, singular, singular_name
from workers.llm.builtin.idea.items import clause_ahead, items, refuse_impossible
from workers.llm.builtin.idea.lexicon import NUMBERS, PRONOUNS, TAG_LIKE
from workers.llm.builtin.idea.names import NAME_STOPS
from workers.llm.builtin.idea.statements import Belongs, Has, KindNamed, Words
from workers.llm.builtin.idea.unreadable import RECORDS_HINT, Unreadable
from workers.llm.builtin.wordset import wordset

WITH = ("with", "having", "including", "which have", "that have", "who have", "each with", "each having",
        "described by", "and for each", "which has", "that has", "consisting of", "made of")  # fmt: skip
LINKS = wordset("of for by to from in at between")
COLLECTIVE = wordset("collection collections library inventory list records entries")
NO_KINDS = wordset("come comes go goes show shows look looks appear appears work works run runs")
GROUPS = ("collection", "fleet", "set", "herd", "flock", "stock", "range", "pile", "inventory", "database",
          "rental", "hire", "lending")  # fmt: skip
NO_AGENTS = wordset("order chapter letter paper offer number member answer error color flower transfer")
SHORTEST_PART = 4
OWNERS = wordset("their its his her")


def kind_list(cursor: Cursor, draft: Draft) -> bool:
    """Read one kind after the other; false if not even one is there."""
    count = 0
    _announced(cursor)
    first: Words = ()
    while not cursor.done:
        place = cursor.place
        if count and (not cursor.separator() or _feature_ahead(cursor) or clause_ahead(cursor)):
            cursor.place = place
            break
        if not kind_entry(cursor, draft, owner=first):
            cursor.place = place
            break
        first = first or draft.current
        count += 1
    return count > 0


def _announced(cursor: Cursor) -> None:
    """Go past `three kinds of records:`, `the following resources:` in front of a list."""
    place = cursor.place
    cursor.determiner()
    cursor.one_of({"following"})
    cursor.one_of(NUMBERS)
    cursor.one_of({"different", "main"})
    said = cursor.phrase("kinds of records", "kinds of record", "kinds of things", "types of records", "resources",
                         "entities", "tables", "models", "kinds", "things")  # fmt: skip
    if not said or not cursor.mark(":"):
        cursor.place = place


def kind_entry(cursor: Cursor, draft: Draft, owner: Words = ()) -> bool:
    """Read one kind with what follows it: brackets, `with` a list, or the kinds that it refers to."""
    place, before = cursor.place, owner or draft.current
    owned = cursor.word() in OWNERS and bool(before)
    cursor.determiner()
    cursor.phrase("different", "various", "list of", "records of", *(f"{word} of" for word in GROUPS))
    words = noun(cursor, draft, stops=STOPS - {"store", "stores", "record", "records", "hold"})
    if not words or len(words) > LONGEST_KIND or words[0] in ("which", "how", "what", "everything", "things"):
        cursor.place = place
        return False
    if words[0] in NO_KINDS | NUMBERS:
        raise Unreadable(f"I can't read «{cursor.since(place)}» as a kind of record", RECORDS_HINT)
    said = cursor.since(place)
    words = next((words[start:] for start in range(len(words)) if draft.knows(words[start:])), words)
    words = _described(cursor, draft, words)
    cursor.one_of(COLLECTIVE)
    refuse_impossible(words, said)
    draft.name(words, said)
    if owned:
        one, other = (before, words) if _is_of_many(words) else (words, before)
        draft.add(Belongs(one, other, said, many=False))
        draft.assumptions.append(f"«{said}» is read as: each {singular_name(one)} has one {singular_name(other)}")
    _references(cursor, draft, words)
    _where(cursor, draft)
    fields_of(cursor, draft, words)
    return True


def _is_of_many(words: Words) -> bool:
    """Whether one of these has many of the others: `books and their authors`, but `customers and their orders`."""
    name = singular(words[-1])
    return name in TAG_LIKE or (name.endswith(("er", "or")) and name not in NO_AGENTS)


def _described(cursor: Cursor, draft: Draft, words: Words) -> Words:
    """`houseplants` are the plants that are described later, where these words name nothing else."""
    name = singular(words[-1])
    if draft.knows(words) or any(isinstance(before, KindNamed) for before in draft.statements):
        return words
    for known in sorted(draft.known, key=len, reverse=True):
        prefix = name.removesuffix(known)
        here = any(singular(token.word) == known for token in cursor.tokens)
        if SHORTEST_PART <= len(prefix) < len(name) and len(known) >= SHORTEST_PART and not here:
            draft.assumptions.append(f"{' '.join(words)} are the {plural(known)} that are described")
            return (known,)
    return words


def fields_of(cursor: Cursor, draft: Draft, kind: Words, *, colon: bool = True) -> bool:
    """Read the fields that are listed behind a kind, in brackets, after a colon or after `with`."""
    inner = cursor.group()
    if inner is not None:
        inner.phrase("with", "having", "each with")
        found = items(inner, None)
        if not inner.done:
            raise Unreadable(f"I can't read «{inner.rest}» in the brackets behind «{' '.join(kind)}»", RECORDS_HINT)
    elif (colon and cursor.mark(":")) or (_each_with(cursor)) or cursor.phrase(*WITH):
        if clause_ahead(cursor):
            return draft.knows(kind) or cursor.word() in PRONOUNS
        found = items(cursor, None, stop_at_kinds=True)
    else:
        return False
    for item in found:
        draft.add(Has(kind, item))
    draft.in_list = True
    return bool(found)


def _each_with(cursor: Cursor) -> bool:
    """`paintings, each with a title`."""
    place = cursor.place
    if cursor.mark(",") and cursor.phrase("each with", "each having", "each of which has", "each one with"):
        return True
    cursor.place = place
    return False


def _references(cursor: Cursor, draft: Draft, kind: Words) -> None:
    """`loans of books to members`: each loan refers to a book and to a member."""
    while cursor.word() in LINKS:
        place = cursor.place
        cursor.take()
        cursor.determiner()
        parent = noun(cursor, draft)
        if not draft.knows(parent) and not (parent and is_plural(parent[-1])):
            cursor.place = place
            return
        draft.add(Belongs(kind, parent, cursor.since(place), many=False, required=True))
        while cursor.word() == "and" and _known_ahead(cursor, draft):
            cursor.take()
            draft.add(Belongs(kind, noun(cursor, draft), cursor.since(place), many=False, required=True))


def _where(cursor: Cursor, draft: Draft) -> None:
    """`the chores in our flat`: there is one flat, and it is said for whom the records are."""
    place = cursor.place
    if cursor.one_of({"in", "of", "at", "for", "from"}) and cursor.word() in ("our", "my"):
        start = cursor.place
        cursor.take()
        words = noun(cursor, draft)
        if words and not is_plural(words[-1]) and not draft.knows(words) and not cursor.word():
            refuse_impossible(words, cursor.since(place))
            draft.audience = draft.audience or f"for {cursor.since(start)}"
            return
    cursor.place = place


def _known_ahead(cursor: Cursor, draft: Draft) -> bool:
    return cursor.word(1) not in NAME_STOPS and draft.knows((cursor.word(1),)) and cursor.peek(2).mark != "("


def _feature_ahead(cursor: Cursor) -> bool:
    """`…, search by title`: no kind."""
    return cursor.word() in ("search", "filter", "sort", "searching", "filtering", "sorting", "page") and (
        cursor.word(1) in ("by", "and", "on", "through", "") or cursor.peek(1).mark == ","
    )
