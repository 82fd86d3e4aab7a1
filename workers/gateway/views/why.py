"""Why each file of a project is so, worked out from the facts of its run."""

from dataclasses import dataclass
from typing import Any

from contracts.v1.projects import FileRef
from contracts.v1.tasks import Outcome, ProjectReviewed, ProjectVerified, Task
from workers.gateway.views.decided import decided_boxes, decided_by, files_put_to, is_on_design
from workers.gateway.views.facts import RunFacts, Seen
from workers.gateway.views.files import (
    DecidedView,
    FileView,
    PromptUsed,
    RepairView,
    ReviewedView,
    TestedView,
    WhyView,
    Writing,
    WrittenView,
    command_of,
    module_of,
    writings,
)
from workers.gateway.views.repairs import is_repair, repair_of, repairs_in
from workers.gateway.views.shape import shape_of

Content = frozenset[tuple[str, str]]
"""Files as (path, SHA-256)."""

DECIDING = ("ballot.", "decision.", "approval.")


@dataclass(frozen=True)
class Known:
    """What is known of all files at once."""

    writings: tuple[Writing, ...]
    repairs: dict[str, RepairView]
    designs: tuple[DecidedView, ...]
    releases: tuple[tuple[Content, DecidedView], ...]
    tests: tuple[tuple[Content, TestedView], ...]
    reviews: tuple[tuple[Content, ReviewedView], ...]


def files_of(state: RunFacts) -> tuple[FileView, ...]:
    """The files as they are now; made anew only when something came that they follow from."""
    shape, seen = shape_of(state), state.derived("outcomes", (state.shape,), lambda: _looked_at(state))
    decided = tuple(fact for name, fact in state.names.items() if name.startswith(DECIDING))
    return state.derived("files", (shape.planned, shape.chosen, *seen, *decided), lambda: _files(state))


def _looked_at(state: RunFacts) -> tuple[Seen | Task | None, ...]:
    """The results that wrote or judged files, each with its command."""
    results = [(fact, fact.message) for fact in state.shape if isinstance(fact.message, Outcome)]
    judging = ProjectVerified | ProjectReviewed
    seen = [(fact, made) for fact, made in results if made.files or isinstance(made, judging)]
    return tuple(one for fact, made in seen for one in (fact, command_of(state, made.task, made.attempt)))


def _files(state: RunFacts) -> tuple[FileView, ...]:
    shape = shape_of(state)
    made = tuple(writings(state))
    verified = [fact for fact in state.shape if isinstance(fact.message, ProjectVerified)]
    reviewed = [fact for fact in state.shape if isinstance(fact.message, ProjectReviewed)]
    known = Known(
        writings=made,
        repairs={one.outcome.task: repair_of(state, one, verified, reviewed) for one in made if is_repair(one)},
        designs=tuple(decided_by(state, box, "design") for box in decided_boxes(state) if is_on_design(box, shape)),
        releases=tuple(
            (_content(files), decided_by(state, box, "files"))
            for box in decided_boxes(state)
            for files in files_put_to(box)
        ),
        tests=tuple(
            state.derived(f"tested.{one.name}", (one, *_asked(state, one)), lambda one=one: _test(state, one))  # type: ignore[misc]
            for one in verified
        ),
        reviews=tuple((_asked_with(state, fact), one) for fact in reviewed for one in _reviews(state, fact)),
    )
    by_path: dict[str, list[tuple[Writing, FileRef]]] = {}
    for writing in made:
        for file in writing.outcome.files:
            by_path.setdefault(file.path, []).append((writing, file))
    return tuple(_file(state, known, by_path[path]) for path in sorted(by_path))


def _file(state: RunFacts, known: Known, written: list[tuple[Writing, FileRef]]) -> FileView:
    """A file, made anew only when something came that is about this one."""
    last, file = written[-1]
    this = (file.path, file.sha256)
    decided = (
        *(known.designs if hasattr(last.command, "design") else ()),
        *(decided for content, decided in known.releases if this in content),
    )
    tests = tuple(tested for content, tested in known.tests if this in content)
    reviews = tuple(one for content, one in known.reviews if this in content and one.finding.path == file.path)
    repairs = [known.repairs[one.outcome.task] for one, _ in written if one.outcome.task in known.repairs]
    made = [part for one, _ in written for part in (one.fact, one.command)]
    about = {"decided": decided, "tests": tests, "reviews": reviews}
    return state.derived(
        f"file.{file.path}",
        (*made, None, *repairs, None, *decided, None, *tests, None, *reviews),
        lambda: _view_of(known, written, about),
    )


def _view_of(known: Known, written: list[tuple[Writing, FileRef]], about: dict[str, Any]) -> FileView:
    last, file = written[-1]
    module, purpose = next((named for one, _ in reversed(written) if (named := module_of(one.command))[0]), ("", ""))
    why = WhyView(
        task=last.outcome.task,
        attempt=last.outcome.attempt,
        role=last.command.role if last.command else "",
        asks_for=str(getattr(last.command, "kind", "")),
        at=last.fact.at,
        module=module,
        purpose=purpose,
        instruction=last.command.instruction if last.command else "",
        prompts=_prompts(last),
        written=_history(written),
        repairs=repairs_in(known.repairs, written),
        **about,
    )
    return FileView(path=file.path, sha256=file.sha256, size=file.size, why=why)


def _prompts(writing: Writing) -> tuple[PromptUsed, ...]:
    return tuple(
        PromptUsed(
            entry=call.entry,
            prompt=call.prompt,
            prompt_version=call.prompt_version,
            target=call.target,
            cost_usd=call.cost_usd,
        )
        for call in writing.outcome.calls
    )


def _history(written: list[tuple[Writing, FileRef]]) -> tuple[WrittenView, ...]:
    before = [None, *(file.sha256 for _, file in written)]
    return tuple(
        WrittenView(
            task=one.outcome.task,
            attempt=one.outcome.attempt,
            sequence=one.fact.sequence,
            at=one.fact.at,
            sha256=file.sha256,
            size=file.size,
            changed=file.sha256 != was,
        )
        for (one, file), was in zip(written, before, strict=False)
    )


def _content(files: tuple[FileRef, ...]) -> Content:
    return frozenset((file.path, file.sha256) for file in files)


def _asked(state: RunFacts, fact: Seen) -> tuple[Task | None]:
    """The command whose result a fact is."""
    made = fact.message
    return (command_of(state, made.task, made.attempt) if isinstance(made, Outcome) else None,)


def _asked_with(state: RunFacts, fact: Seen) -> Content:
    """The files that a task was asked about."""
    return _content(getattr(_asked(state, fact)[0], "files", ()))


def _test(state: RunFacts, fact: Seen) -> tuple[Content, TestedView]:
    return _asked_with(state, fact), _tested(fact)


def _tested(fact: Seen) -> TestedView:
    assert isinstance(fact.message, ProjectVerified), "only results of verifying are asked"
    seen = fact.message.evidence
    return TestedView(
        task=fact.message.task,
        at=fact.at,
        passed=seen.passed,
        tests=seen.tests,
        failed=seen.failed,
        coverage=seen.coverage,
        junit=seen.junit,
        level=seen.level,
    )


def _reviews(state: RunFacts, fact: Seen) -> tuple[ReviewedView, ...]:
    made = fact.message
    assert isinstance(made, ProjectReviewed), "only results of reviewing are asked"
    return state.derived(
        f"reviewed.{fact.name}",
        (made,),
        lambda: tuple(ReviewedView(task=made.task, finding=finding) for finding in made.findings),
    )
