"""Jails to try to get out of: every kind that this machine has."""

import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from workers.sandbox.jail import Outcome, run
from workers.sandbox.levels import Level, reachable
from workers.sandbox.limits import Limits
from workers.sandbox.owner import discard


@dataclass(frozen=True)
class Kind:
    """A level, and whether the kernel's namespaces are taken where there are any."""

    level: Level
    namespaces: bool = True

    def __str__(self) -> str:
        return self.level.value if self.namespaces else f"{self.level.value} without namespaces"


KINDS = (Kind(Level.LIMITS), Kind(Level.LANDLOCK, False), Kind(Level.LANDLOCK), Kind(Level.BUBBLEWRAP))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`kind`: every jail of this machine from `limits` up. `strong`: those that hold intentions too. `tree`: the
    strongest without and the strongest with a process table of its own, which end their processes differently."""
    here = [kind for kind in KINDS if kind.level <= reachable()]
    if "kind" in metafunc.fixturenames:
        metafunc.parametrize("kind", here, ids=str)
    if "tree" in metafunc.fixturenames:
        shared_table = [kind for kind in here if kind.level == Level.LIMITS or not kind.namespaces]
        metafunc.parametrize("tree", list(dict.fromkeys([shared_table[-1], here[-1]])), ids=str)
    if "strong" in metafunc.fixturenames:
        metafunc.parametrize("strong", [kind for kind in here if kind.level >= Level.LANDLOCK], ids=str)


@pytest.fixture
def project() -> Iterator[Path]:
    """A throw-away directory; not `tmp_path`, whose parents only the fleet's uid may enter."""
    place = Path(tempfile.mkdtemp(prefix="flotilla-test-"))
    yield place
    discard(place)


@pytest.fixture
def outside() -> Iterator[Path]:
    """A directory outside that anybody could read and write, were it not for the jail, with a file in it."""
    place = Path(tempfile.mkdtemp(prefix="flotilla-outside-"))
    (place / "secret").write_text("the secret")
    (place / "secret").chmod(0o666)
    place.chmod(0o777)
    yield place
    discard(place)


@pytest.fixture
def weak() -> Kind:
    """A jail that holds accidents only: what succeeds in it shows that an attempt is a real one."""
    return Kind(Level.LIMITS)


Attempt = Callable[..., Awaitable[Outcome]]


@pytest.fixture
async def attempt(project: Path) -> AsyncIterator[Attempt]:
    """Run a program in the jail: `await attempt(kind, code, *arguments, **limits)`."""

    async def _attempt(kind: Kind, code: str, *arguments: str, **limits: int) -> Outcome:
        (project / "main.py").write_text(code)
        command = ["python", "main.py", *arguments]
        return await run(command, project, Limits(**limits), kind.level, namespaces=kind.namespaces)

    yield _attempt
