"""Levels: their order, what is reachable, and what is said where it is not enough."""

import tempfile

import pytest

from workers.sandbox import levels
from workers.sandbox.levels import Level, SandboxTooWeak, bwrap, probe, reachable, require


@pytest.fixture(autouse=True)
def asked_anew():
    reachable.cache_clear()
    yield
    reachable.cache_clear()


def test_levels_are_in_order_of_strength_and_not_of_the_alphabet():
    assert Level.NONE < Level.LIMITS < Level.LANDLOCK < Level.BUBBLEWRAP
    assert sorted(Level, reverse=True)[0] == Level.BUBBLEWRAP
    assert max("none", Level.LANDLOCK) == Level("landlock")
    assert str(Level.LANDLOCK) == "landlock"


def test_bubblewrap_is_reached_only_where_it_is_installed():
    assert bwrap() or reachable() < Level.BUBBLEWRAP


def test_without_bubblewrap_the_level_is_lower(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert probe(Level.BUBBLEWRAP) is None
    assert reachable() < Level.BUBBLEWRAP


@pytest.mark.parametrize("script", ["exit 1", "exec sleep 0", "for last; do :; done; echo held; exit 0"])
def test_a_bubblewrap_that_does_not_work_is_not_counted(monkeypatch, tmp_path, script):
    fake = tmp_path / "bwrap"
    fake.write_text(f"#!/bin/sh\n{script}\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert probe(Level.BUBBLEWRAP) is None or script.startswith("for")


def test_a_kernel_without_landlock_is_told_so(monkeypatch):
    monkeypatch.setattr(levels, "abi", lambda: 0)
    assert reachable() == Level.LIMITS
    with pytest.raises(SandboxTooWeak, match=r"5\.13.*FLOTILLA_SANDBOX_MINIMUM"):
        require(Level.LANDLOCK)


def test_a_temporary_folder_that_other_users_may_not_enter_is_named(monkeypatch, tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    monkeypatch.setattr(tempfile, "tempdir", str(closed))
    monkeypatch.setattr(levels, "spare_uid", lambda level: 60_000)
    monkeypatch.setenv("PATH", "")  # bubblewrap makes a root directory of its own and enters no folder as another user
    with pytest.raises(SandboxTooWeak, match=r"closed may not be entered.*TMPDIR"):
        require(Level.LANDLOCK)


def test_what_is_required_and_reached_is_answered():
    assert require(Level.NONE) == reachable()
    assert require("limits") >= Level.LIMITS


def test_a_probe_leaves_nothing_behind(outside, monkeypatch):
    before = list(outside.iterdir())
    assert probe(Level.LIMITS) is not None
    monkeypatch.setattr(tempfile, "tempdir", str(outside))
    assert probe(Level.LIMITS) is not None
    assert list(outside.iterdir()) == before
