"""Evaluations on a real broker: what is reported, what is refused before anything is spent, how they are broken off."""

import asyncio
import json

import pytest
import pytest_asyncio

from contracts.codec import decode
from contracts.v1.journal import ModelCalled
from contracts.v1.orders import EvaluatePrompt
from contracts.v1.prompts import LabelMoved, VersionPushed
from contracts.v1.runs import RunRequested
from contracts.v1.tasks import PerformTask, PlanProject, TaskPerformed
from workers.llm.calls import CannotServe, Parked
from workers.llm.catalogue import Catalogue
from workers.prompt_lab.bounds import lower_bound
from workers.prompt_lab.cases import recorded
from workers.prompt_lab.evaluating import MOST_REPLAYS, evaluate
from workers.prompt_lab.outputs import LONGEST_DIFF, difference
from workers.prompt_lab.pins import pinned
from workers.prompt_lab.replay import REPLAYS_AT_ONCE
from workers.prompt_lab.report import REPORT, Done, Report, VersionReport, summed, told
from workers.prompt_lab.side_by_side import side_by_side
from workers.prompting.templates import Prompts, compiled_text
from workers.runtime import topology
from workers.runtime.errors import Impossible
from workers.runtime.models import gateway_on
from workers.runtime.roster import briefs, roles
from workers.runtime.toolkit import Toolkit

FILES = Prompts.load()
PLAN = FILES.named("project_manager/plan")
IDEAS = ("Track books (title, ISBN unique, price).", "Keep notes (text).", "Track tools (name, weight) and shelves.")
LAB = PerformTask(tenant="acme", run="lab", role="prompt_lab", task="evaluate", attempt=1, idea="x")
BRIEFER = PLAN.source.file.read_text().replace("# system\n", "# system\n\nBe brief.\n", 1)


class Quiet:
    """Nobody counts these calls."""

    def answered(self, target, completion):
        pass

    def failed(self, failed):
        pass


class Counting:
    """Hands calls on and counts them; `before` is awaited with each."""

    def __init__(self, inner, before=None):
        self.inner, self.before = inner, before
        self.calls, self.now, self.most = [], 0, 0

    async def complete(self, call, request, heard=None):
        self.calls.append(call.name)
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            if self.before is not None:
                await self.before(call)
            return await self.inner.complete(call, request, heard)
        finally:
            self.now -= 1

    async def paid(self, *settled):
        pass

    async def close(self):
        pass


class Lab:
    """A task of the lab on a real broker, with the fleet's prompts."""

    def __init__(self, bus, store, gateway):
        self.bus, self.store, self.caller = bus, store, Counting(gateway)

    def tools(self, task=LAB, **more):
        artifacts, settings = self.bus.artifacts, self.bus.settings
        return Toolkit(
            task, self.bus.log, artifacts, FILES, self.caller, settings=settings, store=self.store, **more
        )  # fmt: skip

    async def record(self, run, idea=IDEAS[0], model="builtin"):
        """A run whose plan the built-in model makes."""
        await self.bus.log.say(RunRequested(tenant="acme", run=run, idea=idea))
        task = PlanProject(
            tenant="acme", run=run, role="project_manager", task="plan", attempt=1, idea=idea,
            roles=briefs(self.bus.settings), model=model,
        )  # fmt: skip
        await self.bus.log.say(task)
        tools = Toolkit(task, self.bus.log, self.bus.artifacts, FILES, self.caller.inner, settings=self.bus.settings)
        role = next(role for role in roles() if role.name == task.role)
        await self.bus.log.say(await role.job_for(task).handle(task, tools))

    async def evaluate(self, *versions, tools=None, **order):
        wanted = EvaluatePrompt(**{"template": "project_manager/plan", "versions": versions, **order})
        self.asked = tools or self.tools()
        return await evaluate(wanted, LAB, self.asked)

    async def report(self, *versions, **order):
        done = await self.evaluate(*versions, **order)
        [file] = done.files
        assert file.path == REPORT
        return Report.model_validate_json(await self.bus.artifacts.get(file.sha256))

    async def push(self, content, label=""):
        version = compiled_text("project_manager", "plan", content).version
        named = {"role": "project_manager", "name": "plan"}
        await self.store.say(VersionPushed(**named, digest=version, content=content))
        if label:
            n = self.store.of("project_manager/plan").next_move
            assert await self.store.say(LabelMoved(**named, n=n, label=label, to=version))
        return version

    async def journal(self, run="lab"):
        stored = await self.bus.log.history("acme", run)
        return [fact for one in stored if isinstance(fact := decode(one.subject, one.data), ModelCalled)]


@pytest_asyncio.fixture
async def lab(bus):
    await topology.provision(bus.js, bus.settings, ())
    for stream in (topology.LOG, topology.PROMPTS):
        await bus.js.purge_stream(stream)
    gateway = gateway_on(bus, bus.settings, Catalogue.load(None), Quiet())
    async with bus.prompt_store(FILES) as store:
        yield Lab(bus, store, gateway)
    await gateway.close()


@pytest_asyncio.fixture
async def three(lab):
    """The lab, with three recorded plans."""
    for n, idea in enumerate(IDEAS):
        await lab.record(f"r{n}", idea)
    return lab


async def test_each_case_is_done_again_with_the_live_version_if_none_is_named(three):
    report = await three.report()
    [version] = report.versions
    assert (version.version, version.asked) == (PLAN.version, "live")
    assert (version.cases, version.successes, version.rate, version.left) == (3, 3, 1.0, 0)
    assert version.bound == lower_bound(3, 3) and version.cost_usd == 0.0 and version.latency_ms is not None
    assert [case.case for case in report.cases] == ["acme/r2/plan", "acme/r1/plan", "acme/r0/plan"]
    assert all(case.recorded == "builtin" and case.done[0].diff == "" for case in report.cases)


async def test_the_result_says_what_was_found_and_cites_every_call(three):
    done = await three.evaluate()
    assert isinstance(done, TaskPerformed)
    assert done.output.splitlines() == [
        "project_manager/plan, 3 cases, judged by valid",
        f"{PLAN.version} (live): 3 of 3 went well, so 36.8% or more (95 % sure), $0.0000",
    ]
    assert [call.entry for call in done.calls] == [name.split("/")[2] for name in three.caller.calls]
    assert [call.prompt for call in done.calls] == ["project_manager/plan"] * 3


async def test_versions_are_compared_on_the_same_cases_with_a_diff_of_what_they_said(three):
    other = await three.push(BRIEFER, label="mine")
    report = await three.report("shipped", "mine", other, cases="last-2")
    assert [(one.version, one.asked, one.cases) for one in report.versions] == [
        (PLAN.version, "shipped", 2),
        (other, "mine", 2),
    ]
    assert {entry.prompt_version for entry in await three.journal()} == {PLAN.version, other}
    assert [[done.version for done in case.done] for case in report.cases] == [[PLAN.version, other]] * 2


async def test_a_target_that_answers_worse_is_seen_with_the_reasons(three):
    report = await three.report(target="builtin:malformed=1.0")
    [version] = report.versions
    assert (version.successes, version.cases, version.bound, report.target) == (0, 3, 0.0, "builtin:malformed=1.0")
    for case in report.cases:
        [done] = case.done
        assert done.calls == 2 and "did not answer" in done.why and done.diff.startswith("--- recorded")


async def test_a_metric_that_replays_can_not_show_is_replaced_and_the_report_says_so(three):
    report = await three.report(metric="votes_won")
    assert (report.metric, report.wanted) == ("valid", "votes_won")
    assert report.notes == ("a replay of project_manager/plan can't be judged by votes won; it was by valid",)


async def test_pinned_cases_are_done_as_those_of_the_log(three):
    cases = await recorded(three.bus.log, three.bus.artifacts, "project_manager/plan", 2)
    digest = await three.bus.artifacts.put(await pinned(cases, three.bus.artifacts))
    await three.bus.js.purge_stream(topology.LOG)
    report = await three.report(cases=digest)
    assert report.source == digest and report.versions[0].successes == 2


async def test_runs_that_came_after_the_evaluation_was_asked_for_do_not_count(three):
    await three.bus.log.say(RunRequested(tenant="acme", run="lab", idea="x"))
    await three.record("later")
    assert [case.case for case in (await three.report()).cases] == ["acme/r2/plan", "acme/r1/plan", "acme/r0/plan"]


async def test_tasks_that_can_not_be_read_are_left_out_and_counted(three):
    await three.bus.log.say(RunRequested(tenant="acme", run="spoiled", idea="x"))
    await three.bus.publisher.publish("flotilla.acme.spoiled.task.project_manager.plan.1", b"{}")
    await three.bus.publisher.publish("flotilla.acme.spoiled.result.plan", b"{}")
    report = await three.report()
    assert len(report.left_out) == 1 and report.left_out[0].startswith("acme/spoiled/plan: ")
    assert report.notes == (f"1 recorded tasks were left out: {report.left_out[0]}",)


@pytest.mark.parametrize(
    ("order", "why"),
    [
        ({"template": "nobody/plan"}, "can't be replayed here"),
        ({"template": "prompt_lab/revise"}, "can't be replayed here"),
        ({"template": "project_manager/other"}, "there is no template 'project_manager/other'; there are architect/"),
        ({"template": "architect/design"}, "no recorded task that can be replayed used architect/design"),
        ({"versions": ("abcdef",)}, "has no version or label 'abcdef'"),
        ({"cases": "a" * 64}, "file of cases can't be read"),
        (
            {"target": "nobody:such"},
            "none of 3 cases says anything of project_manager/plan; the first one: .*nobody:such",
        ),
    ],
)
async def test_an_order_that_can_not_be_done_says_why(three, order, why):
    with pytest.raises(Impossible, match=why):
        await three.evaluate(**order)


async def test_cases_of_another_template_and_files_that_hold_none_are_refused(three):
    cases = await recorded(three.bus.log, three.bus.artifacts, "project_manager/plan", 1)
    digest = await three.bus.artifacts.put(await pinned(cases, three.bus.artifacts))
    with pytest.raises(Impossible, match="the cases are of project_manager/plan, not of architect/design"):
        await three.evaluate(template="architect/design", cases=digest)
    with pytest.raises(Impossible, match="is no JSON"):
        await three.evaluate(cases=await three.bus.artifacts.put(b"nonsense"))
    assert three.caller.calls == []


async def test_more_replays_than_a_result_can_cite_are_refused_before_the_first(three):
    raw = json.loads(
        await pinned(await recorded(three.bus.log, three.bus.artifacts, PLAN.name, 1), three.bus.artifacts)
    )
    text = json.dumps(raw["cases"][0])
    raw["cases"] = [json.loads(text.replace('"r2"', f'"c{n}"').replace(".r2.", f".c{n}.")) for n in range(600)]
    digest = await three.bus.artifacts.put(json.dumps(raw).encode())
    await three.push(BRIEFER, label="mine")
    with pytest.raises(Impossible, match=rf"600 cases with 2 versions are more than the {MOST_REPLAYS:,} replays"):
        await three.evaluate("live", "mine", cases=digest)
    assert three.caller.calls == []


async def test_a_worker_that_reads_no_prompts_of_the_fleet_says_so(three):
    bare = Toolkit(LAB, three.bus.log, three.bus.artifacts, FILES, three.caller, settings=three.bus.settings)
    with pytest.raises(Impossible, match="this worker does not read them"):
        await three.evaluate(tools=bare)


async def test_fifty_cases_are_done_a_few_at_once_and_nothing_that_they_made_is_held(lab):
    for n in range(50):
        await lab.record(f"r{n:02}", IDEAS[n % 3])
    report = await lab.report(cases="last-50")
    assert report.versions[0].cases == report.versions[0].successes == 50
    assert report.versions[0].bound == pytest.approx(0.9418, abs=1e-4)
    assert len(lab.caller.calls) == 50 and lab.caller.most <= REPLAYS_AT_ONCE
    assert [inner.artifacts._kept for inner in lab.asked._replayed] == [{}] * 50


async def test_an_evaluation_that_is_cancelled_asks_nobody_any_more(three):
    begun = asyncio.Event()

    async def hang(call):
        begun.set()
        await asyncio.Event().wait()

    three.caller.before = hang
    evaluation = asyncio.create_task(three.evaluate())
    await asyncio.wait_for(begun.wait(), 5)
    evaluation.cancel()
    with pytest.raises(asyncio.CancelledError):
        await evaluation
    asked = len(three.caller.calls)
    await asyncio.sleep(0)
    assert three.caller.now == 0 and len(three.caller.calls) == asked and await three.journal() == []


async def test_one_that_has_to_wait_lets_the_others_end_and_goes_on_where_it_was(three):
    parked, others = [], asyncio.Event()

    async def park_the_first(call):
        if not parked:
            parked.append(call.name)
            await others.wait()
            raise Parked("models", "busy", call.name, 3.0)
        if len(three.caller.calls) == 3:
            others.set()

    three.caller.before = park_the_first
    with pytest.raises(Parked):
        await three.evaluate()
    done = len(await three.journal())
    assert done == 2, "those that were asked beside it have answered"
    three.caller.calls.clear()
    report = await three.report(tools=three.tools(redelivered=True))
    assert report.versions[0].successes == 3 and len(three.caller.calls) == 1
    assert len(await three.journal()) == 3


async def test_a_redelivery_of_a_whole_evaluation_pays_nothing_and_reports_the_same(three):
    first = await three.evaluate()
    three.caller.calls.clear()
    again = await three.evaluate(tools=three.tools(redelivered=True))
    assert three.caller.calls == []
    assert (again.files, again.output) == (first.files, first.output)


async def test_a_case_whose_target_is_gone_is_counted_by_no_version(three):
    async def refuse(call):
        if len(three.caller.calls) == 1:
            raise CannotServe("there is no target builtin")

    three.caller.before = refuse
    report = await three.report()
    assert (report.versions[0].cases, report.versions[0].left) == (2, 1)
    assert "1 could not be judged" in told(report)


async def test_the_first_error_is_raised_once_what_has_begun_has_ended():
    ended = []

    async def work(n):
        await asyncio.sleep(0)
        if n == 1:
            raise KeyError("first")
        await asyncio.sleep(0.01)
        ended.append(n)
        return n

    with pytest.raises(KeyError, match="first"):
        await side_by_side(range(50), work, at_once=3)
    assert sorted(ended) == [0, 2]


async def test_what_comes_of_values_is_in_their_order():
    async def work(n):
        await asyncio.sleep((n * 7 % 5) / 1_000)
        return n * n

    assert await side_by_side(range(20), work) == [n * n for n in range(20)]
    assert await side_by_side([], work) == []


def done(success, cost=0.5, latency=10.0):
    return Done(version="a" * 12, success=success, cost_usd=cost, latency_ms=latency)


def test_a_version_is_summed_up_over_the_cases_that_could_be_judged():
    summary = summed("a" * 12, "live", [done(True), done(False, latency=30.0), done(None, latency=999.0)])
    assert (summary.cases, summary.successes, summary.left, summary.rate) == (2, 1, 1, 0.5)
    assert (summary.cost_usd, summary.latency_ms) == (1.5, 20.0)


def test_a_price_that_is_not_known_makes_the_cost_unknown():
    assert summed("a" * 12, "", [done(True), done(True, cost=None)]).cost_usd is None


def test_without_a_case_there_is_no_rate_and_nothing_is_sure():
    summary = summed("a" * 12, "", [done(None, latency=None)])
    assert (summary.rate, summary.bound, summary.latency_ms) == (None, 0.0, None)
    report = Report(
        template="a/b", metric="valid", wanted="valid", source="last-1", versions=(summary,), cases=()
    )  # fmt: skip
    assert "no case could be judged" in told(report)


def test_a_newer_report_is_read_by_what_is_known_of_it():
    summary = VersionReport(version="a", cases=0, successes=0, rate=None, bound=0.0, cost_usd=None, latency_ms=None)
    assert VersionReport.model_validate({**summary.model_dump(), "new": 1}) == summary


def test_a_diff_shows_what_changed_and_has_an_end():
    assert difference("a\nb", "a\nb", ("x", "y")) == ""
    assert difference("a\nb", "a\nc", ("x", "y")).splitlines() == [
        "--- x",
        "+++ y",
        "@@ -1,2 +1,2 @@",
        " a",
        "-b",
        "+c",
    ]
    long = difference("\n".join(map(str, range(5_000))), "", ("x", "y"))
    assert len(long) == LONGEST_DIFF + 2 and long.endswith("…")
