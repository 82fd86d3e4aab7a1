"""The picture of an experiment's evidence, and the table of its arms."""

import math
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contracts.v1.prompts import ArmCount, ExperimentEnded, ExperimentStarted
from workers.cli.ballottext import Page
from workers.cli.evidencecurve import drawn, sampled
from workers.cli.experimenttext import Standing, as_json, kept_up, listed, percent, shown
from workers.prompting.evidence_curves import curves_of, odds
from workers.prompting.experiments.experiment import Assigned, Decision, Experiment, Plan, Settled

LIVE, CANDIDATE = "0" * 12, "c" * 12
BEGAN = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOW = BEGAN + timedelta(hours=3)
VERDICTS = {"promote": "promoted", "roll_back": "rolled_back", "stopped": "stopped"}


def started(k: int = 1, **more: Any) -> ExperimentStarted:
    return ExperimentStarted(role="architect", name="design", k=k, live=LIVE, candidate=CANDIDATE, **more)


def played(live: float, candidate: float, most: int = 1_000, k: int = 1) -> Decision:
    """Outcomes at these rates, in turn for both arms, until something is decided."""
    luck, experiment = random.Random(7), Experiment(Plan(k, (500_000,)))
    for n in range(most):
        arm, rate = ("candidate", candidate) if luck.random() < 0.5 else ("live", live)
        experiment.take(Assigned(n + 1, f"t{n}", 0, "candidate" if arm == "candidate" else "live"))
        experiment.take(Settled(n + 5_000, f"t{n}", luck.random() < rate, 100, 100))
        if experiment.verdict()[0] != "running":
            break
    return experiment.decide()


def standing(decision: Decision, k: int = 1, shares: tuple[int, ...] = (500_000,), **more: Any) -> Standing:
    live, candidate = ArmCount(**decision.live._asdict()), ArmCount(**decision.candidate._asdict())
    if decision.verdict == "running":
        return Standing(started(k, **more), shares, live, candidate, decision.curve, began=BEGAN, waiting=3)
    ended = ExperimentEnded.model_validate({
        "role": "architect", "name": "design", "k": k, "verdict": VERDICTS[decision.verdict], "why": decision.why,
        "live": live, "candidate": candidate, "curve": decision.curve,
    })  # fmt: skip
    return Standing.over(started(k, **more), shares, ended, BEGAN)


BETTER, WORSE, UNDECIDED = played(0.5, 0.9), played(0.9, 0.4), played(0.7, 0.72, most=60)


@pytest.mark.parametrize("width", [20, 44, 60, 80, 120, None])
@pytest.mark.parametrize("unicode", [True, False])
@pytest.mark.parametrize("decision", [BETTER, WORSE, UNDECIDED])
def test_everything_fits_the_terminal(decision: Decision, unicode: bool, width: int | None) -> None:
    page = Page(width, unicode)
    lines = [
        *shown(standing(decision), page, NOW), *kept_up(standing(decision), page, 24),
        *listed([standing(decision)], width),
    ]  # fmt: skip
    assert width is None or max(map(len, lines)) <= width
    assert unicode or "".join(lines).isascii()
    assert "\x1b" not in "".join(lines)


def test_a_curve_that_is_enough_has_a_mark_on_the_dashed_line_and_words_beside_it() -> None:
    lines = list(drawn(curves_of(started(), BETTER.curve), Page(80)))
    assert lines[0].startswith("better")
    assert "27:1 ┤┄" in lines[0]
    assert lines[0].endswith("●")
    assert lines[1].startswith("now ")
    assert "enough" in lines[1]
    assert lines[2].startswith("then promote")


def test_the_strips_of_what_is_not_found_have_no_mark() -> None:
    lines = list(drawn(curves_of(started(), BETTER.curve), Page(80, unicode=False)))
    assert ["*" in line for line in lines].count(True) == 1
    worse = next(line for line in lines if line.startswith("worse"))
    assert "20:1 +---" in worse


def test_each_process_has_its_own_threshold() -> None:
    curves = {curve.key: odds(curve.top) for curve in curves_of(started(k=3), UNDECIDED.curve)}
    assert curves == {"better": "419:1", "worse": "20:1", "dearer": "20:1", "slower": "20:1", "split": "1,000:1"}


def test_a_guard_that_is_off_is_not_drawn() -> None:
    assert [curve.key for curve in curves_of(started(dearer=None, slower=None), UNDECIDED.curve)] == [
        "better", "worse", "split",
    ]  # fmt: skip


def test_a_curve_rises_from_even_odds_to_the_dashed_line() -> None:
    rising = [(n, n * 60_000, 0, 0, 0, 0) for n in range(10, 60, 10)]
    lines = list(drawn(curves_of(started(), rising), Page(80, unicode=False)))[:4]
    first = [min(row.find(mark) for mark in "'-." if row.find(mark) > 28) for row in lines[1:]]
    assert "1:1 +" in lines[3]
    assert first == sorted(first, reverse=True)


def test_a_curve_is_straight_between_its_points_and_begins_without_evidence() -> None:
    assert sampled([(10, 1_000), (20, 0)], 20, 5) == [0, 500, 1_000, 500, 0]
    assert sampled([], 0, 3) == [0, 0, 0]


def test_a_terminal_too_narrow_for_pictures_gets_the_figures() -> None:
    lines = list(drawn(curves_of(started(), BETTER.curve), Page(30)))
    assert lines[0].startswith("better: ")
    assert lines[0].endswith(":1, enough")
    assert lines[1] == "  promote at 27:1"


def test_an_experiment_without_outcomes_shows_what_it_will_take() -> None:
    waiting = Standing(started(), (500_000,), began=BEGAN)
    text = "\n".join(shown(waiting, Page(80), NOW))
    assert "running: 0 of at most 1,000 outcomes" in text
    assert "better: 1:1" in text
    assert "promote at 27:1" in text


@pytest.mark.parametrize(
    ("micro", "said"),
    [
        (0, "1:1"),
        (round(1e6 * math.log(27)), "27:1"),
        (round(-1e6 * math.log(3.2)), "1:3.2"),
        (round(1e6 * math.log(48_000)), "48,000:1"),
        (round(1e6 * math.log(2_700_000)), "2.7e6:1"),
        (-300_000_000, "1:1.9e130"),
    ],
)
def test_evidence_is_said_as_odds(micro: int, said: str) -> None:
    assert odds(micro) == said


def test_both_arms_stand_below_each_other_with_counts_and_rates() -> None:
    text = list(shown(standing(BETTER, shares=(200_000, 500_000)), Page(80), NOW))
    live = next(line for line in text if line.startswith("live "))
    done = BETTER.live
    assert live.split()[:6] == ["live", LIVE, str(sum(done)), str(done.won), str(done.lost), str(done.missing)]
    assert f"{100 * done.won / sum(done):.0f} %" in live
    assert "█" in live
    assert any("50 % of tasks get the candidate (20 % before)" in line for line in text)


@pytest.mark.parametrize(
    ("decision", "said"),
    [
        (BETTER, f"{CANDIDATE} is promoted, `live` names it now: it succeeds more often"),
        (WORSE, f"{CANDIDATE} is rolled back, tasks get {LIVE} again: it succeeds less often"),
    ],
)
def test_the_verdict_is_a_sentence(decision: Decision, said: str) -> None:
    assert list(shown(standing(decision), Page(None), NOW))[-1] == said


def test_a_low_terminal_gets_flat_strips_while_an_experiment_is_watched() -> None:
    assert len(list(kept_up(standing(UNDECIDED), Page(80), 24))) <= 23
    assert len(list(kept_up(standing(UNDECIDED), Page(80), 50))) > 23


def test_the_list_has_a_line_for_each_experiment() -> None:
    lines = list(listed([standing(BETTER), standing(UNDECIDED, k=2)], 120))
    assert lines[0].split()[:3] == ["prompt", "k", "state"]
    assert lines[1].split()[:3] == ["architect/design", "1", "promoted"]
    assert lines[2].split()[:3] == ["architect/design", "2", "running"]


def test_as_json_evidence_is_in_nats_beside_what_is_enough() -> None:
    said = as_json(standing(BETTER))
    assert said["evidence"]["better"]["now"] >= said["evidence"]["better"]["enough"] == pytest.approx(math.log(27))
    assert said["arms"]["candidate"] == BETTER.candidate._asdict()
    assert said["state"] == "promoted"
    assert len(said["curve"]) == len(BETTER.curve)


@pytest.mark.parametrize(("share", "said"), [(200_000, "20 %"), (25_000, "2.5 %"), (1, "0.0001 %")])
def test_a_share_is_said_in_percent(share: int, said: str) -> None:
    assert percent(share) == said
