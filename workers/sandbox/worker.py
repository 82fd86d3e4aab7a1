"""Sandbox: runs a project's tests away from the fleet and reports what it saw."""

from faststream import FastStream

from contracts.v1.projects import CaseFailure, Evidence, FileRef, files_digest
from contracts.v1.tasks import ProjectVerified, VerifyProject
from workers.runtime.bootstrap import role_app
from workers.runtime.errors import Impossible
from workers.runtime.role import Job, Role
from workers.runtime.settings import SandboxSettings
from workers.runtime.toolkit import Toolkit
from workers.sandbox.levels import Level, SandboxTooWeak
from workers.sandbox.limits import Limits
from workers.sandbox.pytest_run import UnsafeProject, verify
from workers.sandbox.verdict import Verdict


async def verify_project(task: VerifyProject, tools: Toolkit) -> ProjectVerified:
    """Run the tests; red or green, what was seen is the result."""
    settings = tools.settings.sandbox
    files = await tools.load_bytes(task.files)
    try:
        verdict = await verify(files, _limits(settings), Level(settings.minimum))
    except (SandboxTooWeak, UnsafeProject) as error:
        raise Impossible(str(error)) from error
    junit = await tools.artifacts.put(verdict.junit_xml) if verdict.junit_xml else None
    return tools.report(ProjectVerified, evidence=_evidence(verdict, task.files, junit))


def _limits(settings: SandboxSettings) -> Limits:
    return Limits(**settings.model_dump(exclude={"minimum"}))


def _evidence(verdict: Verdict, files: tuple[FileRef, ...], junit: str | None) -> Evidence:
    return Evidence(
        passed=verdict.passed,
        tests=verdict.tests,
        failed=verdict.failed,
        skipped=verdict.skipped,
        coverage=verdict.coverage,
        failures=tuple(CaseFailure(case=case, message=message) for case, message in verdict.failures),
        output=verdict.output,
        reason=verdict.reason,
        level=str(verdict.level),
        duration_s=round(verdict.duration_s, 3),
        files_digest=files_digest(files),
        junit=junit,
    )


role = Role(
    name="sandbox",
    purpose="Runs the project's tests in isolation and reports what it saw.",
    jobs=(Job(VerifyProject, verify_project),),
)


def app() -> FastStream:
    """The worker's application."""
    return role_app(role)
