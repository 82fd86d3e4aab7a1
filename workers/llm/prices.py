"""What calls cost: the price that a target's owner gave, nothing for free providers, else genai-prices' snapshot.

A price is known when input and output both have one; otherwise there is no tariff, which is not the same as a tariff
of zero. Long prompts may cost more: a provider's tier holds for all tokens of a call whose input is above its start.
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from workers.llm.model import Usage
from workers.llm.presets import Preset
from workers.llm.targets import Price, Target

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo

QUARTER_S = 900
"""Prices that change over the day do so on half hours."""
QUARTERS_AHEAD = 8
"""A call that is planned now is settled within two hours: `worst` minds the prices until then."""
COLUMNS = {
    "input_mtok": "input_mtok",
    "cache_read_mtok": "input_mtok",
    "cache_write_mtok": "input_mtok",
    "output_mtok": "output_mtok",
    "output_reasoning_mtok": "output_mtok",
}
"""What genai-prices calls the prices of `Rates`, in their order, and the price that holds in place of a missing one."""
_BASE = -1


class Rates(NamedTuple):
    """Prices per token where the input has more than `above` tokens, in nano-dollars times the tariff's scale.

    `written` is for input that the provider puts into its cache; some do so unasked.
    """

    above: int
    input: int
    cached: int
    written: int
    output: int
    reasoning: int


@dataclass(frozen=True)
class Tariff:
    """The price of one model. `rates` are in the order of `above`, the first one's is below zero; `request` is due
    for every call. `soon` are those that take its place within two hours."""

    scale: int
    request: int
    rates: tuple[Rates, ...]
    soon: tuple["Tariff", ...] = ()

    def cost(self, usage: Usage) -> int:
        """Nano-dollars, rounded up."""
        tokens, answered = max(0, usage.input_tokens), max(0, usage.output_tokens)
        cached, thought = min(usage.cached_input_tokens, tokens), min(usage.reasoning_tokens, answered)
        rates = next(rates for rates in reversed(self.rates) if tokens > rates.above)
        written = min(usage.written_input_tokens, tokens - cached)
        read = (tokens - cached - written) * rates.input + cached * rates.cached
        total = self.request + read + written * (rates.written or rates.input)
        return -(-(total + (answered - thought) * rates.output + thought * rates.reasoning) // self.scale)

    def worst(self, input_tokens: int, output_tokens: int) -> int:
        """Nano-dollars, never less than the cost of a call of at most so many tokens that ends within two hours."""
        return max(tariff._worst(input_tokens, output_tokens) for tariff in (self, *self.soon))

    def _worst(self, input_tokens: int, output_tokens: int) -> int:
        most = 0
        for place, rates in enumerate(self.rates):
            if place and input_tokens <= rates.above:
                break
            until = self.rates[place + 1].above if place + 1 < len(self.rates) else input_tokens
            tokens = max(0, min(input_tokens, until))
            output = max(0, output_tokens) * max(rates.output, rates.reasoning)
            most = max(most, tokens * max(rates.input, rates.cached, rates.written) + output)
        return -(-(self.request + most) // self.scale)

    @property
    def input_usd(self) -> float:
        """Dollars per million tokens of input, for short prompts."""
        return self.rates[0].input / self.scale / 1000

    @property
    def output_usd(self) -> float:
        """Dollars per million tokens of output, after short prompts."""
        return self.rates[0].output / self.scale / 1000

    @property
    def shown(self) -> str:
        """For people, dollars per million tokens in and out: `3 / 15`, `1.25+ / 10+` (long prompts cost more)."""
        if not any(any(rates[1:]) for rates in self.rates) and not self.request:
            return "free"
        more = "+" if len(self.rates) > 1 else ""
        return f"{self.input_usd:.4g}{more} / {self.output_usd:.4g}{more}"


FREE = Tariff(1, 0, (Rates(_BASE, 0, 0, 0, 0, 0),))


def price_of(target: Target, preset: Preset, now: float | None = None) -> Tariff | None:
    """The tariff of a target at a time (unix seconds; None: now), None when it is unknown."""
    if target.price is not None:
        return _own(target.price)
    if preset.free:
        return FREE
    quarter = int((time.time() if now is None else now) // QUARTER_S)
    return _listed(preset.prices, "" if preset.prices else target.base_url, target.model, quarter)


@lru_cache(maxsize=512)
def _own(price: Price) -> Tariff:
    cached = price.input if price.cached_input is None else price.cached_input
    prices = [_exact(value) for value in (price.input, cached, price.input, price.output, price.output)]
    return _tariff(Decimal(0), [(_BASE, prices)])


def _exact(price: float) -> Decimal:
    return Decimal(repr(float(price)))


@lru_cache(maxsize=1024)
def _listed(provider: str, url: str, model: str, quarter: int) -> Tariff | None:
    found = _found(provider, url, model)
    if found is None:
        return None
    times = [datetime.fromtimestamp((quarter + ahead) * QUARTER_S, UTC) for ahead in range(QUARTERS_AHEAD + 1)]
    tariff, *later = [_of(found, at) for at in times]
    if tariff is None:
        return None
    soon = dict.fromkeys(other for other in later if other is not None and other != tariff)
    return Tariff(tariff.scale, tariff.request, tariff.rates, tuple(soon))


@lru_cache(maxsize=512)
def _found(provider: str, url: str, model: str) -> "ModelInfo | None":
    """The model in the snapshot that is installed; it is never updated over the network."""
    from genai_prices import data_snapshot  # noqa: PLC0415 - 0.3 s: only fleets that pay need it

    snapshot = data_snapshot.get_snapshot()
    try:
        at = snapshot.find_provider(None, provider or None, None if provider else url)
    except LookupError:
        return None
    # Gemini's models may be asked for by the name of their resource.
    return at.find_model(model.removeprefix("models/"), all_providers=snapshot.providers)


def _of(model: "ModelInfo", at: datetime) -> Tariff | None:
    """The model's tariff at a time."""
    from genai_prices.types import TieredPrices  # noqa: PLC0415 - see above

    prices = {name: price for name, price in vars(model.get_prices(at)).items() if price is not None}
    if not {"input_mtok", "output_mtok"} <= prices.keys():
        return None
    columns = [prices.get(name, prices[instead]) for name, instead in COLUMNS.items()]
    starts = {tier.start for price in columns if isinstance(price, TieredPrices) for tier in price.tiers}
    rows = [(above, [_at(price, above) for price in columns]) for above in (_BASE, *sorted(starts))]
    return _tariff(prices.get("requests_kcount") or Decimal(0), rows)


def _at(price: Any, above: int) -> Decimal:
    """A price for inputs just above so many tokens."""
    if isinstance(price, Decimal):
        return price
    reached = [tier.price for tier in price.tiers if tier.start <= above]
    return Decimal(reached[-1] if reached else price.base)


def _tariff(request: Decimal, rows: list[tuple[int, list[Decimal]]]) -> Tariff:
    """From dollars per thousand requests and per million tokens to whole numbers. A dollar per million tokens is a
    thousand nano-dollars per token, a dollar per thousand requests a million per request."""
    scale = 10 ** max(0, *_places([request, *(price for _, prices in rows for price in prices)]))
    rates = [Rates(above, *(int(price * 1000 * scale) for price in prices)) for above, prices in rows]
    return Tariff(scale, int(request * 1_000_000 * scale), tuple(rates))


def _places(prices: Iterable[Decimal]) -> Iterator[int]:
    """How many decimal places each has."""
    for price in prices:
        exponent = price.normalize().as_tuple().exponent
        yield -exponent if isinstance(exponent, int) else 0
