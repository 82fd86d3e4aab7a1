"""The toolkit against a log, artifacts and a model in memory."""

import json
import time

import pytest
from pydantic import BaseModel

from contracts.codec import decode
from contracts.v1.budgets import Budget
from contracts.v1.projects import FileRef
from contracts.v1.tasks import TaskPerformed
from workers.llm.calls import Parked
from workers.llm.model import Completion, ModelUnavailable
from workers.runtime.errors import BusUnavailable, Impossible, MalformedReply
from workers.runtime.ports import ArtifactMissing

GOOD = '{"lines": ["rain"]}'
FIRST, SECOND, THIRD = (f"flotilla.acme.r1.llm.rhyme.2.{n}" for n in (1, 2, 3))


class Poem(BaseModel):
    lines: list[str]


class File(BaseModel):
    path: str
    content: str


def said(text: str, stop: str = "end") -> Completion:
    return Completion(text=text, input_tokens=7, output_tokens=3, stop=stop, cost_usd=0.25)


def entries(log):
    return [decode(stored.subject, stored.data) for stored in log.facts.values()]


async def ask(tools, prompt="poet/poem", **more):
    return await tools.ask(prompt, reply=Poem, topic="rain", **more)


async def test_a_call_is_journaled_once_with_all_that_it_cost(toolkit, scripted, log):
    model = scripted(said(GOOD))
    tools = toolkit(model)

    assert await ask(tools) == Poem(lines=["rain"])

    (entry,) = entries(log)
    assert (list(log.facts), log.said) == ([FIRST], 1)
    assert (entry.target, entry.prompt, entry.role, entry.attempt) == ("scripted:a", "poet/poem", "poet", 2)
    assert (entry.input_tokens, entry.output_tokens, entry.cost_usd, entry.completion) == (7, 3, 0.25, GOOD)
    assert len(entry.prompt_version) == 12
    assert entry.latency_ms >= 0
    assert tools.calls == (entry.cited(),)


async def test_the_model_is_asked_with_the_messages_and_the_schema_of_the_reply(toolkit, scripted):
    model = scripted(GOOD)
    await ask(toolkit(model))

    (request,) = model.requests
    assert [message.role for message in request.messages] == ["system", "user"]
    assert request.messages[1].text == '<data name="topic">\n"rain"\n</data>'
    assert request.reply_schema["title"] == "Poem"


async def test_the_calls_of_an_attempt_are_numbered(toolkit, scripted, log):
    tools = toolkit(scripted(GOOD, GOOD))
    await ask(tools)
    await ask(tools, "poet/ballad")
    assert list(log.facts) == [FIRST, SECOND]
    assert [call.prompt for call in tools.calls] == ["poet/poem", "poet/ballad"]


async def test_a_redelivered_task_reads_the_journal_instead_of_calling(toolkit, scripted, log):
    await ask(toolkit(scripted(GOOD)))
    silent = scripted()
    tools = toolkit(silent, redelivered=True)

    assert await ask(tools) == Poem(lines=["rain"])
    assert silent.requests == []
    assert (log.said, len(tools.calls)) == (1, 1)


async def test_a_redelivered_task_calls_where_the_journal_ends(toolkit, scripted, log):
    await ask(toolkit(scripted(GOOD)))
    model = scripted('{"lines": []}')
    tools = toolkit(model, redelivered=True)
    await ask(tools)

    assert await ask(tools, "poet/ballad") == Poem(lines=[])
    assert (len(model.requests), list(log.facts)) == (1, [FIRST, SECOND])


async def test_a_journaled_answer_to_another_question_is_not_used(toolkit, scripted, log):
    await ask(toolkit(scripted(GOOD)), "poet/poem")
    model = scripted('{"lines": ["new"]}')
    tools = toolkit(model, redelivered=True)

    reply = await tools.ask("poet/poem", reply=Poem, topic="snow")

    assert reply == Poem(lines=["new"])
    assert list(log.facts) == [FIRST, SECOND]
    assert [call.entry for call in tools.calls] == ["llm.rhyme.2.2"]


async def test_a_zombie_that_paid_first_has_its_answer_used(toolkit, scripted, log):
    async def zombie_first():
        await ask(toolkit(scripted('{"lines": ["zombie"]}')))
        return GOOD

    tools = toolkit(scripted(zombie_first))

    assert await ask(tools) == Poem(lines=["zombie"])
    assert list(log.facts) == [FIRST]
    assert [call.entry for call in tools.calls] == ["llm.rhyme.2.1"]


async def test_a_spoiled_entry_is_passed_over_without_paying_twice(toolkit, scripted, log):
    log.put(FIRST, b'{"stream":"LOG","seq":7}')
    model = scripted(GOOD)
    tools = toolkit(model)

    assert await ask(tools) == Poem(lines=["rain"])
    assert (len(model.requests), list(log.facts)) == (1, [FIRST, SECOND])
    assert [call.entry for call in tools.calls] == ["llm.rhyme.2.2"]


async def test_an_entry_that_is_said_but_can_not_be_read_yet_is_transient(toolkit, scripted, log):
    await ask(toolkit(scripted(GOOD)))
    log.hidden.add(FIRST)
    with pytest.raises(BusUnavailable, match=FIRST):
        await ask(toolkit(scripted(GOOD)))


async def test_a_long_completion_is_kept_as_an_artifact_and_read_back(toolkit, scripted, log, artifacts):
    text = json.dumps({"lines": ["ö" * 70_000]}, ensure_ascii=False)
    await ask(toolkit(scripted(text)))

    (entry,) = entries(log)
    assert entry.completion == ""
    assert artifacts.kept[entry.completion_artifact].decode() == text
    again = await ask(toolkit(scripted(), redelivered=True))
    assert again == Poem(lines=["ö" * 70_000])


async def test_a_long_completion_that_is_lost_is_asked_for_again(toolkit, scripted, log, artifacts):
    await ask(toolkit(scripted('{"lines": ["' + "x" * 70_000 + '"]}')))
    artifacts.kept.clear()
    assert await ask(toolkit(scripted(GOOD), redelivered=True)) == Poem(lines=["rain"])
    assert list(log.facts) == [FIRST, SECOND]


@pytest.mark.parametrize("fenced", ["```json\n{}\n```", "```\n{}\n```", "\n```JSON \n{}\n  ```\n", "{}", " {} "])
async def test_a_code_fence_around_the_reply_is_tolerated(toolkit, scripted, fenced):
    assert await ask(toolkit(scripted(fenced.replace("{}", GOOD)))) == Poem(lines=["rain"])


async def test_backticks_inside_of_a_reply_are_content(toolkit, scripted):
    lines = ["```python\nx\n```\n"]
    assert (await ask(toolkit(scripted(f"```json\n{json.dumps({'lines': lines})}\n```")))).lines == lines


async def test_a_call_says_what_it_is_for_and_how_long_it_may_take(toolkit, scripted, serving, task):
    gateway = serving(scripted(GOOD))
    asked = task.model_copy(update={"budget": Budget(usd=2.0)})
    before = time.time()
    await ask(toolkit(gateway, asked=asked, call_timeout_s=50))
    (call,) = gateway.calls
    assert (call.name, call.tenant, call.run) == ("acme/r1/llm.rhyme.2.1", "acme", "r1")
    assert (call.asked, call.role, call.kind, call.budget) == ("scripted:a", "poet", "perform_task", Budget(usd=2.0))
    assert before + 50 <= call.deadline <= time.time() + 50


async def test_no_call_goes_on_after_the_deadline_of_its_task(toolkit, scripted, serving):
    gateway = serving(scripted(GOOD))
    await ask(toolkit(gateway, deadline=1_000.0))
    assert gateway.calls[0].deadline == 1_000.0


async def test_whoever_watches_hears_what_the_model_says(toolkit, scripted):
    heard = []
    await ask(toolkit(scripted(GOOD), heard=heard.append))
    assert heard == [GOOD]


async def test_a_target_that_there_is_not_is_impossible(toolkit, scripted, task):
    tools = toolkit(scripted(), asked=task.model_copy(update={"model": "nobody:x"}))
    with pytest.raises(Impossible, match="'nobody:x'"):
        await ask(tools)


async def test_a_call_that_can_not_be_made_for_now_is_named(toolkit, scripted, log):
    waits = Parked("models", "all cooling", "acme/r1/llm.rhyme.2.1", 5.0)
    with pytest.raises(Parked, match="waiting for models: all cooling"):
        await ask(toolkit(scripted(waits)))
    assert log.facts == {}


async def test_an_outage_is_not_journaled(toolkit, scripted, log):
    with pytest.raises(ModelUnavailable, match="busy"):
        await ask(toolkit(scripted(ModelUnavailable("busy"))))
    assert log.facts == {}


async def test_inputs_that_the_prompt_does_not_take_are_named(toolkit, scripted):
    with pytest.raises(Impossible, match="missing: topic; unknown: subject"):
        await toolkit(scripted()).ask("poet/poem", reply=Poem, subject="rain")


async def test_what_can_not_be_shown_to_any_model_is_impossible(toolkit, scripted):
    with pytest.raises(Impossible, match="too large"):
        await toolkit(scripted()).ask("poet/poem", reply=Poem, topic="x" * 4_000_001)


async def test_saved_files_can_be_loaded(toolkit, scripted, artifacts):
    tools = toolkit(scripted())
    refs = await tools.save([File(path="a.py", content="ä"), File(path="b/c.py", content="")])
    assert [(ref.path, ref.size) for ref in refs] == [("a.py", 2), ("b/c.py", 0)]
    assert await tools.load(refs) == [{"path": "a.py", "content": "ä"}, {"path": "b/c.py", "content": ""}]
    assert await tools.load_bytes(refs) == {"a.py": "ä".encode(), "b/c.py": b""}


async def test_one_path_twice_is_a_malformed_reply(toolkit, scripted):
    with pytest.raises(MalformedReply, match=r"more than once: a\.py"):
        await toolkit(scripted()).save([File(path="a.py", content="1"), File(path="a.py", content="2")])


async def test_a_file_that_is_not_kept_can_not_be_loaded(toolkit, scripted):
    with pytest.raises(ArtifactMissing):
        await toolkit(scripted()).load([FileRef(path="a.py", sha256="0" * 64, size=1)])


async def test_a_report_has_the_identity_of_the_task_and_its_calls(toolkit, scripted):
    tools = toolkit(scripted(GOOD))
    await ask(tools)
    outcome = tools.report(TaskPerformed, output="done")
    assert (outcome.tenant, outcome.run, outcome.task, outcome.attempt) == ("acme", "r1", "rhyme", 2)
    assert (outcome.output, outcome.calls) == ("done", tools.calls)


def test_a_report_that_does_not_fit_the_contract_is_a_malformed_reply(toolkit, scripted):
    with pytest.raises(MalformedReply, match=r"no TaskPerformed.*output: String should have at most"):
        toolkit(scripted()).report(TaskPerformed, output="x" * 20_001)
