"""The modules of the design, and the files that each of them writes."""

from contracts.v1.projects import Module
from workers.llm.builtin.project.blueprint import Blueprint
from workers.llm.builtin.project.wording import listed

Part = tuple[str, str, tuple[str, ...], tuple[str, ...], str]
"""A module's name, purpose, files, needs and interface."""

MODULES: tuple[Part, ...] = (
    (
        "project",
        "Packaging, settings of the tools, and the README for those who run the service",
        ("pyproject.toml", "README.md", ".gitignore", "src/{package}/__init__.py", "src/{package}/py.typed"),
        (),
        "`pytest` finds the package under src/ and shared test code under tests/.",
    ),
    (
        "records",
        "What the service keeps records of, how values are checked, and the errors that say what is wrong",
        (
            "src/{package}/errors.py",
            "src/{package}/fields.py",
            "src/{package}/kinds.py",
            "src/{package}/records.py",
        ),
        (),
        "records.KINDS; kinds.Kind.check(document, partial=False) -> values to store, raises errors.InvalidRecord; "
        "errors.ApiError has status, document() and headers.",
    ),
    (
        "storage",
        "The SQLite database: schema as numbered migrations, transactions, reading and writing of records",
        (
            "src/{package}/migrations.py",
            "src/{package}/database.py",
            "src/{package}/parameters.py",
            "src/{package}/storage.py",
        ),
        ("records",),
        "database.Database(path: Path) with reading() and writing(); storage.Records(connection, kind) with add, get, "
        "change, remove, find; parameters.parse_listing(kind, query) -> Listing.",
    ),
    (
        "api",
        "The HTTP API without HTTP: routing, status codes, errors",
        ("src/{package}/api.py",),
        ("records", "storage", "openapi"),
        "api.Api(database).handle(method, target, headers, body: bytes) -> api.Response with status, headers and "
        "body() -> bytes; close().",
    ),
    (
        "openapi",
        "The OpenAPI document of the API",
        ("src/{package}/openapi.py",),
        ("records",),
        "openapi.document() -> dict",
    ),
    (
        "server",
        "The program: settings, the HTTP server with a thread per connection, orderly start and end",
        ("src/{package}/config.py", "src/{package}/server.py", "src/{package}/__main__.py"),
        ("api", "storage"),
        "server.make_server(host, port, database: Path) -> an http.server.ThreadingHTTPServer that listens already; "
        "config.read_settings(arguments, environment) -> Settings with host, port and database.",
    ),
)


def modules(plan: Blueprint, alternative: int = 0) -> tuple[Module, ...]:
    """The parts that developers build alone, for this package; `alternative` says how they are cut (`CUTS`)."""
    return tuple(
        Module(
            name=name,
            purpose=purpose,
            files=tuple(path.format(package=plan.package) for path in paths),
            depends_on=needs,
            interface=interface,
        )
        for name, purpose, paths, needs, interface in _cut(alternative)
    )


def _cut(alternative: int) -> tuple[Part, ...]:
    parts = {part[0]: part for part in MODULES}
    if alternative == 1:
        purpose = "The HTTP API without HTTP: routing, status codes, errors, and the OpenAPI document that describes it"
        api, described = parts["api"], parts.pop("openapi")
        parts["api"] = ("api", purpose, api[2] + described[2], ("records", "storage"), f"{api[4]} {described[4]}")
    if alternative == 3:
        name, _, paths, needs, interface = parts["records"]
        kinds, _, errors = interface.rpartition("; ")
        purpose = "What the service keeps records of, and how values are checked"
        parts["records"] = (name, purpose, paths[1:], needs, f"{kinds}.")
        for user in ("records", "storage", "api", "server"):
            parts[user] = (*parts[user][:3], (*parts[user][3], "errors"), parts[user][4])
        parts["errors"] = ("errors", "The errors that say what is wrong, one class for each", paths[:1], (), errors)
    return tuple(parts.values())


def summary(plan: Blueprint) -> str:
    """The design in one paragraph."""
    kinds = listed([kind.labels for kind in plan.kinds])
    return (
        f"A JSON API over HTTP for {kinds}, built on Python's standard library alone. The kinds of records are "
        "declared once; checks, SQL, listings and the OpenAPI document follow from the declarations. "
        "SQLite keeps the data and enforces uniqueness and relations."
    )


DECISIONS = (
    (
        "The standard library only",
        "The service runs wherever Python runs, and its tests need nothing but pytest.",
    ),
    (
        "The kinds of records are declarations that checks, SQL and OpenAPI are derived from",
        "A field is written down once, so that documents, columns and descriptions can't disagree.",
    ),
    (
        "Uniqueness and relations are constraints of the database",
        "A check in the program would let two requests at once both pass it.",
    ),
    (
        "SQLite with a write-ahead log, a connection per request from a pool, writes in BEGIN IMMEDIATE",
        "Readers never wait for a writer, and writers wait for each other instead of failing.",
    ),
    (
        "Money is kept as whole cents and shown as decimal text",
        "Binary fractions can't hold amounts exactly.",
    ),
)

CUTS: dict[int, tuple[str, str]] = {
    1: (
        "The OpenAPI document belongs to the API's module",
        "One part less to build and to know; the document and the routes have the same developer.",
    ),
    2: (
        "The OpenAPI document is a module of its own, errors belong to the records",
        "The description can change without the API, and a check and the error that it raises stay together.",
    ),
    3: (
        "The errors are a module of their own",
        "A new kind of error, or of record, changes one small module that all others only import.",
    ),
}
"""How the parts are cut where several designs are made, and why. The code is the same in each of them."""
