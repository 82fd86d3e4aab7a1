"""Packager: puts a project whose tests passed into a signed capsule."""

import asyncio
import hashlib
from collections.abc import Mapping

from faststream import FastStream

from contracts.codec import ContractError, decode
from contracts.subjects import subject_of
from contracts.v1.capsules import CapsulePacked
from contracts.v1.projects import files_digest
from contracts.v1.tasks import PackProject, ProjectPacked
from workers.packager.capsule import CapsuleRefused, pack
from workers.packager.manifest import manifest_of
from workers.packager.report import lasting_report
from workers.runtime.bootstrap import role_app
from workers.runtime.errors import Impossible
from workers.runtime.role import Job, Role
from workers.runtime.signing import configured_signer
from workers.runtime.toolkit import Toolkit


async def pack_project(task: PackProject, tools: Toolkit) -> ProjectPacked:
    """Pack exactly the files that were tested, and say where the capsule is."""
    if not task.evidence.passed:
        raise Impossible("the tests of the project did not pass; only a project with green tests is packed")
    if task.evidence.files_digest != files_digest(task.files):
        raise Impossible("the evidence is about other files than those that are to be packed")
    files = await tools.load_bytes(task.files)
    junit = await tools.artifacts.get(task.evidence.junit) if task.evidence.junit else None
    try:
        archive = await asyncio.to_thread(_packed, task, files, junit)
    except CapsuleRefused as error:
        raise Impossible(str(error)) from error
    sha256, key = await tools.artifacts.put(archive), configured_signer(tools.settings)
    capsule = CapsulePacked(
        tenant=task.tenant,
        run=task.run,
        task=task.task,
        attempt=task.attempt,
        sha256=sha256,
        size=len(archive),
        files=len(files),
        signature=key.sign(sha256),
        public_key=key.public_key,
    )
    await _say(capsule, tools)
    return tools.report(ProjectPacked, capsule=sha256, size=len(archive))


def _packed(task: PackProject, files: Mapping[str, bytes], junit: bytes | None) -> bytes:
    """The capsule, with a report that is the same for the same tests with the same ends."""
    if junit is None:
        return pack(files, manifest_of(task))
    report = lasting_report(junit)
    evidence = task.evidence.model_copy(update={"junit": hashlib.sha256(report).hexdigest()})
    return pack(files, manifest_of(task.model_copy(update={"evidence": evidence})), report)


async def _say(capsule: CapsulePacked, tools: Toolkit) -> None:
    """Say it; a delivery before this one may have said the same, but nobody may have said another."""
    if (await tools.log.say(capsule)).news:
        return
    subject = subject_of(capsule, tools.settings.prefix)
    stored = await tools.log.find(subject)
    try:
        said = decode(subject, stored.data, tools.settings.prefix) if stored else None
    except ContractError as error:
        raise Impossible(f"what is stored as {subject} is no capsule: {error}") from error
    if not isinstance(said, CapsulePacked) or said.sha256 != capsule.sha256:
        raise Impossible(f"{subject} is taken by another capsule than {capsule.sha256}")


role = Role(
    name="packager",
    purpose="Puts the tested files into a signed capsule.",
    jobs=(Job(PackProject, pack_project),),
)


def app() -> FastStream:
    """The worker's application."""
    return role_app(role)
