"""Realistic mistakes for the `wrong_code` fault: each one turns the acceptance tests red.

A mistake is a text that stands in the file and the wrong one instead of it. Those that need a
certain kind of service (unique fields, relations) only apply where their text is found.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mistake:
    """What a developer could get wrong in one file."""

    name: str
    file: str
    right: str
    wrong: str


MISTAKES = (
    Mistake("tests do not find the package", "pyproject.toml", 'pythonpath = ["src", "tests"]', "pythonpath = []"),
    Mistake("wrong status of invalid records", "errors.py", "status = 422", "status = 400"),
    Mistake("wrong status of conflicts", "errors.py", "status = 409", "status = 400"),
    Mistake("blank text accepted", "fields.py", "if self.required and not text.strip():", "if text is None:"),
    Mistake("money off by a factor", "fields.py", "Decimal(value) * 100", "Decimal(value) * 10"),
    Mistake(
        "impossible dates accepted", "fields.py", "if day is None or day.isoformat() != text:", "if len(text) != 10:"
    ),
    Mistake("required check dropped", "kinds.py", "if field.required and field.default is None:", "if False:"),
    Mistake("unknown fields accepted", "kinds.py", "if name not in known and name not in READ_ONLY", "if False"),
    Mistake("patch resets other fields", "kinds.py", "if partial and field.name not in document:", "if False:"),
    Mistake("only the first bad field named", "kinds.py", "problems[field.name] = str(problem)", "break"),
    Mistake("uniqueness dropped", "migrations.py", " UNIQUE", ""),
    Mistake("a migration runs twice", "migrations.py", "MIGRATIONS[row[0] :]", "MIGRATIONS[0:]"),
    Mistake("changes are not kept", "database.py", 'connection.execute("COMMIT")', 'connection.execute("ROLLBACK")'),
    Mistake("page off by one", "storage.py", "(listing.page - 1) * listing", "listing.page * listing"),
    Mistake("filter ignored", "storage.py", "in listing.filters.items():", "in ():"),
    Mistake(
        "update loses a field", "storage.py", '{**values, "updated_at"', '{**dict([*values.items()][1:]), "updated_at"'
    ),
    Mistake("order reversed", "storage.py", '"DESC" if listing.descending', '"DESC" if not listing.descending'),
    Mistake("search takes wildcards", "storage.py", r'.replace("%", "\\%")', ""),
    Mistake("total counts the page", "storage.py", "for row in rows], total)", "for row in rows], 0)"),
    Mistake("page size not limited", "parameters.py", "LARGEST_PAGE_SIZE = 100", "LARGEST_PAGE_SIZE = 1_000"),
    Mistake("unknown parameters ignored", "parameters.py", 'problems[name] = "is not a known parameter"', "continue"),
    Mistake("wrong status of a new record", "api.py", "Response(201, record", "Response(200, record"),
    Mistake("wrong status of a deletion", "api.py", "return Response(204)", 'return Response(200, {"deleted": True})'),
    Mistake("location without its slash", "api.py", '{"Location": f"/{kind', '{"Location": f"{kind'),
    Mistake("content type not checked", "api.py", 'if media_type != "application/json":', "if not media_type:"),
    Mistake("patch treated like put", "api.py", "partial=partial)", "partial=False)"),
    Mistake("single records not described", "openapi.py", '/{{id}}": {', '/{{number}}": {'),
    Mistake("health not described", "openapi.py", '"/health":', '"/healthz":'),
    Mistake("environment ignored", "config.py", '_PORT", "8000")', '_PORTS", "8000")'),
    Mistake("any port accepted", "config.py", "int(text) <= 65_535", "int(text) <= 655_350"),
    Mistake("a slip of syntax", "server.py", "-> Server:", "-> Server"),
)


def applicable(files: dict[str, str]) -> list[tuple[str, Mistake]]:
    """The mistakes that can be made in these files, with the path of each."""
    return [
        (path, mistake)
        for mistake in MISTAKES
        for path, content in files.items()
        if path.rpartition("/")[2] == mistake.file and mistake.right in content
    ]


def spoil(files: dict[str, str], draw: float) -> dict[str, str]:
    """Make one mistake; where none of the known ones applies, the last Python file loses its end."""
    choices = applicable(files)
    if choices:
        path, mistake = choices[int(draw * len(choices))]
        return {**files, path: files[path].replace(mistake.right, mistake.wrong)}
    path = list(files)[-1]
    return {**files, path: files[path] + "\ndef unfinished(:\n"}
