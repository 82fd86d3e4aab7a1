"""The HTTP API as a list of endpoints."""

from contracts.v1.projects import Endpoint
from workers.llm.builtin.project.blueprint import Blueprint, Kind, Pairing, Reference

PAGE = "items, total, page, page_size"


def endpoints(plan: Blueprint) -> tuple[Endpoint, ...]:
    """Every operation that the service offers."""
    found: list[Endpoint] = []
    for kind in plan.kinds:
        found += _records(kind)
    for reference in plan.references:
        found.append(_children(reference))
    for pairing in plan.pairings:
        found += _pairs(pairing)
    found.append(_get("/health", "Say whether the service works", '{"status": "ok"}'))
    found.append(_get("/openapi.json", "Describe the API", "OpenAPI 3.1 document"))
    return tuple(found)


def operations(plan: Blueprint) -> list[tuple[str, set[str]]]:
    """Paths with their methods in lower case, as OpenAPI has them."""
    found: dict[str, set[str]] = {}
    for endpoint in endpoints(plan):
        found.setdefault(endpoint.path, set()).add(endpoint.method.lower())
    return list(found.items())


def _get(path: str, purpose: str, response: str) -> Endpoint:
    return Endpoint(method="GET", path=path, purpose=purpose, response=response)


def _records(kind: Kind) -> list[Endpoint]:
    all_of_them, one = f"/{kind.plural}", f"/{kind.plural}/{{id}}"
    a, fields = f"{kind.article} {kind.label}", "fields of the record"
    return [
        _get(all_of_them, f"List {kind.labels}: filters, sort, q, page, page_size", PAGE),
        Endpoint(method="POST", path=all_of_them, purpose=f"Create {a}", request=fields, response=a, status=201),
        _get(one, f"Read {a}", a),
        Endpoint(method="PUT", path=one, purpose=f"Replace {a}", request=fields, response=a),
        Endpoint(method="PATCH", path=one, purpose=f"Change fields of {a}", request="some fields", response=a),
        Endpoint(method="DELETE", path=one, purpose=f"Delete {a}", status=204),
    ]


def _children(reference: Reference) -> Endpoint:
    path = f"/{reference.to.plural}/{{id}}/{reference.children}"
    parent = f"{reference.to.article} {reference.to.label}"
    return _get(path, f"List the {reference.kind.labels} that have {parent} as {reference.name}", PAGE)


def _pairs(pairing: Pairing) -> list[Endpoint]:
    path = f"/{pairing.kind.plural}/{{id}}/{pairing.name}"
    back = f"/{pairing.to.plural}/{{id}}/{pairing.children}"
    labels = pairing.name.replace("_", " ")
    a = f"{pairing.kind.article} {pairing.kind.label}"
    return [
        _get(path, f"List the {labels} of {a}", PAGE),
        Endpoint(method="PUT", path=f"{path}/{{other_id}}", purpose=f"Link {a} with one of the {labels}", status=204),
        Endpoint(method="DELETE", path=f"{path}/{{other_id}}", purpose="Undo this link", status=204),
        _get(back, f"List the {pairing.kind.labels} of {pairing.to.article} {pairing.to.label}", PAGE),
    ]
