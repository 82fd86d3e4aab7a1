"""The join protocol, simulated: facts are stored, handed over, pushed out and read in any order."""

import asyncio
from contextlib import aclosing
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from workers.gateway.feed.readers import MOST_LIVE, Reader
from workers.gateway.feed.recent import Kept, Recent
from workers.runtime.errors import BusUnavailable
from workers.runtime.ports import Stored

AT = datetime(2026, 1, 1, tzinfo=UTC)
MINE, OTHER = ("acme", "mine"), ("acme", "other")


class World:
    """A log, a hub that lags behind it, and one reader of one run that may be cut and come back."""

    def __init__(self, browser, before: list[bool], warm: int, most: int, page: int) -> None:
        self.log: list[Kept] = []
        for mine in before:
            self.store(mine)
        self.recent = Recent(max(0, len(before) - warm), most, 10_000)
        self.page, self.fails = page, False
        self.browser = browser()
        self.reading: asyncio.Task[None] | None = None

    def store(self, mine: bool) -> None:
        key = MINE if mine else OTHER
        subject = f"flotilla.{key[0]}.{key[1]}.timer.n{len(self.log) + 1}"
        self.log.append(Kept(key, Stored(len(self.log) + 1, AT, subject, b"{}"), "flotilla"))

    def hand_over(self, again: int = 0) -> None:
        """The next fact to the hub; with `again`, some that it was handed before as well."""
        for one in self.log[max(0, self.recent.upto - again) : self.recent.upto + 1]:
            self.recent.take(one)

    async def read(self, key, after):
        await asyncio.sleep(0)
        if self.fails:
            self.fails = False
            raise BusUnavailable("the broker is away")
        found = [one for one in self.log if one.key == key and one.stored.sequence > after]
        for _ in range(4):  # the answer is under way, and the world goes on
            await asyncio.sleep(0)
        return found[: self.page], len(found) > self.page

    async def reading_all(self, number: int) -> None:
        """Until the browser has that many facts."""
        while len(self.browser.ids) < number:  # noqa: ASYNC110 - a browser has nobody to tell
            await asyncio.sleep(0.01)

    async def connection(self) -> None:
        after = int(self.browser.last_id or 0)
        lane = self.recent.lane(MINE)
        reader = Reader(MINE, after, lane, self.read, 1e9)
        lane.readers.add(reader)
        try:
            async with aclosing(reader.chunks()) as chunks:
                async for chunk in chunks:
                    self.browser.feed(chunk)
                    await asyncio.sleep(0)
        finally:
            self.recent.leave(MINE, reader)

    async def connect(self) -> None:
        await self.cut()
        self.reading = asyncio.create_task(self.connection())

    async def cut(self) -> None:
        if self.reading is not None:
            self.reading.cancel()
            await asyncio.gather(self.reading, return_exceptions=True)

    async def do(self, step: str) -> None:
        match step:
            case "mine" | "other":
                self.store(step == "mine")
            case "over":
                self.hand_over()
            case "again":
                self.hand_over(again=3)
            case "connect":
                await self.connect()
            case _:
                await asyncio.sleep(0)


STEPS = st.lists(
    st.sampled_from(["mine", "mine", "other", "other", "over", "over", "over", "again", "connect", "run", "run"]),
    max_size=60,
)


@given(
    before=st.lists(st.booleans(), max_size=12), steps=STEPS, warm=st.integers(0, 6), most=st.integers(1, 6),
    page=st.integers(1, 4),
)  # fmt: skip
def test_a_reader_gets_each_fact_of_its_run_once_and_in_order_however_things_fall(
    browser, before, steps, warm, most, page
):
    async def play() -> None:
        world = World(browser, before, warm, most, page)
        await world.connect()
        for step in steps:
            await world.do(step)
        if world.reading.done():
            await world.connect()
        while world.recent.upto < len(world.log):
            world.hand_over()
        for _ in range(9 * len(world.log) + 20):
            await asyncio.sleep(0)
        await world.cut()
        assert world.browser.ids == [one.stored.sequence for one in world.log if one.key == MINE]
        assert len(world.recent) <= most

    asyncio.run(play())


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 50)), max_size=60), st.integers(1, 8), st.integers(1, 120))
def test_what_is_kept_stays_within_its_bounds_and_forgets_runs_that_nobody_reads(facts, most, most_bytes):
    recent = Recent(0, most, most_bytes)
    for sequence, (mine, size) in enumerate(facts, 1):
        recent.take(Kept(MINE if mine else OTHER, Stored(sequence, AT, "s", b"x" * size), "flotilla"))
        held = [one for key in (MINE, OTHER) for one in recent.lane(key).kept]
        assert len(held) == len(recent) <= most
        assert sum(len(one.stored.data) for one in held) <= most_bytes
        floor = max(recent.lane(MINE).floor, recent.lane(OTHER).floor)
        assert all(one.stored.sequence > recent.lane(one.key).floor for one in held)
        assert floor <= recent.floor


def test_a_run_that_nobody_reads_and_of_which_nothing_is_kept_takes_no_room():
    recent = Recent(0, 2, 1_000)
    for sequence in range(1, 100):
        recent.take(Kept(("acme", f"r{sequence}"), Stored(sequence, AT, "s", b""), "flotilla"))
    assert len(recent._lanes) == 2


async def test_a_reader_of_a_quiet_run_does_not_read_the_log_for_what_happens_elsewhere(browser):
    world = World(browser, [], 0, 2, 10)
    reads = 0
    read = world.read

    async def counted(key, after):
        nonlocal reads
        reads += 1
        return await read(key, after)

    world.read = counted
    await world.connect()
    for mine in [*[False] * 50, True]:
        world.store(mine)
        world.hand_over()
        await asyncio.sleep(0)
    for _ in range(10):
        await asyncio.sleep(0)
    assert world.browser.ids == [51] and reads == 0
    await world.cut()


async def test_a_log_that_can_not_be_read_is_read_again(browser):
    world = World(browser, [True] * 3, 0, 2, 10)
    world.fails = True
    await world.connect()
    await asyncio.wait_for(world.reading_all(3), 10)
    assert world.browser.ids == [1, 2, 3] and world.browser.comments == 1
    await world.cut()


async def test_live_output_waits_for_a_reader_only_so_long_and_it_is_told_what_it_missed(browser):
    reader = Reader(MINE, 0, Recent(0, 2, 100).lane(MINE), World(browser, [], 0, 2, 2).read, 1e9)
    for number in range(MOST_LIVE + 5):
        reader.hear(f"event: live\ndata: {number}\n\n".encode())
    seen = browser()
    async with aclosing(reader.chunks()) as chunks:
        seen.feed(await anext(chunks) + await anext(chunks))
    assert seen.names == ["live_skipped", *["live"] * MOST_LIVE]
    assert seen.events[0][1] == '{"pieces": 5}' and seen.events[1][1] == "5" and seen.ids == []


async def test_a_reader_that_takes_too_long_for_a_chunk_gets_a_last_event_and_its_place_stays(browser):
    world = World(browser, [True] * 4, 4, 4, 4)
    world.hand_over()
    reader = Reader(MINE, 0, world.recent.lane(MINE), world.read, -1.0)
    seen = browser()
    async with aclosing(reader.chunks()) as chunks:
        async for chunk in chunks:
            seen.feed(chunk)
    assert seen.ids == [1] and seen.names[-1] == "reconnect" and seen.last_id == "1"


async def test_a_fact_that_is_stored_and_pushed_out_while_the_answer_is_under_way_is_read_again(browser):
    world = World(browser, [True], 0, 1, 10)
    answer = world.read

    async def answered_late(key, after):
        found = await answer(key, after)
        if len(world.log) == 1:
            for mine in (True, False):
                world.store(mine)
                world.hand_over()
        return found

    world.read = answered_late
    await world.connect()
    await asyncio.wait_for(world.reading_all(2), 10)
    assert world.browser.ids == [1, 2]
    await world.cut()


def test_a_fact_that_is_handed_over_again_is_no_news():
    recent = Recent(0, 9, 1_000)
    facts = [Kept(MINE, Stored(sequence, AT, "s", b""), "flotilla") for sequence in (1, 2, 3)]
    for one in (*facts, *facts):
        recent.take(one)
    assert recent.lane(MINE).after(0) == facts and recent.upto == 3
