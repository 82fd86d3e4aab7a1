"""From statements to kinds of records: decides which words are fields and which are relations."""

from dataclasses import replace

from workers.llm.builtin.idea.inflection import is_plural, plural_name, singular, singular_name
from workers.llm.builtin.idea.kinds import KindDraft, Relation, Resolved, add_field
from workers.llm.builtin.idea.lexicon import MUTUAL_VERBS, TAG_LIKE
from workers.llm.builtin.idea.places import without_places
from workers.llm.builtin.idea.rules import apply_rule, check_listed, refuse_circles
from workers.llm.builtin.idea.statements import (
    Belongs,
    Has,
    Holds,
    Item,
    KindNamed,
    Listed,
    Mutual,
    Ruled,
    Statement,
    Words,
)
from workers.llm.builtin.idea.unreadable import RECORDS_HINT, Unreadable

MOST_KINDS = 6


def resolve(statements: list[Statement]) -> Resolved:
    """Turn the statements into kinds; contradictions and unknown things are refused."""
    statements, assumed = without_places(statements)
    resolved = Resolved({}, assumed)
    for statement in statements:
        for words in _kinds_in(statement):
            _kind(resolved, words)
    if len(resolved.kinds) > MOST_KINDS:
        names = ", ".join(kind.plural.replace("_", " ") for kind in resolved.kinds.values())
        raise Unreadable(
            f"These are {len(resolved.kinds)} kinds of things ({names}); I can do up to {MOST_KINDS}",
            "Leave some out, or split the idea into two services.",
        )
    for statement in statements:
        _apply(resolved, statement, statements)
    for statement in statements:
        if isinstance(statement, Ruled):
            apply_rule(resolved, statement)
        elif isinstance(statement, Listed):
            check_listed(resolved, statement)
    refuse_circles(resolved)
    return resolved


def _kinds_in(statement: Statement) -> list[Words]:
    if isinstance(statement, KindNamed):
        return [statement.kind]
    if isinstance(statement, Has) and statement.item.quantity == "many" and is_plural(statement.item.words[-1]):
        return [statement.kind, statement.item.words]
    if isinstance(statement, Has):
        return [statement.kind]
    if isinstance(statement, Belongs):
        return [statement.child]
    if isinstance(statement, Holds):
        return [statement.parent, statement.child]
    return [statement.one, statement.other] if isinstance(statement, Mutual) else []


def _kind(resolved: Resolved, words: Words) -> KindDraft:
    name = singular_name(words)
    if not name:
        raise Unreadable(f"I can't make a name of «{' '.join(words)}»", RECORDS_HINT)
    return resolved.kinds.setdefault(name, KindDraft(name, plural_name(words)))


def _apply(resolved: Resolved, statement: Statement, statements: list[Statement]) -> None:
    if isinstance(statement, Has):
        _has(resolved, statement, statements)
    elif isinstance(statement, Belongs):
        kind, parent, name = _kind(resolved, statement.child), *_parent(resolved, statement.parent)
        relation = Relation(name, parent.name, False, bool(statement.required))
        many = Relation(plural_name(statement.parent), parent.name, many=True)
        _relate(resolved, kind, many if statement.many else relation, statement.said)
        said, last = statement.said, statement.parent[-1]
        if not statement.many and singular(last) != last and not said.startswith("their "):
            resolved.assumptions.append(f"«{statement.said}» is read as: each {kind.name} has one {parent.name}")
    elif isinstance(statement, Holds):
        _holds(resolved, statement, statements)
    elif isinstance(statement, Mutual):
        one, other = _kind(resolved, statement.one), _kind(resolved, statement.other)
        _relate(resolved, one, Relation(other.plural, other.name, many=True), statement.said)


def _has(resolved: Resolved, has: Has, statements: list[Statement]) -> None:
    kind, item = _kind(resolved, has.kind), has.item
    if item.said.startswith("whether") and item.words[0] == kind.name and len(item.words) > 1:
        item = replace(item, words=item.words[1:])
    target = _target(resolved, item)
    # A mark that has a mark says how good it is and does not refer to another mark.
    own = not item.quantity and item.words == (kind.name,)
    if target is None or own:
        add_field(resolved, kind, item)
    elif item.quantity == "many" or (is_plural(item.words[-1]) and item.quantity != "one"):
        _holds(resolved, Holds(has.kind, item.words, item.said, "have", has.single), statements)
    else:
        words = item.words[:-1] if item.words[-1] == "id" else item.words
        relation = Relation(singular_name(words), target.name, False, bool(item.qualities.required))
        _relate(resolved, kind, relation, item.said)


def _target(resolved: Resolved, item: Item) -> KindDraft | None:
    """The kind that an item names, if it names one: `author`, `home team`, `member id`."""
    qualities = item.qualities
    if qualities.type or qualities.choices or qualities.default or qualities.unique:
        return None
    words = item.words[:-1] if item.words[-1] == "id" and len(item.words) > 1 else item.words
    for start in range(len(words)):
        found = resolved.kinds.get(singular_name(words[start:]))
        if found:
            return found
    return None


def _parent(resolved: Resolved, words: Words) -> tuple[KindDraft, str]:
    """The kind that is belonged to, and the name of the relation: `a parent category` is a category."""
    for start in range(len(words)):
        found = resolved.kinds.get(singular_name(words[start:]))
        if found:
            return found, singular_name(words)
    return _kind(resolved, words), singular_name(words)


def _holds(resolved: Resolved, holds: Holds, statements: list[Statement]) -> None:
    parent, child = _kind(resolved, holds.parent), _kind(resolved, _plain(resolved, holds.child))
    known = [r for r in child.relations.values() if r.to == parent.name and not r.many]
    stated = any(isinstance(s, Belongs) and not s.many and _same(s, child, parent) for s in statements)
    if known or stated:
        return
    if _is_mutual(holds, parent, child, statements):
        if not any(r.many and r.to == parent.name for r in child.relations.values()):
            _relate(resolved, parent, Relation(child.plural, child.name, many=True), holds.said)
        return
    _relate(resolved, child, Relation(parent.name, parent.name), holds.said)
    labels = child.plural.replace("_", " ")
    resolved.assumptions.append(
        f"«{holds.said}» is read as one-to-many: each of the {labels} refers to at most one {parent.name}"
    )


def _same(belongs: Belongs, child: KindDraft, parent: KindDraft) -> bool:
    return singular_name(belongs.child) == child.name and singular_name(belongs.parent) == parent.name


def _plain(resolved: Resolved, words: Words) -> Words:
    """The words without adjectives in front, where those that are left name a kind."""
    for start in range(len(words)):
        if singular_name(words[start:]) in resolved.kinds:
            return words[start:]
    return words


def _is_mutual(holds: Holds, parent: KindDraft, child: KindDraft, statements: list[Statement]) -> bool:
    verb = singular(holds.verb) if holds.verb.endswith("s") else holds.verb
    if singular(holds.child[-1]) in TAG_LIKE or verb in MUTUAL_VERBS:
        return True
    for other in statements:
        if isinstance(other, Holds) and (singular_name(other.parent), singular_name(other.child)) == (
            child.name,
            parent.name,
        ):
            return True
        if isinstance(other, Belongs) and other.many and _same(other, child, parent):
            return True
        if isinstance(other, Has) and singular_name(other.kind) == child.name:
            back = singular_name(other.item.words) == parent.name
            if back and (other.item.quantity == "many" or is_plural(other.item.words[-1])):
                return True
    return False


def _relate(resolved: Resolved, kind: KindDraft, relation: Relation, said: str) -> None:
    target = resolved.kinds[relation.to]
    back = [r for r in target.relations.values() if r.to == kind.name and target is not kind]
    if relation.many and any(r.many for r in back):
        return
    if any(not r.many for r in back) and not relation.many:
        raise Unreadable(
            f"«{said}» contradicts what was said before: {target.name} already refers to {kind.name}",
            "Say which of the two refers to the other, or that they are many-to-many.",
        )
    before = kind.relations.get(relation.name)
    if before and before.many == relation.many:
        before.required = before.required or relation.required
    else:
        kind.relations[relation.name] = relation
        kind.fields.pop(relation.name, None)
