"""The way of a project through a run: which steps come next, or how it ends."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from contracts.v1.plans import Plan
from contracts.v1.projects import Design, Evidence, FileRef, Finding, Requirements
from contracts.v1.runs import RunRequested
from contracts.v1.tasks import (
    MadeFile,
    Outcome,
    PackProject,
    PlanProject,
    ProjectPacked,
    ProjectPlanned,
    ProjectRepaired,
    ProjectReviewed,
    ProjectVerified,
    RepairProject,
    ReviewProject,
    Task,
    VerifyProject,
)
from workers.orchestrator import plans
from workers.orchestrator.endings import Ending
from workers.orchestrator.policy import Policy
from workers.orchestrator.rounds import round_before
from workers.orchestrator.run import Run
from workers.orchestrator.steps import Step, collisions, design_of, files_after, is_done, project_steps


def next_of_project(run: Run, request: RunRequested, policy: Policy) -> list[Step] | Ending:
    """The steps that are not done yet of the stage that the run is in, or its end."""
    planned = _planned(run, request, policy)
    if not isinstance(planned, ProjectPlanned):
        return planned
    wanted, plan = planned.requirements, planned.plan
    design = design_of(run, plan)
    steps = run.derived("steps", (planned, design, policy), lambda: _steps(request, planned, design, policy))
    if design is not None and (wrong := _unbuildable(run, steps, plan, design, policy)):
        return wrong
    missing = [step for step in steps if not is_done(run, step)]
    if missing or design is None:
        return missing
    return _Product(run, request, policy, wanted, design).next([step.name for step in steps])


def _steps(request: RunRequested, planned: ProjectPlanned, design: Design | None, policy: Policy) -> list[Step]:
    steps = project_steps(request, planned.requirements, planned.plan, design)
    return [replace(step, deadline_s=step.deadline_s or policy.task_deadline_s) for step in steps]


def _unbuildable(run: Run, steps: list[Step], plan: Plan, design: Design, policy: Policy) -> Ending | None:
    wrong = run.derived("collisions", (steps,), lambda: collisions(steps, design))
    if not wrong and len(steps) > policy.max_tasks:
        wrong = (f"with {len(design.modules)} modules the plan has {len(steps)} tasks of {policy.max_tasks} allowed",)
    if not wrong:
        return None
    task = next(task.task for task in plan.tasks if task.role == plans.ARCHITECT)
    reason = f"the design of task {task} can't be built by the plan: {'; '.join(wrong)}"
    return Ending("failed", reason, failed_task=task, evidence_at=_result_of(run, task))


def _result_of(run: Run, task: str) -> str:
    return f"result.{run.current(task)}"


def _planned(run: Run, request: RunRequested, policy: Policy) -> ProjectPlanned | list[Step] | Ending:
    """The plan that stands: the first, or the second if the first was not sound. There is no third."""
    objections: tuple[str, ...] = ()
    for name in ("plan", "plan-2"):
        planned = run.result(name, ProjectPlanned)
        if planned is None:
            return [_planning(request, policy, name, objections)]
        objections = _objections(run, name, planned, policy)
        if not objections:
            return planned
    reason = "the plan is not sound, nor was the one before: " + "; ".join(objections)
    return Ending("failed", reason, failed_task="plan-2", evidence_at=_result_of(run, "plan-2"))


def _objections(run: Run, name: str, planned: ProjectPlanned, policy: Policy) -> tuple[str, ...]:
    found = run.derived(f"objections.{name}", (planned, policy), lambda: plans.objections(planned.plan, policy))
    return tuple(text for _, text in found)


def _planning(request: RunRequested, policy: Policy, name: str, objections: tuple[str, ...]) -> Step:
    def command(_: Run) -> Task:
        given = _given(request, "project_manager", name)
        roles = tuple(role for role in policy.roles if role.name not in plans.BUILT_IN)
        return PlanProject(**given, idea=request.idea, roles=roles, objections=objections)

    return Step(name, "project_manager", (), ProjectPlanned, command, policy.task_deadline_s)


def _given(request: RunRequested, role: str, task: str) -> dict[str, Any]:
    return {"tenant": request.tenant, "run": request.run, "role": role, "task": task, "model": request.model}


@dataclass(frozen=True)
class _Product:
    """A project whose parts are all written: verified, reviewed, repaired in rounds, and packed."""

    run: Run
    request: RunRequested
    policy: Policy
    requirements: Requirements
    design: Design

    def next(self, writers: list[str]) -> list[Step] | Ending:
        """What is next, given the tasks whose files make up the project, in order."""
        seen: list[Evidence] = []
        for n in range(1, self.policy.max_repairs + 2):
            verified = self.run.result(f"verify-{n}", ProjectVerified)
            if verified is None:
                before = round_before(self.run, writers, n)
                return [self._verify(n, writers)] if before is None else self._went_round(n, before, seen[before - 1])
            evidence, findings = verified.evidence, tuple[Finding, ...]()
            seen.append(evidence)
            if _is_green(evidence):
                reviewed = self.run.result(f"review-{n}", ProjectReviewed)
                if reviewed is None:
                    return [self._review(n, writers, evidence)]
                findings = tuple(finding for finding in reviewed.findings if finding.severity == "blocking")
                if not findings:
                    return self._pack(writers, evidence, reviewed.findings)
            if n > self.policy.max_repairs:
                return self._gave_up(n, evidence, findings)
            if self.run.result(f"repair-{n}", ProjectRepaired) is None:
                return [self._repair(n, writers, evidence, findings)]
            writers = [*writers, f"repair-{n}"]
        raise AssertionError("the last round ends in a return")

    def _verify(self, n: int, writers: list[str]) -> Step:
        return self._step("sandbox", f"verify-{n}", ProjectVerified, lambda given: VerifyProject(
            **given, files=self._refs(writers),
        ))  # fmt: skip

    def _review(self, n: int, writers: list[str], evidence: Evidence) -> Step:
        return self._step("reviewer", f"review-{n}", ProjectReviewed, lambda given: ReviewProject(
            **given, **self._asked, files=self._refs(writers), evidence=evidence,
        ))  # fmt: skip

    def _repair(self, n: int, writers: list[str], evidence: Evidence, findings: tuple[Finding, ...]) -> Step:
        return self._step(plans.DEVELOPER, f"repair-{n}", ProjectRepaired, lambda given: RepairProject(
            **given, **self._asked, files=self._refs(writers), evidence=evidence, findings=findings, round=n,
        ))  # fmt: skip

    def _pack(self, writers: list[str], evidence: Evidence, findings: tuple[Finding, ...]) -> list[Step] | Ending:
        packed = self.run.result("package", ProjectPacked)
        if packed is not None:
            return Ending("completed", reason=_passes(evidence), evidence=evidence, capsule=packed.capsule)
        return [self._step("packager", "package", ProjectPacked, lambda given: PackProject(
            **given, **self._asked, idea=self.request.idea, files=files_after(self.run, writers),
            evidence=evidence, findings=findings, calls=self.run.calls(),
        ))]  # fmt: skip

    def _gave_up(self, n: int, evidence: Evidence, findings: tuple[Finding, ...]) -> Ending:
        if findings:
            reason = f"{_after(n - 1)} reviewers still block: {findings[0].message}"
            return Ending("failed", reason, f"review-{n}", evidence, _result_of(self.run, f"review-{n}"))
        reason = f"{_after(n - 1)} the tests are still red: {_first_failure(evidence)}"
        return Ending("failed", reason, f"verify-{n}", evidence, _result_of(self.run, f"verify-{n}"))

    def _went_round(self, n: int, before: int, evidence: Evidence) -> Ending:
        """The end of a project whose last repair led back to the files of round `before`."""
        shown, wrong = ("review", "reviewers blocked") if _is_green(evidence) else ("verify", "the tests were red")
        reason = f"repair-{n - 1} gave the same files again: round {n} as in round {before}, in which {wrong}"
        at = _result_of(self.run, f"{shown}-{before}")
        return Ending("failed", f"{reason}; see {at}", f"repair-{n - 1}", evidence, at)

    @property
    def _asked(self) -> dict[str, Any]:
        return {"requirements": self.requirements, "design": self.design}

    def _refs(self, writers: list[str]) -> tuple[FileRef, ...]:
        return tuple(_ref(file) for file in files_after(self.run, writers))

    def _step(self, role: str, name: str, report: type[Outcome], make: Callable[[dict[str, Any]], Task]) -> Step:
        given = _given(self.request, role, name)
        return Step(name, role, (), report, lambda _: make(given), self.policy.task_deadline_s)


def _after(repairs: int) -> str:
    return f"after {repairs} repair{'' if repairs == 1 else 's'}"


def _ref(file: MadeFile) -> FileRef:
    return FileRef(path=file.path, sha256=file.sha256, size=file.size)


def _is_green(evidence: Evidence) -> bool:
    """Tests ran and none was red; a bare `passed` beside a red test, or without any test, is not believed."""
    return evidence.passed and evidence.failed == 0 and evidence.tests > 0


def _passes(evidence: Evidence) -> str:
    coverage = "" if evidence.coverage is None else f", {evidence.coverage:.0f} % of lines covered"
    return f"{evidence.tests} tests pass{coverage}"


def _first_failure(evidence: Evidence) -> str:
    if not evidence.failures:
        return evidence.reason or "no test passed"
    return f"{evidence.failed} of {evidence.tests} fail, first {evidence.failures[0].case}"
