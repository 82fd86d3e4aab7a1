"""Builds facts of run `r` of tenant `t`, and runs from them."""

from dataclasses import replace

from contracts.subjects import name_of
from contracts.v1.approvals import ApprovalGiven
from contracts.v1.ballots import CountedVote, DecisionMade, voting_task
from contracts.v1.failures import TaskFailed
from contracts.v1.journal import Call
from contracts.v1.plans import Plan, PlannedTask
from contracts.v1.projects import CaseFailure, Criterion, Design, Evidence, FileRef, Finding, Module, Requirements
from contracts.v1.runs import CancelRequested, RunRequested
from contracts.v1.tasks import (
    BuildModule,
    DesignProposed,
    DesignSystem,
    ModuleBuilt,
    PackProject,
    PlanProject,
    ProjectPacked,
    ProjectPlanned,
    ProjectRepaired,
    ProjectReviewed,
    ProjectVerified,
    RepairProject,
    ReviewProject,
    RoleBrief,
    TaskPerformed,
    TestsWritten,
    VerifyProject,
    WriteTests,
)
from contracts.v1.timers import DeadlinePassed
from contracts.v1.waits import TaskWaits
from workers.orchestrator.blueprint import Ballots, Blueprint
from workers.orchestrator.decider import decide
from workers.orchestrator.policy import Policy
from workers.orchestrator.run import Run, fold

IDS = {"tenant": "t", "run": "r"}
ROLES = ("project_manager", "architect", "backend_developer", "test_engineer", "reviewer", "infra_engineer", "writer")
BRIEFS = tuple(RoleBrief(name=name, purpose="work") for name in ROLES)
POLICY = Policy(roles=BRIEFS, blueprint=Blueprint(ballots=Ballots(design=None, release=None)))
"""A fleet whose runs have no ballots."""

VOTING = Policy(roles=BRIEFS, families={"": "builtin", "claude": "anthropic", "gpt": "openai"})
"""A fleet whose runs have the ballots that they have by default."""

THREE = replace(VOTING, blueprint=Blueprint(designs=3))
"""A fleet that makes three designs to choose from."""
SHA = "0" * 64
REQUIREMENTS = Requirements(
    title="Notes", package="notes", summary="", criteria=(Criterion(id="AC-1", statement="a note can be made"),)
)
REPORTS = {
    PlanProject: ProjectPlanned,
    DesignSystem: DesignProposed,
    BuildModule: ModuleBuilt,
    WriteTests: TestsWritten,
    VerifyProject: ProjectVerified,
    ReviewProject: ProjectReviewed,
    RepairProject: ProjectRepaired,
    PackProject: ProjectPacked,
}


def task(name, role="writer", needs=(), **more):
    return PlannedTask(task=name, role=role, needs=tuple(needs), **more)


DESIGN = task("design", "architect")
BUILD = task("build", "backend_developer", ["design"], each="module")
TESTS = task("tests", "test_engineer", ["design"])


def plan(*tasks):
    return Plan(tasks=tasks)


def project_plan(*extra):
    return plan(DESIGN, BUILD, TESTS, *extra)


def request(own=None, **more):
    return RunRequested(**IDS, idea="keep notes", plan=own, **more)


def cancel(reason=""):
    return CancelRequested(**IDS, reason=reason)


def passed(timer):
    return DeadlinePassed(**IDS, name=timer)


def waits(task, attempt=1, n=1, what="models", reason="", role="writer"):
    return TaskWaits(**IDS, role=role, task=task, attempt=attempt, n=n, what=what, reason=reason)


def planned(of=None, name="plan"):
    return ProjectPlanned(**IDS, task=name, requirements=REQUIREMENTS, plan=of or project_plan())


def design(*modules):
    parts = tuple(Module(name=name, purpose="", files=(f"{name[:20]}.py",)) for name in modules)
    return Design(summary="", package="notes", modules=parts)


def proposed(*modules, name="design"):
    return DesignProposed(**IDS, task=name, design=design(*(modules or ("api", "store"))))


def built(name, path=None):
    return ModuleBuilt(**IDS, task=name, files=(file(path or f"{name}.py"),), calls=(call(name),))


def tested(name="tests"):
    return TestsWritten(**IDS, task=name, files=(file("tests/test_it.py"),))


def performed(name, output="done", **more):
    return TaskPerformed(**IDS, task=name, output=output, **more)


def evidence(green, output="", **more):
    given = {"passed": green, "tests": 3, "failed": 0 if green else 1, "level": "landlock", "duration_s": 1.0}
    red = () if green else (CaseFailure(case="test_a_note_is_kept", message="assert 404 == 200"),)
    return Evidence(**{**given, "failures": red, "output": output, "files_digest": SHA, **more})


def verified(n, green, output=""):
    return ProjectVerified(**IDS, task=f"verify-{n}", evidence=evidence(green, output))


def reviewed(n, *severities):
    findings = tuple(Finding(severity=severity, message=f"{severity} thing") for severity in severities)
    return ProjectReviewed(**IDS, task=f"review-{n}", findings=findings)


def repaired(n, digit=None):
    return ProjectRepaired(**IDS, task=f"repair-{n}", files=(file("api.py", digit or str(n)),))


def decided(ballot, option, by="rule", reason="", **stood):
    """`stood` are voters, each with the options that it stands for, joined by blanks."""
    votes = tuple(
        CountedVote(
            voter=voter,
            options=tuple(options.split()),
            text=f"{voter} says why" if options else "",
            task=voting_task(ballot, voter),
        )
        for voter, options in stood.items()
    )
    return DecisionMade(**IDS, ballot=ballot, option=option, by=by, reason=reason, votes=len(votes), counted=votes)


def approved(ballot, verdict="approve", **more):
    return ApprovalGiven(**IDS, gate=ballot, verdict=verdict, by="ann", **more)


def packed(name="package"):
    return ProjectPacked(**IDS, task=name, capsule=SHA, size=1)


def file(path, digit="1"):
    return FileRef(path=path, sha256=digit * 64, size=1)


def call(name, cost=0.5):
    return Call(
        entry=f"llm.{name}.1.1", target="builtin", prompt="p", prompt_version="1",
        input_tokens=10, output_tokens=5, cost_usd=cost,
    )  # fmt: skip


def failed(name, attempt=1, retry=True, reason="no luck", role="writer"):
    error = "transient" if retry else "impossible"
    return TaskFailed(**IDS, role=role, task=name, attempt=attempt, error=error, retry=retry, reason=reason)


def up_to_verify(*modules):
    """What a project has when its parts are written."""
    modules = modules or ("api", "store")
    return [request(), planned(), proposed(*modules), *(built(f"build-{m}") for m in modules), tested()]


def run(*facts):
    return fold(Run("t", "r"), facts)


def said(state, policy=POLICY):
    """What is decided, by name."""
    return {name_of(message): message for message in decide(state, policy).messages}


def end(*facts, policy=POLICY):
    """The close that these facts call for."""
    return said(run(*facts), policy)["run.closed"]


def asking(*facts, policy=POLICY):
    """The run with these facts and with all that it then calls for."""
    state = run(*facts)
    return fold(state, decide(state, policy).messages)
