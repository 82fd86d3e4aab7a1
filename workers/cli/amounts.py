"""Amounts of money and tokens as they are typed: checked, with a sentence on what is wrong."""

import math

from contracts.v1.budgets import Budget
from workers.cli.complaints import Misused
from workers.cli.figures import short

MOST_DOLLARS, MOST_TOKENS = 1_000_000.0, 10**15


def dollars_typed(option: str, text: str) -> float | None:
    """US dollars; None when nothing was typed."""
    if not text:
        return None
    try:
        amount = float(text.strip().removeprefix("$"))
    except ValueError:
        amount = math.nan
    if not 0 <= amount <= MOST_DOLLARS:
        raise Misused(f"{option} {short(text)!r}: give US dollars from 0 to {MOST_DOLLARS:,.0f}, such as 5 or 0.25")
    return amount


def tokens_typed(option: str, text: str) -> int | None:
    """Tokens, input and output together; None when nothing was typed."""
    if not text:
        return None
    try:
        amount = int(text)
    except ValueError:
        amount = -1
    if not 0 <= amount <= MOST_TOKENS:
        raise Misused(f"{option} {short(text)!r}: give a whole number of tokens from 0 up, such as 200000")
    return amount


def budget_typed(usd: str, tokens: str) -> Budget | None:
    """What `--budget` and `--budget-tokens` say; None when they say nothing."""
    money, count = dollars_typed("--budget", usd), tokens_typed("--budget-tokens", tokens)
    return None if money is None and count is None else Budget(usd=money, tokens=count)
