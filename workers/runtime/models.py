"""The models as a worker reaches them: the gateway on the fleet's records, with the targets of `models.yaml`."""

import importlib
import os
from collections.abc import Mapping, Sequence
from typing import Any

import structlog

from contracts.codec import ContractError, decode
from contracts.subjects import run_filter
from contracts.v1.budgets import Budget, BudgetRaised
from contracts.v1.journal import ModelCalled
from workers.llm.attempt import Patience
from workers.llm.catalogue import Catalogue, builtin_text
from workers.llm.conventions import FailedCall
from workers.llm.gateway import Gateway, Observer
from workers.llm.known_accounts import KnownAccounts
from workers.llm.ledger import NANOS, Ledger, cap_of
from workers.llm.model import Completion, Provider
from workers.llm.offers import Make, Offers
from workers.llm.presets import Preset
from workers.llm.purse import Amount
from workers.llm.targets import Target
from workers.llm.whole import Whole
from workers.runtime.bus import Bus
from workers.runtime.redaction import Clean, redactor_for
from workers.runtime.settings import Settings
from workers.runtime.topology import BUDGETS, MODELS
from workers.runtime.tracing import Tracing

_logger = structlog.get_logger(__name__)


def provider_for(target: Target, preset: Preset, key: str) -> Provider:
    """The provider of a target; only what is used is imported. Raises `ValueError` for options it does not know."""
    if preset.adapter == "builtin":
        from workers.llm.builtin import BuiltinModel  # noqa: PLC0415 - only fleets that use it pay for the import

        return Whole(BuiltinModel(builtin_text(target)))
    adapter = importlib.import_module(f"workers.llm.providers.{preset.adapter}")
    made: Provider = adapter.make(target, preset, key)
    return made


def gateway_on(
    bus: Bus,
    settings: Settings,
    catalogue: Catalogue,
    observer: Observer,
    *,
    clean: Clean | None = None,
    make: Make = provider_for,
    environment: Mapping[str, str] = os.environ,
) -> Gateway:
    """The gateway of one worker. `clean` hides secrets in reasons; without it, those that settings and environment
    hold."""
    observer = LoggedCalls(observer)
    if bus.tracing.on:
        bus.tracing.targets(catalogue.target)
        observer = TracedCalls(observer, bus.tracing)
    offers = Offers(catalogue, settings.model, make, environment)
    day = cap_of(Budget(usd=settings.daily_budget_usd, tokens=settings.daily_budget_tokens))
    book = _Book(bus, settings)
    ledger = Ledger(bus.records(BUDGETS), day, book.raises, book.cost)
    return Gateway(
        offers,
        KnownAccounts(bus.records(MODELS)),
        ledger,
        patience_of(settings),
        clean=clean or redactor_for(settings, environment).clean,
        observer=observer,
    )


def patience_of(settings: Settings) -> Patience:
    """How long is waited, by the settings."""
    return Patience(
        first_token_s=settings.first_token_s,
        idle_s=settings.idle_token_s,
        in_place_s=settings.wait_in_place_s,
        abandoned_s=settings.call_timeout_s + 2 * settings.lease_s,
    )


class LoggedCalls:
    """Tells an observer of the gateway's calls, and the log of those without an answer, in one line each."""

    def __init__(self, inner: Observer, log: Any = _logger) -> None:
        self._inner, self._log = inner, log

    def answered(self, target: str, completion: Completion) -> None:
        """A target has answered."""
        self._inner.answered(target, completion)

    def failed(self, failed: FailedCall) -> None:
        """A call gave no answer: a warning where somebody has to put something right, else it passes by itself."""
        self._inner.failed(failed)
        error = failed.error
        tell = self._log.warning if error.meaning.down or error.meaning.hopeless else self._log.info
        more = {} if error.retry_after_s is None else {"retry_after_s": error.retry_after_s}
        tell("model_call_failed", target=failed.target.name, kind=error.kind, reason=error.reason, **more)


class TracedCalls:
    """Tells an observer of the gateway's calls, and the tracing of those that gave no answer and so no fact."""

    def __init__(self, inner: Observer, tracing: Tracing) -> None:
        self._inner, self._tracing = inner, tracing

    def answered(self, target: str, completion: Completion) -> None:
        """A target has answered."""
        self._inner.answered(target, completion)

    def failed(self, failed: FailedCall) -> None:
        """A call gave no answer."""
        self._inner.failed(failed)
        self._tracing.call_failed(failed)


class _Book:
    """What the log says about budgets and calls."""

    def __init__(self, bus: Bus, settings: Settings) -> None:
        self._log, self._prefix = bus.log, settings.prefix

    async def raises(self, tenant: str, run: str) -> Sequence[tuple[str, Amount]]:
        """Every valid raise of the run's budget."""
        stored = await self._log.scan(run_filter(tenant, run, self._prefix).removesuffix(">") + "budget.*")
        found = []
        for fact in stored:
            try:
                said = decode(fact.subject, fact.data, self._prefix)
            except ContractError:
                continue
            if isinstance(said, BudgetRaised):
                found.append((said.raise_id, Amount(int(said.usd * NANOS), said.tokens)))
        return found

    async def cost(self, name: str) -> Amount | None:
        """What the journal says that a call cost; `name` is `<tenant>/<run>/llm.<task>.<attempt>.<n>`."""
        stored = await self._log.find(".".join((self._prefix, *name.split("/"))))
        if stored is None:
            return None
        try:
            said = decode(stored.subject, stored.data, self._prefix)
        except ContractError:
            return None
        if not isinstance(said, ModelCalled):
            return None
        return Amount(round((said.cost_usd or 0.0) * NANOS), said.input_tokens + said.output_tokens)
