"""budget, and the budgets that requests carry."""

import json

import pytest

from contracts.codec import decode
from contracts.v1.budgets import Budget, BudgetRaised
from contracts.v1.runs import RunRequested
from contracts.v1.waits import TaskWaits
from workers.llm.ledger import NANOS, day_key, run_key
from workers.llm.purse import Amount, Cap, Purse, reserve, settle, write_off
from workers.llm.records import RecordsUnavailable
from workers.runtime.settings import Settings

IDEA = "Keep track of books"


TWO_DOLLARS = Cap(2 * NANOS, None)


def purse(cap: Cap = TWO_DOLLARS) -> Purse:
    """Spent 0.5, written off 0.25, held 0.75."""
    kept = Purse(cap)
    for name, amount in (
        ("a", Amount(NANOS // 2, 100)),
        ("b", Amount(NANOS // 4, 50)),
        ("c", Amount(3 * NANOS // 4, 7)),
    ):
        kept, done = reserve(kept, name, amount, 1.0)
        assert done
    return write_off(settle(kept, "a", Amount(NANOS // 2, 100)), "b")


def keep(desk, key: str, content: bytes) -> None:
    desk.buckets["budgets"].kept[key] = content


def rows(text: str) -> dict[str, list[str]]:
    """The table's lines by their first word."""
    return {line.split()[0]: line.split()[-2:] for line in text.splitlines() if line.startswith("  ")}


def said(desk) -> list[BudgetRaised]:
    facts = [decode(fact.subject, fact.data) for fact in desk.log.facts]
    return [fact for fact in facts if isinstance(fact, BudgetRaised)]


class TestRequests:
    @pytest.mark.parametrize(
        ("options", "budget"),
        [
            ([], None),
            (["--budget", "2.5"], Budget(usd=2.5)),
            (["--budget", "$0"], Budget(usd=0.0)),
            (["--budget-tokens", "2000"], Budget(tokens=2_000)),
            (["--budget", "1", "--budget-tokens", "9"], Budget(usd=1.0, tokens=9)),
        ],
    )
    def test_a_request_carries_its_budget(self, desk, options, budget):
        assert desk("submit", IDEA, *options).exit_code == 0
        request = decode(desk.log.facts[0].subject, desk.log.facts[0].data)
        assert isinstance(request, RunRequested)
        assert request.budget == budget

    @pytest.mark.parametrize("command", ["run", "submit"])
    @pytest.mark.parametrize("option", ["--budget", "--budget-tokens"])
    @pytest.mark.parametrize("text", ["-1", "nan", "inf", "-inf", "much", "1e99", "5 dollars", "1;2"])
    def test_nonsense_is_refused_with_the_option_and_nothing_is_started(self, desk, command, option, text):
        result = desk(command, IDEA, option, text)
        assert result.exit_code == 2
        assert option in result.stderr
        assert repr(text) in result.stderr
        assert (desk.fleet.servers, desk.log.facts) == ([], [])


class TestShown:
    def test_with_a_record_it_shows_what_the_record_has(self, desk, story):
        desk.tell([story.request(), *story.planning()])
        keep(desk, run_key("default", "r1"), purse().encode())
        result = desk("budget", "r1")
        assert result.exit_code == 0, result.output
        assert result.stdout.splitlines()[0] == "run r1 running"
        found = rows(result.stdout)
        assert found["cap"] == ["no", "limit"]
        assert "$2.00" in result.stdout
        assert (found["spent"], found["held"]) == (["$0.50", "100"], ["$0.75", "7"])
        assert found["written"] == ["$0.25", "50"]
        assert "  left                $0.50         no limit" in result.stdout.splitlines()

    def test_raises_that_the_record_has_not_learnt_of_yet_count_once(self, desk, story):
        raises = [BudgetRaised(**story.ids, raise_id=name, usd=1.5) for name in ("x", "y")]
        desk.tell([story.request(), *raises])
        known = Purse(Cap(NANOS, None), raises=(("x", Amount(3 * NANOS // 2, 0)),))
        keep(desk, run_key("default", "r1"), known.encode())
        shown = json.loads(desk("budget", "r1", "--json").stdout)
        assert (shown["raised"], shown["left"]) == ({"usd": 3.0, "tokens": 0}, {"usd": 4.0, "tokens": None})
        assert [more["raise_id"] for more in shown["raises"]] == ["x", "y"]

    def test_without_a_record_it_goes_by_the_journal_and_the_newest_command(self, desk, story):
        plan, *rest = story.planning()
        told = plan.model_copy(update={"budget": Budget(usd=3.0)})
        desk.tell([story.request(), told, story.call("plan", n=2, cost=0.25), *rest])
        shown = json.loads(desk("budget", "r1", "--json").stdout)
        assert (shown["source"], shown["cap"]) == ("journal", {"usd": 3.0, "tokens": None})
        assert shown["spent"] == {"usd": 0.25, "tokens": 240}
        assert shown["left"] == {"usd": 2.75, "tokens": None}

    def test_before_the_first_command_it_goes_by_the_request_and_the_settings(self, desk, story):
        desk.settings = Settings(run_budget_usd=9.0, run_budget_tokens=500)
        desk.tell([story.request().model_copy(update={"budget": Budget(usd=1.0)})])
        assert json.loads(desk("budget", "r1", "--json").stdout)["cap"] == {"usd": 1.0, "tokens": 500}

    def test_a_call_without_a_price_is_said_to_be_missing(self, desk, story):
        desk.tell([story.request(), story.call("plan", cost=None)])
        assert "the price of some calls is unknown" in desk("budget", "r1").stdout
        assert json.loads(desk("budget", "r1", "--json").stdout)["unpriced"] is True

    def test_an_overdrawn_budget_shows_less_than_nothing(self, desk, story):
        keep(desk, run_key("default", "r1"), Purse(Cap(NANOS, 5), spent=Amount(3 * NANOS, 7)).encode())
        desk.tell([story.request()])
        assert "  left               -$2.00               -2" in desk("budget", "r1").stdout.splitlines()

    def test_what_waits_for_budget_is_listed_with_what_helps(self, desk, story):
        waits = TaskWaits(**story.ids, role="pm", task="plan", attempt=1, n=1, what="budget", reason="it is gone")
        command = story.planning()[0].model_copy(update={"budget": Budget(usd=1.0)})
        desk.tell([story.request(), command, waits])
        lines = desk("budget", "r1").stdout.splitlines()
        assert lines[0] == "run r1 waiting for budget"
        assert lines[1] == "  plan has waited 0.0 s for budget: it is gone"
        assert lines[2] == "  it goes on after `flotilla budget r1 --add 5`"
        assert json.loads(desk("budget", "r1", "--json").stdout)["waits"][0]["reason"] == "it is gone"

    def test_after_a_raise_what_was_said_before_it_is_not_repeated(self, desk, story):
        waits = TaskWaits(**story.ids, role="pm", task="plan", attempt=1, n=1, what="budget", reason="it is gone")
        command = story.planning()[0].model_copy(update={"budget": Budget(usd=1.0)})
        desk.tell([story.request(), command, waits])
        lines = desk("budget", "r1", "--add", "1").stdout.splitlines()
        assert lines[:2] == ["run r1 waiting for budget", "  tasks that wait for budget look again within seconds"]
        assert not any("it is gone" in line for line in lines)

    def test_parts_of_a_cent_are_shown_where_a_call_costs_cents(self, desk, story):
        desk.tell([story.request()])
        keep(desk, run_key("default", "r1"), Purse(Cap(50_000_000, None), spent=Amount(18_430_000, 7)).encode())
        shown = [line.split()[:2] for line in desk("budget", "r1").stdout.splitlines()[2:]]
        assert ["cap", "$0.05"] in shown and ["spent", "$0.0184"] in shown and ["left", "$0.0316"] in shown

    def test_what_is_left_of_the_tenants_day_is_said_beside_it(self, desk, story):
        desk.tell([story.request()])
        keep(desk, "day.default.2026-03-01", purse(Cap(2 * NANOS, 1_000)).encode())
        last = desk("budget", "r1").stdout.splitlines()[-1]
        assert last == "  today, the tenant has $0.50 of $2.00 and 843 of 1,000 tokens left"

    def test_a_run_that_there_is_not_is_told_with_those_that_there_are(self, desk, story):
        desk.tell([story.request()])
        result = desk("budget", "r2")
        assert result.exit_code == 2
        assert "recent runs: r1" in result.stderr

    def test_a_record_that_can_not_be_read_is_named(self, desk, story):
        desk.tell([story.request()])
        keep(desk, run_key("default", "r1"), b"nonsense")
        result = desk("budget", "r1")
        assert result.exit_code == 1
        assert "run.default.r1" in result.stderr
        assert "Traceback" not in result.output

    def test_records_that_can_not_be_reached_are_exit_code_3(self, desk, story):
        class Away:
            async def read(self, key: str) -> bytes | None:
                raise RecordsUnavailable("bucket budgets does not answer")

        desk.tell([story.request()])
        desk.buckets["budgets"] = Away()
        result = desk("budget", "r1")
        assert result.exit_code == 3
        assert "bucket budgets does not answer" in result.stderr
        assert "`flotilla provision`" in result.stderr


class TestRaised:
    def test_a_raise_is_a_fact_and_the_new_state_is_shown(self, desk, story):
        desk.tell([story.request().model_copy(update={"budget": Budget(usd=1.0)})])
        result = desk("budget", "r1", "--add", "5", "--add-tokens", "100")
        assert result.exit_code == 0, result.output
        given = {"raise_id": "made-up", "usd": 5.0, "tokens": 100, "raised_by": "flotilla"}
        assert said(desk) == [BudgetRaised(**story.ids, **given)]
        assert "raise made-up: $5.00 and 100 tokens more" in result.stderr
        assert rows(result.stdout)["raised"] == ["$5.00", "100"]
        assert "$6.00" in result.stdout

    def test_the_same_raise_said_again_counts_once(self, desk, story):
        desk.tell([story.request().model_copy(update={"budget": Budget(usd=1.0)})])
        for _ in range(2):
            result = desk("budget", "r1", "--add", "5", "--raise-id", "mine")
            assert result.exit_code == 0
        assert "was said already" in result.stderr
        assert len(said(desk)) == 1
        assert "$6.00" in result.stdout

    def test_a_raise_id_that_says_something_else_is_refused(self, desk, story):
        desk.tell([story.request(), BudgetRaised(**story.ids, raise_id="mine", usd=1.0)])
        result = desk("budget", "r1", "--add", "5", "--raise-id", "mine")
        assert result.exit_code == 2
        assert "$1.00 more" in result.stderr

    def test_a_run_that_is_over_is_left_alone(self, desk, story):
        desk.tell(story.whole())
        result = desk("budget", "r1", "--add", "5")
        assert result.exit_code == 1
        assert "over already (completed)" in result.stderr
        assert said(desk) == []

    @pytest.mark.parametrize(
        "options",
        [
            ["--add", "-5"], ["--add", "nan"], ["--add", "five"], ["--add", "0"], ["--add-tokens", "1.5"],
            ["--add", "0", "--add-tokens", "0"], ["--add", "5", "--raise-id", "a.b"], ["--raise-id", "x"],
        ],
    )  # fmt: skip
    def test_nonsense_is_exit_code_2_and_nothing_is_said(self, desk, story, options):
        desk.tell([story.request()])
        result = desk("budget", "r1", *options)
        assert result.exit_code == 2, result.output
        assert "Traceback" not in result.output
        assert said(desk) == []


class TestDay:
    def test_a_tenants_day_is_that_of_now_in_utc(self, desk):
        keep(desk, "day.acme.2026-03-01", purse().encode())
        result = desk("budget", "--day", "--tenant", "acme")
        assert result.stdout.splitlines()[0] == "tenant acme on 2026-03-01 (UTC)"
        assert rows(result.stdout)["spent"] == ["$0.50", "100"]
        shown = json.loads(desk("budget", "--day", "--tenant", "acme", "--json").stdout)
        assert (shown["day"], shown["source"], shown["left"]["usd"]) == ("2026-03-01", "record", 0.5)

    def test_the_key_is_that_of_the_ledger(self):
        assert day_key("acme", 1_772_366_400.0) == "day.acme.2026-03-01"

    def test_without_a_record_it_says_why_that_may_be(self, desk):
        desk.settings = Settings(daily_budget_usd=4.0)
        result = desk("budget", "--day")
        assert result.exit_code == 0
        assert "$4.00" in result.stdout
        assert "nothing was spent from it yet" in result.stderr

    @pytest.mark.parametrize("arguments", [[], ["r1", "--day"], ["--day", "--add", "5"], ["--day", "--raise-id", "x"]])
    def test_a_run_or_a_day_and_a_day_has_no_raises(self, desk, arguments):
        assert desk("budget", *arguments).exit_code == 2
