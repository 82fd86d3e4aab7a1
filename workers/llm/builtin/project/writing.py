"""The source files of the service, by module of the design."""

from contracts.v1.projects import Endpoint, FieldSpec
from workers.llm.builtin.project.blueprint import Blueprint, Kind, Reference
from workers.llm.builtin.project.endpoints import endpoints
from workers.llm.builtin.project.rendering import render
from workers.llm.builtin.project.samples import minimum, sample
from workers.llm.builtin.project.source import LIMIT, entries, literal
from workers.llm.builtin.project.tables import statements
from workers.llm.builtin.project.wording import listed

CLASSES = {
    "text": "Text",
    "integer": "Integer",
    "number": "Number",
    "money": "Money",
    "date": "Date",
    "time": "Time",
    "datetime": "DateTime",
    "boolean": "Boolean",
    "choice": "Choice",
    "email": "Email",
    "url": "Url",
}
DATETIME_NAMES = (("date", ("date",)), ("datetime", ("UTC", "datetime")))

TEMPLATES = {
    "pyproject.toml": "project/pyproject.toml.j2",
    "README.md": "project/README.md.j2",
    ".gitignore": "project/gitignore.j2",
}


def write(plan: Blueprint, path: str) -> str | None:
    """The content of one file, or None for a path that this model's designs never have."""
    folder = f"src/{plan.package}/"
    if path == f"{folder}py.typed":
        return ""
    template = TEMPLATES.get(path)
    if template is None and path.startswith(folder) and path.removeprefix(folder) in PACKAGE_FILES:
        template = f"package/{path.removeprefix(folder)}.j2"
    return render(template, values(plan)) if template else None


PACKAGE_FILES = frozenset(
    f"{name}.py"
    for name in [
        "__init__",
        "__main__",
        "api",
        "config",
        "database",
        "errors",
        "fields",
        "kinds",
        "migrations",
        "openapi",
        "parameters",
        "records",
        "server",
        "storage",
    ]
)


def values(plan: Blueprint) -> dict[str, object]:
    """What the templates of the package may use."""
    kinds = listed([kind.labels for kind in plan.kinds])
    return {
        "package": plan.package,
        "prefix": plan.package.upper(),
        "title": plan.title.replace("\\", "/").replace('"', "'"),
        "title_literal": literal(plan.title),
        "tagline": f"keeps records of {kinds}",
        "description_literal": literal(f"Keeps records of {kinds}: JSON over HTTP, SQLite"),
        "summary": plan.requirements.summary,
        "types": plan.types,
        "needs_re": bool(plan.types & {"email", "time", "datetime", "integer", "money"}),
        "datetime_names": sorted({name for t, names in DATETIME_NAMES if t in plan.types for name in names}),
        "field_classes": _field_classes(plan),
        "has_references": bool(plan.references),
        "has_links": bool(plan.pairings),
        "kinds": [_kind(kind) for kind in plan.kinds],
        "kinds_in_prose": kinds,
        "kinds_line": _kinds_line(plan),
        "statements": statements(plan),
        "endpoints": endpoints(plan),
        "curl_create": _curl(plan, endpoints(plan)),
        "search_prose": "its text fields",
    }


def _field_classes(plan: Blueprint) -> list[str]:
    names = {CLASSES[name] for name in plan.types} | ({"Reference"} if plan.references else set())
    return sorted(names)


def _kinds_line(plan: Blueprint) -> str:
    names = [kind.constant for kind in plan.kinds]
    return entries("KINDS = (", names, ")")


def _kind(kind: Kind) -> dict[str, object]:
    return {
        "label": kind.label,
        "labels": kind.labels,
        "plural": kind.plural,
        "constant": kind.constant,
        "declared": _declared(kind),
        "links": kind.pairings,
        "search": kind.search,
        "search_tuple": literal(kind.search),
        "readme_rows": [_row(spec) for spec in kind.fields] + [_reference_row(r) for r in kind.references],
        "json_fields": kind.fields,
    }


def _declared(kind: Kind) -> str:
    declarations = [_declaration(spec) for spec in kind.fields] + [_reference(r) for r in kind.references]
    flat = f"    fields=({declarations[0].strip()}),"
    if len(declarations) == 1 and "\n" not in flat and len(flat) <= LIMIT:
        return flat
    return "\n".join(["    fields=(", *declarations, "    ),"])


def _declaration(spec: FieldSpec) -> str:
    rules = [literal(spec.name)]
    if spec.type == "choice":
        rules.append(f"options={literal(tuple(spec.choices))}")
    if minimum(spec) is not None:
        rules.append(f"minimum={minimum(spec)}")
    rules += [f"{name}=True" for name, stated in (("required", spec.required), ("unique", spec.unique)) if stated]
    if spec.default is not None:
        rules.append(f"default={default_literal(spec)}")
    return entries(f"{CLASSES[spec.type]}(", rules, ")", 8) + ","


def default_literal(spec: FieldSpec) -> str:
    """The default as it is stored: whole cents for money."""
    text = spec.default or ""
    if spec.type == "boolean":
        return "True" if text == "true" else "False"
    if spec.type == "money":
        units, _, cents = text.partition(".")
        return str(int(units) * 100 + int(f"{cents:0<2}"[:2]))
    return text if spec.type in ("integer", "number") else literal(text)


def _reference(reference: Reference) -> str:
    rules = [literal(reference.column), f"to={literal(reference.to.plural)}"]
    rules.append(f"children={literal(reference.children)}")
    return entries("Reference(", rules + (["required=True"] if reference.required else []), ")", 8) + ","


TYPE_PROSE = {"boolean": "true or false", "integer": "whole number", "url": "web address", "email": "e-mail address"}


def _row(spec: FieldSpec) -> dict[str, str]:
    kind = f"one of {listed([f'`{choice}`' for choice in spec.choices], 'or')}" if spec.choices else ""
    rules = ["required"] if spec.required else []
    rules += ["unique"] if spec.unique else []
    rules += ["not negative"] if minimum(spec) == 0 else []
    rules += [f"`{spec.default}` if left out"] if spec.default is not None else []
    return {"name": spec.name, "type": kind or TYPE_PROSE.get(spec.type, spec.type), "rules": ", ".join(rules)}


def _reference_row(reference: Reference) -> dict[str, str]:
    rules = "required" if reference.required else ""
    return {"name": reference.column, "type": f"id of one of the {reference.to.labels}", "rules": rules}


def _curl(plan: Blueprint, offered: tuple[Endpoint, ...]) -> str:
    kind = next((kind for kind in plan.kinds if not kind.parents), plan.kinds[0])
    chosen = [spec for spec in kind.fields if spec.required] or list(kind.fields[:1])
    body = ", ".join(f"{literal(s.name)}: {_json(sample(s, 1))}" for s in chosen)
    path = next(e.path for e in offered if e.method == "POST" and e.path == f"/{kind.plural}")
    return f"curl -X POST http://127.0.0.1:8000{path} -H 'Content-Type: application/json' \\\n  -d '{{{body}}}'"


def _json(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else literal(value)
