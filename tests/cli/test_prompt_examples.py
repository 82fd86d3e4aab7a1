"""`flotilla prompts examples`: tasks that were done, read once more from their journal, and files that people wrote."""

import asyncio
import json

import pytest

from contracts.prompt_facts import decode_prompt
from contracts.v1.prompts import ExampleDropped
from contracts.v1.runs import RunRequested
from contracts.v1.tasks import DesignSystem
from workers.llm.model import Completion
from workers.prompting.templates import Prompts
from workers.runtime.roster import roles
from workers.runtime.settings import Settings
from workers.runtime.toolkit import Toolkit

NAME = "architect/design"
HERE = ("--nats", "nats://there:4222")


class Scripted:
    """A model that says these replies in turn; one with `…` at its end is cut off there."""

    def __init__(self, *replies):
        self.replies = list(replies)

    async def complete(self, call, request, heard=None):
        text = self.replies.pop(0)
        stop = "length" if text.endswith("…") else "end"
        text = text.removesuffix("…")
        return Completion(text=text, input_tokens=1, output_tokens=1, cost_usd=0.0, target="scripted", stop=stop)

    async def paid(self, name, cost_usd, tokens, budget):
        pass

    async def close(self):
        pass


@pytest.fixture
def perform(desk, story):
    """Have the architect do the story's task, as the model says."""

    def performed(*replies, **configured):
        task = DesignSystem(**story.ids, task="design", role="architect", requirements=story.requirements)
        desk.tell([RunRequested(**story.ids, idea=story.idea), task])
        settings = Settings(**configured)
        tools = Toolkit(task, desk.log, desk.artifacts, Prompts.load(), Scripted(*replies), settings=settings)
        role = next(role for role in roles() if role.name == "architect")
        desk.tell([asyncio.run(role.job_for(task).handle(task, tools))])

    desk.with_outside(user=lambda: "ada")
    return performed


@pytest.fixture
def reply(story):
    """A reply that fits."""
    return story.design.model_dump(mode="json", exclude={"package"})


def examples(desk, *arguments):
    return desk("prompts", "examples", *arguments, *HERE)


def kept(desk):
    return [decode_prompt(stored.subject, stored.data) for stored in desk.said_of_prompts]


def test_a_task_is_kept_with_what_it_was_asked_and_what_was_answered(desk, story, perform, reply):
    perform(json.dumps(reply))
    before = list(desk.log.facts)
    result = examples(desk, "add", NAME, "r1/design")
    assert result.exit_code == 0, result.output
    (example,) = kept(desk)
    assert result.stdout == f"{NAME}: example {example.id} was kept (won)\n"
    assert "shows no examples" in result.stderr
    assert (example.reply["summary"], example.won, example.by) == ("Small.", True, "ada")
    assert example.inputs["requirements"] == story.requirements.model_dump(mode="json")
    assert sorted(example.inputs) == ["alternative", "objections", "requirements", "sandbox"]
    assert (example.tenant, example.run, example.task) == ("default", "r1", "design")
    assert desk.log.facts == before
    again = examples(desk, "add", NAME, "r1/design", "--json")
    assert json.loads(again.stdout) == {"prompt": NAME, "id": example.id, "won": True, "news": False}


def test_of_a_reply_that_was_mended_the_mended_one_is_kept_and_it_has_not_won(desk, perform, reply):
    perform(json.dumps({**reply, "modules": []}), json.dumps(reply))
    result = examples(desk, "add", NAME, "r1/design")
    assert "(lost)" in result.stdout, result.output
    assert "say --won" in result.stderr
    assert kept(desk)[0].reply["modules"]


def test_an_answer_in_two_parts_is_kept_whole(desk, perform, reply):
    text = json.dumps(reply)
    perform(f"{text[:90]}…", text[90:])
    result = examples(desk, "add", NAME, "r1/design", "--won")
    assert result.exit_code == 0, result.output
    assert (kept(desk)[0].reply["summary"], kept(desk)[0].won) == ("Small.", True)


def test_an_answer_that_is_an_artifact_is_read(desk, perform, reply):
    perform(json.dumps({**reply, "summary": "x" * 19_000, "start": ["y" * 900] * 60}))
    assert any(b'completion_artifact":"' in fact.data for fact in desk.log.facts)
    assert examples(desk, "add", NAME, "r1/design").exit_code == 0


def test_what_can_not_be_kept_is_said_and_nothing_is(desk, perform, reply):
    perform(json.dumps(reply), journal_completions="none")
    for source, code, why in (
        ("r1/design", 1, "keeps answers out of its journal"),
        ("r1/plan", 2, "task plan has no result in that run; tasks with one: design"),
        ("r2/design", 2, "there is no run r2"),
        ("r1", 2, "is no task and no file"),
        ("r1/a/b", 2, "is no task and no file"),
    ):
        result = examples(desk, "add", NAME, source)
        assert (result.exit_code, why in result.stderr) == (code, True), result.stderr
    result = examples(desk, "add", "reviewer/review", "r1/design")
    assert (result.exit_code, "not asked with reviewer/review, but with architect/design" in result.stderr) == (2, True)
    assert kept(desk) == []


@pytest.fixture
def written(tmp_path, story, reply):
    """Write an example, changed in this way, to a file."""

    def write(inputs=None, answer=None, text=None):
        whole = {
            "requirements": story.requirements.model_dump(mode="json"), "sandbox": {}, "objections": [],
            "alternative": None,
        }  # fmt: skip
        file = tmp_path / "example.json"
        file.write_text(text or json.dumps({"inputs": whole | (inputs or {}), "reply": reply | (answer or {})}))
        return str(file)

    return write


def test_an_example_can_be_written_by_hand(desk, written):
    result = examples(desk, "add", NAME, written())
    assert (result.exit_code, "(not known how it turned out)" in result.stdout) == (0, True), result.stderr
    assert kept(desk)[0].run is None
    assert "a file" in examples(desk, "ls", NAME).stdout


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"inputs": {"mood": "good"}}, "unknown: mood"),
        ({"inputs": {"requirements": {"title": "x"}}}, "requirements is no Requirements"),
        ({"inputs": {"objections": "none"}}, "objections is no [text]"),
        ({"answer": {"modules": []}}, "a design has 1 to 40 modules"),
        ({"answer": {"summary": 5}}, "reply is no DesignReply: summary"),
        ({"text": "{"}, "is no JSON"),
        ({"text": "[]"}, "and nothing else"),
        ({"text": '{"inputs": [], "reply": {}}'}, "must be objects"),
        ({"text": " " * 1_000_001}, "is no JSON"),
    ],
)
def test_an_example_that_does_not_fit_the_template_is_refused_with_the_fault(desk, written, changes, why):
    result = examples(desk, "add", NAME, written(**changes))
    assert (result.exit_code, why in result.stderr) == (2, True), result.stderr
    assert kept(desk) == []


def test_examples_are_listed_and_dropped_for_ever(desk, perform, reply, written):
    assert "has no examples yet" in examples(desk, "ls", NAME).stderr
    perform(json.dumps(reply))
    examples(desk, "add", NAME, "r1/design")
    id = kept(desk)[0].id
    assert examples(desk, "ls", NAME).stdout.startswith(f"{id}  won   r1/design by ada  ")
    assert json.loads(examples(desk, "ls", NAME, "--json").stdout)["reply"]["summary"] == "Small."
    assert "kept      1 examples" in desk("prompts", "show", NAME, *HERE).stdout

    assert "has no example 'abcd'; it has " + id in examples(desk, "drop", NAME, "abcd").stderr
    result = examples(desk, "drop", NAME, id[:4], "--reason", "it is old")
    assert (result.stdout, result.stderr.endswith("0 examples are left\n")) == (
        f"{NAME}: example {id} was dropped\n", True
    )  # fmt: skip
    assert kept(desk)[-1] == ExampleDropped(role="architect", name="design", id=id, by="ada", reason="it is old")
    result = examples(desk, "add", NAME, "r1/design")
    assert (result.exit_code, "was dropped from architect/design, and that is for ever" in result.stderr) == (2, True)
