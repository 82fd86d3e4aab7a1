"""A project whose parts are all written: verified, reviewed, released or repaired in rounds, and packed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from contracts.v1.projects import Design, Evidence, FileRef, Finding, Requirements
from contracts.v1.runs import RunRequested
from contracts.v1.tasks import (
    MadeFile,
    Outcome,
    PackProject,
    ProjectPacked,
    ProjectRepaired,
    ProjectReviewed,
    ProjectVerified,
    RepairProject,
    ReviewProject,
    Task,
    VerifyProject,
)
from workers.orchestrator import ballots, plans
from workers.orchestrator.ballots import Settled, WantedBallot
from workers.orchestrator.endings import Ending
from workers.orchestrator.policy import Policy
from workers.orchestrator.releasing import REPAIR, rejections, release_ballot, release_question
from workers.orchestrator.rounds import round_before
from workers.orchestrator.run import Run
from workers.orchestrator.steps import Step, files_after

Next = Sequence[Step | WantedBallot] | Ending


@dataclass(frozen=True)
class Wrong:
    """Why a round is not good enough: red tests, without findings, or what blocks. `at` names the fact that says so,
    `task` the task whose work was judged."""

    evidence: Evidence
    findings: tuple[Finding, ...]
    task: str
    at: str
    why: str


@dataclass(frozen=True)
class Product:
    """The rounds of a project: each ends in a repair, in the package or in the run's end."""

    run: Run
    request: RunRequested
    policy: Policy
    requirements: Requirements
    design: Design

    def next(self, writers: list[str]) -> Next:
        """What is next, given the tasks whose files make up the project, in order."""
        seen: list[Wrong] = []
        for n in range(1, self.policy.max_repairs + 2):
            verified = self.run.result(f"verify-{n}", ProjectVerified)
            if verified is None:
                before = round_before(self.run, writers, n)
                return [self._verify(n, writers)] if before is None else self._went_round(n, before, seen[before - 1])
            wrong = self._judged(n, writers, verified.evidence)
            if not isinstance(wrong, Wrong):
                return wrong
            seen.append(wrong)
            if n > self.policy.max_repairs:
                return self._gave_up(n, wrong)
            if self.run.result(f"repair-{n}", ProjectRepaired) is None:
                return [self._repair(n, writers, wrong)]
            writers = [*writers, f"repair-{n}"]
        raise AssertionError("the last round ends in a return")

    def _judged(self, n: int, writers: list[str], evidence: Evidence) -> Wrong | Next:
        """What is wrong in a round that was verified; else how it goes on."""
        if not evidence.is_green:
            return self._wrong(evidence, (), f"verify-{n}", "the tests were red")
        reviewed = self.run.result(f"review-{n}", ProjectReviewed)
        if reviewed is None:
            return [self._review(n, writers, evidence)]
        blocking = tuple(finding for finding in reviewed.findings if finding.severity == "blocking")
        if blocking:
            return self._wrong(evidence, blocking, f"review-{n}", "reviewers blocked")
        voted = self._ballot(n, writers, evidence, reviewed.findings)
        if isinstance(voted, Settled):
            why = f"ballot {release_ballot(n)} wanted a repair"
            return Wrong(evidence, rejections(voted), f"review-{n}", voted.at, why)
        return self._pack(writers, evidence, reviewed.findings) if voted is None else voted

    def _wrong(self, evidence: Evidence, findings: tuple[Finding, ...], task: str, why: str) -> Wrong:
        return Wrong(evidence, findings, task, f"result.{self.run.current(task)}", why)

    def _ballot(
        self, n: int, writers: list[str], evidence: Evidence, findings: tuple[Finding, ...]
    ) -> Settled | Next | None:
        """The rejection of a release, or what it waits for; None when it may be packed."""
        ballot, terms = release_ballot(n), self.policy.blueprint.ballots.release
        if ballots.is_known(self.run, ballot):
            found = ballots.settled(self.run, ballot)
            if isinstance(found, Ending):
                return Ending(found.status, found.reason, f"review-{n}", evidence, found.evidence_at)
            if found is None:
                return []
            return found if found.option == REPAIR else None
        if terms is None or self.run.has_asked("packager"):
            return None  # one that is being packed was released before there were ballots
        return [WantedBallot(ballot, lambda: ballots.opened(
            self.request, self.policy, terms, release_question(
                n, self.requirements, self._refs(writers), evidence, findings, self._authors(writers),
            ),
        ))]  # fmt: skip

    def _authors(self, writers: list[str]) -> tuple[str, ...]:
        return ballots.authors_of([made for task in writers if (made := self.run.result(task, Outcome)) is not None])

    def _verify(self, n: int, writers: list[str]) -> Step:
        return self._step("sandbox", f"verify-{n}", ProjectVerified, lambda given: VerifyProject(
            **given, files=self._refs(writers),
        ))  # fmt: skip

    def _review(self, n: int, writers: list[str], evidence: Evidence) -> Step:
        return self._step("reviewer", f"review-{n}", ProjectReviewed, lambda given: ReviewProject(
            **given, **self._asked, files=self._refs(writers), evidence=evidence,
        ))  # fmt: skip

    def _repair(self, n: int, writers: list[str], wrong: Wrong) -> Step:
        return self._step(plans.DEVELOPER, f"repair-{n}", ProjectRepaired, lambda given: RepairProject(
            **given, **self._asked, files=self._refs(writers),
            evidence=wrong.evidence, findings=wrong.findings, round=n,
        ))  # fmt: skip

    def _pack(self, writers: list[str], evidence: Evidence, findings: tuple[Finding, ...]) -> Next:
        packed = self.run.result("package", ProjectPacked)
        if packed is not None:
            return Ending("completed", reason=_passes(evidence), evidence=evidence, capsule=packed.capsule)
        return [self._step("packager", "package", ProjectPacked, lambda given: PackProject(
            **given, **self._asked, idea=self.request.idea, files=files_after(self.run, writers),
            evidence=evidence, findings=findings, calls=self.run.calls(),
        ))]  # fmt: skip

    def _gave_up(self, n: int, wrong: Wrong) -> Ending:
        repairs = f"after {n - 1} repair{'' if n == 2 else 's'}"
        if not wrong.findings:
            reason = f"{repairs} the tests are still red: {_first_failure(wrong.evidence)}"
        else:
            verb = "block" if wrong.at.startswith("result.") else "reject"
            reason = f"{repairs} reviewers still {verb}: {wrong.findings[0].message}"
        return Ending("failed", reason, wrong.task, wrong.evidence, wrong.at)

    def _went_round(self, n: int, before: int, wrong: Wrong) -> Ending:
        """The end of a project whose last repair led back to the files of round `before`."""
        reason = f"repair-{n - 1} gave the same files again: round {n} as in round {before}, in which {wrong.why}"
        return Ending("failed", f"{reason}; see {wrong.at}", f"repair-{n - 1}", wrong.evidence, wrong.at)

    @property
    def _asked(self) -> dict[str, Any]:
        return {"requirements": self.requirements, "design": self.design}

    def _refs(self, writers: list[str]) -> tuple[FileRef, ...]:
        return tuple(_ref(file) for file in files_after(self.run, writers))

    def _step(self, role: str, name: str, report: type[Outcome], make: Callable[[dict[str, Any]], Task]) -> Step:
        request = self.request
        given = {"tenant": request.tenant, "run": request.run, "role": role, "task": name, "model": request.model}
        return Step(name, role, (), report, lambda _: make(given), self.policy.task_deadline_s)


def _ref(file: MadeFile) -> FileRef:
    return FileRef(path=file.path, sha256=file.sha256, size=file.size)


def _passes(evidence: Evidence) -> str:
    coverage = "" if evidence.coverage is None else f", {evidence.coverage:.0f} % of lines covered"
    return f"{evidence.tests} tests pass{coverage}"


def _first_failure(evidence: Evidence) -> str:
    if not evidence.failures:
        return evidence.reason or "no test passed"
    return f"{evidence.failed} of {evidence.tests} fail, first {evidence.failures[0].case}"
