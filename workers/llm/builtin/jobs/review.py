"""ReviewReply: what rules can find in Python source, test evidence and criteria."""

import ast
import re
import threading
from collections.abc import Iterator, Mapping

from workers.llm.builtin.jobs.job import Brief, Reply, evidence_in

ONE_AT_A_TIME = threading.Lock()
"""CPython 3.11 counts the depth of trees for all threads together, and parsing in two at once may raise SystemError
(github.com/python/cpython/issues/106905)."""

LONGEST_FUNCTION = 80
LOW_COVERAGE = 80.0

Finding = dict[str, str | None]

SQL = re.compile(r"^\s*(SELECT|INSERT|UPDATE|DELETE|REPLACE)\b", re.IGNORECASE)
# Where a value would stand: after a comparison, in quotes, or as an element of VALUES.
VALUE_PLACE = re.compile(r"((=|<|>|\bLIKE|\bIS|\bIN)\s*\(?\s*'?%?|VALUES\s*\(\s*'?|')$", re.IGNORECASE)


def review(brief: Brief) -> Reply:
    """Read the files by rules; only syntax errors, eval, SQL with values in it and untested criteria block."""
    findings = [*_in_files(brief), *_evidence(brief)]
    worst = sum(found["severity"] == "blocking" for found in findings)
    verdict = f"{worst} blocking" if worst else "none of them blocking" if findings else "nothing found"
    summary = f"Read {len(brief.block('files'))} files by rules: {len(findings)} findings, {verdict}."
    return {"summary": summary, "findings": findings}


def blocking(brief: Brief) -> list[str]:
    """What blocks in the files, and the criteria that no test cites, each as a sentence with its place."""
    return [
        f"{found['path']}: {found['message']}" if found["path"] else str(found["message"])
        for found in _in_files(brief)
        if found["severity"] == "blocking"
    ]


def in_python(files: Mapping[str, str]) -> list[Finding]:
    """What rules find in the Python files among these."""
    return [found for path, content in files.items() if path.endswith(".py") for found in _file(path, content)]


def _in_files(brief: Brief) -> list[Finding]:
    files = {file["path"]: file["content"] for file in brief.block("files")}
    return in_python(files) + _criteria(brief, files)


def _finding(severity: str, path: str | None, message: str) -> Finding:
    return {"severity": severity, "path": path, "message": message}


def _file(path: str, content: str) -> list[Finding]:
    try:
        with ONE_AT_A_TIME:
            tree = ast.parse(content)
    except (SyntaxError, ValueError, RecursionError) as error:
        return [_finding("blocking", path, f"This is not Python: {error}. Write the file anew.")]
    findings = [found for node in ast.walk(tree) for found in _node(path, node)]
    if content.strip() and ast.get_docstring(tree) is None:
        findings.append(_finding("note", path, "The module has no docstring that says what it is for."))
    return findings


def _node(path: str, node: ast.AST) -> Iterator[Finding]:
    line = f"Line {getattr(node, 'lineno', 0)}:"
    if isinstance(node, ast.ExceptHandler) and node.type is None:
        yield _finding("major", path, f"{line} a bare except also swallows KeyboardInterrupt; name the exceptions.")
    if isinstance(node, ast.Call):
        yield from _call(path, line, node)
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        length = (node.end_lineno or node.lineno) - node.lineno + 1
        if length > LONGEST_FUNCTION:
            yield _finding("minor", path, f"{line} {node.name} has {length} lines; split it.")
    if isinstance(node, ast.ClassDef) and ast.get_docstring(node) is None and not path.startswith("tests/"):
        yield _finding("note", path, f"{line} class {node.name} has no docstring.")


def _call(path: str, line: str, node: ast.Call) -> Iterator[Finding]:
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    if name in ("eval", "exec"):
        yield _finding("blocking", path, f"{line} {name} runs whatever text it gets; write the code out.")
    method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    if method in ("execute", "executemany", "executescript") and node.args and _has_values(node.args[0]):
        yield _finding("blocking", path, f"{line} values are written into the SQL; pass them as parameters.")


def _has_values(sql: ast.expr) -> bool:
    """Whether SQL is put together with something in the place of a value; names of tables may be put in."""
    if isinstance(sql, ast.Call) and isinstance(sql.func, ast.Attribute) and sql.func.attr == "format":
        return _is_sql(sql.func.value)
    if isinstance(sql, ast.BinOp):
        return _is_sql(sql.left) and isinstance(sql.op, ast.Mod | ast.Add) and not isinstance(sql.right, ast.Constant)
    if not isinstance(sql, ast.JoinedStr):
        return False
    before = ""
    for part in sql.values:
        if isinstance(part, ast.Constant):
            before += str(part.value)
        elif SQL.match(before) and VALUE_PLACE.search(before) and "placeholders" not in ast.unparse(part):
            return True
        else:
            before += "name"
    return False


def _is_sql(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and bool(SQL.match(node.value))


def _criteria(brief: Brief, files: dict[str, str]) -> list[Finding]:
    tests = "\n".join(content for path, content in files.items() if path.startswith("tests/"))
    cited = set(re.findall(r"AC-[0-9]{1,3}", tests))
    criteria = brief.block("requirements").get("criteria", [])
    missing = [criterion for criterion in criteria if criterion["id"] not in cited]
    return [
        _finding("blocking", None, f"No test cites {criterion['id']} ({criterion['statement']}); write one.")
        for criterion in missing
    ]


def _evidence(brief: Brief) -> list[Finding]:
    if not brief.data.get("evidence"):
        return [_finding("major", None, "There is no test evidence; run the tests before a release.")]
    evidence = evidence_in(brief.data["evidence"])
    findings = []
    if not evidence.passed:
        findings.append(_finding("major", None, f"The tests did not pass: {evidence.failed} of {evidence.tests} red."))
    if evidence.coverage is not None and evidence.coverage < LOW_COVERAGE:
        wanted = f"{LOW_COVERAGE:.0f} % are wanted"
        findings.append(_finding("minor", None, f"The tests cover {evidence.coverage:.0f} % of the lines; {wanted}."))
    if evidence.skipped:
        findings.append(_finding("minor", None, f"{evidence.skipped} tests were skipped; run or remove them."))
    return findings
