"""Acceptance criteria of a record-keeping service, and which of them tests can be written for."""

import textwrap

from contracts.v1.projects import Criterion, Requirements, Topic
from workers.llm.builtin.project.blueprint import Blueprint, Kind
from workers.llm.builtin.project.samples import minimum
from workers.llm.builtin.project.wording import listed

PERSISTENCE = "Every record is still there after the service was stopped and started again."
ERRORS = "Requests that can't be read are answered with 400, 404, 405, 413 or 415 and a JSON error that says why."
DESCRIBES = "GET /health says that the service works, and GET /openapi.json describes every endpoint."
STARTS = "Host, port and database file are set by options or by the environment; options win."

WIDTH = 88


def criteria(plan: Blueprint) -> tuple[Criterion, ...]:
    """All criteria, numbered in the order of the kinds."""
    drafts: list[tuple[Topic, str | None, str]] = []
    for kind in plan.kinds:
        drafts += [(topic, kind.name, statement) for topic, statement in _of_kind(plan, kind)]
    drafts.append(("persistence", None, PERSISTENCE))
    drafts.append(("errors", None, ERRORS))
    drafts.append(("other", None, DESCRIBES))
    drafts.append(("other", None, STARTS))
    return tuple(
        Criterion(id=f"AC-{number}", topic=topic, record=record, statement=statement)
        for number, (topic, record, statement) in enumerate(drafts, start=1)
    )


def topics_of_kind(requirements: Requirements, kind: Kind) -> dict[str, str]:
    """For each topic the line that cites the criteria about this kind."""
    return _cited([c for c in requirements.criteria if c.record == kind.name and c.topic != "other"])


def topics_of_service(requirements: Requirements) -> dict[str, str]:
    """The same for the service as a whole; criteria of topic `other` are known by their words."""
    known = {DESCRIBES: "describe", STARTS: "start"}
    general = [c for c in requirements.criteria if c.record is None]
    named = _cited([c for c in general if c.topic in ("persistence", "errors")])
    for criterion in general:
        if criterion.topic == "other" and criterion.statement in known:
            named[known[criterion.statement]] = _line([criterion])
    return named


def untested(requirements: Requirements, cited: str) -> list[str]:
    """The criteria that the text cites nowhere."""
    return [c.id for c in requirements.criteria if f"{c.id}:" not in cited and f"{c.id}," not in cited]


def _cited(chosen: list[Criterion]) -> dict[str, str]:
    topics = dict.fromkeys(c.topic for c in chosen)
    return {topic: _line([c for c in chosen if c.topic == topic]) for topic in topics}


def _line(chosen: list[Criterion]) -> str:
    text = f"{', '.join(c.id for c in chosen)}: {chosen[0].statement}".replace("\\", "/").replace('"', "'")
    return textwrap.shorten(text, WIDTH, placeholder=" …")


def _of_kind(plan: Blueprint, kind: Kind) -> list[tuple[Topic, str]]:
    a, labels, path = f"{kind.article} {kind.label}", kind.labels, f"/{kind.plural}"
    drafts: list[tuple[Topic, str]] = [
        ("create", f"POST {path} with valid fields stores {a}: 201, Location, the record."),
        ("read", f"GET {path}/{{id}} gives {a}; an unknown id gives 404."),
        ("list", f"GET {path} lists the {labels} with total, page and page_size."),
        ("update", f"PUT replaces {a}, PATCH changes only the fields that are sent."),
        ("delete", f"DELETE removes {a}: 204, afterwards 404."),
        ("validation", f"Bad {labels} are refused with 422, each bad field named. {_rules(kind)}"),
    ]
    unique = [spec.name for spec in kind.fields if spec.unique]
    if unique:
        drafts.append(("uniqueness", f"{listed(unique)} of {a} must be unique; a second one gets 409."))
    drafts.append(("filter", f"The {labels} are filtered by ?field=value; unknown parameters get 400."))
    drafts.append(("sort", f"The {labels} are sorted by ?sort=field, and by ?sort=-field in reverse."))
    if kind.search:
        drafts.append(("search", f"?q= finds the {labels} that have the words in {listed(list(kind.search), 'or')}."))
    drafts.append(("pages", f"The {labels} come in pages: ?page= from 1, ?page_size= from 1 to 100."))
    if kind.references or kind.pairings:
        drafts.append(("links", _links(kind)))
    return drafts


def _rules(kind: Kind) -> str:
    required = [spec.name for spec in kind.fields if spec.required]
    required += [reference.column for reference in kind.references if reference.required]
    positive = [spec.name for spec in kind.fields if minimum(spec) == 0]
    rules = [f"Required: {listed(required)}." if required else "", f"Never negative: {listed(positive)}."]
    return " ".join(filter(None, rules if positive else rules[:1]))


def _links(kind: Kind) -> str:
    parts = []
    for reference in kind.references:
        how = "must" if reference.required else "can"
        parts.append(f"{kind.article} {kind.label} {how} refer to one of the {reference.to.labels} as {reference.name}")
    for pairing in kind.pairings:
        parts.append(f"{kind.labels} and {pairing.to.labels} are linked many-to-many as {pairing.name}")
    text = "; ".join(parts)
    return f"{text[:1].upper()}{text[1:]}; what is referred to can't be deleted (409)."
