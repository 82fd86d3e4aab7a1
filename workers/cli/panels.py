"""Who is asked: the voters as they are typed, made into an electorate and the fleet's own panel. Pure."""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from contracts.subjects import is_token
from contracts.v1.ballots import Panelist
from workers.cli.complaints import Misused
from workers.cli.figures import count, short
from workers.orchestrator.blueprint import Voter

PERSONAS = (
    "correctness", "security", "simplicity", "operations", "user", "performance", "maintainability", "generalist",
)  # fmt: skip
"""The shipped personas, in the order in which a panel of N takes them."""

MOST = 100
"""A ballot has a panel of at most so many."""

_TARGET = re.compile(r"[A-Za-z0-9_.:/@=,-]{1,200}")


class Voting(NamedTuple):
    """Everybody who may vote, and those of them whom the fleet asks."""

    electorate: tuple[str, ...]
    panel: tuple[Panelist, ...]


FamilyOf = Callable[[str], str]
"""The family of a target; empty when it is not known."""


def names_typed(text: str) -> tuple[str, ...]:
    """What stands between commas, without the blanks."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def voting_typed(
    voters: str, panel: str, targets: Sequence[str], family_of: FamilyOf, personas: Sequence[str] = PERSONAS
) -> Voting:
    """The voters of `--voters`, then those of `--panel`. Each target of `--model` is taken in turn. `personas` are all
    that there are."""
    for target in targets:
        _checked_target(target)
    wanted = [one for part in names_typed(voters) for one in _asked(part, personas)]
    wanted += [_on_target(part, personas) for part in names_typed(panel)]
    if not wanted:
        raise Misused("name the voters: --voters 5 asks five personas of the fleet, --voters ada,bob waits for two")
    asked = [one for one in wanted if isinstance(one, Panelist)]
    if len(asked) > MOST:
        raise Misused(f"a panel has at most {MOST} voters, and these are {len(asked)}")
    electorate = _all_different([one.voter if isinstance(one, Panelist) else one for one in wanted])
    told = iter(_in_turn(asked, targets, family_of))
    return Voting(electorate, tuple(next(told) for _ in asked))


def _asked(part: str, personas: Sequence[str]) -> list[Panelist | str]:
    """One part of `--voters`: a number, a persona, or somebody who votes by themselves."""
    if part.isascii() and part.isdigit():
        if not 1 <= int(part) <= MOST:
            raise Misused(f"--voters {short(part)}: a panel has 1 to {MOST} voters")
        return [_numbered(place) for place in range(int(part))]
    if part.startswith("-"):  # a number below 0, or an option that lost its name
        raise Misused(f"--voters {short(part)}: name voters, or say how many personas, from 1 to {MOST}")
    if not is_token(part):
        raise Misused(f"--voters: {short(part)!r} is no name of a voter: use 1 to 64 characters of A-Z a-z 0-9 _ -")
    return [Panelist(voter=part, persona=part)] if part in personas else [part]


def _numbered(place: int) -> Panelist:
    lap, persona = place // len(PERSONAS), PERSONAS[place % len(PERSONAS)]
    return Panelist(voter=f"{persona}-{lap + 1}" if lap else persona, persona=persona)


def _on_target(part: str, personas: Sequence[str]) -> Panelist:
    """One part of `--panel`: a persona, on its own target if it says so."""
    persona, _, target = part.partition("@")
    if persona not in personas:
        raise Misused(f"--panel: there is no persona {short(persona)!r}; there are {', '.join(personas)}")
    if target:
        _checked_target(target)
    voter = Voter(persona=persona, target=target).name  # as in runs, so that what is learned of it holds for both
    return Panelist(voter=voter, persona=persona, target=target)


def _checked_target(target: str) -> None:
    if _TARGET.fullmatch(target) is None:
        raise Misused(f"{short(target)!r} is no name of a target; `flotilla models` lists them")


def _in_turn(asked: Sequence[Panelist], targets: Sequence[str], family_of: FamilyOf) -> list[Panelist]:
    """Each with a target of its own or the next one; a persona that comes again has the target after that."""
    told, taken = list[Panelist](), 0
    for one in asked:
        target = one.target
        if not target and targets:
            lap = taken // len(PERSONAS) if len(PERSONAS) % len(targets) == 0 else 0
            target = targets[(taken + lap) % len(targets)]
            taken += 1
        told.append(one.model_copy(update={"target": target, "family": family_of(target)}))
    return told


def _all_different(names: Sequence[str]) -> tuple[str, ...]:
    twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if twice:
        raise Misused(f"each voter has one vote, and {', '.join(twice)} is named more than once")
    return tuple(names)


def in_words(voting: Voting) -> str:
    """Who is asked and who is waited for, in a few words."""
    asked = {one.voter for one in voting.panel}
    alone = [name for name in voting.electorate if name not in asked]
    said = [f"the fleet asks at most {count(len(asked), 'voter')}"] if asked else []
    said += [f"waits for {', '.join(alone)}"] if alone else []
    return "; ".join(said)
