"""Everything goes wrong at once, and still every run ends and each task has one result."""

import asyncio
import random
from collections import Counter

TENANT = "acme"
ROLES = ("one", "two", "three")


async def rest(_):
    await asyncio.sleep(0.02)


async def test_every_run_ends_once_while_workers_die_and_the_broker_restarts(ward, attempts):
    await ward.provision(*ROLES)
    work, chance = attempts(rest), random.Random(7)

    async def start(name):
        return await (ward.orchestrator(ROLES) if name == "orchestrator" else ward.role(name, work))

    running = [(name, await start(name)) for name in ("orchestrator", *ROLES) for _ in range(2)]
    runs = [f"r{n}" for n in range(24)]

    async def submit():
        for run in runs:
            await ward.bus.log.say(ward.request(run, *ROLES, *ROLES))
            await asyncio.sleep(0.05)

    submitting = asyncio.create_task(submit())
    for turn in range(4):
        await asyncio.sleep(0.3)
        name, app = running.pop(chance.randrange(len(running)))
        await ward.crash(app)
        running.append((name, await start(name)))
        if turn % 2:
            ward.server.kill()
            await ward.server.start()
    await asyncio.wait_for(submitting, 30)
    for run in runs:
        assert (await ward.closed(run, 30)).status == "completed"
        names = Counter(await ward.names(run))
        assert set(names.values()) == {1}
        assert sorted(name for name in names if name.startswith("result")) == [f"result.t{n}" for n in range(6)]
        assert not [name for name in names if name.startswith("failure")]
        assert len([name for name in names if name.startswith("task")]) == 6
    for consumer in ("orchestrator", *ROLES):
        await ward.settled(consumer)
    assert await ward.letters() == []
