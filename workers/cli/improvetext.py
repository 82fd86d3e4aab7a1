"""How a template improves itself, as lines and as JSON."""

from collections.abc import Iterator
from typing import Any

from contracts.v1.prompts import ImprovementSet, RevisionTried
from workers.cli.figures import count, dollars, plain
from workers.cli.gist import came_of_it
from workers.cli.modeltable import hanging
from workers.prompting.template_history import TemplateHistory


def improvement_as_json(history: TemplateHistory) -> dict[str, Any]:
    """What is set, and what was tried."""
    settings = (
        history.improvement.model_dump(exclude={"kind", "version", "role", "name"}) if history.improvement else {}
    )
    tried = [one.model_dump(exclude={"kind", "version", "role", "name"}) for one in history.revisions]
    return {"prompt": history.template, "on": False, **settings, "tried": tried}


def improvement_shown(history: TemplateHistory, width: int | None) -> Iterator[str]:
    """The same for people."""
    for line, hang in _lines(history):
        yield from hanging(line, width, hang)


def _lines(history: TemplateHistory) -> Iterator[tuple[str, int]]:
    """Each line, and how far it hangs where it is wrapped."""
    settings = history.improvement
    if settings is None or not settings.on:
        yield (
            f"{history.template} does not improve itself; `flotilla prompts improve {history.template} --on` lets it",
            2,
        )
    else:
        yield f"{history.template} improves itself", 2
        yield from ((line, 13) for line in _limits(settings, history))
    for tried in history.revisions:
        yield f"  {_tried(tried)}", 5


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
    """`1. version … passed the gate, 20 of 20 cases, live 12 of 20; experiment 2; $0.01: the reason`."""
    then = [f"experiment {tried.experiment}"] if tried.experiment else []
    came = came_of_it(tried.model_copy(update={"reason": ""}))
    why = f": {tried.reason}" if tried.reason else ""
    return plain(f"{tried.n}. {'; '.join([came, *then, dollars(tried.cost_usd)])}{why}")
