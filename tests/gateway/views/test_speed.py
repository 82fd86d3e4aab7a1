"""How long it takes to look at a run of 300 facts, all of them at once and one more at a time.

A page is made anew at each fact, for each run that somebody looks at, so these are promises: 20 ms and 1 ms. What is
measured is processor time, and the best of some rounds counts, because the machine may be busy with something else.
"""

from statistics import median
from time import thread_time

import pytest

from contracts.v1.ballots import BallotOpened, DecisionMade, Option, Panelist, VoteCast, voting_task
from contracts.v1.plans import Plan, PlannedTask
from contracts.v1.runs import RunRequested
from contracts.v1.tasks import (
    BallotAnswered,
    BuildModule,
    CastVote,
    DesignProposed,
    DesignSystem,
    ModuleBuilt,
    PlanProject,
    ProjectPlanned,
    ProjectRepaired,
    ProjectVerified,
    RepairProject,
    VerifyProject,
)
from workers.gateway.views import runs
from workers.gateway.views.facts import RunFacts, fold, take
from workers.gateway.views.run import view

IDS = {"tenant": "acme", "run": "r"}
MODULES = [f"m{n}" for n in range(30)]
OPTIONS = (Option(option="design"), Option(option="revise"))
VOTERS = [f"v{n}" for n in range(12)]


def _planning(make, design):
    build = PlannedTask(task="build", role="backend_developer", each="module", needs=("design",))
    plan = Plan(tasks=(PlannedTask(task="design", role="architect"), build))
    return [
        RunRequested(**IDS, idea="write"),
        PlanProject(**IDS, role="project_manager", task="plan", idea="write", roles=()),
        make.call("plan"),
        ProjectPlanned(**IDS, task="plan", requirements=make.requirements, plan=plan),
        DesignSystem(**IDS, role="architect", task="design", requirements=make.requirements),
        make.call("design"),
        DesignProposed(**IDS, task="design", design=design),
    ]


def _voting(make, ballot, options):
    panel = tuple(Panelist(voter=voter) for voter in VOTERS)
    said = [BallotOpened(
        **IDS, ballot=ballot, question="?", options=options, electorate=tuple(VOTERS), panel=panel, quorum=12,
    )]  # fmt: skip
    for voter in VOTERS:
        asked = {**IDS, "task": voting_task(ballot, voter), "ballot": ballot, "voter": voter}
        said += [
            CastVote(**asked, role="reviewer", question="?", options=options), make.call(asked["task"]),
            VoteCast(**IDS, ballot=ballot, voter=voter, choice=options[0].option, rationale="It is good."),
            BallotAnswered(**asked),
        ]  # fmt: skip
    return [*said, DecisionMade(**IDS, ballot=ballot, option=options[0].option, votes=12)]


def _building(make, design):
    said = []
    for module in design.modules:
        name = f"build-{module.name}"
        given = {"requirements": make.requirements, "design": design, "module": module}
        call = make.call(name, n=2)
        files = (make.file(module.files[0]),)
        said += [
            BuildModule(**IDS, role="backend_developer", task=name, **given), make.call(name), call,
            ModuleBuilt(**IDS, task=name, files=files, calls=(call.cited(),)),
        ]  # fmt: skip
    return said


def _mending(make, design, n):
    files = tuple(make.file(module.files[0], str(n)) for module in design.modules)
    red = make.evidence(False)
    given = {"requirements": make.requirements, "design": design, "files": files, "evidence": red, "round": n}
    return [
        VerifyProject(**IDS, role="sandbox", task=f"verify-{n}", files=files),
        ProjectVerified(**IDS, task=f"verify-{n}", evidence=red),
        RepairProject(**IDS, role="backend_developer", task=f"repair-{n}", **given),
        make.call(f"repair-{n}"),
        ProjectRepaired(**IDS, task=f"repair-{n}", files=(make.file(files[0].path, str(n + 1)),)),
    ]


@pytest.fixture(scope="module")
def long(make):
    design = make.design(*MODULES)
    release = (Option(option="release", files=tuple(make.file(f"notes/{n}.py", "4") for n in MODULES)), OPTIONS[1])
    said = [
        *_planning(make, design), *_voting(make, "design", OPTIONS), *_building(make, design),
        *(fact for n in (1, 2, 3, 4) for fact in _mending(make, design, n)),
        *_voting(make, "release", release), *(make.call("later", n) for n in range(1, 54)),
    ]  # fmt: skip
    assert len(said) == 300
    return make.facts(*said)


def _at_once(facts):
    began = thread_time()
    seen = view(fold(RunFacts("acme", "r"), facts))
    return thread_time() - began, seen


def _one_by_one(facts):
    state, took = RunFacts("acme", "r"), []
    for fact in facts:
        began = thread_time()
        state = take(state, fact)
        view(state)
        took.append(thread_time() - began)
    return took


def test_a_run_of_300_facts_is_viewed_within_20_ms(long, record_property):
    took = [_at_once(long)[0] for _ in range(10)]
    record_property("best_ms", round(min(took) * 1e3, 2))
    print(f"\n300 facts at once: best {min(took) * 1e3:.1f} ms, median {median(took) * 1e3:.1f} ms")
    assert min(took) < 0.020


def test_one_more_fact_is_viewed_within_a_millisecond(long, record_property):
    rounds = [_one_by_one(long) for _ in range(6)]
    best = sorted(min(times) for times in zip(*rounds, strict=True))
    record_property("median_ms", round(median(best) * 1e3, 3))
    print(
        f"\none more: median {median(best) * 1e3:.2f} ms, p95 {best[285] * 1e3:.2f} ms, worst {best[-1] * 1e3:.2f} ms"
    )
    assert median(best) < 0.001 and best[285] < 0.002


def test_one_more_fact_in_the_list_of_runs_costs_next_to_nothing(long):
    known = runs.fold({}, [runs.Named("acme", f"r{n}", fact) for n in range(200) for fact in long[:3]])
    took = []
    for fact in long:
        began = thread_time()
        known = runs.take(known, runs.Named("acme", "r7", fact))
        took.append(thread_time() - began)
    assert median(took) < 0.001
