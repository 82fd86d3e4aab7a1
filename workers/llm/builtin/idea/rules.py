"""What is said of kinds that are described elsewhere: rules about fields, wishes for lists, and what can't be."""

from workers.llm.builtin.idea.inflection import identifier, plural_name, singular_name
from workers.llm.builtin.idea.kinds import SET_BY_SERVICE, KindDraft, Resolved, add_field
from workers.llm.builtin.idea.statements import Item, Listed, Ruled, Words
from workers.llm.builtin.idea.unreadable import RECORDS_HINT, Unreadable


def apply_rule(resolved: Resolved, rule: Ruled) -> None:
    """Note what is said of a field, or of a relation, on its own."""
    name = identifier(rule.subject)
    kind = _kind_of(resolved, rule, name)
    relation = kind.relations.get(singular_name(rule.subject))
    if relation and rule.qualities.required is not None and rule.qualities.unique is None:
        relation.required = rule.qualities.required
        return
    own = next((own for own in _spellings(rule.subject) if own in kind.fields), None)
    if own is None and singular_name(rule.subject) in resolved.kinds:
        raise Unreadable(f"I can't tell which field «{rule.said}» is about", "Say «the … of a …».")
    if own is None:
        add_field(resolved, kind, Item(rule.subject, rule.said, "", rule.qualities))
        resolved.assumptions.append(f"{kind.name} has a field {name}, because of «{rule.said}»")
    else:
        kind.fields[own][1].merge(rule.qualities, rule.said)


def _kind_of(resolved: Resolved, rule: Ruled, name: str) -> KindDraft:
    if rule.kind:
        found = resolved.kinds.get(singular_name(rule.kind))
        if found is None:
            raise Unreadable(f"«{rule.said}» is about «{' '.join(rule.kind)}», which is not described", RECORDS_HINT)
        return found
    near = resolved.kinds.get(singular_name(rule.near)) if rule.near else None
    names = {*_spellings(rule.subject), singular_name(rule.subject)}
    if near and names & {*near.fields, *near.relations}:
        return near
    having = [kind for kind in resolved.kinds.values() if names & {*kind.fields, *kind.relations}]
    if len(having) == 1:
        return having[0]
    if near is None or having:
        raise Unreadable(f"I can't tell which kind of record «{rule.said}» is about", "Say «the … of a …».")
    return near


def _spellings(words: Words) -> list[str]:
    return [identifier(words), singular_name(words), plural_name(words)]


def check_listed(resolved: Resolved, wish: Listed) -> None:
    """Refuse a wish to list by what no record has; all that they have can be listed by anyway."""
    kind = resolved.kinds.get(singular_name(wish.kind)) if wish.kind else None
    for words in wish.fields:
        names = {*_spellings(words), singular_name(words)}
        if names & SET_BY_SERVICE or any(_offers(other, names, words) for other in resolved.kinds.values()):
            continue
        if kind is None:
            raise Unreadable(f"«{wish.said}» names «{' '.join(words)}», which no kind of record has", RECORDS_HINT)
        raise Unreadable(
            f"«{wish.said}» names «{' '.join(words)}», which is no field of the {kind.plural.replace('_', ' ')}",
            f"Say which fields {kind.plural.replace('_', ' ')} have, with {' '.join(words)} among them.",
        )


def _offers(kind: KindDraft, names: set[str], words: Words) -> bool:
    """Whether the kind has such a field or relation; `date` also means the only field that ends in it."""
    own = {*kind.fields, *kind.relations}
    tail = f"_{identifier(words)}"
    parts = {name[len(kind.name) + 1 :] for name in names if name.startswith(f"{kind.name}_")}
    return bool((names | parts) & own) or any(name.endswith(tail) or name.startswith(f"{tail[1:]}_") for name in own)


def refuse_circles(resolved: Resolved) -> None:
    """No record of a kind could ever be stored that needs one of its own kind, directly or in a circle."""
    for start in resolved.kinds:
        ahead, seen = [start], set[str]()
        while ahead:
            for relation in resolved.kinds[ahead.pop()].relations.values():
                if relation.required and not relation.many and relation.to == start:
                    raise Unreadable(
                        f"Each {start} would need another {start} to be there first",
                        f"Say that it can belong to one: «a {start} can belong to …».",
                    )
                if relation.required and not relation.many and relation.to not in seen:
                    seen.add(relation.to)
                    ahead.append(relation.to)
