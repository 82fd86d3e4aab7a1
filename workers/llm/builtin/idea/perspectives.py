"""What people say around records: who wants them, where they are kept, and what there is of them."""

from workers.llm.builtin.idea.cursor import Cursor
from workers.llm.builtin.idea.draft import LONGEST_KIND, STOPS, TELLERS, Draft, noun
from workers.llm.builtin.idea.entries import kind_entry, kind_list
from workers.llm.builtin.idea.inflection import is_plural
from workers.llm.builtin.idea.items import items, refuse_impossible
from workers.llm.builtin.idea.lexicon import EACH, HAVING, MODALS, PEOPLE, SOFTWARE
from workers.llm.builtin.idea.statements import Belongs, Has, Holds
from workers.llm.builtin.wordset import wordset

WE = wordset("i we")
RUNNING = wordset("run own have operate organise organize manage am are maintain teach")
NOTING = wordset("record store keep note need want save track log enter register know write capture")
ARTICLES = wordset("a an the our my")
AT = wordset("for at in on during per with to")


def story(cursor: Cursor) -> bool:
    """Go past `As a librarian,` where `I` or `we` follows."""
    place = cursor.place
    if cursor.phrase("as a", "as an", "as the"):
        while cursor.word() and cursor.word() not in WE | (STOPS - {"of", "at", "in"}):
            cursor.take()
        cursor.mark(",")
        if cursor.word() in WE:
            return True
    cursor.place = place
    return False


def reason(cursor: Cursor, draft: Draft) -> bool:
    """The end of a user story that asks for nothing: `so that I know what we own`."""
    place = cursor.place
    cursor.mark(",")
    if not cursor.phrase("so that", "so", "in order to", "because"):
        cursor.place = place
        return False
    cursor.place = len(cursor.tokens)
    draft.assumptions.append(f"«{cursor.since(place)}» is taken as a reason and asks for nothing more")
    return True


def context(cursor: Cursor, draft: Draft) -> bool:
    """`We run a bike repair shop.` says for whom the records are."""
    start = cursor.place
    if cursor.one_of(WE) and cursor.one_of(RUNNING):
        before = cursor.place
        if cursor.one_of(ARTICLES):
            said = cursor.tokens[cursor.place :]
            words = tuple(token.word for token in said if token.mark == "word")
            plain = len(words) == len(said) and 0 < len(words) <= LONGEST_KIND + 1
            if plain and not is_plural(words[-1]) and not draft.knows(words) and words[-1] not in SOFTWARE - {"shop"}:
                cursor.place = len(cursor.tokens)
                refuse_impossible(words, cursor.since(start))
                draft.audience = f"for {cursor.since(before)}"
                return True
    cursor.place = start
    return False


def there_are(cursor: Cursor, draft: Draft) -> bool:
    """`There are teams and players`, `we have members (name, phone)`: kinds that are described somewhere."""
    start = cursor.place
    if not cursor.phrase("there are", "there is", "there will be", "there should be", "we have", "i have"):
        return False
    probe = cursor.place
    cursor.determiner()
    kind = noun(cursor, draft)
    fields_follow = cursor.peek().mark == "(" or cursor.word() == "with"
    described = draft.knows(kind) or (fields_follow and bool(kind) and is_plural(kind[-1]))
    cursor.place = probe
    if kind and described and kind_entry(cursor, draft):
        cursor.separator()
        return cursor.done or kind_list(cursor, draft) or True
    cursor.place = start
    return False


def adding(cursor: Cursor, draft: Draft) -> bool:
    """`I can add books with a title`: what is added is described."""
    start = cursor.place
    while cursor.one_of(PEOPLE | MODALS | {"be", "able", "to", "want", "would", "like", "need"}):
        pass
    verbs = 0
    while cursor.one_of({"add", "create", "enter", "edit", "save", "change"}):
        verbs += 1
        cursor.separator() or cursor.phrase("or")
    probe = cursor.place
    cursor.determiner()
    kind = noun(cursor, draft)
    described = kind and is_plural(kind[-1]) and (cursor.peek().mark == "(" or cursor.word() == "with")
    cursor.place = probe
    if verbs and described and kind_entry(cursor, draft):
        return True
    cursor.place = start
    return False


def of_every(cursor: Cursor, draft: Draft) -> bool:
    """`For every repair we record the date and …`, `at each meeting we can discuss many topics`, `… for each pupil`."""
    start = cursor.place
    if not (cursor.one_of(AT) and cursor.one_of(EACH)):
        return False
    kind = noun(cursor, draft, stops=STOPS | TELLERS)
    if cursor.done and draft.in_list and draft.knows(kind) and kind != draft.current:
        draft.add(Belongs(draft.current, kind, cursor.since(start), required=True))
        return True
    cursor.mark(",")
    teller = cursor.word() in TELLERS
    cursor.place += teller
    modal = cursor.one_of(MODALS) or cursor.phrase("want to", "need to", "would like to", "have to")
    verb = cursor.word()
    listed = cursor.peek().mark == ":"
    if not kind or len(kind) > LONGEST_KIND or not (verb or listed):
        return False
    cursor.take()
    several = cursor.quantity() == "many"
    if several and teller:
        other = noun(cursor, draft)
        if draft.knows(other) and draft.knows(kind):
            draft.add(Holds(kind, other, cursor.since(start), verb, single=True))
            draft.current = kind
            return True
    if several or (not listed and verb not in NOTING | (HAVING if modal else set())):
        return False
    cursor.mark(":")
    found = items(cursor, None)
    if found:
        draft.name(kind, cursor.since(start))
    for item in found:
        draft.add(Has(kind, item, single=True))
    draft.in_list = bool(found)
    return bool(found)
