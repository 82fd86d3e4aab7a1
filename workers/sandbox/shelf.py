"""The shelf: a read-only Python with pytest and coverage and nothing else, that any uid may read.

The fleet's own interpreter can't be shown to generated code as it is: it may lie in a home directory that no other uid
may enter, and its site-packages hold the fleet itself. So the standard library, the interpreter and the closure of
`libraries.LIBRARIES` are linked (where a hard link is possible and the file is readable to all) or copied, once per
machine, into a directory under the temporary directory whose name is a digest of what is in it. It also carries the
launcher.
"""

import compileall
import hashlib
import importlib.util
import os
import shutil
import stat
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from workers.sandbox.libraries import distributions, libraries

LAUNCHER = ("kernel", "landlock", "seccomp", "namespaces", "confine", "watch", "launch")
VERSION = f"python{sys.version_info.major}.{sys.version_info.minor}"
_LEFT_OUT = frozenset(
    {"site-packages", "dist-packages", "test", "tests", "idlelib", "idle_test", "tkinter", "turtledemo", "lib2to3",
     "ensurepip", "pydoc_data"}
)  # fmt: skip
_COMPLETE = "complete"
_COVERAGERC = """\
[run]
branch = False
data_file = .tmp/coverage
omit =
    tests/*
    test_*.py
    conftest.py
    .tmp/*
    .home/*
"""


@dataclass(frozen=True)
class Shelf:
    """Where things are in it."""

    root: Path

    @property
    def python(self) -> Path:
        return self.root / "python/bin" / VERSION

    @property
    def libraries(self) -> Path:
        return self.root / "libraries"

    @property
    def launcher(self) -> Path:
        return self.root / "launcher"

    @property
    def shared(self) -> Path:
        """The folder of libpython, for interpreters that are linked to it."""
        return self.root / "python/lib"

    @property
    def linked_library(self) -> tuple[str, ...]:
        """Where the interpreter itself looks for libpython: for children that are started without LD_LIBRARY_PATH."""
        name = os.path.join(sysconfig.get_config_var("LIBDIR") or "", sysconfig.get_config_var("INSTSONAME") or "")  # noqa: PTH118
        # os.path answers False where the folder may not be entered; bubblewrap would give up there
        return (name,) if name.startswith("/") and os.path.isfile(name) else ()  # noqa: PTH113

    @property
    def hosts(self) -> Path:
        return self.root / "etc/hosts"

    @property
    def coveragerc(self) -> Path:
        return self.root / "etc/coveragerc"

    @property
    def pytest_ini(self) -> Path:
        return self.root / "etc/pytest.ini"


@cache
def shelf() -> Shelf:
    """Find the shelf of this interpreter, or build it (about a second; less where hard links work)."""
    final = Path(tempfile.gettempdir()) / f"flotilla-shelf-{os.geteuid()}-{_digest()}"
    if _usable(final):
        return Shelf(final)
    built = Path(tempfile.mkdtemp(prefix=f"{final.name}."))
    _build(Shelf(built))
    try:
        if final.is_dir() and not final.is_symlink() and not _usable(final):
            final.rename(built.with_name(f"{built.name}.old"))
            shutil.rmtree(built.with_name(f"{built.name}.old"), ignore_errors=True)
        built.rename(final)
    except OSError:
        if not _usable(final):
            return Shelf(built)  # the name is taken by somebody else: keep a private one
        shutil.rmtree(built, ignore_errors=True)
    return Shelf(final)


def _usable(root: Path) -> bool:
    """Ours, writable by nobody else, and nothing of it swept away (temporary directories get cleaned)."""
    try:
        status = root.lstat()
        wanted = int((root / _COMPLETE).read_text())
    except (OSError, ValueError):
        return False
    ours = stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o022
    return ours and _count(root) == wanted


def _count(root: Path) -> int:
    return sum(len(files) for folder, _, files in os.walk(root) if not folder.endswith("__pycache__"))


def _digest() -> str:
    told = [sys.version, sys.base_prefix, repr(sorted(libraries().items())), Path(__file__).read_text(encoding="utf-8")]
    told += [_source(name) for name in LAUNCHER]
    return hashlib.sha256("\0".join(told).encode()).hexdigest()[:16]


def _source(name: str) -> str:
    return Path(__file__).with_name(f"{name}.py").read_text(encoding="utf-8")


def _build(to: Shelf) -> None:
    _place(Path(os.path.realpath(sys.executable)), to.python)
    for alias in ("python", "python3"):
        to.python.with_name(alias).symlink_to(VERSION)
    for source, target in _standard_library(to.root / "python/lib" / VERSION):
        _place(source, target)
    if sys.platlibdir != "lib":
        (to.root / "python" / sys.platlibdir).symlink_to("lib")
    for source, inner in _library_files():
        _place(source, to.libraries / inner)
    for package in ("workers", "workers/sandbox"):
        _write(to.launcher / package / "__init__.py", "")
    for name in LAUNCHER:
        _write(to.launcher / "workers/sandbox" / f"{name}.py", _source(name))
    _write(to.hosts, "127.0.0.1 localhost\n::1 localhost\n")
    _write(to.coveragerc, _COVERAGERC)
    _write(to.pytest_ini, "[pytest]\n")
    compileall.compile_dir(to.launcher, quiet=2)
    for folder, _, _ in os.walk(to.root):
        Path(folder).chmod(0o755)
    _write(to.root / _COMPLETE, str(_count(to.root) + 1))


def _standard_library(to: Path) -> Iterator[tuple[Path, Path]]:
    home = Path(sysconfig.get_paths(vars={"installed_base": sys.base_prefix})["stdlib"])
    for folder, inner, files in os.walk(home):
        inner[:] = [name for name in inner if name not in _LEFT_OUT and not name.startswith("config-")]
        for name in files:
            if ".opt-" not in name:
                yield Path(folder, name), to / Path(folder, name).relative_to(home)
    # sys.path and sys.base_prefix know where things are; sysconfig knows where they were when Python was built
    for extensions in (Path(entry) for entry in sys.path if entry.endswith("lib-dynload")):
        if not extensions.is_relative_to(home):
            yield from ((item, to / "lib-dynload" / item.name) for item in extensions.iterdir())
    if sysconfig.get_config_var("Py_ENABLE_SHARED"):
        name = sysconfig.get_config_var("INSTSONAME")
        yield Path(sysconfig.get_config_var("LIBDIR"), name), to.parent / name
        yield Path(sys.base_prefix, "lib", name), to.parent / name


def _library_files() -> Iterator[tuple[Path, str]]:
    for distribution in distributions().values():
        for file in distribution.files or ():
            source = Path(str(distribution.locate_file(file)))
            if ".." in file.parts or source.suffix in (".pth", ".pyc"):
                continue
            yield source, str(file)
            if source.suffix == ".py":
                compiled = Path(importlib.util.cache_from_source(str(source), optimization=""))
                yield compiled, str(Path(file).parent / "__pycache__" / compiled.name)


def _place(source: Path, target: Path) -> None:
    """Link or copy a file. What is not there (a module that was never compiled) is left out."""
    try:
        mode = source.stat().st_mode
    except OSError:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        return
    if mode & stat.S_IROTH and not mode & 0o022:
        try:
            os.link(os.path.realpath(source), target)
        except OSError:
            shutil.copy2(source, target)
    else:
        shutil.copy2(source, target)
        target.chmod(0o755 if mode & stat.S_IXUSR else 0o644)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o644)
