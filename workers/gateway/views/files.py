"""The files of a project, and for each why it is so: who wrote it, when it was repaired and because of what, which
ballots decided on it, and which tests it was run with."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, NamedTuple

from contracts.v1.projects import CaseFailure, FileRef, Finding
from contracts.v1.tasks import BuildModule, DesignProposed, Outcome, ProjectRepaired, ProjectVerified, Task
from workers.gateway.views.facts import RunFacts, Seen, View
from workers.gateway.views.shape import Shape, first_of, shape_of


class PromptUsed(View):
    """A model call that a file came from: its prompt with version, and the target that answered."""

    entry: str
    prompt: str
    prompt_version: str
    target: str
    cost_usd: float | None = None


class WrittenView(View):
    """A time that the file was written. `changed` is whether other content was there before, or none."""

    task: str
    attempt: int
    sequence: int
    at: datetime
    sha256: str
    size: int
    changed: bool


class RepairView(View):
    """A repair that changed the file. `because` names the facts that called for it; `failures` are the first of the
    tests that were red, `red` is how many there were; `findings` are those about this file or about none. `diagnosis`
    is the repairer's."""

    task: str
    attempt: int
    round: int
    at: datetime
    because: tuple[str, ...] = ()
    reason: str = ""
    red: int = 0
    failures: tuple[CaseFailure, ...] = ()
    findings: tuple[Finding, ...] = ()
    diagnosis: str = ""
    before: str | None = None
    after: str = ""


class VoiceView(View):
    """What a voter stood for, and why."""

    voter: str
    options: tuple[str, ...] = ()
    text: str = ""


class DecidedView(View):
    """A ballot that decided on the file: on the design that it is built by, or on the project with this content.

    `answered_by` is the person who decided what the voters could not.
    """

    ballot: str
    about: Literal["design", "files"]
    option: str | None = None
    by: str = ""
    answered_by: str = ""
    reason: str = ""
    votes: tuple[VoiceView, ...] = ()


class TestedView(View):
    """A run of the project's tests with this content of the file. The cases are in the JUnit report, an artifact."""

    __test__ = False

    task: str
    at: datetime
    passed: bool
    tests: int
    failed: int
    coverage: float | None = None
    junit: str | None = None
    level: str = ""


class ReviewedView(View):
    """What a reviewer said about this content of the file."""

    task: str
    finding: Finding


class WhyView(View):
    """Why a file is so. `module` and `purpose` are those of the design's part that it belongs to, if that wrote it."""

    task: str
    attempt: int
    role: str = ""
    asks_for: str = ""
    at: datetime
    module: str = ""
    purpose: str = ""
    instruction: str = ""
    prompts: tuple[PromptUsed, ...] = ()
    written: tuple[WrittenView, ...] = ()
    repairs: tuple[RepairView, ...] = ()
    decided: tuple[DecidedView, ...] = ()
    tests: tuple[TestedView, ...] = ()
    reviews: tuple[ReviewedView, ...] = ()


class FileView(View):
    """A file of the project as it is now. `size` is in bytes; the content is the artifact `sha256`."""

    path: str
    sha256: str
    size: int
    why: WhyView


class Writing(NamedTuple):
    """A result that wrote files, with the command that asked for it."""

    fact: Seen
    outcome: Outcome
    command: Task | None


def writings(state: RunFacts, before: int | None = None) -> list[Writing]:
    """The results that make up the project, in the order in which later ones replace earlier ones; with `before`, only
    those of a lower sequence."""
    shape = shape_of(state)
    made = state.derived("writings", (state.shape,), lambda: _writings(state, shape))
    return [one for one in made if before is None or one.fact.sequence < before]


def _writings(state: RunFacts, shape: Shape) -> list[Writing]:
    found = []
    for fact in state.shape:
        outcome = fact.message
        if isinstance(outcome, Outcome) and outcome.files and _belongs(outcome, shape):
            found.append(Writing(fact, outcome, command_of(state, outcome.task, outcome.attempt)))
    return sorted(found, key=lambda one: shape.in_order_of_writing(one.outcome.task))


def _belongs(outcome: Outcome, shape: Shape) -> bool:
    if isinstance(outcome, DesignProposed):
        return shape.chosen is not None and outcome.task == shape.chosen.task
    planned = outcome.task in shape.planned or first_of(outcome.task, shape.planned) is not None
    return isinstance(outcome, ProjectRepaired) or (planned and not isinstance(outcome, ProjectVerified))


def command_of(state: RunFacts, task: str, attempt: int) -> Task | None:
    """The command of an attempt, or the newest of its task when that can't be found."""
    commands = [fact.message for fact in state.tasks.get(task, ()) if isinstance(fact.message, Task)]
    return next((one for one in commands if one.attempt == attempt), commands[-1] if commands else None)


def files_at(state: RunFacts, before: int | None = None) -> Mapping[str, FileRef]:
    """The project's files by path, sorted; with `before`, as they were at that sequence."""
    files = {file.path: file for one in writings(state, before) for file in one.outcome.files}
    return dict(sorted(files.items()))


def module_of(command: Task | None) -> tuple[str, str]:
    """The name and purpose of the design's part that a command asks for; empty for any other command."""
    return (command.module.name, command.module.purpose) if isinstance(command, BuildModule) else ("", "")
