"""Which version a task gets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.v1.prompts import ExperimentStarted, LabelMoved, ShareChanged, VersionPushed
from workers.prompting.choice import Choice, choose, unit_of
from workers.prompting.history import Histories, Kept, empty

OF = {"role": "architect", "name": "design"}
A, B, FILE = "a" * 12, "b" * 12, "f" * 12


def history(*facts):
    pushed = [VersionPushed(**OF, digest=digest, content="text") for digest in (A, B)]
    return Histories(Kept(n, 1.0, fact) for n, fact in enumerate([*pushed, *facts], 1)).of("architect", "design")


def trying(share, metric="valid", *more):
    return history(ExperimentStarted(**OF, k=1, live=A, candidate=B, share=share, metric=metric), *more)


def arms(known, tasks=2_000):
    return [choose(known, FILE, "t", f"run{n}", "design").arm for n in range(tasks)]


def test_without_a_label_a_task_gets_the_file_that_ships():
    assert choose(empty("architect", "design"), FILE, "t", "r", "x") == Choice(FILE)
    assert choose(history(), FILE, "t", "r", "x") == Choice(FILE, 0, 0, None)


def test_a_task_gets_what_is_live():
    assert choose(history(LabelMoved(**OF, n=1, label="live", to=A)), FILE, "t", "r", "x") == Choice(A)


def test_in_an_experiment_each_task_gets_the_version_of_its_arm():
    known = trying(200_000)
    found = {choose(known, FILE, "t", f"run{n}", "x") for n in range(50)}
    assert found == {Choice(A, 1, 0, "live"), Choice(B, 1, 0, "candidate")}


@pytest.mark.parametrize("share", [50_000, 200_000, 500_000, 900_000])
def test_the_candidate_gets_its_share_of_the_tasks(share):
    assert arms(trying(share)).count("candidate") / 2_000 == pytest.approx(share / 1e6, abs=0.04)


def test_another_share_draws_anew():
    before, after = (
        arms(trying(500_000)),
        arms(trying(500_000, "valid", ShareChanged(**OF, k=1, epoch=1, share=500_000))),
    )
    differing = sum(one != other for one, other in zip(before, after, strict=True))
    assert 800 < differing < 1_200
    assert choose(trying(1, "valid", ShareChanged(**OF, k=1, epoch=1, share=2)), FILE, "t", "r", "x").epoch == 1


@pytest.mark.parametrize("metric", ["tests_green", "no_repairs"])
def test_all_tasks_of_a_run_get_the_same_arm_where_the_run_is_what_counts(metric):
    known = trying(500_000, metric)
    assert unit_of(metric, "t", "r", "x") == "t/r/-"
    for run in map(str, range(30)):
        assert len({choose(known, FILE, "t", run, f"task{n}") for n in range(5)}) == 1


@pytest.mark.parametrize("metric", ["valid", "votes_won", "cost", "latency"])
def test_tasks_of_a_run_are_drawn_by_themselves_where_each_counts(metric):
    known = trying(500_000, metric)
    assert unit_of(metric, "t", "r", "x") == "t/r/x"
    assert len({choose(known, FILE, "t", "r", f"task{n}").arm for n in range(30)}) == 2


@given(st.text("abc_-", min_size=1), st.text("abc_-", min_size=1), st.integers(0, 1_000_000))
def test_the_same_task_gets_the_same_version_however_often_it_comes(run, task, share):
    known = trying(share)
    assert choose(known, FILE, "t", run, task) == choose(trying(share), "another file", "t", run, task)
