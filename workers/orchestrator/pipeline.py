"""The way of a project through a run: which steps come next, or how it ends."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from contracts.v1.plans import Plan
from contracts.v1.projects import Design, Evidence, FileRef, Finding, Requirements
from contracts.v1.runs import RunRequested, Status
from contracts.v1.tasks import (
    MadeFile,
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
from workers.orchestrator.policy import Policy
from workers.orchestrator.run import Run
from workers.orchestrator.steps import Step, design_of, files_after, project_steps


@dataclass(frozen=True)
class Ending:
    """How a run ends. `evidence_at` names the fact that shows why."""

    status: Status
    reason: str = ""
    failed_task: str | None = None
    evidence: Evidence | None = None
    evidence_at: str = ""
    capsule: str | None = None


def next_of_project(run: Run, request: RunRequested, policy: Policy) -> list[Step] | Ending:
    """The steps that are not done yet of the stage that the run is in, or its end."""
    planned = _planned(run, request, policy)
    if not isinstance(planned, ProjectPlanned):
        return planned
    steps = project_steps(run, request, planned.requirements, planned.plan)
    if missing := [step for step in steps if not run.has_result(step.name)]:
        return missing
    design = design_of(run, planned.plan)
    if design is None:
        return Ending("failed", reason="the architect's result holds no design", failed_task=_architect(planned.plan))
    return _Product(run, request, policy, planned.requirements, design).next([step.name for step in steps])


def _architect(plan: Plan) -> str:
    return next(task.task for task in plan.tasks if task.role == plans.ARCHITECT)


def _planned(run: Run, request: RunRequested, policy: Policy) -> ProjectPlanned | list[Step] | Ending:
    """The plan that stands: the first, or the second if the first was not sound. There is no third."""
    objections: tuple[str, ...] = ()
    for name in ("plan", "plan-2"):
        planned = run.result(name, ProjectPlanned)
        if planned is None:
            return [_planning(run, request, policy, name, objections)]
        objections = plans.objections(planned.plan, policy)
        if not objections:
            return planned
    reason = "the plan is not sound, nor was the one before: " + "; ".join(objections)
    return Ending("failed", reason=reason, failed_task="plan-2", evidence_at="result.plan-2")


def _planning(run: Run, request: RunRequested, policy: Policy, name: str, objections: tuple[str, ...]) -> Step:
    def command() -> Task:
        roles = tuple(role for role in policy.roles if role.name not in plans.BUILT_IN)
        return PlanProject(
            **_given(run, request, "project_manager", name), idea=request.idea, roles=roles, objections=objections
        )

    return Step(name, "project_manager", (), command, policy.task_deadline_s)


def _given(run: Run, request: RunRequested, role: str, task: str) -> dict[str, Any]:
    return {"tenant": run.tenant, "run": run.run, "role": role, "task": task, "model": request.model}


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
        for n in range(1, self.policy.max_repairs + 2):
            files = files_after(self.run, writers)
            verified = self.run.result(f"verify-{n}", ProjectVerified)
            if verified is None:
                return [self._verify(n, files)]
            evidence, findings = verified.evidence, tuple[Finding, ...]()
            if evidence.passed:
                reviewed = self.run.result(f"review-{n}", ProjectReviewed)
                if reviewed is None:
                    return [self._review(n, files, evidence)]
                findings = tuple(finding for finding in reviewed.findings if finding.severity == "blocking")
                if not findings:
                    return self._pack(files, evidence, reviewed.findings)
            if n > self.policy.max_repairs:
                return self._gave_up(n, evidence, findings)
            if self.run.result(f"repair-{n}", ProjectRepaired) is None:
                return [self._repair(n, files, evidence, findings)]
            writers = [*writers, f"repair-{n}"]
        raise AssertionError("the last round ends in a return")

    def _verify(self, n: int, files: tuple[MadeFile, ...]) -> Step:
        return self._step("sandbox", f"verify-{n}", VerifyProject, files=_refs(files))

    def _review(self, n: int, files: tuple[MadeFile, ...], evidence: Evidence) -> Step:
        return self._step(
            "reviewer", f"review-{n}", ReviewProject, **self._asked, files=_refs(files), evidence=evidence
        )

    def _repair(self, n: int, files: tuple[MadeFile, ...], evidence: Evidence, findings: tuple[Finding, ...]) -> Step:
        asked = {**self._asked, "files": _refs(files), "evidence": evidence, "findings": findings, "round": n}
        return self._step(plans.DEVELOPER, f"repair-{n}", RepairProject, **asked)

    def _pack(
        self, files: tuple[MadeFile, ...], evidence: Evidence, findings: tuple[Finding, ...]
    ) -> list[Step] | Ending:
        packed = self.run.result("package", ProjectPacked)
        if packed is not None:
            return Ending("completed", reason=_green(evidence), evidence=evidence, capsule=packed.capsule)
        asked = {**self._asked, "idea": self.request.idea, "files": files, "evidence": evidence, "findings": findings}
        return [self._step("packager", "package", PackProject, **asked, calls=self.run.calls())]

    def _gave_up(self, n: int, evidence: Evidence, findings: tuple[Finding, ...]) -> Ending:
        if findings:
            reason = f"after {n - 1} repairs reviewers still block: {findings[0].message}"
            return Ending("failed", reason, f"review-{n}", evidence, f"result.review-{n}")
        reason = f"after {n - 1} repairs the tests are still red: {_first_failure(evidence)}"
        return Ending("failed", reason, f"verify-{n}", evidence, f"result.verify-{n}")

    @property
    def _asked(self) -> dict[str, Any]:
        return {"requirements": self.requirements, "design": self.design}

    def _step(self, role: str, name: str, command: Callable[..., Task], **asked: Any) -> Step:
        given = _given(self.run, self.request, role, name)
        return Step(name, role, (), lambda: command(**given, **asked), self.policy.task_deadline_s)


def _refs(files: tuple[MadeFile, ...]) -> tuple[FileRef, ...]:
    return tuple(FileRef(path=file.path, sha256=file.sha256, size=file.size) for file in files)


def _green(evidence: Evidence) -> str:
    coverage = "" if evidence.coverage is None else f", {evidence.coverage:.0f} % of lines covered"
    return f"{evidence.tests} tests pass{coverage}"


def _first_failure(evidence: Evidence) -> str:
    if not evidence.failures:
        return evidence.reason or "no test passed"
    return f"{evidence.failed} of {evidence.tests} fail, first {evidence.failures[0].case}"
