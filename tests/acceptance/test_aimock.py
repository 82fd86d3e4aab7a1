"""The gateway through the three SDKs against aimock: a fake provider that was written by others, from the same APIs.

Targets are called `one` and `two`. After each question aimock has counted exactly the calls that we have.
"""

import asyncio
import importlib
import json
import shutil
import time
from typing import Any

import pytest

from contracts.v1.budgets import Budget
from tests.fakes.aimock.server import HERE, Aimock, running
from workers.llm.attempt import Patience
from workers.llm.calls import Call, CannotServe, Interrupted, Parked
from workers.llm.catalogue import Catalogue
from workers.llm.conventions import FailedCall
from workers.llm.gateway import Gateway
from workers.llm.known_accounts import KnownAccounts
from workers.llm.ledger import Ledger
from workers.llm.model import Completion, ModelRequest, PromptMessage
from workers.llm.offers import Offers
from workers.llm.purse import Purse
from workers.llm.records import MemoryRecords
from workers.llm.targets import Price, Route, Target
from workers.runtime.models import provider_for

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("node") is None, reason="aimock needs Node.js"),
]

PATHS = {"openai": "/v1", "openai-responses": "/v1", "anthropic": "", "groq": ""}
SCHEMA = {"title": "Answer", "type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}
QUESTION = ModelRequest(
    messages=(PromptMessage(role="system", text="You are terse."), PromptMessage(role="user", text="design it")),
    reply_schema=SCHEMA,
    max_output_tokens=1_000,
)
PATIENCE = Patience(first_token_s=1.0, idle_s=1.0, in_place_s=5.0)
TEXT = '{"ok": true}'
FINE = {"content": TEXT, "usage": {"prompt_tokens": 21, "completion_tokens": 7}}
LONG = {"content": "x" * 80}


class Asking:
    """A gateway with targets `one` and `two` of one provider; `made` are the calls that it made, by target."""

    def __init__(self, aimock: Aimock, provider: str) -> None:
        self.aimock, self.provider, self.budgets = aimock, provider, MemoryRecords()
        self.made: list[str] = []
        self.refused = asyncio.Event()
        where = {"base_url": f"{aimock.url}{PATHS[provider]}", "api_key_env": "KEY"}
        price = Price(input=1.0, output=1.0)
        targets = {
            name: Target(name=name, provider=provider, model=name, price=price, **where) for name in ("one", "two")
        }
        catalogue = Catalogue(targets, (Route(name="both", targets=("one",), fallback=("two",)),))
        offers = Offers(catalogue, "one", provider_for, {"KEY": "key-of-the-test"})
        accounts, ledger = KnownAccounts(MemoryRecords()), Ledger(self.budgets)
        self.gateway = Gateway(offers, accounts, ledger, PATIENCE, observer=self)

    def answered(self, target: str, completion: Completion) -> None:
        self.made.append(target)

    def failed(self, failed: FailedCall) -> None:
        self.made.append(failed.target.name)
        self.refused.set()

    async def ask(self, asked: str = "one") -> Completion | Exception:
        try:
            return await self.call(asked)
        except (Parked, Interrupted, CannotServe) as error:
            return error
        finally:
            self.check()

    async def call(self, asked: str = "one", n: int = 1) -> Completion:
        budget, deadline = Budget(usd=1.0), time.time() + 10.0
        call = Call(f"acme/r1/llm.t.1.{n}", asked, "architect", "design_system", deadline, budget=budget)
        return await self.gateway.complete(call, QUESTION)

    def check(self) -> None:
        """Nothing is left reserved, and aimock has heard every call that was made, and no other."""
        assert Purse.decode(self.budgets.kept["run.acme.r1"]).holds == ()
        assert [heard["body"]["model"] for heard in self.aimock.journal] == self.made

    async def completed(self, asked: str = "one") -> Completion:
        said = await self.ask(asked)
        assert isinstance(said, Completion), said
        return said


@pytest.fixture(scope="module")
def aimock(tmp_path_factory):
    """The SDKs are there before it is: importing one takes longer than the patience of these tests."""
    for sdk in ("openai", "anthropic", "groq"):
        importlib.import_module(sdk)
    with running(tmp_path_factory.mktemp("aimock")) as server:
        yield server


@pytest.fixture(params=sorted(PATHS))
async def asking(request, aimock):
    made = Asking(aimock, request.param)
    yield made
    await made.gateway.close()


def says(response: dict[str, Any], model: str = "one", nth: int | None = None, **more: Any) -> dict[str, Any]:
    """An answer of a model: always, or to its nth request."""
    match = {"model": model} if nth is None else {"model": model, "sequenceIndex": nth}
    return {"match": match, "response": response, **more}


def refuses(status: int, **more: Any) -> dict[str, Any]:
    return {"error": {"message": "not now"}, "status": status, **more}


async def test_an_answer_comes_whole_with_its_usage(asking):
    """Groq's server counts unasked; aimock only on demand, so there the tokens are estimated."""
    asking.aimock.plays(says(FINE))
    said = await asking.completed()
    assert (said.text, said.stop, said.target) == (TEXT, "end", "one")
    assert said.estimated == (asking.provider == "groq")
    assert said.estimated or (said.input_tokens, said.output_tokens) == (21, 7)
    assert asking.made == ["one"]


async def test_an_answer_is_heard_as_it_comes(asking):
    asking.aimock.plays(says(LONG, streamingProfile={"ttft": 50, "tps": 20}))
    said = await asking.completed()
    assert said.text == "x" * 80
    assert said.first_token_s < said.duration_s / 2


@pytest.mark.parametrize(("provider", "form"), [("openai", "json_schema"), ("groq", "json_object")])
async def test_a_structured_answer_is_asked_for_in_the_form_that_the_endpoint_knows(aimock, provider, form):
    """aimock tells requests apart by `response_format`, which only Chat Completions has."""
    asking = Asking(aimock, provider)
    fits = says(FINE)
    fits["match"]["responseFormat"] = form
    aimock.plays(fits, says(refuses(400)))
    assert (await asking.completed()).text == TEXT
    await asking.gateway.close()


async def test_what_was_asked_arrives_as_it_was_meant(asking):
    asking.aimock.plays(says(FINE))
    await asking.completed()
    [heard] = asking.aimock.journal
    roles = [(message["role"], str(message["content"])) for message in heard["body"]["messages"]]
    assert [role for role, _ in roles] == ["system", "user"]
    assert roles[0][1].startswith("You are terse.") and roles[1][1] == "design it"
    assert heard["body"]["stream"] is True


async def test_rate_limits_are_waited_out_and_never_called_early(asking):
    """Times are aimock's own, in whole milliseconds."""
    limited = refuses(429, retryAfter=1)
    asking.aimock.plays(says(limited, nth=0), says(limited, nth=1), says(FINE, nth=2))
    said = await asking.completed()
    at = [heard["timestamp"] for heard in asking.aimock.journal]
    assert [kind for _, kind, _ in said.tries] == ["rate_limited"] * 2
    assert len(at) == 3 and at[1] - at[0] >= 1_000 and at[2] - at[1] >= 1_000


async def test_callers_beside_each_other_wait_for_the_same_rate_limit(asking):
    """While it holds nobody calls; all of them are answered after it."""
    asking.aimock.plays(says(refuses(429, retryAfter=1), nth=0), says(FINE))
    first = asyncio.create_task(asking.call())
    await asyncio.wait_for(asking.refused.wait(), 5.0)
    said = await asyncio.gather(first, *(asking.call(n=n) for n in range(2, 6)))
    asking.check()
    limited, *others = [heard["timestamp"] for heard in asking.aimock.journal]
    assert [answer.text for answer in said] == [TEXT] * 5
    assert len(others) == 5 and min(others) - limited >= 1_000


async def test_a_long_rate_limit_parks_the_task_and_is_not_called_meanwhile(asking):
    asking.aimock.plays(says(refuses(429, retryAfter=90)))
    outcomes = [await asking.ask(), await asking.ask()]
    assert all(isinstance(outcome, Parked) and outcome.what == "models" for outcome in outcomes)
    assert asking.made == ["one"]


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, "bad_request"), (401, "denied"), (402, "quota"), (403, "denied"), (404, "unknown_model"),
     (413, "bad_request"), (422, "bad_request"), (429, "rate_limited"), (500, "server_error"), (502, "server_error"),
     (503, "overloaded"), (529, "overloaded")],
)  # fmt: skip
async def test_each_error_is_known_for_what_it_is_and_another_target_answers(asking, status, kind):
    asking.aimock.plays(says(refuses(status)), says(FINE, "two"))
    said = await asking.completed("both")
    assert [(target, why) for target, why, _ in said.tries] == [("one", kind)]
    assert f"HTTP {status}: not now" in said.tries[0][2]
    assert asking.made == ["one", "two"]


async def test_money_that_is_used_up_is_no_rate_limit(asking):
    error = {"message": "You exceeded your current quota.", "type": "insufficient_quota"}
    asking.aimock.plays(says({"error": error, "status": 429}), says(FINE, "two"))
    assert (await asking.completed("both")).tries[0][1] == "quota"


@pytest.mark.parametrize(
    ("chaos", "kind"),
    [("dropRate", "server_error"), ("malformedRate", "server_error"), ("disconnectRate", "disconnected"),
     ("rateLimitRate", "rate_limited")],
)  # fmt: skip
async def test_chaos_before_the_first_token_goes_to_another_target(asking, chaos, kind):
    asking.aimock.plays(says(FINE, chaos={chaos: 1}), says(FINE, "two"))
    said = await asking.completed("both")
    assert (said.target, [why for _, why, _ in said.tries]) == ("two", [kind])


async def test_a_stream_that_is_cut_before_its_first_token_goes_to_another_target(asking):
    asking.aimock.plays(says(LONG, truncateAfterChunks=1, latency=20), says(FINE, "two"))
    said = await asking.completed("both")
    assert (said.target, said.tries[0][1]) == ("two", "disconnected")


async def test_a_model_that_says_nothing_in_time_is_left_for_another(asking):
    asking.aimock.plays(says(LONG, streamingProfile={"ttft": 4_000}), says(FINE, "two"))
    said = await asking.completed("both")
    assert (said.target, said.tries[0][1]) == ("two", "timeout")


@pytest.mark.parametrize(
    "cut",
    [{"truncateAfterChunks": 12}, {"disconnectAfterMs": 400, "latency": 40},
     {"recordedTimings": {"ttftMs": 10, "interChunkDelaysMs": [10] * 8 + [3_000], "totalDurationMs": 3_090}}],
    ids=["chunks", "time", "silence"],
)  # fmt: skip
async def test_what_breaks_after_the_first_token_is_interrupted_and_asked_nowhere_else(asking, cut):
    asking.aimock.plays(says(LONG, **{"latency": 10, **cut}), says(FINE, "two"))
    outcome = await asking.ask("both")
    assert isinstance(outcome, Interrupted), outcome
    assert asking.made == ["one"]


async def test_a_target_that_is_down_is_called_three_times_and_then_left_alone(asking):
    asking.aimock.plays(says(refuses(500)))
    outcomes = [await asking.ask() for _ in range(3)]
    assert all(isinstance(outcome, Parked) for outcome in outcomes)
    assert asking.made == ["one"] * 3


async def test_an_answer_that_was_cut_short_is_told_apart_from_an_end(asking):
    asking.aimock.plays(says({**FINE, "content": "only hal", "finishReason": "length"}))
    said = await asking.completed()
    assert (said.text, said.stop) == ("only hal", "length")


@pytest.mark.parametrize(
    ("provider", "finish"), [("openai", "content_filter"), ("groq", "content_filter"), ("anthropic", "refusal")]
)
async def test_a_refusal_is_told_apart_from_an_end(aimock, provider, finish):
    """aimock plays none over the Responses API."""
    asking = Asking(aimock, provider)
    aimock.plays(says({**FINE, "content": "I can't help with that.", "finishReason": finish}))
    said = await asking.completed()
    assert (said.text, said.stop) == ("I can't help with that.", "refusal")
    await asking.gateway.close()


def test_the_package_is_pinned_by_version_and_content():
    package = json.loads((HERE / "package.json").read_text())
    lock = json.loads((HERE / "package-lock.json").read_text())["packages"]
    [(name, version)] = package["dependencies"].items()
    assert sorted(lock) == ["", f"node_modules/{name}"]
    locked = lock[f"node_modules/{name}"]
    assert locked["version"] == version and locked["integrity"].startswith("sha512-") and "resolved" not in locked
