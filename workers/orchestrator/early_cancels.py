"""A cancel may come before its request. One look at the log serves every run that began in the last moment."""

import asyncio

from contracts.subjects import Address
from workers.runtime.bus import JetStreamLog

GATHER_S = 0.02
MOST_AT_ONCE = 500


class EarlyCancels:
    """Finds out which of the runs that have just begun were cancelled before."""

    def __init__(self, log: JetStreamLog, prefix: str) -> None:
        self._log, self._prefix = log, prefix
        self._asked: dict[str, asyncio.Future[bytes | None]] = {}
        self._looking: asyncio.Task[None] | None = None

    async def look(self, tenant: str, run: str) -> bytes | None:
        """The cancel of a run, if the log has one; raises `BusUnavailable`."""
        subject = Address(tenant, run, "run.cancel").subject(self._prefix)
        asked = self._asked.setdefault(subject, asyncio.get_running_loop().create_future())
        if self._looking is None:
            self._looking = asyncio.create_task(self._look())
        return await asyncio.shield(asked)

    async def _look(self) -> None:
        while self._asked:
            await asyncio.sleep(GATHER_S)
            batch = {subject: self._asked.pop(subject) for subject in list(self._asked)[:MOST_AT_ONCE]}
            try:
                found = {stored.subject: stored.data for stored in await self._log.find_all(list(batch))}
            except Exception as error:  # whatever it is: those who asked must not wait for ever
                for asked in batch.values():
                    asked.set_exception(error)
                continue
            for subject, asked in batch.items():
                asked.set_result(found.get(subject))
        self._looking = None
