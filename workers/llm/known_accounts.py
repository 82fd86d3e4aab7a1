"""The accounts as one process knows them: a local view of what the fleet shares.

An account that is fine and has no limits is no record at all, so calls to it cost nothing here. One that struck,
cools or has limits is changed by compare-and-set, and what others write is heard.
"""

from collections.abc import Awaitable, Callable
from hashlib import sha256

from workers.llm import accounts
from workers.llm.accounts import Account
from workers.llm.failures import CallFailed
from workers.llm.model import Allowance
from workers.llm.records import Records
from workers.llm.targets import Limits

MOST_KNOWN = 1_024
"""Accounts that are listened to, the first ones go first. Requests may name any number of targets ad hoc."""

_FRESH = Account()


def record_key(account: str) -> str:
    """The key of an account's record in the bucket `models`."""
    return f"account.{sha256(account.encode()).hexdigest()[:32]}"


class KnownAccounts:
    """Accounts by name (`Target.account`)."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._known: dict[str, Account] = {}
        self._ends: dict[str, Callable[[], Awaitable[None]]] = {}

    async def now(self, account: str) -> Account:
        """What is known; the first question reads the record, later ones rely on what was heard since."""
        if account not in self._known:
            key = record_key(account)
            if account not in self._ends:
                self._ends[account] = self._records.watch(key, lambda content: self._heard(account, content))
                await self._let_go()
            found = Account.decode(await self._records.read(key))
            if account not in self._known:
                self._keep(account, found)
        return self._view(account)

    def _view(self, account: str) -> Account:
        return self._known.get(account, _FRESH)

    def _heard(self, account: str, content: bytes) -> None:
        self._keep(account, Account.decode(content))

    def _keep(self, account: str, found: Account) -> None:
        """Only what is listened to is kept, or it would never be heard of again."""
        if account in self._ends:
            self._known[account] = found

    async def _let_go(self) -> None:
        while len(self._ends) > MOST_KNOWN:
            oldest = next(iter(self._ends))
            self._known.pop(oldest, None)
            await self._ends.pop(oldest)()

    async def reserve(self, account: str, limits: Limits, tokens: int, now: float) -> bool:
        """Take a call's share of the limits, and the probe of a breaker that is half open; False if it was too late."""
        if not _is_shared(limits) and accounts.is_plain(self._view(account)):
            return True

        def change(content: bytes | None) -> tuple[bytes | None, Account | None]:
            found = Account.decode(content)
            if accounts.ready_at(found, limits, tokens, now) > now:
                self._keep(account, found)
                return None, None
            taken = accounts.reserved(found, limits, tokens, now)
            return taken.encode(), taken

        taken = await self._records.change(record_key(account), change)
        if taken is not None:
            self._keep(account, taken)
        return taken is not None

    async def answered(
        self, account: str, limits: Limits, tokens: int, at: float, used: int, allowance: Allowance, now: float
    ) -> None:
        """A call came back: correct what was reserved at `at`, close the breaker, believe what is said to be left."""

        def after(found: Account) -> Account:
            settled = accounts.settled(found, limits, tokens, at, used, now)
            return accounts.answered(settled, allowance, now, limits)

        before = self._view(account)
        if _is_shared(limits) or not accounts.is_plain(before) or not accounts.is_plain(after(before)):
            await self._change(account, after)

    async def failed(
        self, account: str, limits: Limits, tokens: int, at: float, used: int, error: CallFailed, now: float
    ) -> None:
        """A call gave no answer; of what was reserved at `at`, `used` tokens may have been used."""

        def after(found: Account) -> Account:
            settled = accounts.settled(found, limits, tokens, at, used, now)
            return accounts.failed(settled, error.kind, error.reason, error.retry_after_s, now, at)

        if not error.meaning.hopeless or _is_shared(limits) or not accounts.is_plain(self._view(account)):
            await self._change(account, after)

    async def freed(self, account: str, limits: Limits, tokens: int, at: float, now: float) -> None:
        """A call that was reserved was not sent after all."""
        if _is_shared(limits) or not accounts.is_plain(self._view(account)):
            await self._change(account, lambda found: accounts.unreserved(found, limits, tokens, at, now))

    async def left(self, account: str, at: float, now: float) -> None:
        """A call was cut short on our side: nothing is known, but if it was a probe, somebody else may probe."""
        if not accounts.is_plain(self._view(account)):
            await self._change(account, lambda found: accounts.failed(found, "bad_request", "left", None, now, at))

    async def _change(self, account: str, after: Callable[[Account], Account]) -> None:
        def change(content: bytes | None) -> tuple[bytes | None, Account]:
            changed = after(Account.decode(content))
            return changed.encode(), changed

        # Other calls of this worker heed it at once, and also when the records are away.
        self._keep(account, after(self._view(account)))
        self._keep(account, await self._records.change(record_key(account), change))

    async def close(self) -> None:
        """Stop listening."""
        for end in self._ends.values():
            await end()
        self._ends.clear()


def _is_shared(limits: Limits) -> bool:
    return limits.requests_per_minute is not None or limits.tokens_per_minute is not None
