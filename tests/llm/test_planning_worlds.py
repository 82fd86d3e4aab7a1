"""Worlds: fifty workers share accounts and budgets while providers fail and workers die, in virtual time.

Workers plan by what they read a moment ago and reserve by what is there then, as the gateway does; now and then what
they share is written to bytes and read again. Beside them stand witnesses who know nothing of the code under test: each
provider notes what it gets and what it bills, and a referee for each account knows the rules of its breaker.
"""

import heapq
import itertools
import random
from collections import Counter
from collections.abc import Callable, Generator
from dataclasses import dataclass, field

from workers.llm.accounts import Account, answered, failed, ready_at, reserved, settled, unreserved
from workers.llm.failures import MEANINGS, FailureKind
from workers.llm.model import Allowance
from workers.llm.planning import Candidate, Fail, Go, State, Tier, Wait, Wanted, plan
from workers.llm.purse import Amount, Cap, Purse, raised, release, reserve, settle, stale, write_off
from workers.llm.speeds import Speed, heard
from workers.llm.targets import Limits, Policy, Target

BEGIN = 1_763_800_000.0
WORKERS, CALLS = 50, 10_000
RUNS = [f"r{n}" for n in range(8)]
REDELIVERED_AFTER_S = 30.0
Pauses = Generator[float, None, None]


class Crashed(Exception):
    """A worker died."""


@dataclass
class Witness:
    """One account as its provider and a referee of the breaker's rules see it."""

    limits: Limits
    got: list[tuple[float, int]] = field(default_factory=list)
    strikes: int = 0
    openings: int = 0
    shut_until: float = 0.0
    quiet_until: float = 0.0
    probe: float | None = None
    probes: int = 0

    def sent(self, now: float) -> None:
        """A call arrives: is it allowed to?"""
        assert now >= self.quiet_until, "called before the time that it had asked for"
        assert now >= self.shut_until, "called while its breaker was open or pausing"
        if self.openings:
            assert self.probe is None or now >= self.probe + 120, "two probes at a time"
            self.probe, self.probes = now, self.probes + 1

    def failed(self, kind: FailureKind, asked: float | None, at: float, now: float) -> None:
        """What the breaker must make of a failure."""
        own, meaning = self.probe == at, MEANINGS[kind]
        if asked is not None:
            self.quiet_until = max(self.quiet_until, now + asked)
        if kind in ("rate_limited", "bad_request"):
            self.probe = None if own else self.probe
        elif not self.openings:
            self.strikes += 1
            if meaning.down or self.strikes == 3:
                self.openings, self.shut_until = 1, now + (60 if meaning.down else 15)
            else:
                self.shut_until = max(self.shut_until, now + 0.5 * self.strikes)
        elif own and now >= self.shut_until:
            self.shut_until = now + min(60, (60 if meaning.down else 15) * 2**self.openings)
            self.openings, self.probe = self.openings + 1, None

    def well(self) -> None:
        """A call was answered."""
        self.strikes, self.openings, self.shut_until, self.probe = 0, 0, 0.0, None

    def check_minutes(self) -> None:
        """In no 60 seconds came more than the limits allow."""
        self.got.sort()
        first = tokens = 0
        for last, (at, used) in enumerate(self.got):
            tokens += used
            while self.got[first][0] < at - 60:
                tokens -= self.got[first][1]
                first += 1
            assert last - first + 1 <= (self.limits.requests_per_minute or CALLS**2)
            assert tokens <= (self.limits.tokens_per_minute or 10**15)


class World:
    """The shared records, the clock, the providers, and the queue of calls to make."""

    def __init__(self, seed: int, calls: int) -> None:
        self.rng, self.now, self.seen = random.Random(seed), BEGIN, Counter[str]()
        self.purses, self.accounts = dict[str, Purse](), dict[str, Account]()
        self.caps = {run: Cap(self.rng.randrange(2_000, 20_000), None) for run in RUNS} | {"day": Cap(None, 10**8)}
        self.allowed = {key: cap.nanos if cap.nanos is not None else 10**15 for key, cap in self.caps.items()}
        self.billed, self.billed_tokens = Counter[str](), Counter[str]()
        self.targets = [
            Target(name="first", provider="openai", limits=Limits(requests_per_minute=130)),
            Target(name="second", provider="groq", limits=Limits(tokens_per_minute=80_000, requests_per_minute=400)),
            Target(name="third", provider="anthropic", limits=Limits(requests_per_minute=30)),
            Target(name="last", provider="ollama", limits=Limits(tokens_per_minute=30_000)),
        ]
        self.witnesses = {target.account: Witness(target.limits) for target in self.targets}
        self.outages = {target.name: self._outages() for target in self.targets}
        self.calls = [f"{self.rng.choice(RUNS)}/llm.t{n}.1.1" for n in range(calls)]
        self.speeds: dict[str, Speed] = {}
        self._order, self._queue = itertools.count(), list[tuple[float, int, Pauses]]()

    def _outages(self) -> list[tuple[float, float, FailureKind]]:
        kinds: list[FailureKind] = ["unreachable", "overloaded", "timeout", "denied", "quota"]
        starts = [BEGIN + self.rng.uniform(0, 6_000) for _ in range(6)]
        return [(start, start + self.rng.uniform(10, 400), self.rng.choice(kinds)) for start in starts]

    def purse(self, key: str) -> Purse:
        return self.purses.get(key, Purse(self.caps[key]))

    def account(self, key: str) -> Account:
        return self.accounts.get(key, Account())

    def change_purse(self, key: str, change: Callable[[Purse], Purse]) -> None:
        changed = change(self.purse(key))
        self.purses[key] = Purse.decode(changed.encode(), self.caps[key]) if self._is_read_anew() else changed

    def change_account(self, key: str, change: Callable[[Account], Account]) -> None:
        changed = change(self.account(key))
        self.accounts[key] = Account.decode(changed.encode()) if self._is_read_anew() else changed

    def _is_read_anew(self) -> bool:
        return self.rng.random() < 0.1

    def bill(self, run: str, amount: Amount) -> None:
        """The provider charges; this is the money that may never exceed the caps."""
        for key in (run, "day"):
            self.billed[key] += amount.nanos
            self.billed_tokens[key] += amount.tokens
            assert self.billed[key] <= self.allowed[key], f"{key} is overdrawn"
            assert self.billed_tokens[key] <= (self.caps[key].tokens or 10**15)

    def start(self, worker: Pauses, after: float = 0.0) -> None:
        heapq.heappush(self._queue, (self.now + after, next(self._order), worker))

    def run(self) -> None:
        """Until nobody has anything to do any more."""
        while self._queue:
            self.now, _, worker = heapq.heappop(self._queue)
            pause = next(worker, None)
            if pause is not None:
                self.start(worker, pause)


def worker(world: World) -> Pauses:
    """Takes calls until there are none; a death gives its call back and a new worker takes its place."""
    while world.calls:
        name = world.calls.pop()
        try:
            yield from one_call(world, name)
            world.seen["done"] += 1
        except Crashed:
            world.seen["crashed"] += 1
            yield REDELIVERED_AFTER_S
            world.calls.append(name)
        yield world.rng.uniform(0, 10)


def one_call(world: World, name: str) -> Pauses:
    """One call until it is answered or nobody can ever answer it."""
    run, without = name.split("/", maxsplit=1)[0], frozenset[str]()
    policy: Policy = world.rng.choice(["cheapest", "fastest", "best", "spread"])
    worst = Amount(world.rng.randrange(1, 40), world.rng.randrange(200, 2_500))
    while True:
        wanted = _wanted(world, policy, worst, without)
        state = State(
            {target.account: world.account(target.account) for target in world.targets},
            dict(world.speeds),
            (world.purse(run), world.purse("day")),
            world.rng.randrange(100),
        )
        step = plan(wanted, state, world.now)
        yield from _moment(world)
        if isinstance(step, Fail):
            world.seen["failed"] += 1
            for key in (run, "day"):
                world.change_purse(key, lambda purse: write_off(purse, name))
            return
        if isinstance(step, Wait):
            yield from _waited(world, step, run)
        elif (yield from _reserved(world, step, run, name)):
            kind = yield from _made(world, step, run, name)
            if kind is None:
                return
            if MEANINGS[kind].hopeless:
                without |= {step.candidate.target.name}


def _wanted(world: World, policy: Policy, worst: Amount, without: frozenset[str]) -> Wanted:
    """The fallbacks cost a third, and half."""
    costs = [
        Amount(nanos, worst.tokens) for nanos in (worst.nanos, worst.nanos + 5, worst.nanos // 3, worst.nanos // 2)
    ]
    first, second, third, last = (
        Candidate(target, worst.tokens, cost) for target, cost in zip(world.targets, costs, strict=True)
    )
    tiers = (Tier(policy, (first, second)), Tier("best", (third,)), Tier("best", (last,)))
    return Wanted(tiers, world.now + 600, without)


def _moment(world: World) -> Pauses:
    """A few milliseconds in which others go on, or in which the worker dies."""
    yield world.rng.uniform(0.001, 0.02)
    if world.rng.random() < 0.004:
        raise Crashed


def _waited(world: World, step: Wait, run: str) -> Pauses:
    world.seen[step.what] += 1
    if step.what != "budget":
        yield step.until - world.now + world.rng.uniform(0, 4)
        return
    yield world.rng.uniform(5, 60)
    for key in (run, "day"):
        for name, *_ in stale(world.purse(key), world.now - 900):
            world.change_purse(key, lambda purse, name=name: write_off(purse, name))
    if step.until == float("inf") and world.rng.random() < 0.2:
        raise_id = f"raise-{world.allowed[run]}"
        for _ in range(2):
            world.change_purse(run, lambda purse: raised(purse, raise_id, Amount(5_000, 0)))
        world.allowed[run] += 5_000
        world.seen["raised"] += 1


def _reserved(world: World, step: Go, run: str, name: str) -> Generator[float, None, bool]:
    """Budgets one after another, then the account: as the gateway does, each by what is there at that time."""
    candidate, taken = step.candidate, list[str]()
    assert candidate.worst is not None
    granted = True
    for key in (run, "day"):
        changed, done = reserve(world.purse(key), name, candidate.worst, world.now)
        world.change_purse(key, lambda _, changed=changed: changed)
        granted = granted and done
        if not done:
            break
        taken.append(key)
        yield from _moment(world)
    target, now = candidate.target, world.now
    account = world.account(target.account)
    if granted and ready_at(account, target.limits, candidate.tokens, now) <= now:
        world.change_account(target.account, lambda found: reserved(found, target.limits, candidate.tokens, now))
        return True
    world.seen["too late"] += 1
    for key in taken:
        world.change_purse(key, lambda purse: release(purse, name))
    return False


def _made(world: World, step: Go, run: str, name: str) -> Generator[float, None, FailureKind | None]:
    """The call itself, from the moment of its reservation; what kind of failure it was, or None."""
    candidate, at, rng = step.candidate, world.now, world.rng
    target, worst = candidate.target, candidate.worst
    assert worst is not None
    if rng.random() < 0.005:  # something of our own went wrong: it is not sent
        world.change_account(target.account, lambda found: unreserved(found, target.limits, candidate.tokens, at, at))
        for key in (run, "day"):
            world.change_purse(key, lambda purse: release(purse, name))
        return "rate_limited"
    witness, kind = world.witnesses[target.account], _fate(world, target.name)
    witness.sent(at)
    world.seen["sent"] += 1
    world.seen[target.name] += 1
    share = 1.0 if rng.random() < 0.1 else rng.random()
    cost = Amount(int(worst.nanos * share), int(worst.tokens * share))
    dies = rng.random() < 0.01
    billed = kind is None or MEANINGS[kind].billed or dies
    witness.got.append((at, cost.tokens if billed else 0))
    yield rng.uniform(0.2, 100 if kind == "timeout" else 12)
    if billed:
        world.bill(run, cost)
    if dies:
        world.seen["lost"] += 1
        raise Crashed
    yield from _told(world, step, run, name, kind, at, cost)
    return kind


def _told(
    world: World, step: Go, run: str, name: str, kind: FailureKind | None, at: float, cost: Amount
) -> Pauses:  # fmt: skip
    """Budgets and account hear how it ended."""
    target, tokens, now = step.candidate.target, step.candidate.tokens, world.now
    witness = world.witnesses[target.account]
    if kind is None:
        witness.well()
        world.speeds[target.name] = heard(world.speeds.get(target.name), 0.5, now - at)
        said = Allowance(world.rng.randrange(100), world.rng.uniform(0, 5)) if world.rng.random() < 0.2 else Allowance()
        world.change_account(
            target.account,
            lambda found: answered(
                settled(found, target.limits, tokens, at, cost.tokens, now), said, now, target.limits
            ),
        )
        end: Callable[[Purse], Purse] = lambda purse: settle(purse, name, cost)  # noqa: E731
    else:
        world.seen[kind] += 1
        asked = world.rng.uniform(0.5, 40) if kind == "rate_limited" or world.rng.random() < 0.1 else None
        asked = None if kind == "bad_request" else asked
        witness.failed(kind, asked, at, now)
        used = tokens if MEANINGS[kind].billed else 0
        world.change_account(
            target.account,
            lambda found: failed(settled(found, target.limits, tokens, at, used, now), kind, "so", asked, now, at=at),
        )
        end = (lambda purse: write_off(purse, name)) if MEANINGS[kind].billed else (lambda purse: release(purse, name))
    for key in (run, "day"):
        world.change_purse(key, end)
        yield from _moment(world)


def _fate(world: World, target: str) -> FailureKind | None:
    """What becomes of a call: outages fail all of them, and now and then one fails by itself."""
    for start, end, kind in world.outages[target]:
        if start <= world.now < end:
            return kind
    return world.rng.choice(list(MEANINGS)) if world.rng.random() < 0.04 else None


def test_fifty_workers_never_overdraw_nor_flood_nor_call_the_dead() -> None:
    world = World(seed=3, calls=CALLS)
    for _ in range(WORKERS):
        world.start(worker(world))
    world.run()
    assert world.seen["done"] == CALLS
    assert world.seen["sent"] >= CALLS
    for key in (*RUNS, "day"):
        purse = world.purse(key)
        assert purse.holds == ()
        assert world.billed[key] <= purse.spent.nanos + purse.written_off.nanos <= world.allowed[key]
    for witness in world.witnesses.values():
        witness.check_minutes()
        assert witness.probes > 0
    for what in ("crashed", "lost", "raised", "too late", "budget", "models", *MEANINGS):
        assert world.seen[what] > 0, what
    assert all(world.seen[target.name] > 100 for target in world.targets)
