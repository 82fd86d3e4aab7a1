"""The benchmark of votes: with few ballots its table is complete, and its voters are what it says they are."""

import contextlib
import io
import json
import random
from xml.etree import ElementTree

import pytest

from benchmarks import voters, votes

ROWS = {
    "full majority", "majority in waves", *(f"ahead by {k}" for k in (2, 3, 4, 5, 6)),
    *(f"weighted, {kind}, {count} ballots" for kind in ("raw", "shrunk") for count in (10, 50, 200)),
}  # fmt: skip


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    return tmp_path_factory.mktemp("pictures") / "new" / "votes.svg"


@pytest.fixture(scope="module")
def measured(picture):
    with contextlib.redirect_stdout(io.StringIO()) as said:
        votes.main(["--ballots", "60", "--json", "--picture", str(picture)])
    return json.loads(said.getvalue())


def test_every_way_to_decide_is_measured_on_every_workload(measured):
    assert set(measured["tables"]) == {one.name for one in votes.WORKLOADS}
    for rows in measured["tables"].values():
        assert {row["name"] for row in rows} == ROWS
        assert all(0 <= row["accuracy"] <= 100 and 0 < row["votes"] <= 15 for row in rows)


def test_waves_of_a_majority_decide_as_the_full_majority_and_buy_fewer_votes(measured):
    for rows in measured["tables"].values():
        full, waves = rows[0], rows[1]
        assert (waves["name"], waves["points"]) == ("majority in waves", 0)
        assert waves["votes"] < full["votes"] == 15


def test_the_cases_of_five_voters_and_all_goals_are_there(measured):
    assert set(measured["cases"]) == set(votes.CASES)
    assert all(set(rates) == {row for row in ROWS if row[0] in "fw"} for rates in measured["cases"].values())
    assert measured["cases"][".8 .8 .8 .4 .4"]["full majority"] == pytest.approx(77.312)
    assert len(measured["goals"]) == 2 * len(votes.WORKLOADS) + 3 * len(votes.CASES)


def test_the_picture_has_a_point_for_every_row(measured, picture):
    circles = ElementTree.parse(picture).getroot().iter("{http://www.w3.org/2000/svg}circle")
    assert sum(circle.find("{http://www.w3.org/2000/svg}title") is not None for circle in circles) == sum(
        len(rows) for rows in measured["tables"].values()
    )


def test_the_same_seed_finds_the_same():
    few = votes.WORKLOADS[0]
    assert votes.measure(few, 20, random.Random(1)) == votes.measure(few, 20, random.Random(1))


@pytest.mark.parametrize("workload", votes.WORKLOADS, ids=lambda workload: workload.name)
def test_simulated_voters_are_as_accurate_and_err_together_as_often_as_said(workload):
    answers = voters.Answers(workload, random.Random(2))
    drawn = [answers.draw() for _ in range(4_000)]
    first = sum(said[0] == right for right, said in drawn) / len(drawn)
    assert first == pytest.approx(workload.accuracies[0], abs=0.03)
    pairs = erred = agreed = 0
    for right, said in drawn:
        wrong = [letter for letter in said if letter != right]
        erred += len(wrong) * (len(said) - 1)
        pairs += len(wrong) * (len(wrong) - 1)
        agreed += sum(wrong.count(letter) - 1 for letter in wrong)
    assert agreed / pairs == pytest.approx(workload.same, abs=0.03)
    if workload.together is not None:
        assert pairs / erred == pytest.approx(workload.together, abs=0.03)
