"""Offers: a target with what it takes to ask it: its provider, its price, the most that a request can cost there."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from workers.llm.calls import Call, CannotServe, Size
from workers.llm.catalogue import Catalogue, KeyMissing
from workers.llm.model import ModelRequest, Provider
from workers.llm.planning import Candidate, Tier, Wanted
from workers.llm.presets import Preset
from workers.llm.prices import Tariff, price_of
from workers.llm.purse import Amount
from workers.llm.targets import NoSuchTarget, Route, Target

MOST_PROVIDERS = 256
"""Providers that are kept, the first ones go first. Requests may name any number of targets ad hoc."""

Make = Callable[[Target, Preset, str], Provider]
"""Makes the provider of a target, given its preset and key; raises `ValueError` for options that it does not know."""


@dataclass(frozen=True)
class Offer:
    """A target that can be asked. `bound` is never less than the request's input tokens; `tokens` is what it will
    likely take from a minute's limit; `worst` is None where the price is unknown."""

    target: Target
    provider: Provider
    tariff: Tariff | None
    bound: int
    tokens: int
    max_output_tokens: int
    worst: Amount | None

    @property
    def reserve(self) -> Amount:
        """The most that the call can take from a budget. Without a price no money is: budgets of money refuse it."""
        return self.worst or Amount(0, self.bound + self.max_output_tokens)


@dataclass(frozen=True)
class Unusable:
    """A target that can't be asked as it is configured, and why."""

    target: str
    reason: str


class Offers:
    """Everything that can be asked, by the catalogue."""

    def __init__(self, catalogue: Catalogue, default: str, make: Make, environment: Mapping[str, str]) -> None:
        self._catalogue, self._default, self._make, self._environment = catalogue, default, make, environment
        self._providers: dict[str, Provider] = {}

    def route(self, call: Call) -> Route:
        """Where a call goes; raises `CannotServe` when nothing is configured under that name."""
        try:
            return self._catalogue.route(call.asked, self._default, call.role, call.kind)
        except NoSuchTarget as error:
            raise CannotServe(str(error)) from None

    def wanted(self, route: Route, call: Call, request: ModelRequest, size: Size) -> Wanted:
        """A call as it is planned."""
        tiers = [Tier(route.policy, tuple(self._candidates(route.targets, request, size)), route.quality)]
        tiers += [Tier("best", tuple(self._candidates((name,), request, size)), 0) for name in route.fallback]
        return Wanted(tuple(tiers), call.deadline, call.without, size.likely)

    def _candidates(self, names: tuple[str, ...], request: ModelRequest, size: Size) -> list[Candidate]:
        return [self._candidate(self._catalogue.target(name), request, size) for name in names]

    def _candidate(self, target: Target, request: ModelRequest, size: Size) -> Candidate:
        most, context = self._most(target, request), self._catalogue.capabilities_of(target).context_tokens
        return Candidate(
            target,
            size.likely + most,
            self._worst(target, request, size),
            max(1, context - most) if context else None,
            size.bound + most,
        )

    def _most(self, target: Target, request: ModelRequest) -> int:
        most = self._catalogue.capabilities_of(target).max_output_tokens
        return min(request.max_output_tokens, most) if most else request.max_output_tokens

    def _worst(self, target: Target, request: ModelRequest, size: Size) -> Amount | None:
        tariff = price_of(target, self._catalogue.preset_of(target))
        most = self._most(target, request)
        return None if tariff is None else Amount(tariff.worst(size.bound, most), size.bound + most)

    def offer(self, target: Target, request: ModelRequest, size: Size) -> Offer | Unusable:
        """The target with its provider, which is made when it is first needed."""
        preset = self._catalogue.preset_of(target)
        provider = self._providers.get(target.name)
        if provider is None:
            try:
                provider = self._make(target, preset, self._catalogue.key_of(target, self._environment))
            except (KeyMissing, ValueError) as error:
                return Unusable(target.name, f"it can't be used: {error}")
            self._providers[target.name] = provider
            if len(self._providers) > MOST_PROVIDERS:  # calls under way keep theirs until they end
                del self._providers[next(iter(self._providers))]
        most, worst = self._most(target, request), self._worst(target, request, size)
        return Offer(target, provider, price_of(target, preset), size.bound, size.likely + most, most, worst)

    async def close(self) -> None:
        """Let go of connections."""
        for provider in self._providers.values():
            await provider.close()
        self._providers.clear()
