"""Corners of how tasks are given versions of prompts: hostile facts, templates touched meanwhile, large examples."""

import uuid
from contextlib import asynccontextmanager

import pytest
from pydantic import BaseModel

from contracts.codec import decode
from contracts.prompt_facts import prompts_subject
from contracts.v1.prompts import ExampleKept, PromptChosen, VersionPushed
from contracts.v1.tasks import PerformTask
from workers.prompting.moves import move, push, ramp, start
from workers.prompting.templates import Prompts, compiled_text
from workers.runtime import prompt_store, topology
from workers.runtime.settings import Settings
from workers.runtime.task_prompts import ChosenPrompts
from workers.runtime.toolkit import Toolkit

TEMPLATE = """---
name: {name}
role: poet
purpose: To write.
inputs: [topic]
{more}---
# user
{text} {{{{ topic | data("topic") }}}}
"""


class Poem(BaseModel):
    lines: list[str]


@pytest.fixture
def named(tmp_path):
    """A template of its own for each test: the stream keeps all of them."""
    name = f"poem_{uuid.uuid4().hex[:8]}"
    (tmp_path / "poet").mkdir()
    (tmp_path / "poet" / f"{name}.md").write_text(content(f"poet/{name}", "Write on"))
    return f"poet/{name}"


@pytest.fixture
def prompts(tmp_path, named):
    return Prompts.load(tmp_path)


@asynccontextmanager
async def opened(bus, prompts):
    await topology.provision(bus.js, bus.settings, ["poet"])
    async with bus.prompt_store(prompts) as store:
        yield store


def content(named, text, more=""):
    return TEMPLATE.format(name=named.partition("/")[2], text=text, more=more)


async def pushed(store, named, text, more=""):
    role, _, name = named.partition("/")
    digest = compiled_text(role, name, content(named, text, more)).version
    fact = push(store.of(named), digest, content(named, text, more), "me")
    assert fact is None or await store.say(fact)
    return digest


async def live(store, named, digest):
    assert await store.say(move(store.of(named), "live", digest, "me", "", store.shipped(named).version))


async def trial(store, named, metric, share):
    """An experiment between the file and another version."""
    one, two = await pushed(store, named, "Write on"), await pushed(store, named, "Sing of")
    assert await store.say(start(store.of(named), two, one, share, metric, 60, 25, 50, 1_000, "me"))
    return one, two


def task(run, name="rhyme"):
    return PerformTask(tenant="acme", run=run, role="poet", task=name, idea="x", model="scripted:a")


def asking(store, bus, of):
    return ChosenPrompts(of, store, bus.log, bus.settings.prefix, False)


async def version(tools, named):
    return (await tools.given(named, {"topic": "rain"})).prompt.version


async def said_of(bus, run):
    facts = await bus.log.history("acme", run)
    return [fact for stored in facts if isinstance(fact := decode(stored.subject, stored.data), PromptChosen)]


def fresh_run():
    return uuid.uuid4().hex[:12]


async def test_a_delivery_that_began_with_the_file_goes_on_with_it_when_somebody_touches_the_template(
    bus, prompts, named
):
    async with opened(bus, prompts) as store:
        tools = asking(store, bus, task(fresh_run()))
        first = await version(tools, named)
        await live(store, named, await pushed(store, named, "Sing of"))
        assert await version(tools, named) == first
        assert await version(asking(store, bus, task(fresh_run())), named) != first


async def test_another_content_under_the_version_of_the_file_is_no_version(bus, prompts, named):
    async with opened(bus, prompts) as store:
        role, _, name = named.partition("/")
        shipped = store.shipped(named).version
        await store.say(VersionPushed(role=role, name=name, digest=shipped, content="no template at all"))
        assert shipped not in store.of(named).versions
        assert prompts_subject("flotilla", role, name, "version", shipped) in store.spoiled
        assert store.prompt(named, shipped) is store.shipped(named)


async def test_a_fact_that_breaks_what_reads_it_keeps_no_other_from_being_read(bus, prompts, named, monkeypatch):
    async with opened(bus, prompts) as store:

        def broken(role, name, content):
            if "Break" in content:
                raise RecursionError("as nobody has thought of")
            return compiled_text(role, name, content)

        monkeypatch.setattr(prompt_store, "compiled_text", broken)
        await pushed(store, named, "Break")
        digest = await pushed(store, named, "Sing of")
        await live(store, named, digest)
        assert store.live(named).version == digest
        assert len(store.of(named).versions) == 1


async def test_all_tasks_of_a_run_that_counts_as_a_whole_keep_its_arm_when_the_share_changes(bus, prompts, named):
    async with opened(bus, prompts) as store:
        one, _ = await trial(store, named, "tests_green", 1)
        run = fresh_run()
        assert await version(asking(store, bus, task(run, "a")), named) == one
        assert await store.say(ramp(store.of(named), 999_999, "me"))
        assert await version(asking(store, bus, task(run, "b")), named) == one
        assert [(fact.epoch, fact.arm) for fact in await said_of(bus, run)] == [(0, "live"), (0, "live")]


async def test_a_run_that_had_tasks_before_an_experiment_on_whole_runs_is_no_part_of_it(bus, prompts, named):
    async with opened(bus, prompts) as store:
        await pushed(store, named, "Write on")
        run = fresh_run()
        await version(asking(store, bus, task(run, "a")), named)
        one, _ = await trial(store, named, "no_repairs", 999_999)
        assert await version(asking(store, bus, task(run, "b")), named) == one
        assert [fact.experiment for fact in await said_of(bus, run)] == [0, 0]


async def test_examples_that_leave_no_room_for_the_task_are_left_out_the_last_ones_first(
    bus, prompts, named, scripted, serving
):
    more = "examples: {most: 2, like: topic}\nlimits: {rendered: 4000}\n"
    async with opened(bus, prompts) as store:
        await live(store, named, await pushed(store, named, "Sing of", more))
        role, _, name = named.partition("/")
        for n, topic in enumerate(("rain and wind", "of snow " * 1_000), start=1):
            kept = ExampleKept(
                role=role,
                name=name,
                id=f"{n:012x}",
                inputs={"topic": topic},
                reply={"lines": ["a"]},
                won=n == 1 or None,
            )
            assert await store.say(kept)
        model = scripted('{"lines": ["drop"]}')
        tools = Toolkit(
            task(fresh_run()), bus.log, bus.artifacts, prompts, serving(model), settings=Settings(), store=store
        )
        assert await tools.ask(named, reply=Poem, topic="rain over snow") == Poem(lines=["drop"])
        asked = "".join(message.text for message in model.requests[0].messages)
        assert "rain and wind" in asked
        assert "of snow of snow" not in asked
