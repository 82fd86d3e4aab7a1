"""A delivered project as its new owner meets it: its tools, and its server over HTTP."""

import json
import os
import select
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

TOOL_TIMEOUT_S = 120
START_TIMEOUT_S = 20


def tool(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a Python tool in the project's folder; it sees nothing of the fleet."""
    environment = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": str(folder), "LANG": "C.UTF-8"}
    return subprocess.run(
        (sys.executable, "-m", *command), cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=TOOL_TIMEOUT_S, check=False,
    )  # fmt: skip


class Delivered(NamedTuple):
    """What `flotilla run --json --out` left: its last object, the facts that it printed, the folder and its files.

    `files` is the project by path as it was delivered, before any tool left something of its own there.
    """

    folder: Path
    summary: dict[str, Any]
    facts: dict[str, Any]
    files: dict[str, bytes]

    @property
    def manifest(self) -> dict[str, Any]:
        """The manifest of the capsule."""
        return json.loads((self.folder / ".flotilla" / "manifest.json").read_text())  # type: ignore[no-any-return]


def files_in(folder: Path) -> dict[str, bytes]:
    """The files of a project by path; what Flotilla says about it is not among them."""
    found = [path for path in folder.rglob("*") if path.is_file() and ".flotilla" not in path.parts]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


class Answer(NamedTuple):
    """What came back: status, headers and the JSON document, None without a body."""

    status: int
    headers: dict[str, str]
    body: Any

    @property
    def named(self) -> set[str]:
        """The fields that a refusal names."""
        return set(self.body["error"]["fields"])


class Service:
    """The project's server as a process of its own, started as its manifest says. Use it in a `with` block."""

    def __init__(self, folder: Path, start: list[str], database: Path) -> None:
        self._folder, self._database = folder, database
        self._command = [sys.executable, *start[1:]] if start[0] == "python" else start

    def __enter__(self) -> Self:
        environment = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "PYTHONPATH": str(self._folder / "src")}
        self._process = subprocess.Popen(
            [*self._command, "--port", "0", "--db", str(self._database)], cwd=self._folder, env=environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], START_TIMEOUT_S)
        line = self._process.stdout.readline() if ready else ""
        self._url = line.split()[-1].rstrip("/") if line.strip() else ""
        if not self._url.startswith("http://"):
            self._stop()
            raise AssertionError(f"the server did not say where it listens but {line!r}")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._stop()

    def restart(self) -> None:
        """Stop it as an init system does, and start it on the same data."""
        assert self._stop() == 0, "SIGTERM ends the server in order"
        self.__enter__()

    def _stop(self) -> int:
        self._process.terminate()
        try:
            return self._process.wait(START_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()
        finally:
            assert self._process.stdout is not None
            self._process.stdout.close()

    def __call__(self, method: str, path: str, body: Any = None, **query: Any) -> Answer:
        """One request."""
        url = self._url + path + ("?" + urlencode(query) if query else "")
        sent = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} if sent is not None else {}
        try:
            with urlopen(Request(url, sent, headers, method=method), timeout=START_TIMEOUT_S) as answer:
                return Answer(answer.status, dict(answer.headers), _document(answer.read()))
        except HTTPError as error:
            with error:
                return Answer(error.code, dict(error.headers), _document(error.read()))

    def create(self, path: str, **fields: Any) -> Any:
        """Create a record that is right, and return it."""
        made = self("POST", path, fields)
        assert made.status == 201, made
        assert made.headers["Location"] == f"{path}/{made.body['id']}"
        return made.body

    def ids(self, path: str, **query: Any) -> list[int]:
        """The ids of a listing, in its order."""
        listed = self("GET", path, **query)
        assert listed.status == 200, listed
        return [record["id"] for record in listed.body["items"]]


def _document(body: bytes) -> Any:
    return json.loads(body) if body else None
