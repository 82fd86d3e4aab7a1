"""Two orchestrators and two workers of each role make what one of each makes."""

import re

import pytest

from contracts.v1.capsules import CapsulePacked

pytestmark = pytest.mark.slow

TEST = re.compile(r"<testcase ")
ATTRIBUTE = re.compile(r' (\w+)="')
IDEA = "Books have a title, a price and a unique ISBN. A review belongs to a book and has a text."


@pytest.fixture(scope="module")
def both(fleet, pairs, deliver):
    """The same run, of the same id and tenant, on a fleet of one and on a fleet of two."""
    return deliver(fleet, IDEA, "--run-id", "same"), deliver(pairs, IDEA, "--run-id", "same")


def test_the_project_is_the_same_file_by_file(both):
    one, two = both
    assert one.files == two.files


def test_the_capsule_is_the_same_byte_for_byte(both):
    """The two fleets have keys of their own, so only their signatures differ."""
    one, two = (made.facts["capsule"] for made in both)
    assert both[0].manifest == both[1].manifest
    assert (one["sha256"], one["size"]) == (two["sha256"], two["size"])


def test_the_report_in_it_names_the_tests_that_the_evidence_counts(both):
    report = (both[0].folder / ".flotilla/junit.xml").read_text()
    assert len(TEST.findall(report)) == both[0].manifest["evidence"]["tests"]
    assert "time" not in set(ATTRIBUTE.findall(report))


def test_both_histories_have_the_same_names(both):
    """Only their order may differ, because modules are built at the same time."""
    one, two = both
    assert sorted(one.facts) == sorted(two.facts)


def test_each_of_the_two_had_something_to_do(both, pairs):
    """Many runs at once, so that it is not luck."""
    runs = [pairs.flotilla("submit", IDEA, "--run-id", f"shared-{n}").returncode for n in range(4)]
    assert runs == [0, 0, 0, 0]
    for n in range(4):
        assert pairs.closed(f"shared-{n}").of(CapsulePacked)
    for worker in ("orchestrator", "backend_developer"):
        said = [(pairs.folder / "logs" / f"{worker}-{n}.log").read_text() for n in (1, 2)]
        assert all(said), f"both {worker}s said something"
