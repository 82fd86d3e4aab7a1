"""`flotilla show RUN --calls`: what the journal says of each call, at any width, and the total."""

import json
from io import StringIO

import pytest
from rich.cells import cell_len
from rich.console import Console

from contracts.v1.journal import Try
from workers.cli.calls import journal_of, listed
from workers.cli.entries import read


@pytest.fixture
def calls(story):
    """A call with everything in it, one that was lost for it, and one as the built-in model makes it."""
    full = story.call("design", cost=0.0516).model_copy(
        update={
            "asked": "best",
            "target": "claude-main",
            "prompt": "architect/design",
            "prompt_version": "3f2a91c0be77",
            "parameters": {"max_output_tokens": 32_000, "seed": 1, "reply_schema": "DesignReply"},
            "input_tokens": 6_120,
            "output_tokens": 2_480,
            "cached_input_tokens": 4_096,
            "reasoning_tokens": 700,
            "latency_ms": 31_400.0,
            "first_token_ms": 900.0,
            "finish": "end_turn",
            "tries": (Try(target="groq-fast", kind="rate_limited", reason="429: too\nmany 請求 " + "word " * 40),),
        }
    )
    lost = {"n": 2, "target": "slow", "lost": True, "estimated": True, "withheld": True, "cost_usd": 0.01, "tries": ()}
    return [full, full.model_copy(update=lost), story.call("plan")]


@pytest.fixture
def shown(calls, stored):
    """The lines of those calls at a width."""
    return lambda width, more=(): list(listed(journal_of([read(fact) for fact in stored([*calls, *more])]), width))


def test_a_call_says_who_was_asked_with_what_and_what_came_of_it(shown):
    lines = shown(None)
    assert lines[:3] == [
        "llm.design.1.1  architect  best → claude-main",
        "    architect/design@3f2a91c0be77  max_output_tokens=32000  seed=1  reply_schema=DesignReply",
        "    6,120 + 2,480 tokens (4,096 cached, 700 reasoning)  $0.05  31.4 s, first token after 0.9 s  "
        "end (end_turn)",
    ]
    assert lines[3].startswith("    before it groq-fast: rate_limited  429: too many 請求 word")


def test_a_call_that_was_lost_is_marked_and_its_figures_are_bounds(shown):
    lines = shown(None)
    assert lines[4] == (
        "llm.design.1.2  architect  best → slow  cut off, another one answered first  its words are kept out of the log"
    )
    assert lines[6].startswith("    at most 6,120 + 2,480 tokens (4,096 cached, 700 reasoning)  at most $0.01  ")


def test_what_is_not_known_of_a_call_is_left_out(shown):
    assert shown(None)[7:10] == [
        "llm.plan.1.1  architect  builtin",
        "    a/b@v1",
        "    100 + 20 tokens  $0.00  0.0 s  end",
    ]


def test_the_total_sums_them(shown, story):
    assert shown(None)[-1] == (
        "total  3 model calls, 12,340 + 4,980 tokens (8,192 cached, 1,400 reasoning), $0.06  1 try without an answer"
    )
    assert "$0.06 and 1 call of unknown cost" in shown(None, [story.call("tests", cost=None)])[-1]


@pytest.mark.parametrize("width", [20, 60, 80, 120])
def test_no_line_is_wider_than_the_terminal_and_nothing_is_left_out(shown, width):
    lines = shown(width)
    assert max(map(cell_len, lines)) <= width
    assert "".join("".join(lines).split()) == "".join("".join(shown(None)).split())


def test_a_spoiled_entry_is_listed_and_not_counted(desk, story):
    desk.tell([story.request(), story.call("plan")])
    desk.log.put("flotilla.default.r1.llm.plan.1.2", b"not json")
    lines = desk("show", "r1", "--calls").stdout.splitlines()
    assert lines[3].startswith("llm.plan.1.2  spoiled: ")
    assert lines[4].startswith("total  1 model call, ")


def test_only_calls_are_listed_in_the_order_of_the_log(desk, story):
    desk.tell(story.whole())
    lines = desk("show", "r1", "--calls").stdout.splitlines()
    assert [line.split()[0] for line in lines if not line.startswith(" ")] == [
        "llm.plan.1.1", "llm.design.1.1", "llm.build-store.1.1", "llm.build-http.1.1", "llm.tests.1.1", "total",
    ]  # fmt: skip


def test_a_terminal_is_filled_to_its_width_and_no_further(desk, story, calls):
    desk.tell([story.request(), *calls])
    desk.with_outside(console=lambda: Console(file=StringIO(), width=60, force_terminal=True))
    assert max(map(cell_len, desk("show", "r1", "--calls").stdout.splitlines())) <= 60


def test_a_run_without_calls_has_a_total_of_none(desk, story):
    desk.tell([story.request()])
    assert desk("show", "r1", "--calls").stdout == "total  0 model calls, 0 + 0 tokens, $0.00\n"


def test_json_is_an_object_for_each_call_without_its_words_and_a_total(desk, story, calls):
    desk.tell([story.request(), *calls])
    *listed_calls, total = map(json.loads, desk("show", "r1", "--calls", "--json").stdout.splitlines())
    assert [call["type"] for call in listed_calls] == ["call"] * 3
    first = listed_calls[0]
    assert (first["entry"], first["asked"], first["target"]) == ("llm.design.1.1", "best", "claude-main")
    assert (first["tries"][0]["kind"], first["parameters"]["seed"], first["first_token_ms"]) == ("rate_limited", 1, 900)
    assert "completion" not in first
    assert (total["type"], total["calls"], total["input_tokens"], total["tries"]) == ("total", 3, 12_340, 1)
    assert total["cost_usd"] == pytest.approx(0.0616)


def test_a_json_total_with_an_unknown_price_has_no_cost(desk, story):
    desk.tell([story.request(), story.call("plan", cost=None)])
    assert json.loads(desk("show", "r1", "--calls", "--json").stdout.splitlines()[-1])["cost_usd"] is None
