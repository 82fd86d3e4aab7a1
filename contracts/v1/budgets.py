"""Budgets: what a run may spend, and how somebody lets it spend more."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from contracts.message import Fact, Token, Value

Dollars = Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]
Tokens = Annotated[int, Field(ge=0, le=10**15)]


class Budget(Value):
    """What may be spent, in US dollars and in tokens (input and output together); None is without a limit."""

    usd: Dollars | None = None
    tokens: Tokens | None = None


class BudgetRaised(Fact):
    """The run may spend more. `raise_id` is chosen by whoever says so, so that saying it twice is harmless."""

    noun: ClassVar[str] = "budget"

    kind: Literal["budget_raised"] = "budget_raised"
    version: Literal[1] = 1
    raise_id: Token
    usd: Dollars = 0.0
    tokens: Tokens = 0
    raised_by: Annotated[str, StringConstraints(max_length=200)] = ""
