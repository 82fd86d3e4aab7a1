"""The store of prompts and what tasks are given of it, on a real broker."""

import asyncio
import uuid
from contextlib import asynccontextmanager

import pytest

from contracts.codec import decode, encode
from contracts.prompt_facts import encode_prompt, prompts_subject, subject_of_prompt
from contracts.subjects import subject_of
from contracts.v1.journal import ModelCalled
from contracts.v1.prompts import ExperimentEnded, LabelMoved, PromptChosen
from contracts.v1.tasks import PerformTask
from workers.prompting.errors import UnknownPersona, UnknownPrompt
from workers.prompting.moves import move, push, start
from workers.prompting.templates import Prompts, compiled_text
from workers.runtime import topology
from workers.runtime.bus import connect
from workers.runtime.embedded import EmbeddedNats
from workers.runtime.errors import BusUnavailable
from workers.runtime.ports import Said
from workers.runtime.prompt_store import PromptStore
from workers.runtime.task_prompts import ChosenPrompts

TEMPLATE = """---
name: {name}
role: poet
purpose: To write.
inputs: [topic]
---
# user
{text} {{{{ topic | data("topic") }}}}
"""


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "poet"
    (folder / "personas").mkdir(parents=True)
    (folder / "personas" / "gloomy.md").write_text("You are gloomy.")
    return tmp_path


@pytest.fixture
def named(files):
    """A template of its own for each test: the stream keeps all of them."""
    name = f"poem_{uuid.uuid4().hex[:8]}"
    (files / "poet" / f"{name}.md").write_text(TEMPLATE.format(name=name, text="Write on"))
    return f"poet/{name}"


@pytest.fixture
def prompts(files, named):
    return Prompts.load(files)


@asynccontextmanager
async def opened(bus, prompts):
    await topology.provision(bus.js, bus.settings, ["poet"])
    async with bus.prompt_store(prompts) as store:
        yield store


def version(named, text="Sing of"):
    return TEMPLATE.format(name=named.partition("/")[2], text=text)


async def pushed(store, named, text="Sing of"):
    content = version(named, text)
    digest = compiled_text(*named.split("/"), content).version
    assert await store.say(push(store.of(named), digest, content, "me"))
    return digest


async def live(store, named, digest):
    shipped = store.shipped(named).version
    assert await store.say(move(store.of(named), "live", digest, "me", "", shipped))


async def trial(store, named, digest, share=500_000):
    """An experiment; the file is pushed first, since both versions are in the stream."""
    shipped = store.shipped(named)
    await store.say(push(store.of(named), shipped.version, version(named, "Write on"), "me"))
    fact = start(
        store.of(named), digest, shipped.version, share, "valid", 60, 25, 50, 1_000, "me", "to see"
    )  # fmt: skip
    assert await store.say(fact)
    return fact


def task(run="r1", name="rhyme", attempt=1):
    return PerformTask(tenant="acme", run=run, role="poet", task=name, attempt=attempt, idea="x")


def asking(store, bus, of, again=False):
    return ChosenPrompts(of, store, bus.log, bus.settings.prefix, again)


async def given(store, bus, named, of, again=False):
    return (await asking(store, bus, of, again).given(named, {"topic": "rain"})).prompt


def fresh_run():
    return uuid.uuid4().hex[:12]


async def said_of(bus, of):
    facts = await bus.log.history(of.tenant, of.run)
    return [fact for stored in facts if isinstance(fact := decode(stored.subject, stored.data), PromptChosen)]


async def test_a_template_that_nobody_touched_is_the_file_and_nothing_is_said(bus, prompts, named):
    async with opened(bus, prompts) as store:
        of = task(fresh_run())
        assert (await given(store, bus, named, of)).version == prompts.named(named).version
        assert await said_of(bus, of) == []


async def test_a_task_is_given_the_live_version_and_its_run_says_so(bus, prompts, named):
    async with opened(bus, prompts) as store:
        digest = await pushed(store, named)
        await live(store, named, digest)
        of = task(fresh_run())
        assert (await given(store, bus, named, of)).version == digest
        (fact,) = await said_of(bus, of)
        assert (fact.prompt, fact.prompt_version, fact.experiment, fact.arm) == (named, digest, 0, None)


@pytest.mark.parametrize("again, attempt", [(True, 1), (False, 2)], ids=["redelivered", "next attempt"])
async def test_a_task_keeps_its_version_when_the_label_moves(bus, prompts, named, again, attempt):
    async with opened(bus, prompts) as store:
        first = await pushed(store, named)
        await live(store, named, first)
        run = fresh_run()
        await given(store, bus, named, task(run))
        await live(store, named, await pushed(store, named, "Hum of"))
        assert (await given(store, bus, named, task(run, attempt=attempt), again)).version == first
        assert (await given(store, bus, named, task(fresh_run()))).version != first


async def test_a_task_that_asked_before_anybody_touched_the_template_keeps_the_file(bus, prompts, named):
    async with opened(bus, prompts) as store:
        of, shipped = task(fresh_run()), prompts.named(f"{named}:gloomy")
        call = ModelCalled(
            tenant=of.tenant, run=of.run, task=of.task, attempt=1, n=1, role="poet", target="t", prompt=shipped.name,
            prompt_version=shipped.version, request_sha256="0" * 64, input_tokens=1, output_tokens=1,
        )  # fmt: skip
        await bus.log.say(call)
        await live(store, named, await pushed(store, named))
        kept = await asking(store, bus, of, again=True).given(f"{named}:gloomy", {"topic": "rain"})
        assert kept.prompt.version == shipped.version


async def test_other_processes_follow_a_label_without_being_asked(bus, settings, prompts, named):
    async with opened(bus, prompts) as mine, connect(settings, "other") as other, other.prompt_store(prompts) as theirs:
        digest = await pushed(mine, named)
        await live(mine, named, digest)

        async with asyncio.timeout(2.0):
            while theirs.live(named).version != digest:  # noqa: ASYNC110 - nobody tells of it
                await asyncio.sleep(0.005)
        assert theirs.live(named).version == digest


async def test_both_deliveries_of_a_task_get_the_same_arm_and_about_half_of_the_tasks_the_candidate(
    bus, prompts, named
):
    async with opened(bus, prompts) as store:
        digest = await pushed(store, named)
        await trial(store, named, digest)
        run = fresh_run()
        tasks = [task(run, f"t{n}") for n in range(60)]
        first = [(await given(store, bus, named, of)).version for of in tasks]
        again = [(await given(store, bus, named, of, again=True)).version for of in tasks]
        assert first == again
        assert 15 <= first.count(digest) <= 45
        arms = {fact.task: fact.arm for fact in await said_of(bus, tasks[0])}
        assert all((arms[of.task] == "candidate") == (got == digest) for of, got in zip(tasks, first, strict=True))


async def test_two_deliveries_at_once_agree_even_if_one_has_not_heard_of_the_end(bus, settings, prompts, named):
    async with opened(bus, prompts) as store:
        digest = await pushed(store, named)
        await trial(store, named, digest, share=999_999)
        of = task(fresh_run())
        stale = asking(store, bus, of)
        assert (await given(store, bus, named, of)).version == digest
        role, _, name = named.partition("/")
        end = ExperimentEnded(role=role, name=name, k=1, verdict="rolled_back", why="success")
        assert await store.say(end)
        assert (await stale.given(named, {"topic": "rain"})).prompt.version == digest


async def test_a_persona_sees_the_version_that_is_given(bus, prompts, named):
    async with opened(bus, prompts) as store:
        digest = await pushed(store, named)
        await live(store, named, digest)
        seen = await asking(store, bus, task(fresh_run())).given(f"{named}:gloomy", {"topic": "rain"})
        assert seen.prompt.name == f"{named}:gloomy"
        assert seen.prompt.render({"topic": "rain"}).messages[0].text == "You are gloomy."
        with pytest.raises(UnknownPersona):
            await asking(store, bus, task(fresh_run())).given(f"{named}:nobody", {"topic": "rain"})


async def test_what_is_no_version_of_its_name_is_refused_with_the_reason(bus, prompts, named):
    async with opened(bus, prompts) as store:
        role, _, name = named.partition("/")
        fact = push(store.of(named), "0" * 12, version(named), "me")
        await store.say(fact)
        subject = subject_of_prompt(fact)
        assert "has version" in store.spoiled[subject]
        await bus.publisher.publish(prompts_subject("flotilla", role, name, "label", "1"), b"junk")
        await bus.publisher.publish(prompts_subject("flotilla", role, name, "nonsense", "1"), b"junk")
        await store.refresh()
        assert "no JSON" in store.spoiled[prompts_subject("flotilla", role, name, "label", "1")]
        assert store.of(named).live is None
        assert (await given(store, bus, named, task(fresh_run()))).version == prompts.named(named).version


async def test_the_first_of_two_rivals_moves_the_label_and_the_other_hears_of_it(bus, settings, prompts, named):
    async with opened(bus, prompts) as mine, connect(settings, "other") as other, other.prompt_store(prompts) as theirs:
        one, two = await pushed(mine, named), await pushed(mine, named, "Hum of")
        await theirs.refresh()
        shipped = prompts.named(named).version
        moves = [
            (store, move(store.of(named), "live", digest, "me", "", shipped))
            for store, digest in ((mine, one), (theirs, two))
        ]
        news = await asyncio.gather(*(store.say(fact) for store, fact in moves))
        assert sorted(news) == [False, True]
        assert mine.live(named).version == theirs.live(named).version == (one if news[0] else two)


async def test_a_fact_whose_acknowledgement_was_lost_is_said_and_one_whose_name_is_somebody_elses_is_not(
    bus, prompts, named
):
    async with opened(bus, prompts) as store:
        role, _, name = named.partition("/")
        one, two = await pushed(store, named), await pushed(store, named, "Hum of")
        first, rival = (LabelMoved(role=role, name=name, n=1, label="live", to=digest) for digest in (one, two))
        second = LabelMoved(role=role, name=name, n=2, label="live", to=None)
        await bus.publisher.publish(subject_of_prompt(first), encode_prompt(first))
        assert not await store.say(first)
        assert await store.say_all([first])
        assert not await store.say_all([rival, second])
        assert store.live(named).version == one


async def test_a_template_that_is_only_in_the_fleet_needs_a_live_version(bus, prompts, named):
    async with opened(bus, prompts) as store:
        name = f"poet/ballad_{uuid.uuid4().hex[:8]}"
        digest = await pushed(store, name)
        with pytest.raises(UnknownPrompt, match="no live version"):
            await given(store, bus, name, task(fresh_run()))
        await store.say(move(store.of(name), "live", digest, "me", "", ""))
        assert (await given(store, bus, name, task(fresh_run()))).version == digest


async def test_a_spoiled_choice_does_not_keep_a_task_from_its_prompt(bus, prompts, named):
    async with opened(bus, prompts) as store:
        digest = await pushed(store, named)
        await live(store, named, digest)
        of = task(fresh_run())
        subject = f"flotilla.acme.{of.run}.prompt.{of.task}.{named.replace('/', '-')}"
        await bus.publisher.publish(subject, b"junk")
        assert (await given(store, bus, named, of, again=True)).version == digest


async def test_a_store_without_its_stream_says_what_to_do(settings, prompts):
    async with EmbeddedNats() as bare:
        mine = settings.model_copy(update={"nats_url": bare.url})
        async with connect(mine, "test") as bus:
            with pytest.raises(BusUnavailable, match="flotilla provision"):
                async with bus.prompt_store(prompts):
                    pass


def test_a_label_move_and_its_choice_are_facts_with_names_of_their_own():
    moved = LabelMoved(role="poet", name="poem", n=3, label="live", to="0" * 12)
    assert subject_of_prompt(moved) == "flotilla-prompts.poet.poem.label.3"
    fact = PromptChosen(
        tenant="t", run="r", task="a", template="poet-poem", prompt="poet/poem", prompt_version="0" * 12
    )
    assert subject_of(fact) == "flotilla.t.r.prompt.a.poet-poem"
    assert decode(subject_of(fact), encode(fact)) == fact


def test_a_store_knows_files_before_it_is_started(prompts, named):
    store = PromptStore(None, None, prompts, "flotilla")
    assert store.live(named) is prompts.named(named)
    assert store.names() == tuple(sorted(prompt.name for prompt in prompts))


class Lagging:
    """A log whose names are taken by what nobody can read yet."""

    async def say(self, message):
        return Said(0, news=False)

    async def find(self, subject):
        return None


async def test_a_choice_that_is_taken_and_can_not_be_read_yet_is_waited_for(bus, prompts, named):
    async with opened(bus, prompts) as store:
        await live(store, named, await pushed(store, named))
        asked = ChosenPrompts(task(fresh_run()), store, Lagging(), "flotilla", again=False)
        with pytest.raises(BusUnavailable, match="can't be read yet"):
            await asked.given(named, {"topic": "rain"})
