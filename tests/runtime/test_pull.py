"""The puller's account of its open wishes."""

import json

import pytest

from workers.runtime import pull
from workers.runtime.pull import Puller


class Broker:
    """Hears wishes; `batches` is what was wished for, `inboxes` where the answers go."""

    def __init__(self):
        self.batches, self.inboxes = [], []

    async def publish(self, subject, payload, inbox):
        self.batches.append(json.loads(payload)["batch"])
        self.inboxes.append(inbox)


class Holder:
    """A worker's room, and the clock that its puller reads."""

    def __init__(self, room, monkeypatch):
        self.room, self.now = room, 1_000.0
        self.broker = Broker()
        self.puller = Puller("LOG", "step", "_INBOX.x", lambda: self.room, room)
        monkeypatch.setattr(pull.time, "monotonic", lambda: self.now)
        self.puller.start(self.broker.publish)


@pytest.fixture
def holder(monkeypatch):
    """Makes a worker with so much room."""
    return lambda room: Holder(room, monkeypatch)


async def test_a_wish_after_long_work_is_not_taken_for_lost_at_once(holder):
    one = holder(1)
    await one.puller.top_up()
    one.puller.arrived()
    one.room = 0
    one.now += 600  # the work takes ten minutes, in which nothing is wished for and nothing is heard
    one.room = 1
    await one.puller.top_up()
    assert not one.puller.silent()
    one.now += pull.SILENCE_S + 1
    assert one.puller.silent()


async def test_a_wish_that_the_broker_refused_takes_no_other_wish_with_it(holder):
    one = holder(8)
    await one.puller.top_up()
    for _ in range(4):
        one.puller.arrived()
    await one.puller.top_up()
    assert one.broker.batches == [8, 4]
    one.puller.told(one.broker.inboxes[-1], {"Status": "409", "Description": "Exceeded MaxWaiting"})
    one.puller.rested()
    await one.puller.top_up()
    assert one.broker.batches == [8, 4, 4]  # the first wish is still open for four


async def test_what_was_left_of_a_wish_that_ended_is_wished_for_again(holder):
    one = holder(8)
    await one.puller.top_up()
    one.puller.arrived()
    one.room = 7
    one.puller.told(one.broker.inboxes[-1], {"Status": "408", "Nats-Pending-Messages": "7"})
    await one.puller.top_up()
    assert one.broker.batches == [8, 7]


async def test_the_end_of_a_wish_that_was_forgotten_is_no_news(holder):
    one = holder(8)
    await one.puller.top_up()
    one.puller.forget()
    await one.puller.top_up()
    one.puller.told(one.broker.inboxes[0], {"Status": "408", "Nats-Pending-Messages": "8"})
    await one.puller.top_up()
    assert one.broker.batches == [8, 8]
