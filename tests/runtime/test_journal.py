"""What an entry says, and which entries another delivery uses, passes over and settles."""

import hashlib
import json
from dataclasses import replace

import pytest
from pydantic import BaseModel

from contracts.codec import decode
from contracts.v1.budgets import Budget
from workers.llm.model import Completion, ModelRequest, PromptMessage
from workers.prompting.templates import Rendered
from workers.runtime.questions import Asked

GOOD = '{"lines": ["rain"]}'
WHOLE = Completion(
    text=GOOD, input_tokens=700, output_tokens=30, stop="end", cost_usd=0.25, target="gpt", finish="stop",
    cached_input_tokens=512, reasoning_tokens=11, first_token_s=0.4, duration_s=1.5,
    tries=(("claude", "rate_limited", "too many requests"), ("groq", "unreachable", "x" * 900)), estimated=True,
)  # fmt: skip
LOSER = Completion(text="{", input_tokens=700, output_tokens=9, cost_usd=0.5, target="slow", estimated=True)
REQUEST = ModelRequest(messages=(PromptMessage(role="user", text="rain"),), reply_schema=None)


class Poem(BaseModel):
    lines: list[str]


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


def entries(log):
    return [decode(stored.subject, stored.data) for stored in log.facts.values()]


async def ask(tools, prompt="poet/poem"):
    return await tools.ask(prompt, reply=Poem, topic="rain")


def asked(whom="gpt", **changes):
    return Asked(whom, Rendered("poet/poem", "v1", ()), REQUEST, **changes)


def test_the_digest_of_a_question_to_a_target_is_that_of_target_and_request():
    """Entries of releases before this one are found by it."""
    content = {"target": "gpt", "request": REQUEST.model_dump(mode="json")}
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert asked().sha256 == digest(canonical)


def test_a_question_without_somebody_is_another_one_whatever_the_order():
    without = asked(without=frozenset(("a", "b")))
    assert without.sha256 != asked().sha256
    assert without.sha256 == asked(without=frozenset(("b", "a"))).sha256


async def test_an_entry_says_all_that_is_known_of_the_call(toolkit, scripted, task, log):
    await ask(toolkit(scripted(WHOLE), asked=task.model_copy(update={"model": "fast"})))
    (entry,) = entries(log)
    assert (entry.asked, entry.target, entry.finish, entry.stop) == ("fast", "gpt", "stop", "end")
    assert [(tried.target, tried.kind, len(tried.reason)) for tried in entry.tries] == [
        ("claude", "rate_limited", 17), ("groq", "unreachable", 500),
    ]  # fmt: skip
    assert entry.parameters == {"max_output_tokens": 32_000, "seed": 2, "reply_schema": "Poem"}
    assert (entry.cached_input_tokens, entry.reasoning_tokens, entry.estimated) == (512, 11, True)
    assert (entry.first_token_ms, entry.latency_ms) == (400.0, 1_500.0)
    assert (entry.completion_sha256, entry.withheld, entry.lost) == (digest(GOOD), False, False)


async def test_the_digest_of_the_request_does_not_depend_on_who_answered(toolkit, scripted, log):
    await ask(toolkit(scripted(WHOLE)))
    (one,) = entries(log)
    log.facts.clear()
    await ask(toolkit(scripted(replace(WHOLE, target="claude"))))
    (two,) = entries(log)
    assert (one.target, two.target) == ("gpt", "claude")
    assert one.request_sha256 == two.request_sha256


async def test_calls_that_were_cut_off_follow_the_answer_and_are_paid_for(toolkit, scripted, log):
    tools = toolkit(scripted(replace(WHOLE, lost=(LOSER,)), GOOD))
    await ask(tools)
    await ask(tools, "poet/ballad")
    assert [(entry.n, entry.target, entry.lost, entry.estimated) for entry in entries(log)] == [
        (1, "gpt", False, True), (2, "slow", True, True), (3, "scripted:a", False, False),
    ]  # fmt: skip
    assert entries(log)[1].tries == ()
    assert [call.cost_usd for call in tools.calls] == [0.25, 0.5, None]


async def test_another_delivery_numbers_past_calls_that_were_cut_off(toolkit, scripted, log):
    first = toolkit(scripted(replace(WHOLE, lost=(LOSER, LOSER)), GOOD))
    replies = [await ask(first), await ask(first, "poet/ballad")]
    second = toolkit(scripted(), redelivered=True)
    assert [await ask(second), await ask(second, "poet/ballad")] == replies
    assert second.calls == first.calls
    assert len(log.facts) == 4


async def test_what_a_delivery_left_unsaid_of_calls_that_were_cut_off_changes_no_answer(toolkit, scripted, log):
    await ask(toolkit(scripted(replace(WHOLE, lost=(LOSER,)))))
    log.facts.popitem()
    second = toolkit(scripted(GOOD), redelivered=True)
    await ask(second)
    await ask(second, "poet/ballad")
    assert [call.entry for call in second.calls] == ["llm.rhyme.2.1", "llm.rhyme.2.2"]


async def test_a_call_that_was_cut_off_is_nobodys_answer(toolkit, scripted, log):
    await ask(toolkit(scripted(replace(WHOLE, lost=(replace(LOSER, text=GOOD),)))))
    del log.facts["flotilla.acme.r1.llm.rhyme.2.1"]
    log.put("flotilla.acme.r1.llm.rhyme.2.1", b"spoiled")
    model = scripted('{"lines": ["new"]}')
    assert (await ask(toolkit(model, redelivered=True))).lines == ["new"]


async def test_a_lost_call_takes_the_next_number_that_is_free(toolkit, scripted, log):
    log.put("flotilla.acme.r1.llm.rhyme.2.2", b"spoiled")
    tools = toolkit(scripted(replace(WHOLE, lost=(LOSER,))))
    await ask(tools)
    assert [call.entry for call in tools.calls] == ["llm.rhyme.2.1", "llm.rhyme.2.3"]


async def test_completions_can_be_kept_out_of_the_log(toolkit, scripted, log, artifacts):
    long = json.dumps({"lines": ["x" * 70_000]})
    tools = toolkit(scripted(GOOD, long), journal_completions="none")
    await ask(tools)
    await ask(tools, "poet/ballad")
    assert [(entry.completion, entry.completion_artifact, entry.withheld) for entry in entries(log)] == [
        ("", None, True), ("", None, True),
    ]  # fmt: skip
    assert [entry.completion_sha256 for entry in entries(log)] == [digest(GOOD), digest(long)]
    assert artifacts.kept == {}


async def test_another_delivery_asks_again_for_what_was_kept_out_and_cites_both(toolkit, scripted, log):
    await ask(toolkit(scripted(GOOD), journal_completions="none"))
    model = scripted(GOOD)
    tools = toolkit(model, redelivered=True, journal_completions="none")
    await ask(tools)
    assert len(model.requests) == 1
    assert [call.entry for call in tools.calls] == ["llm.rhyme.2.1", "llm.rhyme.2.2"]


async def test_a_zombie_that_keeps_its_words_does_not_cost_a_third_call(toolkit, scripted, log):
    async def zombie_first():
        await ask(toolkit(scripted(replace(WHOLE, duration_s=1.6)), journal_completions="none"))
        return WHOLE

    model = scripted(zombie_first)
    assert (await ask(toolkit(model, journal_completions="none"))).lines == ["rain"]
    assert (len(model.requests), len(log.facts)) == (1, 2)


async def test_another_delivery_settles_what_a_crash_may_have_left_reserved(toolkit, scripted, serving, task):
    paying = task.model_copy(update={"budget": Budget(usd=5.0)})
    gateway = serving(scripted(WHOLE))
    await ask(toolkit(gateway, asked=paying))
    assert gateway.settled == []
    again = serving(scripted())
    await ask(toolkit(again, asked=paying, redelivered=True))
    assert again.settled == [("acme/r1/llm.rhyme.2.1", 0.25, 730, Budget(usd=5.0))]


async def test_entries_without_the_newer_fields_are_read(toolkit, scripted, log):
    """As releases before this one have written them."""
    await ask(toolkit(scripted(GOOD)))
    ((subject, stored),) = log.facts.items()
    entry = json.loads(stored.data)
    for field in ("asked", "finish", "parameters", "tries", "completion_sha256", "withheld", "lost", "estimated"):
        entry.pop(field, None)
    log.put(subject, json.dumps(entry).encode())
    silent = scripted()
    assert (await ask(toolkit(silent, redelivered=True))).lines == ["rain"]
    assert silent.requests == []


@pytest.mark.parametrize(("said", "kept"), [("\ud83d\ude00", "😀"), ("\ud83d", "�")])
async def test_halves_of_a_character_are_joined_or_replaced(toolkit, scripted, log, said, kept):
    tools = toolkit(scripted('{"lines": ["' + said + '"]}'))
    assert (await ask(tools)).lines == [kept]
    assert (await ask(toolkit(scripted(), redelivered=True))).lines == [kept]


async def test_an_entry_whose_acknowledgement_was_lost_is_no_second_call_when_words_are_withheld(
    toolkit, scripted, log
):
    say = log.say

    async def lost_once(message):
        log.say = say
        return (await say(message))._replace(news=False)

    log.say = lost_once
    tools = toolkit(scripted(WHOLE), journal_completions="none")
    assert (await ask(tools)).lines == ["rain"]
    assert [entry.n for entry in entries(log)] == [1]
    assert [call.cost_usd for call in tools.calls] == [0.25]
