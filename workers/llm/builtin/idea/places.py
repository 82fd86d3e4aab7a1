"""`A gym has members and classes.`: a gym without anything else said of it is where records are kept, and no record."""

from workers.llm.builtin.idea.inflection import is_plural, singular_name
from workers.llm.builtin.idea.statements import Belongs, Has, Holds, KindNamed, Listed, Mutual, Ruled, Statement, Words
from workers.llm.builtin.wordset import wordset

PLACES = wordset(
    "gym club school library shop store restaurant hotel company museum clinic hospital university office hall kennel "
    "zoo garage studio cafe café pub bakery farm nursery church college theatre cinema community society charity"
)


def without_places(statements: list[Statement]) -> tuple[list[Statement], list[str]]:
    """The statements without those that only say what there is in a place, and what was assumed by that."""
    described = {singular_name(s.kind) for s in statements if isinstance(s, KindNamed)}
    left, assumed = statements, []
    for place in [s for s in statements if isinstance(s, KindNamed) and s.kind[-1] in PLACES]:
        name = singular_name(place.kind)
        of_it = [s for s in left if name in _mentioned(s)]
        if of_it and all(_lists_kinds(s, name, described) for s in of_it) and len(of_it) > 1:
            left = [s for s in left if s not in of_it]
            label = " ".join(place.kind)
            assumed.append(f"the {label} is where the records are kept: there is one, and no records of {label}s")
    return left, assumed


def _lists_kinds(statement: Statement, name: str, described: set[str]) -> bool:
    """Whether the statement says no more than that the place has members or the like."""
    if isinstance(statement, KindNamed):
        return True
    if not isinstance(statement, Has) or singular_name(statement.kind) != name or not statement.single:
        return False
    item = statement.item
    return not item.quantity and is_plural(item.words[-1]) and singular_name(item.words) in described


def _mentioned(statement: Statement) -> set[str]:
    """The names of all that the statement is about."""
    words: list[Words | None] = []
    if isinstance(statement, KindNamed | Listed):
        words = [statement.kind]
    elif isinstance(statement, Has):
        words = [statement.kind, statement.item.words]
    elif isinstance(statement, Belongs | Holds):
        words = [statement.parent, statement.child]
    elif isinstance(statement, Mutual):
        words = [statement.one, statement.other]
    elif isinstance(statement, Ruled):
        words = [statement.kind, statement.near, statement.subject]
    return {singular_name(one) for one in words if one}
