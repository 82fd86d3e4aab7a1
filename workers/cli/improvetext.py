"""How a template improves itself, as lines and as JSON."""

from collections.abc import Iterator
from typing import Any

from contracts.v1.prompts import ImprovementSet, RevisionTried
from workers.cli.figures import count, dollars, plain
from workers.prompting.template_history import TemplateHistory


def improvement_as_json(history: TemplateHistory) -> dict[str, Any]:
    """What is set, and what was tried."""
    settings = (
        history.improvement.model_dump(exclude={"kind", "version", "role", "name"}) if history.improvement else {}
    )
    tried = [one.model_dump(exclude={"kind", "version", "role", "name"}) for one in history.revisions]
    return {"prompt": history.template, "on": False, **settings, "tried": tried}


def improvement_shown(history: TemplateHistory) -> Iterator[str]:
    """The same for people."""
    settings = history.improvement
    if settings is None or not settings.on:
        yield f"{history.template} does not improve itself; `flotilla prompts improve {history.template} --on` lets it"
    else:
        yield f"{history.template} improves itself"
        yield from _limits(settings, history)
    for tried in history.revisions:
        yield f"  {_tried(tried)}"


def _limits(settings: ImprovementSet, history: TemplateHistory) -> Iterator[str]:
    made = sum(1 for tried in history.revisions if tried.candidate)
    each = [f"{dollars(settings.usd_each)}" if settings.usd_each is not None else "any money"]
    each += [count(settings.tokens_each, "token")] if settings.tokens_each is not None else []
    whole = "no limit in all" if settings.usd is None else f"{dollars(settings.usd)} in all"
    yield f"  begins     after {count(settings.failures, 'failed task')} of the live version, by {settings.metric}"
    yield f"  candidates {made} of {settings.candidates}"
    yield f"  gate       on up to {settings.cases} recorded cases"
    yield f"  may spend  {' and '.join(each)} each time, {whole}"
    yield f"  then       an experiment with {settings.share / 10_000:g} % of the tasks"
    if settings.target:
        yield f"  target     {settings.target}"


def _tried(tried: RevisionTried) -> str:
    came = f"version {tried.candidate}" if tried.candidate else "no version"
    gate = ""
    if tried.gate:
        passed = "passed" if tried.gate.passed else "did not pass"
        gate = f", which {passed} the gate ({tried.gate.candidate} of {tried.gate.cases}, live {tried.gate.live})"
    then = f", experiment {tried.experiment}" if tried.experiment else ""
    why = f": {plain(tried.reason)}" if tried.reason else ""
    return f"{tried.n}. {came}{gate}{then}, {dollars(tried.cost_usd)}{why}"
