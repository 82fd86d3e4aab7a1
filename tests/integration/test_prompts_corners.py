"""Versions of prompts on a real broker while it restarts, workers are killed and labels move."""

import asyncio
import contextlib

import pytest

from contracts.codec import decode
from contracts.v1.journal import ModelCalled
from contracts.v1.prompts import PromptChosen
from contracts.v1.tasks import TaskPerformed
from workers.prompting.moves import move, push
from workers.prompting.templates import Prompts, compiled_text
from workers.runtime.bus import connect
from workers.runtime.task_prompts import ChosenPrompts

NAME = "poet/poem"
TEMPLATE = """---
name: poem
role: poet
purpose: To write.
inputs: [topic]
---
# user
{text} {{{{ topic | data("topic") }}}}
"""


@pytest.fixture
def files(tmp_path):
    (tmp_path / "poet").mkdir()
    (tmp_path / "poet" / "poem.md").write_text(TEMPLATE.format(text="Write on"))
    return Prompts.load(tmp_path)


async def goes_live(store, text):
    """A new version, live from now on."""
    content = TEMPLATE.format(text=text)
    digest = compiled_text("poet", "poem", content).version
    await store.say(push(store.of(NAME), digest, content, "me"))
    assert await store.say(move(store.of(NAME), "live", digest, "me", "", store.shipped(NAME).version))
    return digest


async def test_labels_are_followed_after_the_broker_was_killed_and_came_back(ward, files):
    async with (
        ward.bus.prompt_store(files) as mine,
        connect(ward.settings, "other") as other,
        other.prompt_store(files) as theirs,
    ):
        before = await goes_live(mine, "Sing of")
        await ward.until(lambda: is_live(theirs, before), "the first version")
        ward.server.kill()
        await ward.server.start()
        after = await goes_live(mine, "Hum of")
        await ward.until(lambda: is_live(theirs, after), "the second version")
        assert theirs.live(NAME).version == after != before


async def is_live(store, digest):
    with contextlib.suppress(Exception):
        await store.fresh()
    return store.live(NAME).version == digest


async def test_a_task_keeps_its_version_through_killed_workers_while_live_moves_on(ward, files):
    """Three workers die in the middle of a task, and each time another version has become live."""
    await ward.provision("poet")
    begun, seen = asyncio.Queue(), []
    async with ward.bus.prompt_store(files) as store:
        first = await goes_live(store, "Version 0 on")

        async def write(task, tools):
            given = ChosenPrompts(task, store, ward.bus.log, ward.settings.prefix, bool(seen))
            seen.append((await given.given(NAME, {"topic": "rain"})).prompt.version)
            begun.put_nowait(None)
            if len(seen) < 4:
                await asyncio.Event().wait()
            return tools.report(TaskPerformed, output="ok")

        await ward.say(ward.request("r1", "poet"), ward.task("poet", "r1"))
        for n in range(1, 4):
            app = await ward.role("poet", write)
            await asyncio.wait_for(begun.get(), 20)
            await ward.crash(app)
            await goes_live(store, f"Version {n} on")
        await ward.role("poet", write)
        await ward.fact("r1", "result.t")
    assert seen == [first] * 4
    facts = [decode(one.subject, one.data) for one in await ward.bus.log.history("acme", "r1")]
    assert [fact.prompt_version for fact in facts if isinstance(fact, PromptChosen)] == [first]
    assert not [fact for fact in facts if isinstance(fact, ModelCalled)]
