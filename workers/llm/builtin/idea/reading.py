"""Reads an idea as a whole: from its text to titles, kinds and assumptions."""

import keyword
import re
import sys
from dataclasses import dataclass

from contracts.v1.projects import FieldSpec, Link, RecordKind
from workers.llm.builtin.idea.clauses import Clause, Token, clauses, said
from workers.llm.builtin.idea.cursor import Cursor
from workers.llm.builtin.idea.draft import Draft, foreseen
from workers.llm.builtin.idea.entries import kind_entry
from workers.llm.builtin.idea.features import wish
from workers.llm.builtin.idea.grammar import statement
from workers.llm.builtin.idea.inflection import identifier, is_plural, singular
from workers.llm.builtin.idea.introduction import introduction, subject_of
from workers.llm.builtin.idea.kinds import KindDraft, Resolved
from workers.llm.builtin.idea.lexicon import DETERMINERS, IMPOSSIBLE, PLAIN_SOFTWARE, SOFTWARE, TRACKED
from workers.llm.builtin.idea.perspectives import adding, context, reason, story
from workers.llm.builtin.idea.resolve import resolve
from workers.llm.builtin.idea.typing import field_specs
from workers.llm.builtin.idea.unreadable import RECORDS_HINT, Unreadable
from workers.llm.builtin.wordset import wordset

LONGEST_IDEA = 6_000
LONGEST_PART = 160
ENGLISH = wordset(
    "a an the of with and to that have has each is are for be can in it i we my our which many must by keep track "
    "tracks build make want"
)
FOREIGN = wordset(
    "der die das und ein eine mit für ich möchte von den dem ist le la les des une avec pour je un et el los las una "
    "con para quiero y que il lo gli di che het een van met voor ik de uma um com o os"
)
JOINING = wordset("with for using from to")
ACRONYMS = {"crm": "CRM", "api": "API"}
SHELVES = wordset("log list catalogue catalog register registry box collection directory database archive index")
RESERVED_PACKAGES = wordset("test tests samples conftest src pytest coverage pip mypy ruff setuptools hatchling")


@dataclass(frozen=True)
class Reading:
    """What was understood: everything that the requirements are made from."""

    title: str
    package: str
    records: tuple[RecordKind, ...]
    audience: str
    assumptions: tuple[str, ...]


def read(idea: str) -> Reading:
    """Read an idea or raise `Unreadable`, which names the part that can't be read."""
    _refuse_unfit(idea)
    found = clauses(idea)
    draft = Draft(known=foreseen(found))
    for clause in found:
        _clause(clause, draft)
    _from_title(draft)
    if not draft.statements:
        raise Unreadable(f"«{_short(idea)}» does not say what things to keep records of")
    resolved = resolve(draft.statements)
    if not resolved.kinds:
        raise Unreadable(f"«{_short(idea)}» does not say what things to keep records of")
    records = tuple(_record(kind, resolved) for kind in resolved.kinds.values())
    title, package = _names(draft, resolved)
    return Reading(
        title, package, records, draft.audience, tuple(dict.fromkeys([*draft.assumptions, *resolved.assumptions]))
    )


def _refuse_unfit(idea: str) -> None:
    words = re.findall(r"[^\W\d_]+", idea.lower())
    if not words:
        raise Unreadable("The idea is empty" if not idea.strip() else f"«{_short(idea)}» has no words in it")
    if len(idea) > LONGEST_IDEA:
        raise Unreadable(
            f"The idea has {len(idea)} characters; I read up to {LONGEST_IDEA}. It begins with «{_short(idea)}»",
            "Say it shorter: the kinds of things, their fields and their relations.",
        )
    latin = sum(word.isascii() for word in words)
    foreign = sum(word in FOREIGN for word in words) > sum(word in ENGLISH for word in words)
    if latin < len(words) * 0.6 or foreign:
        raise Unreadable(f"«{_short(idea)}» does not seem to be English, the only language that I read")


def _clause(clause: Clause, draft: Draft) -> None:
    cursor = Cursor(clause.tokens)
    _refuse_impossible(clause.tokens)
    draft.in_list = False
    told = story(cursor)
    if _opening(cursor, draft):
        pass
    elif clause.entry:
        place = cursor.place
        if not statement(cursor, draft):
            cursor.place = place
            kind_entry(cursor, draft)
    while not cursor.done:
        if cursor.mark(":", ",", ")"):
            continue
        if told and _reason_ahead(cursor) and reason(cursor, draft):
            continue
        if not statement(cursor, draft):
            raise _leftover(cursor)


def _opening(cursor: Cursor, draft: Draft) -> bool:
    """What kind of service is asked for, or for whom; later in the text a clause is rather a statement."""
    if draft.statements:
        return False
    place = cursor.place
    if adding(cursor, draft):
        return True
    if wish(cursor, draft) and (cursor.done or cursor.word() == "so"):
        return True
    cursor.place = place
    draft.statements.clear()
    return context(cursor, draft) or (not draft.title and introduction(cursor, draft))


def _reason_ahead(cursor: Cursor) -> bool:
    """Whether the story ends here in words that are no statement of their own."""
    place = cursor.place
    probe, aside = Cursor(cursor.tokens), Draft()
    probe.place = place
    if probe.word() not in ("so", "because", "in"):
        return False
    try:
        return not statement(probe, aside)
    except Unreadable:
        return True


def _leftover(cursor: Cursor) -> Unreadable:
    rest = _short(cursor.rest)
    return Unreadable(f"I can't read «{rest}» as a kind of record, a field, a relation or a listing", RECORDS_HINT)


def _refuse_impossible(tokens: tuple[Token, ...]) -> None:
    """Refuse words for things that can't be done; inside of brackets they may be choices."""
    depth = 0
    for place, token in enumerate(tokens):
        depth += (token.mark == "(") - (token.mark == ")")
        if not depth and token.word in IMPOSSIBLE:
            part = said(_part_around(tokens, place))
            raise Unreadable(f"«{part}» is not record-keeping: I can't do «{token.text}»", IMPOSSIBLE[token.word])


def _part_around(tokens: tuple[Token, ...], place: int) -> tuple[Token, ...]:
    """The tokens around a place: `payments with Stripe`, `a React front end`, `sends e-mails every night`."""
    start, end = place, place + 1
    while end < len(tokens) and not _parts(tokens[end]):
        end += 1
    while start and not _parts(tokens[start - 1]):
        more = any(
            token.word not in DETERMINERS | JOINING for token in (*tokens[start:place], *tokens[place + 1 : end])
        )
        if more and tokens[start - 1].word in JOINING:
            break
        start -= 1
    return tokens[start:end]


def _parts(token: Token) -> bool:
    return token.mark in (",", ":", "(", ")") or token.word in ("and", "that", "which", "but", "where")


def _short(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= LONGEST_PART else f"{plain[:LONGEST_PART]}…"


def _from_title(draft: Draft) -> None:
    """`a bookmark manager`, `an app for notes`: the title names the only kind."""
    if draft.statements:
        return
    words = subject_of(draft.title)
    wanted = tuple(draft.audience.lower().split()[1:])
    if all(word in PLAIN_SOFTWARE for word in words) and len(wanted) == 1 and is_plural(wanted[0]):
        words, draft.audience = wanted, ""
    named = [word for word in words if word not in SOFTWARE] or list(words[:1])
    if len(named) != 1 or singular(named[0]) not in TRACKED:
        return
    draft.name((named[0],), named[0])


def _record(kind: KindDraft, resolved: Resolved) -> RecordKind:
    fields = field_specs(kind, resolved)
    taken = {spec.name for spec in fields}
    links = tuple(Link(name=r.name, to=r.to, many=r.many, required=r.required) for r in kind.relations.values())
    for link in links:
        if not link.many and f"{link.name}_id" in taken:
            fields = tuple(spec for spec in fields if spec.name != f"{link.name}_id")
    columns = tuple(f"{link.name}_id"[:48] for link in links if not link.many)
    return RecordKind(
        name=kind.name,
        plural=kind.plural,
        fields=fields,
        links=links,
        filters=(*(spec.name for spec in fields), *columns),
        search=_searched(fields),
    )


def _searched(fields: tuple[FieldSpec, ...]) -> tuple[str, ...]:
    return tuple(spec.name for spec in fields if spec.type in ("text", "email", "url"))


def _names(draft: Draft, resolved: Resolved) -> tuple[str, str]:
    """The title, and a name for the package that hides no module of Python."""
    words = subject_of(draft.title)
    if draft.audience and all(word in PLAIN_SOFTWARE for word in words):
        words = tuple(word for word in draft.audience.lower().split()[1:] if word not in DETERMINERS)
    first = next(iter(resolved.kinds.values()))
    if len(words) == 1 and words[0] in SHELVES:
        words = (*first.name.split("_"), words[0])
    plurals = [kind.plural.replace("_", " ") for kind in resolved.kinds.values()]
    title = (
        " ".join(ACRONYMS.get(word, word) for word in words)
        if any(word not in PLAIN_SOFTWARE for word in words)
        else " and ".join(plurals[:2])
    )
    own = list(words)
    while own and own[-1] in PLAIN_SOFTWARE:
        own.pop()
    package = identifier(own)[:30].strip("_") or first.plural[:30].strip("_")
    if package in sys.stdlib_module_names or keyword.iskeyword(package) or package in RESERVED_PACKAGES:
        package = f"{package}_service"
    return (title[:1].upper() + title[1:])[:120], package
