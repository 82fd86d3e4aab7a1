"""Shared test code comes as modules: `make` builds facts, `world` simulates replicas and roles around a log."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


def _module(name: str) -> ModuleType:
    key = f"orchestrator_tests_{name}"
    if key not in sys.modules:
        spec = importlib.util.spec_from_file_location(key, Path(__file__).with_name(f"{name}.py"))
        module = sys.modules[key] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[key]


@pytest.fixture(scope="session")
def make() -> ModuleType:
    """Facts of run `r` of tenant `t`."""
    return _module("making")


@pytest.fixture(scope="session")
def world(make: ModuleType) -> ModuleType:
    """A simulated world: a write-once log, replicas, roles and a clock."""
    _module("script")
    return _module("world")
