"""Tasks: the commands to the roles and what comes of them, side by side."""

from typing import Annotated, Literal

from pydantic import Field

from contracts.message import Command, Prose, Result, Token, Value
from contracts.v1.ballots import Option
from contracts.v1.budgets import Budget
from contracts.v1.journal import Call
from contracts.v1.plans import Plan
from contracts.v1.projects import Design, Evidence, FileRef, Finding, Module, Requirements, Sha256
from contracts.v1.runs import TargetName


class RoleBrief(Value):
    """A role that a plan may use."""

    name: Token
    purpose: Prose


class Task(Command):
    """What all commands share. `model` is the target that the run asked for, `budget` what the whole run may spend.

    `deadline_s` is in seconds from the command; it is not counted while the task waits for models or for budget.
    """

    model: TargetName = ""
    instruction: Prose = ""
    budget: Budget | None = None
    deadline_s: Annotated[int, Field(ge=1)] | None = None

    @property
    def wanted_until(self) -> tuple[str, ...]:
        """The name of a fact, as noun and tokens, after which nobody wants this task's result any more; else empty."""
        return ()

    @property
    def committed_by(self) -> tuple[str, ...]:
        """The name of a fact of this task's own with which it has gone too far to be dropped; else empty."""
        return ()


class Outcome(Result):
    """What all results share: files that were written and the journal entries that were used."""

    files: tuple[FileRef, ...] = ()
    calls: tuple[Call, ...] = ()


class PlanProject(Task):
    """Turn the idea into requirements and a plan. `objections` say what was wrong with the plan before."""

    kind: Literal["plan_project"] = "plan_project"
    version: Literal[1] = 1
    idea: str
    roles: tuple[RoleBrief, ...]
    objections: tuple[Prose, ...] = ()


class ProjectPlanned(Outcome):
    """The requirements, and the plan that the orchestrator validates."""

    kind: Literal["project_planned"] = "project_planned"
    version: Literal[1] = 1
    requirements: Requirements
    plan: Plan


class DesignSystem(Task):
    """Turn requirements into a design.

    `objections` are what voters had against the one before. Where several designs are made to choose from, this is
    number `alternative` of `alternatives`.
    """

    kind: Literal["design_system"] = "design_system"
    version: Literal[1] = 1
    requirements: Requirements
    objections: tuple[Prose, ...] = ()
    alternative: Annotated[int, Field(ge=1)] = 1
    alternatives: Annotated[int, Field(ge=1)] = 1


class DesignProposed(Outcome):
    """The design."""

    kind: Literal["design_proposed"] = "design_proposed"
    version: Literal[1] = 1
    design: Design


class BuildModule(Task):
    """Write one module of the design."""

    kind: Literal["build_module"] = "build_module"
    version: Literal[1] = 1
    requirements: Requirements
    design: Design
    module: Module


class ModuleBuilt(Outcome):
    """The files of one module."""

    kind: Literal["module_built"] = "module_built"
    version: Literal[1] = 1
    notes: Prose = ""


class WriteTests(Task):
    """Write tests from the acceptance criteria; the code is not shown."""

    kind: Literal["write_tests"] = "write_tests"
    version: Literal[1] = 1
    requirements: Requirements
    design: Design


class TestsWritten(Outcome):
    """Test files."""

    __test__ = False

    kind: Literal["tests_written"] = "tests_written"
    version: Literal[1] = 1
    notes: Prose = ""


class VerifyProject(Task):
    """Run the project's tests away from the fleet."""

    kind: Literal["verify_project"] = "verify_project"
    version: Literal[1] = 1
    files: tuple[FileRef, ...]


class ProjectVerified(Outcome):
    """What the sandbox saw, red or green."""

    kind: Literal["project_verified"] = "project_verified"
    version: Literal[1] = 1
    evidence: Evidence


class RepairProject(Task):
    """Mend what the evidence or the findings show. `round` counts repairs from 1."""

    kind: Literal["repair_project"] = "repair_project"
    version: Literal[1] = 1
    requirements: Requirements
    design: Design
    files: tuple[FileRef, ...]
    evidence: Evidence | None = None
    findings: tuple[Finding, ...] = ()
    round: int = 1


class ProjectRepaired(Outcome):
    """The files that changed, and what was wrong."""

    kind: Literal["project_repaired"] = "project_repaired"
    version: Literal[1] = 1
    diagnosis: Prose = ""


class ReviewProject(Task):
    """Read the project as a reviewer."""

    kind: Literal["review_project"] = "review_project"
    version: Literal[1] = 1
    requirements: Requirements
    design: Design
    files: tuple[FileRef, ...]
    evidence: Evidence


class ProjectReviewed(Outcome):
    """What was found; a blocking finding causes a repair."""

    kind: Literal["project_reviewed"] = "project_reviewed"
    version: Literal[1] = 1
    summary: Prose = ""
    findings: tuple[Finding, ...] = ()


class CastVote(Task):
    """Answer a ballot as this voter, seen with the eyes of `persona`.

    `options` are those that can win, each content once. `rule` says what the answer is to be (docs/consensus.md), with
    scores from 0 to `score_max`. With `signed` the vote must carry the signature of the voter's key.
    """

    kind: Literal["cast_vote"] = "cast_vote"
    version: Literal[1] = 1
    ballot: Token
    voter: Token
    persona: Token = "generalist"
    question: Prose
    context: Prose = ""
    options: Annotated[tuple[Option, ...], Field(min_length=1, max_length=50)]
    rule: Token = "majority"
    score_max: Annotated[int, Field(ge=1, le=100)] = 10
    signed: bool = False

    @property
    def wanted_until(self) -> tuple[str, ...]:
        return "decision", self.ballot

    @property
    def committed_by(self) -> tuple[str, ...]:
        return "vote", self.ballot, self.voter


class BallotAnswered(Outcome):
    """The vote is in the log. `abstained` says why there was no preference in it."""

    kind: Literal["ballot_answered"] = "ballot_answered"
    version: Literal[1] = 1
    ballot: Token
    voter: Token
    abstained: Prose = ""


class MadeFile(FileRef):
    """A file with what made it: the task and attempt, and the journal entries that it used."""

    task: Token
    attempt: int
    calls: tuple[Call, ...] = ()


class PackProject(Task):
    """Put the files into a signed capsule."""

    kind: Literal["pack_project"] = "pack_project"
    version: Literal[1] = 1
    idea: str
    requirements: Requirements
    design: Design
    files: tuple[MadeFile, ...]
    evidence: Evidence
    calls: tuple[Call, ...] = ()
    findings: tuple[Finding, ...] = ()


class ProjectPacked(Outcome):
    """The capsule is in the artifacts."""

    kind: Literal["project_packed"] = "project_packed"
    version: Literal[1] = 1
    capsule: Sha256
    size: Annotated[int, Field(ge=0)]


class Input(Value):
    """What a task that was needed first had to say."""

    task: Token
    output: Prose = ""
    files: tuple[FileRef, ...] = ()


class PerformTask(Task):
    """A task of a role that has no command of its own: an instruction and what came before."""

    kind: Literal["perform_task"] = "perform_task"
    version: Literal[1] = 1
    idea: str
    inputs: tuple[Input, ...] = ()


class TaskPerformed(Outcome):
    """What a role without a result type of its own reports."""

    kind: Literal["task_performed"] = "task_performed"
    version: Literal[1] = 1
    output: Prose = ""
