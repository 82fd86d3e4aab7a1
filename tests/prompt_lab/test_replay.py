"""Recorded tasks are done again by the roles' code: with the built-in model over a real gateway, and with scripts."""

import json
from hashlib import sha256

import pytest
import pytest_asyncio

from contracts.codec import decode
from contracts.v1.ballots import Option
from contracts.v1.failures import TaskFailed
from contracts.v1.journal import Call
from contracts.v1.projects import FileRef
from contracts.v1.runs import RunRequested
from contracts.v1.tasks import (
    BallotAnswered,
    BuildModule,
    CastVote,
    DesignSystem,
    PerformTask,
    PlanProject,
    ProjectReviewed,
    RepairProject,
    ReviewProject,
    VerifyProject,
    WriteTests,
)
from workers.llm.calls import CannotServe, Parked
from workers.llm.catalogue import Catalogue
from workers.llm.model import Completion
from workers.prompt_lab.cases import Case, recorded
from workers.prompt_lab.replay import Passing, Replayer, Unheard, judged_by, project_with, role_of
from workers.prompting.templates import Prompts, compiled_text
from workers.runtime import topology
from workers.runtime.errors import BusUnavailable, Impossible
from workers.runtime.models import gateway_on
from workers.runtime.ports import ArtifactMissing
from workers.runtime.roster import briefs, roles
from workers.runtime.settings import SandboxSettings
from workers.runtime.toolkit import Toolkit

IDEA = "Track books (title, ISBN unique, price)."
FILES = Prompts.load()
LAB = PerformTask(tenant="acme", run="lab", role="prompt_lab", task="evaluate", attempt=1, idea="x", model="builtin")


class Quiet:
    """Nobody counts these calls."""

    def answered(self, target, completion):
        pass

    def failed(self, failed):
        pass


class Lab:
    """A task of the lab on a real broker; `perform` records a task as its worker would."""

    def __init__(self, bus, settings, gateway):
        self.bus, self.settings, self.gateway = bus, settings, gateway
        self.tools = self.toolkit(LAB)

    def toolkit(self, task, caller=None, **more):
        artifacts, asking = self.bus.artifacts, caller or self.gateway
        return Toolkit(task, self.bus.log, artifacts, FILES, asking, settings=self.settings, **more)

    async def perform(self, task):
        tools = self.toolkit(task)
        role = next(role for role in roles() if role.name == task.role)
        await self.bus.log.say(task)
        outcome = await role.job_for(task).handle(task, tools)
        for fact in (*tools.first, outcome):
            await self.bus.log.say(fact)
        return outcome

    async def case(self, template):
        [case] = await recorded(self.bus.log, self.bus.artifacts, template, 1)
        return case

    async def replay(self, case, prompt=None, **more):
        return await Replayer(LAB, self.tools, **more).replay(case, prompt or FILES.named(case.template))

    async def names(self, run):
        start = len(f"flotilla.acme.{run}.")
        return [stored.subject[start:] for stored in await self.bus.log.history("acme", run)]


@pytest_asyncio.fixture
async def lab(bus):
    await topology.provision(bus.js, bus.settings, ())
    await bus.js.purge_stream(topology.LOG)
    settings = bus.settings.model_copy(update={"sandbox": SandboxSettings(minimum="none")})
    gateway = gateway_on(bus, settings, Catalogue.load(None), Quiet())
    yield Lab(bus, settings, gateway)
    await gateway.close()


@pytest_asyncio.fixture
async def planned(lab):
    """A run whose plan was made by the built-in model."""
    await lab.bus.log.say(RunRequested(tenant="acme", run="r1", idea=IDEA))
    return await lab.perform(
        PlanProject(**named("project_manager", "plan"), idea=IDEA, roles=briefs(lab.settings), model="builtin")
    )


def named(role, task, run="r1"):
    return {"tenant": "acme", "run": run, "role": role, "task": task, "attempt": 1}


async def test_a_recorded_task_is_done_again_and_only_its_calls_are_in_the_log(lab, planned):
    await lab.perform(DesignSystem(**named("architect", "design"), requirements=planned.requirements, model="builtin"))
    case, before = await lab.case("architect/design"), await lab.names("r1")
    replayed = await lab.replay(case)
    done = replayed.done
    assert (done.success, done.why, done.calls, done.target, done.cost_usd) == (True, "", 1, "builtin", 0.0)
    assert done.input_tokens > 100 and done.latency_ms is not None
    assert json.loads(replayed.output)["design"]["package"] == planned.requirements.package
    assert await lab.names("r1") == before
    assert await lab.names("lab") == [f"llm.evaluate-{case.token}-{FILES.named('architect/design').version}.1.1"]
    assert [call.prompt for call in lab.tools.calls] == ["architect/design"]


async def test_a_redelivery_finds_the_answers_in_the_journal(lab, planned):
    case = await lab.case("project_manager/plan")
    first = await lab.replay(case)
    again = lab.toolkit(LAB, Scripted(), redelivered=True)
    second = await Replayer(LAB, again).replay(case, FILES.named("project_manager/plan"))
    assert second == first and second.done.success


async def test_another_target_answers_if_one_is_named(lab, planned):
    case = await lab.case("project_manager/plan")
    replayed = await lab.replay(case, target="builtin:malformed=1.0")
    assert replayed.done.success is False and replayed.done.target == "builtin:malformed=1.0"
    assert "did not answer project_manager/plan" in replayed.done.why and replayed.done.calls == 2
    assert replayed.output.startswith("(")


async def test_another_version_is_asked_with_its_own_words(lab, planned):
    content = FILES.named("project_manager/plan").source
    text = (content.file).read_text().replace("# system\n", "# system\n\nBe brief.\n", 1)
    other = compiled_text("project_manager", "plan", text)
    replayed = await lab.replay(await lab.case("project_manager/plan"), other)
    [call] = lab.tools.calls
    assert (replayed.done.version, call.prompt_version) == (other.version, other.version)
    assert other.version != FILES.named("project_manager/plan").version


async def test_a_version_that_does_not_take_what_the_role_gives_fails_without_a_call(lab, planned):
    other = compiled_text("project_manager", "plan", BARE.format(role="project_manager", name="plan"))
    done = (await lab.replay(await lab.case("project_manager/plan"), other)).done
    assert (done.success, done.calls) == (False, 0) and "idea" in done.why


BARE = """---
name: {name}
role: {role}
purpose: Ask for nothing.
inputs: []
---
# system

Say nothing.

# user

Now.
"""


class Scripted:
    """Says one text after the other, or raises what stands in its place. `calls` are what it was asked."""

    def __init__(self, *script):
        self.script, self.calls = list(script), []

    async def complete(self, call, request, heard=None):
        self.calls.append(call)
        step = self.script.pop(0)
        if isinstance(step, BaseException):
            raise step
        return step if isinstance(step, Completion) else Completion(step, 10, 5, cost_usd=None, target="scripted")

    async def paid(self, *settled):
        pass

    async def close(self):
        pass


REFUSED = Completion(text="no", target="scripted", stop="refusal", input_tokens=3, output_tokens=1)
VOTE = CastVote(
    **named("reviewer", "vote-1"), ballot="b1", voter="v1", persona="security", question="Is it any good?",
    options=(Option(option="yes", title="Yes"), Option(option="no", title="No")), model="gone:model",
)  # fmt: skip
VOTED = Call(
    entry="llm.vote-1.1.1", target="gone:model", prompt="reviewer/vote:security", prompt_version="a" * 12,
    input_tokens=1, output_tokens=1, cost_usd=0.0,
)  # fmt: skip
ANSWERED = BallotAnswered(tenant="acme", run="r1", task="vote-1", ballot="b1", voter="v1", calls=(VOTED,))
BALLOT = Case("reviewer/vote", VOTE, ANSWERED)
CHOSEN = json.dumps({"choice": "yes", "rationale": "It works."})


async def replayed_by(lab, case, *script, prompt=None, **more):
    """The replay with a model that has a script, and that model."""
    model = Scripted(*script)
    replayer = Replayer(LAB, lab.toolkit(LAB, model), **more)
    return await replayer.replay(case, prompt or FILES.named(case.template)), model


async def test_a_vote_that_is_replayed_is_not_cast(lab):
    replayed, model = await replayed_by(lab, BALLOT, CHOSEN)
    assert replayed.done.success is True and '"choice": "yes"' in replayed.output
    assert [call.asked for call in model.calls] == ["gone:model"]
    assert [name.partition(".")[0] for name in await lab.names("lab")] == ["llm"] and await lab.names("r1") == []


async def test_a_role_can_not_say_anything_in_a_replay_and_can_read(lab):
    await lab.bus.log.say(VOTE)
    unheard = Unheard(lab.bus.log)
    with pytest.raises(Impossible, match=r"result\.vote-1 is not said in a replay"):
        await unheard.say(ANSWERED)
    assert await unheard.find("flotilla.acme.r1.task.reviewer.vote-1.1") and len(await lab.names("r1")) == 1


async def test_a_persona_sees_the_version_with_its_own_eyes(lab):
    await replayed_by(lab, BALLOT, CHOSEN)
    [stored] = await lab.bus.log.history("acme", "lab")
    entry = decode(stored.subject, stored.data)
    assert entry.prompt == "reviewer/vote:security"
    assert entry.prompt_version == FILES.named("reviewer/vote:security").version


async def test_nothing_that_tells_whose_it_is_gets_into_an_output(lab):
    case = Case("reviewer/vote", VOTE.model_copy(update={"run": "elsewhere", "voter": "somebody"}), ANSWERED)
    replayed, _ = await replayed_by(lab, case, CHOSEN)
    assert "elsewhere" not in replayed.output and "somebody" not in replayed.output


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ([REFUSED, CannotServe("there is no other")], "a model refused"),
        (["{}", CHOSEN], "did not fit at the first try; it took 2 answers"),
        (["{}", "{}"], "did not fit at the first try"),
    ],
)
async def test_a_refusal_and_a_repair_turn_are_no_success_although_the_voter_abstains_or_votes(lab, script, why):
    replayed, _ = await replayed_by(lab, BALLOT, *script)
    assert replayed.done.success is False and why in replayed.done.why


async def test_a_call_without_a_price_makes_the_cost_unknown(lab):
    replayed, _ = await replayed_by(lab, BALLOT, CHOSEN)
    assert replayed.done.cost_usd is None


async def test_a_target_that_can_not_be_asked_says_nothing_of_the_version(lab):
    replayed, _ = await replayed_by(lab, BALLOT, CannotServe("there is no target gone:model"))
    assert replayed.done.success is None and "there is no target gone:model" in replayed.done.why


async def test_a_template_that_the_task_did_not_use_is_not_judged(lab):
    replayed, _ = await replayed_by(lab, Case("reviewer/review", VOTE, ANSWERED), CHOSEN)
    assert (replayed.done.success, replayed.done.why) == (None, "the task did not ask reviewer/review")


async def test_a_role_that_knows_no_such_command_says_nothing_of_the_version(lab):
    replayed, _ = await replayed_by(lab, Case("architect/design", VOTE, ANSWERED))
    assert replayed.done.success is None and "can't do a CastVote" in replayed.done.why


REVIEW = ReviewProject(
    **named("reviewer", "review-1"),
    requirements={"title": "x", "package": "x", "summary": "", "criteria": [{"id": "AC-1", "statement": "x"}]},
    design={"summary": "x", "package": "x", "modules": [{"name": "a", "purpose": "x", "files": ["a.py"]}]},
    files=(FileRef(path="a.py", sha256="a" * 64, size=1),),
    evidence={"passed": True, "tests": 1, "level": "none", "duration_s": 1.0, "files_digest": "a" * 64},
)
REVIEWED = ProjectReviewed(tenant="acme", run="r1", task="review-1", calls=(VOTED,))


async def test_a_case_whose_files_are_gone_says_nothing_of_the_version(lab):
    replayed, model = await replayed_by(lab, Case("reviewer/review", REVIEW, REVIEWED))
    assert replayed.done.success is None and "can't be done any more" in replayed.done.why and model.calls == []


async def test_a_refused_review_is_a_failure_and_not_the_end_of_the_replays(lab):
    content = b"print()"
    digest = sha256(content).hexdigest()
    task = REVIEW.model_copy(update={"files": (FileRef(path="a.py", sha256=digest, size=7),)})
    script = [REFUSED, CannotServe("there is no other")]
    replayed, _ = await replayed_by(lab, Case("reviewer/review", task, REVIEWED), *script, given={digest: content})
    assert replayed.done.success is False and "refused to answer reviewer/review" in replayed.done.why
    assert replayed.done.calls == 1


@pytest.mark.parametrize("error", [Parked("models", "busy", "llm.evaluate-x.1.1", 3.0), BusUnavailable("away")])
async def test_what_passes_by_itself_is_left_to_whoever_hands_the_task_out(lab, error):
    with pytest.raises(type(error)):
        await replayed_by(lab, BALLOT, error)


async def test_code_that_crashes_on_an_old_case_says_nothing_of_the_version(lab):
    replayed, _ = await replayed_by(lab, BALLOT, ZeroDivisionError("x"))
    assert replayed.done.success is None and "crashed: ZeroDivisionError: x" in replayed.done.why


def test_roles_that_do_more_than_answer_are_not_replayed():
    assert role_of("architect/design").name == "architect"
    for template in ("prompt_lab/revise", "sandbox/x", "packager/x", "nobody/x"):
        with pytest.raises(Impossible, match="can't be replayed here; those of architect, "):
            role_of(template)


async def test_a_task_whose_name_leaves_no_room_for_its_calls_is_refused(lab):
    with pytest.raises(Impossible, match="at most 40 characters"):
        Replayer(LAB.model_copy(update={"task": "t" * 41}), lab.tools)
    long = Replayer(
        LAB.model_copy(update={"task": "t" * 40}),
        lab.toolkit(LAB.model_copy(update={"task": "t" * 40}), Scripted(CHOSEN)),
    )
    assert (await long.replay(BALLOT, FILES.named("reviewer/vote"))).done.success


# With the tests of the run


async def record_project(lab, planned):
    """The rest of the run, until its tests have passed."""
    asked = {"requirements": planned.requirements, "model": "builtin"}
    design = (await lab.perform(DesignSystem(**named("architect", "design"), **asked))).design
    files = {}
    for module in design.modules:
        task = BuildModule(**named("backend_developer", f"build-{module.name}"), **asked, design=design, module=module)
        files |= {file.path: file for file in (await lab.perform(task)).files}
    tests = await lab.perform(WriteTests(**named("test_engineer", "tests"), **asked, design=design))
    files |= {file.path: file for file in tests.files}
    verify = VerifyProject(**named("sandbox", "verify-1"), files=tuple(files.values()))
    assert (await lab.perform(verify)).evidence.passed


async def test_modules_are_judged_by_the_tests_of_their_run(lab, planned):
    await record_project(lab, planned)
    cases = await recorded(lab.bus.log, lab.bus.artifacts, "backend_developer/module", 20)
    [case] = [case for case in cases if case.task.task == "build-storage"]
    kept = await lab.bus.js.object_store(topology.ARTIFACTS)
    before = len(await kept.list())
    good = await lab.replay(case, metric="tests_green")
    bad = await lab.replay(case, metric="tests_green", target="builtin:wrong_code=1.0")
    assert good.done.success is True and good.done.why == ""
    assert bad.done.success is False and bad.done.why
    assert "=== " in good.output and good.output != bad.output
    assert len(await kept.list()) == before, "what a replay makes is not kept"


async def test_a_module_of_a_run_that_never_passed_can_not_be_judged_by_tests(lab, planned):
    await record_project(lab, planned)
    case = await lab.case("test_engineer/tests")
    bare = Case(case.template, case.task, case.end)
    done = (await lab.replay(bare, metric="tests_green")).done
    assert done.success is None and "no project whose tests passed" in done.why


def file(path, content="a"):
    return FileRef(path=path, sha256=content * 64, size=1)


def test_new_files_take_the_place_of_those_that_the_task_wrote():
    project = (file("a.py"), file("b.py"), file("c.py"))
    end = REVIEWED.model_copy(update={"files": (file("a.py"), file("b.py"))})
    case = Case("backend_developer/module", REVIEW, end, project)
    assert project_with(case, (file("a.py", "b"),)) == (file("c.py"), file("a.py", "b"))


def test_a_repair_changes_only_what_it_writes():
    task = RepairProject(
        **named("backend_developer", "repair-1"), requirements=REVIEW.requirements, design=REVIEW.design, files=()
    )
    end = REVIEWED.model_copy(update={"files": (file("a.py"), file("b.py"))})
    case = Case("backend_developer/repair", task, end, (file("a.py"), file("b.py")))
    assert project_with(case, (file("a.py", "b"),)) == (file("a.py", "b"), file("b.py"))
    failed = TaskFailed(**named("x", "x"), error="malformed_reply", retry=False, reason="x")
    assert project_with(Case("x/y", REVIEW, failed, (file("a.py"),)), (file("b.py"),)) == (file("a.py"), file("b.py"))


@pytest.mark.parametrize(
    ("metric", "template", "by"),
    [
        ("valid", "backend_developer/module", "valid"),
        ("tests_green", "backend_developer/module", "tests_green"),
        ("tests_green", "test_engineer/tests", "tests_green"),
        ("tests_green", "architect/design", "valid"),
        ("votes_won", "architect/design", "valid"),
        ("cost", "backend_developer/repair", "valid"),
    ],
)
def test_what_only_a_whole_run_shows_is_not_what_a_replay_is_judged_by(metric, template, by):
    assert judged_by(metric, template) == by


async def test_what_a_replay_keeps_is_forgotten_and_what_is_below_stays(lab):
    below = await lab.bus.artifacts.put(b"below")
    passing = Passing(lab.bus.artifacts, {"b" * 64: b"given"})
    digest = await passing.put(b"mine")
    assert [await passing.get(one) for one in (below, "b" * 64, digest)] == [b"below", b"given", b"mine"]
    passing.drop()
    with pytest.raises(ArtifactMissing):
        await passing.get(digest)
