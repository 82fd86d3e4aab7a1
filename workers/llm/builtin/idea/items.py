"""Lists of what a kind has: `a title, an ISBN (unique), a price as money and whether it is in print`."""

from workers.llm.builtin.idea.cursor import Cursor
from workers.llm.builtin.idea.happenings import happening
from workers.llm.builtin.idea.inflection import is_plural
from workers.llm.builtin.idea.lexicon import (
    BEING,
    DETERMINERS,
    EACH,
    HAVING,
    IMPOSSIBLE,
    MODALS,
    OPTIONAL,
    PEOPLE,
    PRONOUNS,
    REQUIRED,
    TYPE_NAMES,
    UNIQUE,
    infer,
)
from workers.llm.builtin.idea.names import ARTICLES, LONGEST_NAME, NAME_STOPS, NEVER_IN_NAMES, field_name, yes_or_no
from workers.llm.builtin.idea.qualifiers import choices, examples, group, quality, settle
from workers.llm.builtin.idea.statements import Item, Qualities, Words
from workers.llm.builtin.idea.unreadable import RECORDS_HINT, Unreadable
from workers.llm.builtin.wordset import wordset

FEATURES = wordset("search searching filter filtering sort sorting paging pagination searchable sortable")
FINITE = frozenset(["has", "have", "belongs", "belong", "defaults"]) | MODALS | BEING
PAIRED = wordset("start end first last opening closing arrival departure")


def items(cursor: Cursor, required: bool | None, *, stop_at_kinds: bool = False) -> list[Item]:
    """Read items up to the end of the list, or to where another clause begins."""
    found: list[Item] = []
    while not cursor.done:
        place = cursor.place
        if found and (not cursor.separator() or clause_ahead(cursor)):
            cursor.place = place
            break
        if stop_at_kinds and found and kind_ahead(cursor):
            cursor.place = place
            break
        item = _item(cursor, required)
        if item is None:
            cursor.place = place
            break
        found += _split(cursor, item)
    return found


def clause_ahead(cursor: Cursor) -> bool:
    """Whether a new clause begins here and not a further item."""
    first = cursor.word()
    if first in EACH or (first in PEOPLE | {"they", "it"} and cursor.word(1) in FINITE | HAVING | {"want"}):
        return True
    if first in {"has", "have"} and cursor.word(1) in ARTICLES:
        return True
    if first in {"where", "but", "so"} or (first in FEATURES and cursor.word(1) in {"by", "and", "on", ""}):
        return True
    ahead = 0
    while word := cursor.word(ahead):
        if word in ("and", "which", "that", "whether", "or"):
            return False
        if ahead and word in FINITE:
            return True
        ahead += 1
    return False


def refuse_impossible(words: Words, said: str) -> None:
    """Raise `Unreadable` where a word asks for more than keeping records, or can't be part of a name."""
    for word in words:
        if word in NEVER_IN_NAMES:
            raise Unreadable(f"I can't read «{said}» as the name of something: «{word}» does not fit in", RECORDS_HINT)
        if word in IMPOSSIBLE:
            raise Unreadable(f"«{said}» is not record-keeping: I can't do «{word}»", IMPOSSIBLE[word])


def kind_ahead(cursor: Cursor) -> bool:
    """Whether a plural with a list of its own comes next: `members with a name`, `members (name, e-mail)`."""
    ahead = 0
    while cursor.word(ahead) and cursor.word(ahead) not in NAME_STOPS:
        ahead += 1
    if not ahead or not is_plural(cursor.word(ahead - 1)):
        return False
    if cursor.word(ahead) in ("with", "that", "which", "who"):
        return cursor.word(ahead) == "with" or cursor.word(ahead + 1) in HAVING
    if cursor.peek(ahead).mark != "(":
        return False
    return names_fields(cursor, ahead)


def names_fields(cursor: Cursor, ahead: int) -> bool:
    """Whether the brackets there hold fields of a kind, and not qualities or choices of a field."""
    probe = Cursor(cursor.tokens)
    probe.place = cursor.place + ahead
    inner = probe.group()
    if inner is None:
        return False
    words = [token.word for token in inner.tokens]
    if "or" in words or ("/" in words[:4] and ":" not in words):
        return False
    found = Qualities()
    first = Cursor(inner.tokens)
    first.determiner()
    if quality(first, found, inside=True) and (first.done or first.peek().mark == ","):
        return False
    return "," in words or len(words) < LONGEST_NAME


def _item(cursor: Cursor, required: bool | None) -> Item | None:
    place = cursor.place
    if cursor.phrase("whether"):
        return _whether(cursor, place)
    if cursor.word() in EACH:
        return None
    counted = cursor.phrase("how many")
    qualities = Qualities(required=None)
    quantity = _before(cursor, qualities)
    happened = happening(cursor)
    words = happened.words if happened else field_name(cursor, qualities)
    if not words:
        cursor.place = place
        return None
    if counted:
        words = ("number", "of", *words)
    if happened and happened.qualities.type:
        qualities.state("type", happened.qualities.type, happened.said)
    _after(cursor, qualities)
    said = cursor.since(place)
    refuse_impossible(words, said)
    if len(words) > LONGEST_NAME or all(word.isdigit() for word in words):
        raise Unreadable(f"I can't read «{said}» as the name of a field", RECORDS_HINT)
    if required is not None and qualities.required is None:
        qualities.required = required
    return Item(words, said, quantity, qualities)


def _before(cursor: Cursor, qualities: Qualities) -> str:
    """Determiners, quantity and qualities in front of the name: `an optional`, `many`, `a unique`."""
    quantity = ""
    while True:
        place = cursor.place
        cursor.determiner()
        if cursor.word() == "number" and cursor.word(1) == "of":
            return quantity
        quantity = cursor.quantity() or quantity
        if cursor.phrase("optionally"):
            cursor.mark(",")
            qualities.state("required", False, cursor.since(place))
        elif cursor.one_of(OPTIONAL):
            qualities.state("required", False, cursor.since(place))
        elif cursor.one_of(REQUIRED):
            qualities.state("required", True, cursor.since(place))
        elif cursor.one_of(UNIQUE):
            qualities.state("unique", True, cursor.since(place))
        elif yes_or_no(cursor):
            qualities.state("type", "boolean", cursor.since(place))
            cursor.phrase("field", "flag")
        elif cursor.word() in ("boolean", "decimal", "integer") and cursor.word(1) not in NAME_STOPS | {""}:
            qualities.state("type", TYPE_NAMES[cursor.take().word,], cursor.since(place))
            cursor.phrase("field")
        if cursor.place == place:
            return quantity
        _joined_qualities(cursor)


def _joined_qualities(cursor: Cursor) -> None:
    """Go past what is between two qualities: `a required, unique e-mail`, `a required and unique name`."""
    place = cursor.place
    joined = cursor.separator()
    if not joined or cursor.word() not in REQUIRED | OPTIONAL | UNIQUE:
        cursor.place = place


def _after(cursor: Cursor, qualities: Qualities) -> None:
    """Qualities behind the name: brackets, a colon with choices, `as money`, `which must be unique`."""
    while True:
        place = cursor.place
        inner = cursor.group()
        if inner is not None:
            group(inner, qualities)
        elif _aside(cursor, qualities):
            pass
        elif cursor.word() == "and" and cursor.word(1) in REQUIRED | OPTIONAL | UNIQUE and not cursor.word(2):
            cursor.take()
            quality(cursor, qualities)
        elif cursor.mark(":") or cursor.phrase("of"):
            options = choices(cursor)
            if options:
                settle(options, qualities, cursor.since(place))
            elif not quality(cursor, qualities, inside=True):
                cursor.place = place
        elif yes_or_no(cursor):
            qualities.state("type", "boolean", cursor.since(place))
        elif not _is_rule_of_its_own(cursor):
            quality(cursor, qualities)
        if cursor.place == place:
            return


def _aside(cursor: Cursor, qualities: Qualities) -> bool:
    """`a number, which must be unique`, `a level, one of easy or hard`, `a colour, e.g. red or white`."""
    place = cursor.place
    if cursor.phrase("such as") and examples(cursor):
        return True
    cursor.place = place
    if not cursor.mark(","):
        return False
    if cursor.word() in ("which", "that") and cursor.word(1) not in HAVING - {"has"} and quality(cursor, qualities):
        return True
    if cursor.word() == "one" and cursor.word(1) == "of" and quality(cursor, qualities):
        return True
    if cursor.phrase("eg", "for example", "such as") and examples(cursor):
        return True
    cursor.place = place
    return False


def _is_rule_of_its_own(cursor: Cursor) -> bool:
    """`has many tags and is …`: a verb without `which` speaks of the subject again."""
    return cursor.word() in ("can", "may") and cursor.word(1) != "be"


def _whether(cursor: Cursor, place: int) -> Item:
    """`whether it is done` asks for yes or no."""
    about: list[str] = []
    while cursor.word() and cursor.word() not in BEING | {"has", "have"}:
        word = cursor.take().word
        about += [word] * (word not in DETERMINERS | EACH | PEOPLE | PRONOUNS | {"he", "she"})
    verb = cursor.one_of(BEING | {"has", "have"})
    if verb in ("has", "have") and cursor.one_of({"a", "an", "any"}):
        about.append("has")
    cursor.phrase("been")
    words = about
    while cursor.word() and cursor.word() not in ("and", "or", "yet", "with"):
        words.append(cursor.take().word)
    cursor.phrase("yet", "or not")
    while len(words) > 1 and words[-1] in ("it", "them", "yet", "already"):
        words.pop()
    if not words or len(words) > LONGEST_NAME:
        raise Unreadable(f"I can't read «{cursor.since(place)}»", RECORDS_HINT)
    refuse_impossible(tuple(words), cursor.since(place))
    return Item(tuple(words), cursor.since(place), "", Qualities(type="boolean"))


def _split(cursor: Cursor, item: Item) -> list[Item]:
    """`start and end date` are two fields; the word that both share stands at the second."""
    shared = cursor.word(2)
    paired = len(item.words) == 1 and item.words[0] in PAIRED and cursor.word() == "and" and cursor.word(1) in PAIRED
    if (paired and infer((cursor.word(1), shared or "x")) != "text") or (paired and shared == "name"):
        return [Item((item.words[0], shared), item.said, item.quantity, item.qualities)]
    return [item]
