"""The gateway through the three SDKs against a provider over real HTTP: how each fault ends, and after how many calls.

openai and anthropic sit on httpx2, groq on httpx, so both are met. Targets are called `one` and `two`.
"""

import asyncio
import time

import pytest

from contracts.v1.budgets import Budget
from tests.fakes.script import Play, failing, rate_limited, refused, truncated
from workers.llm.attempt import Patience
from workers.llm.calls import Call, CannotServe, Interrupted, Parked
from workers.llm.catalogue import Catalogue
from workers.llm.gateway import Gateway
from workers.llm.known_accounts import KnownAccounts
from workers.llm.ledger import Ledger
from workers.llm.model import Completion, ModelRequest, PromptMessage
from workers.llm.offers import Offers
from workers.llm.purse import Purse
from workers.llm.records import MemoryRecords
from workers.llm.targets import Price, Route, Target
from workers.runtime.models import provider_for

PATHS = {"openai": "/v1", "openai-responses": "/v1", "anthropic": "", "groq": ""}
QUESTION = ModelRequest(
    messages=(PromptMessage(role="system", text="You are terse."), PromptMessage(role="user", text="design it")),
    reply_schema={"title": "Answer", "type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]},
    max_output_tokens=1_000,
)
PATIENCE = Patience(first_token_s=0.4, idle_s=0.4, in_place_s=3.0)
LONG = Play(text="x" * 200, pieces=8, each_s=0.01)


class Asking:
    """A gateway with targets `one` and `two` of one provider, and what came of a question to it."""

    def __init__(self, fake, provider: str) -> None:
        self.fake, self.budgets = fake, MemoryRecords()
        targets = {
            name: Target(
                name=name,
                provider=provider,
                model=name,
                base_url=f"{fake.url}{PATHS[provider]}",
                api_key_env="KEY",
                price=Price(input=1.0, output=1.0),
            )
            for name in ("one", "two")
        }
        self.environment = {"KEY": "key-of-the-test"}
        catalogue = Catalogue(targets, (Route(name="both", targets=("one",), fallback=("two",)),))
        offers = Offers(catalogue, "one", provider_for, self.environment)
        self.gateway = Gateway(offers, KnownAccounts(MemoryRecords()), Ledger(self.budgets), PATIENCE)

    async def ask(self, asked: str = "one", within_s: float = 10.0) -> Completion | Exception:
        deadline = time.time() + within_s
        call = Call("acme/r1/llm.t.1.1", asked, "architect", "design_system", deadline, budget=Budget(usd=1.0))
        try:
            return await self.gateway.complete(call, QUESTION)
        except (Parked, Interrupted, CannotServe) as error:
            return error
        finally:
            assert time.time() < deadline
            await asyncio.wait_for(self.fake.idle(), 5.0)
            assert Purse.decode(self.budgets.kept["run.acme.r1"]).holds == ()

    @property
    def calls(self) -> list[str]:
        return [heard.model for heard in self.fake.requests]


@pytest.fixture(params=sorted(PATHS))
async def asking(request, fake):
    made = Asking(fake, request.param)
    yield made
    await made.gateway.close()


async def test_an_answer_comes_whole_with_its_usage(asking):
    asking.fake.script(Play(text='{"ok": true}', pieces=5))
    said = await asking.ask()
    assert isinstance(said, Completion)
    assert (said.text, said.stop, said.target, said.estimated) == ('{"ok": true}', "end", "one", False)
    assert (said.input_tokens, said.output_tokens) == asking.fake.billed and said.cost_usd is not None
    assert asking.calls == ["one"]


@pytest.mark.parametrize(("how", "asked_s"), [("seconds", 1.0), ("ms", 1.0), ("date", 3.0)])
async def test_retry_after_is_honoured_and_never_early(asking, how, asked_s):
    """A date has whole seconds, so it may mean up to one second less."""
    asking.fake.script(rate_limited(asked_s, how=how), Play())
    said = await asking.ask()
    first, second = asking.fake.requests
    assert isinstance(said, Completion) and second.at - first.at >= 0.99


async def test_a_rate_limit_without_a_time_is_tried_again_after_a_second(asking):
    asking.fake.script(rate_limited(), Play())
    assert isinstance(await asking.ask(), Completion)
    assert asking.calls == ["one", "one"]


async def test_a_long_retry_after_parks_the_task_and_is_not_called_meanwhile(asking):
    asking.fake.script(rate_limited(90.0), Play())
    outcomes = [await asking.ask(), await asking.ask()]
    assert all(isinstance(outcome, Parked) and outcome.what == "models" for outcome in outcomes)
    assert asking.calls == ["one"]


@pytest.mark.parametrize(
    "play", [rate_limited(90.0), rate_limited(), failing(500), failing(529), failing(503), failing(401)]
)
async def test_another_target_answers_at_once(asking, play):
    asking.fake.script(play, model="one")
    said = await asking.ask("both")
    assert isinstance(said, Completion) and said.target == "two"
    assert asking.calls == ["one", "two"] and [target for target, _, _ in said.tries] == ["one"]


@pytest.mark.parametrize(
    ("fault", "kind"),
    [("drop_before", "disconnected"), ("drop_after_headers", "disconnected"), ("hang_before", "timeout"),
     ("hang_after_headers", "timeout"), ("nonsense", "server_error")],
)  # fmt: skip
async def test_what_breaks_before_the_first_token_goes_to_another_target(asking, fault, kind):
    asking.fake.script(Play(fault=fault), model="one")
    said = await asking.ask("both")
    assert isinstance(said, Completion) and said.target == "two"
    assert asking.calls == ["one", "two"] and said.tries[0][1] in (kind, "disconnected", "server_error")


@pytest.mark.parametrize("fault", ["drop_midway", "hang_midway", "malformed", "end_early", "error_midway"])
async def test_what_breaks_after_the_first_token_is_interrupted(asking, fault):
    asking.fake.script(Play(text="x" * 200, pieces=8, each_s=0.01, fault=fault, after=3), model="one")
    outcome = await asking.ask("both")
    assert isinstance(outcome, Interrupted), outcome
    assert asking.calls == ["one"]


async def test_slow_tokens_are_heard_to_the_end(asking):
    asking.fake.script(Play(text="x" * 50, pieces=5, each_s=0.25))
    said = await asking.ask()
    assert isinstance(said, Completion) and said.text == "x" * 50


async def test_a_target_that_is_down_is_called_three_times_and_then_left_alone(asking):
    asking.fake.default = failing(500)
    outcomes = [await asking.ask() for _ in range(3)]
    assert all(isinstance(outcome, Parked) for outcome in outcomes)
    assert asking.calls == ["one"] * 3


async def test_a_refusal_and_a_truncation_are_told_apart_from_an_end(asking):
    asking.fake.script(refused("I can't help with that."), truncated("only hal"))
    refusal, cut = await asking.ask(), await asking.ask()
    assert isinstance(refusal, Completion) and isinstance(cut, Completion)
    assert (refusal.stop, refusal.text) == ("refusal", "I can't help with that.")
    assert (cut.stop, cut.text) == ("length", "only hal")


async def test_a_request_that_is_wrong_is_sent_once(asking):
    asking.fake.default = failing(400)
    outcome = await asking.ask()
    assert isinstance(outcome, CannotServe), outcome
    assert asking.calls == ["one"]


async def test_no_key_is_in_any_reason(asking):
    key = asking.environment["KEY"]
    asking.fake.default = failing(401, message=f"the key {key} is not valid")
    outcome = await asking.ask()
    assert isinstance(outcome, Parked) and key not in str(outcome)
