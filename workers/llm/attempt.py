"""One call to one target: it is made, heard to its end, and put right with whoever was told of it before.

Whatever happens, what was reserved is settled, released or written off: also when the task is cancelled.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from workers.llm.failures import CallFailed, writable
from workers.llm.known_accounts import KnownAccounts
from workers.llm.ledger import NANOS, Ledger, Taken
from workers.llm.model import Allowance, Began, Completion, End, Heard, ModelRequest, Text, Usage
from workers.llm.offers import Offer
from workers.llm.purse import Amount
from workers.llm.records import RecordsUnavailable

_logger = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Patience:
    """Seconds: until the first token, between tokens, of waiting without giving the task back, and until a
    reservation that nobody settled counts as abandoned."""

    first_token_s: float = 180.0
    idle_s: float = 60.0
    in_place_s: float = 5.0
    abandoned_s: float = 900.0


@dataclass(frozen=True)
class Answered:
    """A whole answer."""

    completion: Completion


class _Heard:
    """What has come of an answer so far."""

    __slots__ = ("allowance", "end", "first_at", "is_late", "texts")

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.first_at: float | None = None
        self.end: End | None = None
        self.is_late = False
        self.allowance = Allowance()

    @property
    def size(self) -> int:
        """Bytes of the text, which are never fewer than its tokens."""
        return sum(len(text.encode(errors="surrogatepass")) for text in self.texts)


class Ask:
    """A call that is reserved and can be made, once."""

    def __init__(
        self,
        offer: Offer,
        request: ModelRequest,
        taken: Taken,
        at: float,
        deadline: float,
        accounts: KnownAccounts,
        ledger: Ledger,
        patience: Patience,
        clean: Callable[[str], str],
        now: Callable[[], float],
    ) -> None:
        self.offer, self._request, self._taken, self._at, self._deadline = offer, request, taken, at, deadline
        self._accounts, self._ledger, self._patience, self._clean, self._now = accounts, ledger, patience, clean, now
        self.began = asyncio.Event()
        """Set with the first token, or when the call is over without one."""

    async def answer(self, heard: Heard | None = None) -> Answered | CallFailed:
        """Make the call; what went wrong is a value, because it is what the next plan goes by."""
        so_far = _Heard()
        try:
            await self._listen(so_far, heard)
            assert so_far.end is not None
            return await asyncio.shield(self._settle(so_far, so_far.end))
        except CallFailed as error:
            failed = CallFailed(error.kind, self._clean(error.reason), error.retry_after_s)
            billed = error.meaning.billed or bool(so_far.texts)
            # Our own deadline says nothing of the target.
            await asyncio.shield(self._left() if so_far.is_late else self._failed(failed, billed))
            return failed
        except Exception as error:
            # An SDK's fault or our own. It would come again with each delivery, so another target is better.
            _logger.error("provider_fault", target=self.offer.target.name, error=repr(error), exc_info=True)
            failed = CallFailed("server_error", self._clean(f"{type(error).__name__}: {error}"))
            await asyncio.shield(self._failed(failed, billed=True))
            return failed
        except BaseException:  # cancelled: the provider may bill for what it was asked
            await asyncio.shield(self._left())
            raise
        finally:
            self.began.set()

    async def _listen(self, so_far: _Heard, heard: Heard | None) -> None:
        loop = asyncio.get_running_loop()
        ends = loop.time() + max(0.0, self._deadline - self._now())
        try:
            async with (
                asyncio.timeout_at(min(ends, loop.time() + self._patience.first_token_s)) as limit,
                contextlib.aclosing(self.offer.provider.stream(self._request)) as pieces,
            ):
                async for piece in pieces:
                    if isinstance(piece, Text):
                        if so_far.first_at is None:
                            so_far.first_at = self._now()
                            self.began.set()
                        limit.reschedule(min(ends, loop.time() + self._patience.idle_s))
                        so_far.texts.append(piece.text)
                        if heard is not None:
                            heard(piece.text)
                    elif isinstance(piece, Began):
                        so_far.allowance = piece.allowance
                    else:
                        so_far.end = piece
        except TimeoutError:
            raise self._hung(so_far) from None
        if so_far.end is None:
            raise CallFailed("interrupted" if so_far.texts else "disconnected", "the answer ended without an end")

    def _hung(self, so_far: _Heard) -> CallFailed:
        if self._now() >= self._deadline:
            so_far.is_late = True
            return CallFailed("timeout" if not so_far.texts else "interrupted", "no answer before the call's deadline")
        if so_far.texts:
            return CallFailed("interrupted", f"no token for {self._patience.idle_s:g} s in the middle of the answer")
        return CallFailed("timeout", f"no token within {self._patience.first_token_s:g} s")

    async def _settle(self, so_far: _Heard, end: End) -> Answered:
        usage = end.usage or Usage(self.offer.bound, min(so_far.size, self.offer.max_output_tokens))
        used, nanos = usage.input_tokens + usage.output_tokens, self._nanos(usage)
        cost = None if end.usage is None else Amount(nanos or 0, used)
        target = self.offer.target
        account = (target.account, target.limits, self.offer.tokens, self._at, used)
        await asyncio.gather(
            self._put_right(cost), self._tell(self._accounts.answered(*account, so_far.allowance, self._now()))
        )  # fmt: skip
        return Answered(self._completion(so_far, end, usage, nanos))

    async def _failed(self, error: CallFailed, billed: bool) -> None:
        target, used = self.offer.target, self.offer.tokens if billed else 0
        account = (target.account, target.limits, self.offer.tokens, self._at, used)
        await asyncio.gather(
            self._put_right(None if billed else Amount(0, 0)),
            self._tell(self._accounts.failed(*account, error, self._now())),
        )

    async def _left(self) -> None:
        account = self.offer.target.account
        await asyncio.gather(self._put_right(None), self._tell(self._accounts.left(account, self._at, self._now())))

    async def _put_right(self, cost: Amount | None) -> None:
        """Tell the budgets what it cost: nothing, so much, or None where nobody knows."""
        if cost is None:
            await self._ledger.write_off(self._taken)
        elif any(cost):
            await self._ledger.settle(self._taken, cost)
        else:
            await self._ledger.release(self._taken)

    async def _tell(self, telling: Awaitable[None]) -> None:
        """Tell the account; when the records are away it is told by the next call."""
        with contextlib.suppress(RecordsUnavailable):
            await telling

    async def dropped(self) -> None:
        """The call is not made after all: give back what was reserved."""
        target = self.offer.target
        freed = self._accounts.freed(target.account, target.limits, self.offer.tokens, self._at, self._now())
        await asyncio.shield(asyncio.gather(self._ledger.release(self._taken), self._tell(freed)))

    def lost(self) -> Completion:
        """This call as the journal has it when another one answered first: all of it may be billed."""
        offer = self.offer
        worst = None if offer.worst is None or offer.tariff is None else offer.worst.nanos / NANOS
        return Completion(
            "", offer.bound, offer.max_output_tokens, "length", worst, offer.target.name, "lost", estimated=True
        )  # fmt: skip

    def _completion(self, so_far: _Heard, end: End, usage: Usage, nanos: int | None) -> Completion:
        return Completion(
            text="".join(so_far.texts) or end.refusal,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            stop=end.stop,
            cost_usd=None if nanos is None else nanos / NANOS,
            target=self.offer.target.name,
            finish=writable(end.finish),
            cached_input_tokens=usage.cached_input_tokens,
            reasoning_tokens=usage.reasoning_tokens,
            first_token_s=None if so_far.first_at is None else max(0.0, so_far.first_at - self._at),
            duration_s=max(0.0, self._now() - self._at),  # clocks may be set back
            estimated=end.usage is None,
        )

    def _nanos(self, usage: Usage) -> int | None:
        return None if self.offer.tariff is None else self.offer.tariff.cost(usage)
