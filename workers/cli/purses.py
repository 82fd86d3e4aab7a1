"""How a budget stands: from its record, and where it has none from the journal and the request. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, Literal

from contracts.v1.budgets import Budget, BudgetRaised
from contracts.v1.journal import ModelCalled
from contracts.v1.runs import RunRequested
from contracts.v1.tasks import Task
from workers.cli.entries import Entry
from workers.cli.figures import dollars
from workers.llm.purse import Amount, Cap, Purse, free, raised

NANOS = 10**9


@dataclass(frozen=True)
class Account:
    """A budget as it stands. `unpriced`: the price of some call is unknown, so the run spent more than is said here."""

    purse: Purse
    source: Literal["record", "journal", "nothing"]
    unpriced: bool = False

    @property
    def is_limited(self) -> bool:
        """Whether there is anything that it could run out of."""
        return self.purse.cap != Cap()


def of_run(record: bytes | None, entries: Sequence[Entry], default: Budget) -> Account:
    """A run's budget. Raises come from the log: the record learns of them only once a call can't be paid.

    Workers keep no record of what has no limit; `default` is the budget of a run that nobody has worked on yet.
    """
    facts = [entry.message for entry in entries]
    calls = [fact for fact in facts if isinstance(fact, ModelCalled)]
    if record is not None:
        found = Account(Purse.decode(record), "record")
    else:
        unpriced = any(call.cost_usd is None for call in calls)
        found = Account(Purse(_cap(entries, default), spent=_spent(calls)), "journal", unpriced)
    raises = [fact for fact in facts if isinstance(fact, BudgetRaised)]
    purse = reduce(lambda kept, more: raised(kept, more.raise_id, _amount(more)), raises, found.purse)
    return Account(purse, found.source, found.unpriced)


def of_day(record: bytes | None, default: Budget) -> Account:
    """The budget of a tenant's day."""
    cap = cap_of(default)
    return Account(Purse(cap), "nothing") if record is None else Account(Purse.decode(record), "record")


def cap_of(budget: Budget) -> Cap:
    """A budget as it is counted."""
    return Cap(None if budget.usd is None else round(budget.usd * NANOS), budget.tokens)


def _cap(entries: Sequence[Entry], default: Budget) -> Cap:
    """What the newest command says, for it is what workers go by; before the first one, what the request says."""
    commands = [entry.message for entry in entries if isinstance(entry.message, Task)]
    if commands:
        return cap_of(commands[-1].budget or Budget())
    asked = next((entry.message.budget for entry in entries if isinstance(entry.message, RunRequested)), None)
    own = asked or Budget()
    return cap_of(
        Budget(
            usd=default.usd if own.usd is None else own.usd,
            tokens=default.tokens if own.tokens is None else own.tokens,
        )
    )


def _spent(calls: Sequence[ModelCalled]) -> Amount:
    nanos = sum(round((call.cost_usd or 0.0) * NANOS) for call in calls)
    return Amount(nanos, sum(call.input_tokens + call.output_tokens for call in calls))


def _amount(more: BudgetRaised) -> Amount:
    return Amount(round(more.usd * NANOS), more.tokens)


def table(account: Account) -> list[str]:
    """The budget in lines: what there is, in dollars and in tokens."""
    rows = [(name, _money(amount.nanos), _tokens(amount.tokens)) for name, amount in _rows(account.purse)]
    lines = [f"  {name:<11}  {money:>12}  {tokens:>15}" for name, money, tokens in [("", "dollars", "tokens"), *rows]]
    return [*lines, "  the price of some calls is unknown; they are not in it"] if account.unpriced else lines


def left(account: Account) -> str:
    """What is left, on one line."""
    rest, cap = free(account.purse), account.purse.cap
    said = [f"{_money(rest.nanos)} of {_money(cap.nanos)}"] if cap.nanos is not None else []
    said += [f"{_tokens(rest.tokens)} of {_tokens(cap.tokens)} tokens"] if cap.tokens is not None else []
    return f"{' and '.join(said)} left"


def _rows(purse: Purse) -> list[tuple[str, Cap | Amount]]:
    more = reduce(Amount.plus, (amount for _, amount in purse.raises), Amount())
    return [
        ("cap", purse.cap),
        ("raised", more),
        ("spent", purse.spent),
        ("held", purse.held),
        ("written off", purse.written_off),
        ("left", free(purse)),
    ]


def _money(nanos: int | None) -> str:
    if nanos is None:
        return "no limit"
    cost = abs(nanos) / NANOS
    exact = cost < 1 and abs(nanos) % (
        NANOS // 100
    )  # a call costs cents: what is left has to be told from what it needs
    return ("-" if nanos < 0 else "") + (f"${cost:.4f}" if exact else dollars(cost))


def _tokens(tokens: int | None) -> str:
    return "no limit" if tokens is None else f"{tokens:,}"


def as_json(account: Account) -> dict[str, Any]:
    """The budget as a JSON object; null is without a limit. `holds` are the calls under way."""
    rows = {
        name.replace(" ", "_"): {"usd": None if nanos is None else nanos / NANOS, "tokens": tokens}
        for name, (nanos, tokens) in _rows(account.purse)
    }
    raises = [
        {"raise_id": name, "usd": nanos / NANOS, "tokens": tokens} for name, (nanos, tokens) in account.purse.raises
    ]
    holds = [hold.name for hold in account.purse.holds]
    return {"source": account.source, **rows, "raises": raises, "holds": holds, "unpriced": account.unpriced}
