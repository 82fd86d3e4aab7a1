"""The turns of a conversation: continuation, repair, refusal and repetition, in the first delivery and in others."""

import itertools
import json
import math

import pytest
from pydantic import BaseModel

from contracts.codec import decode
from workers.llm.calls import CannotServe
from workers.llm.model import Completion, ModelUnavailable
from workers.prompting.templates import Prompts, compiled_text
from workers.runtime.conversation import Conversation, Question
from workers.runtime.errors import MalformedReply, RefusedByModel, RepeatedReply
from workers.runtime.journal import Journal, Terms

GOOD = '{"lines": ["rain", "and snow"]}'
HEAD, TAIL = GOOD[:18], GOOD[18:]


class Poem(BaseModel):
    lines: list[str]


def said(text, stop="end"):
    return Completion(text=text, input_tokens=7, output_tokens=3, stop=stop)


def cut(text):
    return said(text, "length")


def refused(text):
    return said(text, "refusal")


def entries(log):
    return [decode(stored.subject, stored.data) for stored in log.facts.values()]


async def ask(tools, **more):
    return await tools.ask("poet/poem", reply=Poem, topic="rain", **more)


async def end_of(tools):
    """The lines of the reply, or what kept it from being one."""
    try:
        return (await ask(tools)).lines
    except (MalformedReply, RefusedByModel) as error:
        return type(error), str(error)


@pytest.mark.parametrize(
    ("bad", "fault"),
    [
        ("Sure! Here it is.", "(whole answer): Invalid JSON"),
        ('{"lines": "rain"}', "lines: Input should be a valid"),
    ],
)
async def test_a_malformed_reply_gets_one_repair_turn(toolkit, scripted, log, bad, fault):
    model = scripted(bad, GOOD)
    tools = toolkit(model)

    assert await ask(tools) == Poem(lines=["rain", "and snow"])

    first, second = model.requests
    assert second.messages[:2] == first.messages
    assistant, user = second.messages[2:]
    assert (assistant.role, assistant.text) == ("assistant", bad)
    assert (user.role, fault in user.text, '<data name="errors">' in user.text) == ("user", True, True)
    assert second.reply_schema == first.reply_schema
    assert [call.entry for call in tools.calls] == ["llm.rhyme.2.1", "llm.rhyme.2.2"]


async def test_a_check_of_the_role_causes_a_repair_turn_as_well(toolkit, scripted):
    model = scripted('{"lines": []}', GOOD)
    await ask(toolkit(model), check=lambda poem: [] if poem.lines else ["the poem has no <lines>"])
    assert "no \\u003clines\\u003e" in model.requests[1].messages[-1].text


async def test_two_malformed_replies_end_the_attempt_with_what_was_wrong(toolkit, scripted, log):
    tools = toolkit(scripted("no", '{"lines": 3}', GOOD))
    with pytest.raises(MalformedReply, match=r"scripted:a.*poet/poem.*Poem: lines: Input should be") as caught:
        await ask(tools)
    assert (len(log.facts), len(tools.calls), caught.value.retry) == (2, 2, True)


async def test_an_answer_that_was_cut_off_goes_on_where_it_stopped(toolkit, scripted, log):
    model = scripted(cut(HEAD), TAIL)

    assert await ask(toolkit(model)) == Poem(lines=["rain", "and snow"])

    first, second = model.requests
    assert second.messages[:2] == first.messages
    assert [(message.role, message.text) for message in second.messages[2:3]] == [("assistant", HEAD)]
    assert "Go on exactly where it stopped" in second.messages[3].text
    assert (first.reply_schema["title"], second.reply_schema) == ("Poem", None)
    assert [(entry.completion, entry.stop) for entry in entries(log)] == [(HEAD, "length"), (TAIL, "end")]


@pytest.mark.parametrize(
    "tail",
    [
        GOOD[5:],
        GOOD,
        f"```json\n{TAIL}\n```",
        f"{TAIL}\n```",
        '{"lines": [ "rain",\n"and snow" ]}',
    ],
    ids=["it repeats the end", "it begins again", "it opens a fence", "it closes a fence", "it writes it all anew"],
)
async def test_a_continuation_that_does_not_begin_where_it_should_is_joined_all_the_same(toolkit, scripted, tail):
    assert await ask(toolkit(scripted(cut(HEAD), tail))) == Poem(lines=["rain", "and snow"])


async def test_an_answer_that_is_cut_off_twice_is_asked_for_again_in_short(toolkit, scripted):
    model = scripted(cut('{"lines": ["a'), cut("b"), GOOD)
    assert await ask(toolkit(model)) == Poem(lines=["rain", "and snow"])
    said_before, turn = model.requests[2].messages[2:]
    assert said_before.text == '{"lines": ["ab'
    assert "cut off" in turn.text


async def test_a_reply_takes_four_answers_at_most(toolkit, scripted, log):
    model = scripted(cut('{"lines": ["a'), cut("b"), cut('{"lines": ["c'), cut("d"), GOOD)
    with pytest.raises(MalformedReply, match="cut off"):
        await ask(toolkit(model))
    assert (len(model.requests), len(log.facts)) == (4, 4)


async def test_a_repair_that_is_cut_off_is_continued_as_well(toolkit, scripted):
    model = scripted("no", cut(HEAD), TAIL)
    assert await ask(toolkit(model)) == Poem(lines=["rain", "and snow"])
    assert [message.role for message in model.requests[2].messages] == [
        "system", "user", "assistant", "user", "assistant", "user",
    ]  # fmt: skip


async def test_an_answer_without_words_is_not_continued_and_nobody_is_sent_an_empty_message(toolkit, scripted):
    model = scripted(cut(" \n"), GOOD)
    assert await ask(toolkit(model)) == Poem(lines=["rain", "and snow"])
    assert all(message.text.strip() for message in model.requests[1].messages)


@pytest.mark.parametrize("again", ["no", "no\n", cut("no")])
async def test_a_repair_that_says_the_same_again_ends_the_attempt(toolkit, scripted, again):
    model = scripted("no", again, GOOD)
    with pytest.raises(MalformedReply, match="the same answer again") as caught:
        await ask(toolkit(model))
    assert (len(model.requests), caught.value.retry) == (2, True)


async def test_a_repair_that_is_cut_off_at_the_same_place_is_not_continued(toolkit, scripted):
    model = scripted(cut('{"lines": ["a'), cut("b"), cut('{"lines": ["a'), GOOD)
    with pytest.raises(MalformedReply, match=r"the same answer again.*cut off"):
        await ask(toolkit(model))
    assert len(model.requests) == 3


async def test_two_attempts_that_end_in_the_same_words_are_the_last(toolkit, scripted, task):
    before = task.model_copy(update={"attempt": 1})
    with pytest.raises(MalformedReply) as first:
        await ask(toolkit(scripted("no", "still no"), asked=before))
    with pytest.raises(RepeatedReply, match="word for word what the attempt before") as second:
        await ask(toolkit(scripted("never", "still no")))
    assert (first.value.retry, second.value.retry, second.value.error) == (True, False, "malformed_reply")


async def test_two_attempts_that_end_in_other_words_are_not_the_last(toolkit, scripted, task):
    with pytest.raises(MalformedReply):
        await ask(toolkit(scripted("no", "still no"), asked=task.model_copy(update={"attempt": 1})))
    with pytest.raises(MalformedReply) as caught:
        await ask(toolkit(scripted("no", "not yet")))
    assert caught.value.retry


async def test_attempts_are_compared_where_completions_are_kept_out_of_the_log(toolkit, scripted, task):
    before = task.model_copy(update={"attempt": 1})
    with pytest.raises(MalformedReply):
        await ask(toolkit(scripted("no", "still no"), asked=before, journal_completions="none"))
    with pytest.raises(RepeatedReply):
        await ask(toolkit(scripted("no", "still no"), journal_completions="none"))


async def test_a_refusal_cites_the_model_and_its_words(toolkit, scripted, log):
    tools = toolkit(scripted(refused("I won't write about rain.")))
    with pytest.raises(RefusedByModel, match=r"scripted:a refused.*I won't write about rain\."):
        await ask(tools)
    assert (len(log.facts), len(tools.calls)) == (1, 1)


async def test_a_target_that_refused_is_not_asked_again_and_the_next_one_is(toolkit, scripted, serving, log):
    first, second = scripted(refused("no rain"), target="a:1"), scripted("no", GOOD, target="b:2")
    gateway = serving(first, second)

    assert await ask(toolkit(gateway)) == Poem(lines=["rain", "and snow"])

    assert [sorted(call.without) for call in gateway.calls] == [[], ["a:1"], ["a:1"]]
    assert first.requests == second.requests[:1]
    assert [(entry.n, entry.target, entry.stop) for entry in entries(log)] == [
        (1, "a:1", "refusal"), (2, "b:2", "end"), (3, "b:2", "end"),
    ]  # fmt: skip


async def test_when_everybody_has_refused_each_is_named_with_its_words(toolkit, scripted, serving):
    gateway = serving(scripted(refused("too wet"), target="a:1"), scripted(refused(""), target="b:2"))
    with pytest.raises(RefusedByModel, match=r"a:1 refused.*too wet; b:2 refused.*\(no words\).*nobody else.*left out"):
        await ask(toolkit(gateway))
    assert len(gateway.calls) == 3


async def test_a_gateway_that_does_not_leave_out_who_refused_is_not_asked_for_ever(toolkit, scripted, serving):
    model = scripted(refused("no"), refused("no"), target="a:1")
    gateway = serving(model)
    gateway.complete = lambda call, request, heard=None: gateway_of_one(model, request)
    with pytest.raises(RefusedByModel, match="asked once more"):
        await ask(toolkit(gateway))


async def gateway_of_one(model, request):
    completion = await model.complete(request)
    return Completion(completion.text, 1, 1, completion.stop, target=model.target)


async def test_a_follow_up_that_nobody_can_answer_is_the_fault_of_the_answer(toolkit, scripted, serving):
    gateway = serving(scripted("no", CannotServe("too long for any target")))
    with pytest.raises(MalformedReply, match=r"did not answer.*Invalid JSON.*not mended: too long") as caught:
        await ask(toolkit(gateway))
    assert caught.value.retry


PATHS = {
    "fits": [[GOOD]],
    "repaired": [["no", GOOD]],
    "continued": [[cut(HEAD), TAIL]],
    "continued and repaired": [[cut("no"), "no", GOOD]],
    "continued twice": [[cut("no"), cut("no"), cut(HEAD), TAIL]],
    "never whole": [[cut("a"), cut("b"), cut("c"), cut("d")]],
    "the same again": [["no", "no"]],
    "refused": [[refused("a")], [refused("b")]],
    "refused, then repaired": [[refused("a")], ["no", GOOD]],
    "refused in the repair": [["no", refused("a")], [cut(HEAD), TAIL]],
    "refused in the continuation": [[cut(HEAD), refused("a")], [TAIL]],
}


@pytest.mark.parametrize("path", PATHS)
async def test_another_delivery_goes_the_same_way_by_the_journal_alone(toolkit, scripted, serving, log, path):
    scripts = PATHS[path]
    first = toolkit(serving(*(scripted(*script, target=f"t:{n}") for n, script in enumerate(scripts))))
    end = await end_of(first)
    said_then = log.said
    silent = [scripted(target=f"t:{n}") for n in range(len(scripts))]
    second = toolkit(serving(*silent), redelivered=True)

    assert await end_of(second) == end
    assert (second.calls, log.said) == (first.calls, said_then)
    assert [model.requests for model in silent] == [[]] * len(silent)
    assert len(first.calls) == sum(len(script) for script in scripts)


@pytest.mark.parametrize("path", PATHS)
async def test_a_delivery_that_dies_anywhere_is_gone_on_with(toolkit, scripted, serving, log, path):
    """The models go down after each call in turn; the next delivery has them back, with what was left to say."""
    scripts = PATHS[path]
    end = await end_of(toolkit(serving(*(scripted(*script, target=f"t:{n}") for n, script in enumerate(scripts)))))
    facts = [(entry.n, entry.completion, entry.request_sha256) for entry in entries(log)]
    for calls in range(len(facts)):
        log.facts.clear()
        models = [scripted(*script, target=f"t:{n}") for n, script in enumerate(scripts)]
        left = itertools.count(calls, -1)
        dying = serving(*models)
        complete = dying.complete

        async def until_down(*call, complete=complete, left=left):
            if next(left) <= 0:
                raise ModelUnavailable("down")
            return await complete(*call)

        dying.complete = until_down
        with pytest.raises(ModelUnavailable):
            await ask(toolkit(dying))
        assert len(log.facts) == calls
        assert await end_of(toolkit(serving(*models), redelivered=True)) == end
        assert [(entry.n, entry.completion, entry.request_sha256) for entry in entries(log)] == facts


HEADER = "---\nname: poem\nrole: poet\npurpose: Ask.\ninputs: [topic]\n"
SECTIONS = '---\n# system\n\nYou write poems.\n\n# user\n\n{{ topic | data("topic") }}\n'


class TestSlots:
    def request(self, more, persona=""):
        prompt = compiled_text("poet", "poem", HEADER + more + SECTIONS)
        prompt = prompt.seen_as("grump", persona) if persona else prompt
        return Question("", prompt.render({"topic": "rain"}), Poem, None, 1).request

    def test_without_any_the_request_is_as_ever(self):
        request = self.request("")
        assert (request.reply_schema, request.max_output_tokens) == (Poem.model_json_schema(), 32_000)
        assert request.messages[0].text == "You write poems."

    def test_the_limit_of_tokens_is_the_model_s(self):
        assert self.request("limits: {output_tokens: 900}\n").max_output_tokens == 900

    def test_thinking_is_asked_for_in_words_and_in_the_schema(self):
        request = self.request("thinking: brief\n")
        assert list(request.reply_schema["properties"]) == ["reasoning", "lines"]
        assert "## Thinking" in request.messages[0].text

    def test_a_schema_that_is_shown_is_the_one_that_is_asked_for_and_stands_before_the_persona(self):
        request = self.request("thinking: plan\noutput: shown\nconstraints: [Be short.]\n", "Grumble.")
        before, _, after = request.messages[0].text.partition("## Output\n\n")
        assert before.endswith("- Be short.\n\n") and after.endswith("\n\nGrumble.")
        shown = after.removesuffix("\n\nGrumble.").rpartition("\n")[2]
        assert json.loads(shown) == request.reply_schema

    async def test_the_thinking_is_in_the_journal_and_not_in_the_reply(self, conversing, scripted, log):
        model = scripted('{"lines": ["rain"]}', '{"reasoning": "Rain first.", "lines": ["rain"]}')
        assert await conversing(model, "thinking: brief\n").reply() == Poem(lines=["rain"])
        assert "reasoning: must be there" in model.requests[1].messages[-1].text
        assert "Rain first." in entries(log)[-1].completion

    async def test_a_thought_that_was_cut_off_is_continued(self, conversing, scripted):
        whole = '{"reasoning": "Rain comes first of all.", "lines": ["rain"]}'
        model = scripted(cut(whole[:30]), whole[30:])
        assert await conversing(model, "thinking: plan\n").reply() == Poem(lines=["rain"])

    async def test_a_copy_gets_a_repair_turn(self, conversing, scripted):
        model = scripted(GOOD, '{"lines": ["rain"]}')
        assert await conversing(model, guard=no_snow).reply() == Poem(lines=["rain"])
        assert "copied from example 1" in model.requests[1].messages[-1].text

    async def test_a_copy_that_stays_one_ends_the_attempt(self, conversing, scripted):
        with pytest.raises(MalformedReply, match="copied from example 1"):
            await conversing(scripted(GOOD, GOOD), guard=no_snow).reply()


def no_snow(text):
    return ["copied from example 1"] if "snow" in text else []


@pytest.fixture
def conversing(task, log, artifacts, serving):
    """Makes a conversation about a template with more in its front matter."""

    def make(model, more="", guard=None):
        prompt = compiled_text("poet", "poem", HEADER + more + SECTIONS)
        question = Question("", prompt.render({"topic": "rain"}), Poem, None, 1, guard=guard)
        journal = Journal(task, log, artifacts, serving(model), Terms(False, "flotilla", math.inf, 60.0, True, None))
        return Conversation(question, journal, Prompts.load())

    return make
