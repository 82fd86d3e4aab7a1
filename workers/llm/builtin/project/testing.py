"""The acceptance tests of the service, written from the criteria and the interface in the design."""

import re

from contracts.v1.projects import FieldSpec
from workers.llm.builtin.project.blueprint import Blueprint, Kind
from workers.llm.builtin.project.criteria import topics_of_kind, topics_of_service
from workers.llm.builtin.project.endpoints import operations
from workers.llm.builtin.project.rendering import render
from workers.llm.builtin.project.samples import BAD_PARAMETER, bad_values, sample, sortable
from workers.llm.builtin.project.source import entries, literal

FIXED_ORDER = ("Answer", "Record", "Service")


def write_tests(plan: Blueprint) -> dict[str, str]:
    """All test files by path. A kind or topic without a criterion gets no test."""
    kinds = [_kind(plan, kind) for kind in plan.kinds]
    values: dict[str, object] = {"package": plan.package, "prefix": plan.package.upper(), "kinds": kinds}
    imports = [f"from {plan.package}.{name}" for name in ("api import Api", "database import Database")]
    imports += [f"from {plan.package}.server import make_server", "from samples import Answer, Service"]
    files = {
        "tests/conftest.py": render("tests/conftest.py.j2", {**values, "first_party": _sorted_imports(imports)}),
        "tests/samples.py": render("tests/samples.py.j2", values),
    }
    for kind, view in zip(plan.kinds, kinds, strict=True):
        topics = topics_of_kind(plan.requirements, kind)
        if topics:
            files[f"tests/test_{kind.plural}.py"] = _kind_tests(plan, kind, view, topics)
    topics = topics_of_service(plan.requirements)
    if topics:
        files["tests/test_service.py"] = _service_tests(plan, values, topics)
    return files


def _kind_tests(plan: Blueprint, kind: Kind, view: dict[str, object], topics: dict[str, str]) -> str:
    body = render("tests/test_kind.py.j2", {"kind": view, "topics": topics})
    head = f'"""Acceptance tests of {kind.labels}."""'
    return _assemble(plan, head, body)


def _service_tests(plan: Blueprint, values: dict[str, object], topics: dict[str, str]) -> str:
    described = [(path, _set(methods)) for path, methods in operations(plan)]
    body = render("tests/test_service.py.j2", {**values, "topics": topics, "operations": described})
    return _assemble(plan, '"""Acceptance tests of the service as a whole."""', body)


def _assemble(plan: Blueprint, head: str, body: str) -> str:
    """Put the imports that the body uses between its docstring and its tests, in the usual order."""
    standard = [
        line
        for name, line in (
            ("json.", "import json"),
            ("ThreadPoolExecutor", "from concurrent.futures import ThreadPoolExecutor"),
            ("Path", "from pathlib import Path"),
            ("urlencode(", "from urllib.parse import urlencode"),
        )
        if re.search(rf"\b{re.escape(name)}", body)
    ]
    own = [f"from {plan.package}.config import read_settings"] if "read_settings(" in body else []
    own.append(f"from samples import {', '.join(_used_samples(plan, body))}")
    third = ["import pytest"] if "pytest." in body else []
    groups = ["\n".join(group) for group in (standard, third, _sorted_imports(own)) if group]
    return head + "\n\n" + "\n\n".join(groups) + "\n\n\n" + body.strip("\n") + "\n"


def _used_samples(plan: Blueprint, body: str) -> list[str]:
    names = [kind.samples_constant for kind in plan.kinds]
    names += FIXED_ORDER
    names += [f"{verb}_{kind.name}" for kind in plan.kinds for verb in ("create", "sample")] + ["ids"]
    used = [name for name in dict.fromkeys(names) if re.search(rf"\b{name}\b", body)]
    return sorted(used, key=_isort_key)


def _isort_key(name: str) -> tuple[int, str]:
    """Constants first, then classes, then the rest."""
    return (0 if name.isupper() else 1 if name[:1].isupper() else 2, name)


def _sorted_imports(lines: list[str]) -> list[str]:
    return [_import(line) for line in sorted(lines, key=lambda line: line.split()[1])]


def _import(line: str) -> str:
    start, _, names = line.partition(" import ")
    return line if len(line) <= 100 else entries(f"{start} import (", names.split(", "), ")")


def _set(methods: set[str]) -> str:
    return "{" + ", ".join(literal(method) for method in sorted(methods)) + "}"


def _kind(plan: Blueprint, kind: Kind) -> dict[str, object]:
    required = [spec.name for spec in kind.fields if spec.required]
    needed = [reference for reference in kind.references if reference.required]
    names = required + [reference.column for reference in needed]
    rising = [spec.name for spec in kind.fields if sortable(spec)]
    return {
        "name": kind.name,
        "label": kind.label,
        "plural": kind.plural,
        "article": kind.article,
        "variable": kind.variable,
        "samples_constant": kind.samples_constant,
        "samples": [_sample(kind, number) for number in (1, 2, 3)],
        "required_references": needed,
        "required_fields": names,
        "required_literal": literal(names),
        "required_names": ", ".join(literal(name) for name in names),
        "optional_fields": [_optional(spec) for spec in kind.fields if not spec.required],
        "unique_fields": [spec for spec in kind.fields if spec.unique],
        "bad_values": [(spec.name, literal(value)) for spec in kind.fields for value in bad_values(spec)],
        "bad_parameters": literal(_bad_parameters(kind)),
        "sortable": rising,
        "sortable_literal": literal(rising),
        "search": kind.search,
        "references": kind.references,
        "links": kind.pairings,
        "is_referred_to": plan.is_parent(kind),
    }


def _sample(kind: Kind, number: int) -> list[str]:
    return [f"{literal(spec.name)}: {literal(sample(spec, number))}," for spec in kind.fields]


def _optional(spec: FieldSpec) -> dict[str, str]:
    if spec.default is None:
        return {"name": spec.name, "default_assertion": "is None"}
    if spec.type == "boolean":
        return {"name": spec.name, "default_assertion": f"is {spec.default == 'true'}"}
    shown = spec.default if spec.type in ("integer", "number") else literal(spec.default)
    return {"name": spec.name, "default_assertion": f"== {shown}"}


def _bad_parameters(kind: Kind) -> list[str]:
    bad = [f"{spec.name}={BAD_PARAMETER[spec.type]}" for spec in kind.fields if spec.type in BAD_PARAMETER]
    return ["no_such_field=1", *bad, *(f"{reference.column}=x" for reference in kind.references)]
