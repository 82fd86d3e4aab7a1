"""What was read so far of an idea: statements, names of kinds, and what the text speaks of at the moment."""

from dataclasses import dataclass, field

from workers.llm.builtin.idea.clauses import Clause
from workers.llm.builtin.idea.cursor import Cursor
from workers.llm.builtin.idea.inflection import is_plural, singular, singular_name
from workers.llm.builtin.idea.lexicon import BEING, EACH, HAVING, MODALS, PEOPLE, PRONOUNS, TITLE_NOISE
from workers.llm.builtin.idea.statements import KindNamed, Statement, Words
from workers.llm.builtin.wordset import wordset

LONGEST_KIND = 3
TELLERS = wordset("i we you they people")
VERBS = HAVING | BEING | MODALS | {"belongs", "belong", "defaults", "default"}
STOPS = VERBS | wordset(
    "and or with which that who whose by to for of from on at in as when where while if so but about using through "
    "between per via into not 's also into because"
)


@dataclass
class Draft:
    """Grows while the clauses are read. `current` is the kind that `it` and `they` mean."""

    statements: list[Statement] = field(default_factory=list)
    known: set[str] = field(default_factory=set)
    current: Words = ()
    title: Words = ()
    audience: str = ""
    in_list: bool = False
    assumptions: list[str] = field(default_factory=list)

    def add(self, statement: Statement) -> None:
        self.statements.append(statement)

    def name(self, kind: Words, said: str) -> None:
        """Note that records of this kind are to be kept, and speak of it from now on."""
        self.add(KindNamed(kind, said))
        self.known.add(singular_name(kind))
        self.current = kind

    def knows(self, words: Words) -> bool:
        return bool(words) and singular_name(words) in self.known


def noun(cursor: Cursor, draft: Draft, *, stops: frozenset[str] | set[str] = STOPS) -> Words:
    """Read the words of a kind: the longest known name, or else all words up to a stop."""
    for size in range(LONGEST_KIND, 0, -1):
        words = tuple(cursor.word(ahead) for ahead in range(size))
        if all(words) and draft.knows(words):
            cursor.place += size
            return words
    words = ()
    while cursor.word() and cursor.word() not in stops and len(words) <= LONGEST_KIND:
        words = (*words, cursor.take().word)
    return words


def foreseen(clauses: list[Clause]) -> set[str]:
    """Names that the idea itself uses as subjects: `each book has…`, `- members: …`, `Loans have…`."""
    found: set[str] = set()
    for clause in clauses:
        for start in range(len(clause.tokens)):
            found |= _subject(Cursor(clause.tokens), start)
    return found


def _subject(cursor: Cursor, start: int) -> set[str]:
    cursor.place = start
    opening = start == 0 or cursor.tokens[start - 1].mark in (",", ":") or cursor.tokens[start - 1].word in ("and", ";")
    each = cursor.word() in EACH | {"a", "an"}
    if not opening and cursor.word() not in EACH:
        return set()
    cursor.determiner()
    words: Words = ()
    while cursor.word() and cursor.word() not in STOPS | TELLERS and len(words) < LONGEST_KIND:
        words = (*words, cursor.take().word)
    verb = cursor.word()
    if not words or words[0] in PEOPLE | PRONOUNS or words[0] in TITLE_NOISE:
        return set()
    asked = start > 0 and cursor.tokens[start - 1].word == "for" and (cursor.peek().mark == ":" or verb in TELLERS)
    owns = verb in HAVING or asked or verb in ("belongs", "belong")
    made_by = verb in BEING and cursor.word(2) == "by" and cursor.word(3) in ("a", "an", "one", "exactly")
    owns = owns or (made_by and each)
    owns = owns or (verb in MODALS and cursor.word(1) in HAVING | {"belong", "be"} and (each or is_plural(words[-1])))
    if owns and verb in MODALS and cursor.word(1) == "be":
        owns = cursor.word(2) not in ("unique", "required", "optional", "given", "one") and each
    return {singular_name(words)} if owns and singular(words[-1]) else set()
