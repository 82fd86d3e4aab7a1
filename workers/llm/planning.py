"""Where one call goes: plan(wanted, state, now) → Go to a candidate, Wait until a time, or Fail for good.

A candidate is *usable* if it could ever serve this call: not excluded, its context large enough, its price known where
money counts, its quality not below the floor. A usable one can serve *now* if its account is ready and every budget
can pay the worst that the call may cost there.

    some can serve now        Go: the first tier that has one, and in it what the policy likes best
    some are usable           Wait: until the earliest time at which one of them could serve if nothing else happens
    none is                   Fail: waiting would never help

A candidate that no budget can pay becomes payable when calls under way turn out cheaper than what is held for them
(looked at again every second), or when somebody raises the budget (no time is known). The deadline of the call is not
weighed here: a `Wait` may end after it, and then the caller puts the task back.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from workers.llm.accounts import Account, Health, free_at, health, ready_at
from workers.llm.purse import Amount, Cap, Purse, fits, free, once_settled, within
from workers.llm.speeds import Speed
from workers.llm.targets import Policy, Target

LOOK_AGAIN_S = 1.0
NOT_ASKED = "is not to be asked for this call"
DOLLAR = 10**9


@dataclass(frozen=True)
class Candidate:
    """A target that the call could go to. `tokens` are likely, for the minute's limits; `worst` is the most that the
    call can cost there, None where the price is unknown.

    `context_tokens` is what the model takes in all; None: as the target's capabilities say, and without a word of
    theirs as much as is wanted. `most_tokens` is the most that the call can take where `worst` is None.
    """

    target: Target
    tokens: int
    worst: Amount | None
    context_tokens: int | None = None
    most_tokens: int = 0


@dataclass(frozen=True)
class Tier:
    """Candidates of equal rank in the order of the route, and how to choose among them. `quality` is a floor for the
    policy `best`."""

    policy: Policy
    candidates: tuple[Candidate, ...]
    quality: int = 0


@dataclass(frozen=True)
class Wanted:
    """A call to be made. `without` are names of targets that are not to be asked; `tokens_needed` is the context that
    it takes, input and output."""

    tiers: tuple[Tier, ...]
    deadline: float
    without: frozenset[str] = frozenset()
    tokens_needed: int = 0


@dataclass(frozen=True)
class State:
    """What is known: accounts by `Target.account` (fresh where missing), speeds by name of target, every budget that
    pays, and a number that grows with each call."""

    accounts: Mapping[str, Account] = field(default_factory=dict)
    speeds: Mapping[str, Speed] = field(default_factory=dict)
    purses: tuple[Purse, ...] = ()
    turn: int = 0


@dataclass(frozen=True)
class Go:
    """Ask this one, after reserving both its limits and the money: either may turn out to be gone."""

    candidate: Candidate


@dataclass(frozen=True)
class Wait:
    """`until` is unix seconds, infinite when only a raise of the budget helps. `what` is `limits` when nothing but our
    own counting of the minute is in the way."""

    until: float
    what: Literal["models", "budget", "limits"]
    reason: str


@dataclass(frozen=True)
class Fail:
    """`reason` names every target and why it can't be used."""

    reason: str


def plan(wanted: Wanted, state: State, now: float) -> Go | Wait | Fail:
    """Decide the next step of one call. The same arguments give the same answer."""
    usable: list[Candidate] = []
    unusable: list[str] = []
    for tier in wanted.tiers:
        able: list[Candidate] = []
        for candidate in tier.candidates:
            fault = _fault(candidate, tier, wanted, state)
            if fault is None:
                able.append(candidate)
            else:
                unusable.append(f"{candidate.target.name}: {fault}")
        ready = [candidate for candidate in able if _can_serve(candidate, wanted, state, now)]
        if ready:
            return Go(_liked(tier.policy, ready, wanted, state))
        usable += able
    if usable:
        return _wait(usable, wanted, state, now)
    return Fail(_listed(unusable) or "no target is configured for this call; name one in models.yaml")


def amount_of(candidate: Candidate, wanted: Wanted) -> Amount:
    """The most that a call can take from a budget; without a price, no money."""
    return candidate.worst or Amount(0, max(candidate.most_tokens, candidate.tokens, wanted.tokens_needed))


def _fault(candidate: Candidate, tier: Tier, wanted: Wanted, state: State) -> str | None:
    """Why the candidate can never serve this call."""
    target = candidate.target
    context = candidate.context_tokens or target.capabilities.context_tokens
    if target.name in wanted.without:
        return NOT_ASKED
    if context is not None and wanted.tokens_needed > context:
        return f"takes {context} tokens, and the call needs {wanted.tokens_needed}"
    if candidate.worst is None and any(purse.cap.nanos is not None for purse in state.purses):
        return f"no price known for {target.name}; give it a `price` in models.yaml"
    if tier.policy == "best" and target.quality < tier.quality:
        return f"its quality of {target.quality} is below the route's floor of {tier.quality}"
    return None


def _can_serve(candidate: Candidate, wanted: Wanted, state: State, now: float) -> bool:
    return _ready_at(candidate, state, now) <= now and _payable(candidate, wanted, state)


def _ready_at(candidate: Candidate, state: State, now: float) -> float:
    return ready_at(_account(candidate, state), candidate.target.limits, candidate.tokens, now)


def _account(candidate: Candidate, state: State) -> Account:
    return state.accounts.get(candidate.target.account, Account())


def _payable(candidate: Candidate, wanted: Wanted, state: State) -> bool:
    return all(fits(purse, amount_of(candidate, wanted)) for purse in state.purses)


def _payable_later(candidate: Candidate, wanted: Wanted, state: State) -> bool:
    """Whether calls under way could leave enough, if they cost nothing."""
    return all(within(amount_of(candidate, wanted), once_settled(purse)) for purse in state.purses)


def _liked(policy: Policy, ready: Sequence[Candidate], wanted: Wanted, state: State) -> Candidate:
    """The one that the policy likes best; of equals the first."""
    if policy == "spread":
        return ready[state.turn % len(ready)]
    if policy == "cheapest":
        return min(ready, key=lambda candidate: math.inf if candidate.worst is None else candidate.worst.nanos)
    if policy == "fastest":
        return min(ready, key=lambda candidate: _seconds(state.speeds.get(candidate.target.name)))
    return ready[0]


def _seconds(speed: Speed | None) -> tuple[float, float]:
    """One that was never heard is tried first, or it would never be known."""
    return (-math.inf, 0.0) if speed is None else (speed.duration_s, speed.first_token_s)


def _wait(usable: Sequence[Candidate], wanted: Wanted, state: State, now: float) -> Wait:
    """Until the earliest moment at which one could serve: payable ones when they are ready, those that holds of other
    calls stand in the way of not before the next look, and those beyond the budget never."""
    payable = [candidate for candidate in usable if _payable(candidate, wanted, state)]
    unpaid = [candidate for candidate in usable if not _payable(candidate, wanted, state)]
    later = [candidate for candidate in unpaid if _payable_later(candidate, wanted, state)]
    served = min((_ready_at(candidate, state, now) for candidate in payable), default=math.inf)
    looked = min((max(now + LOOK_AGAIN_S, _ready_at(candidate, state, now)) for candidate in later), default=math.inf)
    reason = _listed(_hindrances(usable, wanted, state, now))
    if not payable or looked < served:
        return Wait(looked, "budget", reason)
    ours = all(free_at(_account(candidate, state)) <= now for candidate in payable)
    return Wait(served, "limits" if ours else "models", reason)


def _hindrances(usable: Sequence[Candidate], wanted: Wanted, state: State, now: float) -> list[str]:
    """Why none of them can serve now, what holds for several said once. No times: the reason of a wait is recorded when
    it begins and read for as long as it lasts."""
    unready: dict[str, list[str]] = {}
    for candidate in usable:
        if why := _unready(candidate, state, now):
            unready.setdefault(why, []).append(candidate.target.name)
    said = [f"{', '.join(dict.fromkeys(names))}: {why}" for why, names in unready.items()]
    return said + [why for purse in state.purses for why in _short(purse, usable, wanted)]


def _unready(candidate: Candidate, state: State, now: float) -> str:
    if _ready_at(candidate, state, now) <= now:
        return ""
    how = health(_account(candidate, state), now)
    return _unwell(how) if how.until > now else "the minute's limit is reached"


def _unwell(how: Health) -> str:
    word = {"open": "down", "probing": "being tried", "cooling": "cooling", "up": "resting"}[how.state]
    return f"{word} ({how.reason})" if how.reason else word


def _short(purse: Purse, usable: Sequence[Candidate], wanted: Wanted) -> Iterator[str]:
    """What a budget lacked for which targets, in the unit that it lacked."""
    left, cap, held = free(purse), _raised_cap(purse), purse.held
    whose = f"{purse.whose} " if purse.whose else ""
    money, tokens = dict[str, int](), dict[str, int]()
    for candidate in usable:
        amount = amount_of(candidate, wanted)
        if left.nanos is not None and not within(Amount(amount.nanos, 0), left):
            money[candidate.target.name] = amount.nanos
        elif not fits(purse, amount):
            tokens[candidate.target.name] = amount.tokens
    if money:
        costs = ", ".join(f"{_dollars(nanos)} ({name})" for name, nanos in money.items())
        kept = f" beside {_dollars(held.nanos)} held for calls under way" if held.nanos else ""
        of = f"{_dollars(left.nanos or 0)} of {whose}{_dollars(cap.nanos or 0)}"
        yield f"{of} was left{kept}, and a call may cost {costs}"
    if tokens:
        counts = ", ".join(f"{count:,} ({name})" for name, count in tokens.items())
        kept = f" beside {held.tokens:,} held for calls under way" if held.tokens else ""
        of = f"{left.tokens or 0:,} of {whose}{cap.tokens or 0:,} tokens"
        yield f"{of} were left{kept}, and a call may take {counts}"


def _raised_cap(purse: Purse) -> Cap:
    left, gone = once_settled(purse), purse.spent.plus(purse.written_off)
    return Cap(
        None if left.nanos is None else left.nanos + gone.nanos,
        None if left.tokens is None else left.tokens + gone.tokens,
    )


def _dollars(nanos: int) -> str:
    return f"${nanos / DOLLAR:.4f}"


def _listed(reasons: Sequence[str]) -> str:
    return "; ".join(dict.fromkeys(reasons))
