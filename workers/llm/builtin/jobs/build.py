"""ModuleReply and RepairReply: the source files of one module, and those that must change."""

from contracts.v1.projects import Evidence, Finding, Module
from workers.llm.builtin.jobs.job import Brief, CannotDo, Reply, evidence_in, parsed
from workers.llm.builtin.project.blueprint import Blueprint
from workers.llm.builtin.project.modules import modules
from workers.llm.builtin.project.mutations import spoil
from workers.llm.builtin.project.testing import write_tests
from workers.llm.builtin.project.wording import listed
from workers.llm.builtin.project.writing import write

SHOWN_CASES = 5


def module(brief: Brief) -> Reply:
    """Write exactly the files of one module of the design."""
    plan = brief.blueprint()
    wanted = parsed(Module, brief.block("module"), "module")
    files = {path: _content(plan, path) for path in wanted.files}
    return {"files": _spoiled(brief, files), "notes": f"Interface: {wanted.interface}" if wanted.interface else ""}


def repair(brief: Brief) -> Reply:
    """Write every file anew from the requirements and return those that differ from what is there."""
    plan = brief.blueprint()
    there = {file["path"]: file["content"] for file in brief.block("files")}
    sources = {path: _content(plan, path) for part in modules(plan) for path in part.files}
    changed = {path: content for path, content in sources.items() if there.get(path) != content}
    tests = {path: content for path, content in write_tests(plan).items() if there.get(path) != content}
    spoiled = _spoiled(brief, changed)
    return {
        "diagnosis": _diagnosis(brief, [*changed, *tests]),
        "files": spoiled + _written(tests),
    }


def _content(plan: Blueprint, path: str) -> str:
    content = write(plan, path)
    if content is None:
        raise CannotDo(
            f"{path!r} is no file of the designs that the built-in model makes; it can only build its own designs."
        )
    return content


def _spoiled(brief: Brief, files: dict[str, str]) -> list[dict[str, str]]:
    if files and (brief.careless or brief.faults.strikes("wrong_code", brief.text)):
        files = spoil(files, brief.draw("which mistake"))
    return _written(files)


def _written(files: dict[str, str]) -> list[dict[str, str]]:
    return [{"path": path, "content": content} for path, content in files.items()]


def _diagnosis(brief: Brief, changed: list[str]) -> str:
    said = []
    evidence = brief.data.get("evidence")
    if evidence:
        said.append(_seen(evidence_in(evidence)))
    findings = [parsed(Finding, finding, "findings") for finding in brief.data.get("findings") or []]
    if findings:
        said.append(f"Findings: {' '.join(finding.message for finding in findings)}")
    if changed:
        said.append(f"Not as the requirements want it: {listed(changed)}; written anew.")
    else:
        said.append("Every file is as the requirements want it; nothing to change was found.")
    return " ".join(said)[:10_000]


def _seen(evidence: Evidence) -> str:
    if evidence.passed:
        return "The tests passed."
    cases = [failure.case for failure in evidence.failures]
    more = f" and {len(cases) - SHOWN_CASES} more" if len(cases) > SHOWN_CASES else ""
    shown = f"Red: {', '.join(cases[:SHOWN_CASES])}{more}." if cases else ""
    return " ".join(filter(None, (shown, evidence.reason))) or "The tests did not pass."
