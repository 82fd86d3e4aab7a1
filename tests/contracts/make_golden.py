"""Writes the golden payload of every message that has none yet; one that is there is never touched.

    python -m tests.contracts.make_golden

A golden payload is what was once on somebody's bus. It decodes for ever, so it is written once.
"""

import json
import sys
from base64 import b64encode
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel

from contracts.message import Message
from contracts.prompt_facts import subject_of_prompt
from contracts.subjects import PREFIX, subject_of
from contracts.v1 import (
    approvals,
    ballots,
    budgets,
    capsules,
    failures,
    journal,
    plans,
    projects,
    prompts,
    runs,
    tasks,
    timers,
    waits,
)

GOLDEN = Path(__file__).parent / "golden" / "v1"
RUN = {"tenant": "acme", "run": "r42"}

CALL = journal.Call(
    entry="llm.build_api.2.1",
    target="openai:gpt-5",
    prompt="backend_developer/build_module",
    prompt_version="7",
    input_tokens=1_840,
    output_tokens=912,
    cost_usd=0.0193,
)
FREE = CALL.model_copy(update={"entry": "llm.design.1.1", "target": "builtin", "cost_usd": None})
FILE = projects.FileRef(path="shelf/api.py", sha256="1f" * 32, size=4_096)
TEST_FILE = projects.FileRef(path="tests/test_books.py", sha256="2e" * 32, size=0)
REQUIREMENTS = projects.Requirements(
    title="Lending library — Zürich",
    package="library",
    summary="Keeps books and who has borrowed them.",
    records=(
        projects.RecordKind(
            name="book",
            plural="books",
            fields=(
                projects.FieldSpec(name="title", type="text", required=True),
                projects.FieldSpec(name="isbn", type="text", unique=True),
                projects.FieldSpec(name="state", type="choice", choices=("in", "out"), default="in"),
            ),
            links=(projects.Link(name="tags", to="tag", many=True, required=True),),
            filters=("state",),
            search=("title",),
        ),
    ),
    criteria=(
        projects.Criterion(id="AC-1", statement="A book can be created.", topic="create", record="book"),
        projects.Criterion(id="AC-2", statement="The service starts.", topic="other"),
    ),
    constraints=("standard library only",),
)
API = projects.Module(name="api", purpose="HTTP", files=("shelf/api.py",), depends_on=("storage",), interface="serve()")
DESIGN = projects.Design(
    summary="An API over SQLite.",
    package="library",
    modules=(API, projects.Module(name="storage", purpose="SQLite", files=("shelf/storage.py",))),
    endpoints=(
        projects.Endpoint(
            method="POST", path="/books", purpose="create a book", request="a book", response="the book", status=201
        ),
    ),
    tables=(
        projects.Table(name="books", columns=(projects.Column(name="title", type="TEXT", constraints="NOT NULL"),)),
    ),
    decisions=(projects.DesignDecision(decision="SQLite", reason="nothing to install"),),
    start=("python", "-m", "library"),
)
GREEN = projects.Evidence(
    passed=True,
    tests=41,
    skipped=1,
    coverage=93.25,
    output="41 passed",
    level="landlock",
    duration_s=1.5,
    files_digest="3d" * 32,
    junit="4c" * 32,
)
RED = projects.Evidence(
    passed=False,
    tests=41,
    failed=1,
    failures=(projects.CaseFailure(case="tests.test_books::test_create", message="404 != 201"),),
    output="1 failed, 40 passed",
    reason="1 of 41 tests failed",
    level="bubblewrap",
    duration_s=2.25,
    files_digest="5b" * 32,
)
FINDING = projects.Finding(severity="blocking", path="shelf/api.py", message="The page size has no limit.")
PLAN = plans.Plan(
    tasks=(
        plans.PlannedTask(task="design", role="architect", instruction="Keep it small.", deadline_s=600),
        plans.PlannedTask(task="build", role="backend_developer", needs=("design",), each="module"),
    ),
    team=(plans.TeamMember(role="backend_developer", count=2, why="two modules"),),
)


def command(role: str, task: str, attempt: int = 1) -> dict[str, object]:
    """What all commands share."""
    return {**RUN, "role": role, "task": task, "attempt": attempt, "model": "builtin", "instruction": "Keep it small."}


def outcome(task: str, attempt: int = 1) -> dict[str, object]:
    """What all results share."""
    return {**RUN, "task": task, "attempt": attempt, "files": (FILE, TEST_FILE), "calls": (CALL, FREE)}


def examples() -> tuple[BaseModel, ...]:
    """One rich example of every message, of every fact about prompts, and of the dead letter."""
    return (*of_runs(), *of_tasks(), *of_results(), *of_votes(), *of_prompts(), *of_experiments(), *of_the_rest())


def of_runs() -> tuple[Message, ...]:
    return (
        runs.RunRequested(
            **RUN,
            idea="A lending library: books, shelves & „Leser“ 📚",
            model="openai:gpt-5",
            plan=PLAN,
            deadline_s=3_600,
            requested_by="ada@example.org",
        ),
        runs.CancelRequested(**RUN, reason="asked for the wrong thing", requested_by="ada@example.org"),
        runs.RunClosed(
            **RUN,
            status="completed",
            reason="the tests pass",
            failed_task="build_api",
            errors=(runs.FieldError(field="idea", message="must not be empty"),),
            evidence=GREEN,
            evidence_at="result.verify",
            capsule="6a" * 32,
            spent=runs.Spent(calls=9, input_tokens=12_000, output_tokens=8_000, cost_usd=0.75),
        ),
    )


def of_tasks() -> tuple[Message, ...]:
    project = {"requirements": REQUIREMENTS, "design": DESIGN}
    made = tasks.MadeFile(**FILE.model_dump(), task="build_api", attempt=2, calls=(CALL,))
    return (
        tasks.PlanProject(
            **command("project_manager", "plan"),
            idea="A lending library",
            roles=(tasks.RoleBrief(name="architect", purpose="designs"),),
            objections=("the plan has a cycle",),
        ),
        tasks.DesignSystem(**command("architect", "design"), requirements=REQUIREMENTS),
        tasks.BuildModule(**command("backend_developer", "build_api", 2), **project, module=API),
        tasks.WriteTests(**command("test_engineer", "tests"), **project),
        tasks.VerifyProject(**command("sandbox", "verify"), files=(FILE, TEST_FILE)),
        tasks.RepairProject(
            **command("backend_developer", "repair-1"),
            **project,
            files=(FILE,),
            evidence=RED,
            findings=(FINDING,),
            round=2,
        ),
        tasks.ReviewProject(**command("reviewer", "review"), **project, files=(FILE,), evidence=GREEN),
        tasks.PackProject(
            **command("packager", "package"),
            **project,
            idea="A lending library",
            files=(made,),
            evidence=GREEN,
            calls=(CALL, FREE),
            findings=(FINDING,),
        ),
        tasks.PerformTask(
            **command("translator", "translate"),
            idea="A lending library",
            inputs=(tasks.Input(task="design", output="An API over SQLite.", files=(FILE,)),),
        ),
        tasks.CastVote(
            **command("reviewer", "vote-release-1--security"),
            ballot="release-1",
            voter="security",
            persona="security",
            question="Is it fit to be delivered?",
            context="A lending library",
            options=(ballots.Option(option="release", files=(FILE,), evidence=GREEN), ballots.Option(option="repair")),
            rule="score",
            score_max=5,
            signed=True,
        ),
    )


def of_results() -> tuple[Message, ...]:
    return (
        tasks.ProjectPlanned(**outcome("plan"), requirements=REQUIREMENTS, plan=PLAN),
        tasks.DesignProposed(**outcome("design"), design=DESIGN),
        tasks.ModuleBuilt(**outcome("build_api", 2), notes="Pages are limited to 100."),
        tasks.TestsWritten(**outcome("tests"), notes="One test for each criterion."),
        tasks.ProjectVerified(**outcome("verify"), evidence=RED),
        tasks.ProjectRepaired(**outcome("repair-1"), diagnosis="The route was missing."),
        tasks.ProjectReviewed(**outcome("review"), summary="Sound.", findings=(FINDING,)),
        tasks.ProjectPacked(**outcome("package"), capsule="6a" * 32, size=20_480),
        tasks.TaskPerformed(**outcome("translate"), output="Eine Leihbücherei."),
        tasks.BallotAnswered(
            **outcome("vote-release-1--security"),
            ballot="release-1",
            voter="security",
            abstained="It refused.",
        ),
    )


def of_votes() -> tuple[Message, ...]:
    return (
        ballots.BallotOpened(
            **RUN,
            ballot="database",
            question="Which database?",
            options=(ballots.Option(option="sqlite", title="SQLite"), ballots.Option(option="postgres")),
            electorate=("architect-1", "architect-2", "ada"),
            rule="borda",
            quorum=2,
            deadline_s=900,
            tie="status_quo",
            status_quo="sqlite",
        ),
        ballots.VoteCast(**RUN, ballot="database", voter="ada", choice="sqlite", rationale="Nothing to install."),
        ballots.DecisionMade(
            **RUN, ballot="database", option="sqlite", counts={"sqlite": 2, "postgres": 1}, reason="2 of 3"
        ),
        ballots.OutcomeSeen(
            **RUN,
            ballot="database",
            option="sqlite",
            right=True,
            voters_right=("ada", "architect-1"),
            voters_wrong=("architect-2",),
            evidence_at="result.verify-1",
            by="orchestrator",
            reason="28 tests pass",
        ),
        approvals.GateOpened(
            **RUN, gate="release", question="Is it good enough?", subject_task="review", deadline_s=86_400
        ),
        approvals.ApprovalGiven(
            **RUN,
            gate="release",
            verdict="ask_for_changes",
            by="ada@example.org",
            comment="Almost.",
            changes=("Limit the page size.",),
        ),
    )


def of_prompts() -> tuple[BaseModel, ...]:
    design = {"role": "architect", "name": "design", "by": "ada@example.org"}
    content = (
        "---\nname: design\nrole: architect\npurpose: Ask for a design.\ninputs: [idea]\n---\n# user\n\nEntwürfe 📐\n"
    )
    return (
        prompts.VersionPushed(**design, digest="0123456789ab", content=content, note="asks for less"),
        prompts.LabelMoved(**design, n=1, label="live", to="0123456789ab", was="ba9876543210", reason="it won by hand"),
        prompts.ImprovementSet(
            **design,
            n=1,
            on=True,
            metric="tests_green",
            failures=3,
            candidates=4,
            cases=30,
            usd_each=0.25,
            tokens_each=200_000,
            usd=None,
            share=200_000,
            target="openai:gpt-5",
        ),
        prompts.RevisionTried(
            **design,
            n=2,
            tenant="acme",
            run="improve-architect-design-2",
            of="0123456789ab",
            candidate="aaaaaaaaaaaa",
            reason="Replies left the start command out.",
            gate=prompts.GateResult(cases=8, live=5, candidate=7, passed=True, why="7 of 8 went well, 5 before"),
            experiment=3,
            cost_usd=None,
        ),
        prompts.ExampleKept(
            **design,
            id="bbbbbbbbbbbb",
            inputs={"requirements": REQUIREMENTS.model_dump(mode="json"), "objections": []},
            reply={"design": DESIGN.model_dump(mode="json")},
            won=True,
            **RUN,
            task="design",
        ),
        prompts.ExampleDropped(**design, id="bbbbbbbbbbbb", reason="it is out of date"),
        prompts.PromptChosen(
            **RUN,
            task="design",
            template="architect-design",
            attempt=2,
            prompt="architect/design",
            prompt_version="aaaaaaaaaaaa",
            experiment=3,
            epoch=1,
            arm="candidate",
            examples=("bbbbbbbbbbbb",),
        ),
    )


def of_experiments() -> tuple[BaseModel, ...]:
    design = {"role": "architect", "name": "design", "by": "prompt_lab", "k": 3}
    return (
        prompts.ExperimentStarted(
            **design,
            live="0123456789ab",
            candidate="aaaaaaaaaaaa",
            share=200_000,
            metric="tests_green",
            within_s=3_600,
            dearer=None,
            slower=10,
            most=500,
            reason="Replies left the start command out.",
        ),
        prompts.ShareChanged(**design, epoch=1, share=500_000),
        prompts.OutcomeScored(
            **design,
            **RUN,
            task="-",
            epoch=1,
            arm="candidate",
            place=4_711,
            won=None,
            cost=19_300,
            latency=2_210,
            why="nothing came within 3,600 s",
        ),
        prompts.ExperimentEnded(
            **design,
            verdict="rolled_back",
            why="success",
            live=prompts.ArmCount(won=40, lost=2, missing=1),
            candidate=prompts.ArmCount(won=3, lost=9),
            curve=((10, -120_000, 431_000, 0, 0, 12), (55, -900_000, 3_100_000, 0, 0, 15)),
            reason="the candidate does worse",
        ),
    )


def of_the_rest() -> tuple[BaseModel, ...]:
    return (
        failures.TaskFailed(
            **RUN,
            role="backend_developer",
            task="build_api",
            attempt=1,
            error="malformed_reply",
            retry=True,
            reason="modules.0.files: Field required",
            calls=(CALL,),
        ),
        journal.ModelCalled(
            **RUN,
            task="build_api",
            attempt=2,
            n=1,
            role="backend_developer",
            target="openai:gpt-5",
            prompt="backend_developer/build_module",
            prompt_version="7",
            request_sha256="7f" * 32,
            input_tokens=1_840,
            output_tokens=912,
            cost_usd=0.0193,
            latency_ms=2_210.5,
            stop="length",
            completion='{"files": [',
            completion_artifact="80" * 32,
        ),
        waits.TaskWaits(
            **RUN,
            role="backend_developer",
            task="build_api",
            attempt=2,
            n=1,
            what="models",
            reason="openai:gpt-5: overloaded (529)",
            until=datetime(2026, 11, 22, 13, 0, 30, tzinfo=UTC),
        ),
        budgets.BudgetRaised(**RUN, raise_id="b7", usd=5.0, tokens=100_000, raised_by="ada"),
        timers.DeadlinePassed(**RUN, name="task-build_api-2"),
        capsules.CapsulePacked(
            **RUN,
            task="package",
            attempt=1,
            sha256="6a" * 32,
            size=20_480,
            files=12,
            signature=b64encode(bytes(range(64))).decode(),
            public_key="UCPM2WAK6YDK3TSPJPDVSLPKJ2KYU5D7LH6KG4KBZ7GYWVZHIFGQ3TDO",
        ),
        failures.DeadLetter(
            subject="flotilla.acme.r42.result.design",
            payload=b64encode(b"not json").decode(),
            reason="the payload is no JSON",
            worker="orchestrator",
            stream="LOG",
            sequence=17,
            deliveries=1,
        ),
    )


def _subject(example: BaseModel) -> str:
    match example:
        case Message():
            return subject_of(example)
        case prompts.PromptFact():
            return subject_of_prompt(example)
        case failures.DeadLetter():
            return f"{PREFIX}-dead.{example.worker}"
        case _:
            raise TypeError(f"{type(example).__name__} is published under no subject")


def write(directory: Path) -> list[Path]:
    """Write what is missing; returns what was written."""
    written = []
    for example in examples():
        payload = json.loads(example.model_dump_json())
        subject = _subject(example)
        path = directory / f"{payload['kind']}.json"
        if not path.exists():
            golden = {"subject": subject, "payload": payload}
            path.write_text(json.dumps(golden, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
            written.append(path)
    return written


if __name__ == "__main__":
    sys.stdout.writelines(f"{path.name}\n" for path in write(GOLDEN))
