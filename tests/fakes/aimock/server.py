"""aimock as a process of its own: npm's package, pinned by version and content, on a port that was free."""

import json
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
INSTALL = ("npm", "ci", "--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund", "--silent")


class Aimock:
    """The running server: what it is to say, and what it has heard."""

    def __init__(self, url: str) -> None:
        self.url = url

    def plays(self, *fixtures: dict[str, Any]) -> None:
        """Forget everything and play these; the first that fits a request answers it."""
        self._asked("POST", "/reset")
        self._asked("POST", "/fixtures", {"fixtures": list(fixtures)})

    @property
    def journal(self) -> list[dict[str, Any]]:
        """What it has heard since then, oldest first: `body`, `timestamp` (ms), `response`."""
        return self._asked("GET", "/journal")  # type: ignore[no-any-return]

    def _asked(self, method: str, path: str, body: Any = None) -> Any:
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/__aimock{path}", content, method=method)
        with urllib.request.urlopen(request, timeout=10) as response:
            return json.load(response)


@contextmanager
def running(folder: Path) -> Iterator[Aimock]:
    """Install into a folder and run; it ends with this block, and also when this process is killed."""
    for name in ("package.json", "package-lock.json", "serve.mjs"):
        shutil.copy(HERE / name, folder)
    subprocess.run(INSTALL, cwd=folder, stdin=subprocess.DEVNULL, check=True, timeout=120)
    with subprocess.Popen(
        ("node", "serve.mjs"), cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield Aimock(process.stdout.readline().strip())
        finally:
            process.kill()
