"""ChoiceReply, ApprovalReply, RankingReply and ScoresReply: a vote by what rules can find in the options.

release or repair     repair when something blocks or the evidence is not green, else release
designs or revise     the designs that can be built as they are cut, revise when there is none
other candidates      those with green tests and nothing that blocks, if the options come with files or evidence
anything else         can't be weighed by rules: the first option, and the rationale says so
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import ValidationError

from contracts.v1.projects import Design, Finding, Requirements
from workers.llm.builtin.jobs.job import Brief, CannotDo, Reply, evidence_in
from workers.llm.builtin.jobs.review import blocking
from workers.llm.builtin.project.cutting import flaws

LONGEST_RATIONALE = 8_000
CUT = "…"
"""Ends a text that was too long for a ballot."""
CAN_NOT_WEIGH = (
    "The built-in model can't weigh this question: it votes by rules, and none fits. It takes the first option."
)

Shown = Mapping[str, Any]


class Judged(NamedTuple):
    """An option with its worth, from 0 for what must not be taken to 2 for what may be, and what was found."""

    option: str
    worth: int
    why: str


def choice(brief: Brief) -> Reply:
    """The best option; of equals the first."""
    judged, rationale = _weighed(brief)
    return {"rationale": rationale, "choice": _best(judged)[0]}


def approval(brief: Brief) -> Reply:
    """All that are as good as the best."""
    judged, rationale = _weighed(brief)
    return {"rationale": rationale, "approved": _best(judged)}


def ranking(brief: Brief) -> Reply:
    """By worth; equals in the order of the ballot."""
    judged, rationale = _weighed(brief)
    return {"rationale": rationale, "ranking": [one.option for one in sorted(judged, key=lambda one: -one.worth)]}


def scores(brief: Brief) -> Reply:
    """Nothing, half or all of the highest score."""
    judged, rationale = _weighed(brief)
    highest = brief.block("score_max")
    scored = [{"option": one.option, "score": highest * one.worth // 2} for one in judged]
    return {"rationale": rationale, "scores": scored}


def _best(judged: Sequence[Judged]) -> list[str]:
    most = max(one.worth for one in judged)
    return [one.option for one in judged if one.worth == most]


def _weighed(brief: Brief) -> tuple[list[Judged], str]:
    """Each option as the rules see it, and all that was found in words."""
    options = brief.block("options")
    if not isinstance(options, list) or not options:
        raise CannotDo("The data block 'options' must list the options.")
    context = _context(brief.data.get("context"))
    names = {option["option"] for option in options}
    others = [option for option in options if option["option"] != "revise"]
    if names == {"release", "repair"}:
        judged = _release(brief, options, context)
    elif len(others) < len(options) and any(_is_design(option) for option in others):
        judged = _designs(options, context)
    elif any(option.get("files") or option.get("evidence") for option in options):
        judged = [_candidate(brief, option) for option in options]
    else:
        judged = [Judged(option["option"], 0 if n else 2, "") for n, option in enumerate(options)]
        return judged, f"{CAN_NOT_WEIGH[:-1]}, {options[0]['option']!r}."
    return judged, " ".join(one.why for one in judged if one.why)[:LONGEST_RATIONALE]


def _release(brief: Brief, options: Sequence[Shown], context: Shown) -> list[Judged]:
    """Whether the project can go out: what the reviewer's rules find in it, and what reviewers found before."""
    project = next(option for option in options if option["option"] == "release")
    found = _blocking(brief, project, _requirements(context)) + _found_before(context)
    why = f"Not to be released: {' '.join(found)}" if found else "The evidence is green, and no rule finds what blocks."
    return [
        Judged(option["option"], 2 if (option["option"] == "repair") == bool(found) else 0, why * (option is project))
        for option in options
    ]


def _designs(options: Sequence[Shown], context: Shown) -> list[Judged]:
    """Designs that can be built, and revising, which is wanted only if there is none."""
    package = wanted.package if (wanted := _requirements(context)) else ""
    judged = {option["option"]: _design(option, package) for option in options if option["option"] != "revise"}
    if any(one.worth for one in judged.values()):
        revise = Judged("revise", 1, "")
    else:
        revise = Judged("revise", 2, "None of the designs can be built; revise them.")
    return [judged.get(option["option"], revise) for option in options]


def _design(option: Shown, package: str) -> Judged:
    """A design and whether strangers can build its modules at the same time."""
    name, text = option["option"], str(option.get("text", ""))
    try:
        made = Design.model_validate_json(text)
    except ValidationError as error:
        if _is_design(option) and (CUT in text or not _is_json(text)):
            return Judged(name, 2, f"{name}: the design is cut off; what is shown of it has no flaw that rules find.")
        return Judged(name, 0, f"{name}: this is no design: {error.errors()[0]['msg']}.")
    found = flaws(made, package)
    if found:
        return Judged(name, 0, f"{name}: {'; '.join(found)}.")
    return Judged(name, 2, f"{name}: its {len(made.modules)} modules can be built at the same time.")


def _candidate(brief: Brief, option: Shown) -> Judged:
    """One of several answers to the same task, by its tests and its files."""
    name, found = option["option"], _blocking(brief, option, None)
    return Judged(name, 0 if found else 2, f"{name}: {' '.join(found) or 'green, and no rule finds what blocks.'}")


def _blocking(brief: Brief, option: Shown, requirements: Requirements | None) -> list[str]:
    """Why this project must not be delivered: its evidence, and what blocks in a review of its files."""
    found = _red(option.get("evidence"))
    criteria = [one.model_dump(mode="json") for one in requirements.criteria] if requirements else []
    shown = {"files": option.get("files", []), "requirements": {"criteria": criteria}}
    return found + blocking(Brief(shown, brief.text, brief.faults))


def _red(evidence: Any) -> list[str]:
    if not evidence:
        return ["There is no test evidence."]
    try:
        seen = evidence_in(evidence)
    except (CannotDo, TypeError):
        return ["The test evidence can't be read."]
    return [] if seen.passed else [f"The tests did not pass: {seen.failed} of {seen.tests} red. {seen.reason}".strip()]


def _found_before(context: Shown) -> list[str]:
    messages = []
    for given in context.get("findings") or []:
        try:
            finding = Finding.model_validate(given)
        except ValidationError:
            continue
        if finding.severity == "blocking":
            messages.append(f"{finding.path}: {finding.message}" if finding.path else finding.message)
    return messages


def _requirements(context: Shown) -> Requirements | None:
    try:
        return Requirements.model_validate(context.get("requirements"))
    except ValidationError:
        return None


def _context(text: Any) -> Shown:
    """What the opener of the ballot says, where it is JSON."""
    try:
        context = json.loads(text) if isinstance(text, str) else text
    except (ValueError, RecursionError):
        context = None
    return context if isinstance(context, dict) else {}


def _is_design(option: Shown) -> bool:
    return str(option.get("text", "")).lstrip().startswith('{"')


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
