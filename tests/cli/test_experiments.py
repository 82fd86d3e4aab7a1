"""`flotilla prompts experiment`, with the fleet's prompts in memory."""

import json
import random
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from rich.console import Console

from contracts.codec import encode
from contracts.prompt_facts import decode_prompt
from contracts.subjects import subject_of
from contracts.v1.prompts import (
    ExperimentEnded,
    ExperimentStarted,
    LabelMoved,
    OutcomeScored,
    PromptChosen,
    PromptFact,
    ShareChanged,
    VersionPushed,
)
from workers.cli.experiments import percent_typed, share_typed
from workers.prompting.checks import content_of
from workers.prompting.templates import Prompts, compiled_text

NAME = "architect/design"
FILE = Prompts.load().named(NAME)


def variant(text: str) -> VersionPushed:
    """A version of the template with a sentence more."""
    raw = content_of(FILE.source.file).decode()
    content = raw.replace("# system\n", f"# system\n{text}\n", 1)
    digest = compiled_text("architect", "design", content).version
    return VersionPushed(role="architect", name="design", digest=digest, content=content, by="ada")


ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
OTHER, THIRD = variant("Be brief."), variant("Be thorough.")


@pytest.fixture
def fleet(desk: Any) -> Any:
    """A desk whose fleet has another version of the template."""
    desk.with_outside(user=lambda: "ada")
    desk.settings = desk.settings.model_copy(update={"nats_url": "nats://there:4222"})
    desk.prompts().put(OTHER)
    return desk


def experiment(desk: Any, *arguments: str) -> Any:
    return desk("prompts", "experiment", *arguments, "--nats", "nats://there:4222")


def said(desk: Any, kind: type[PromptFact]) -> list[Any]:
    facts = [decode_prompt(stored.subject, stored.data) for stored in desk.said_of_prompts]
    return [fact for fact in facts if isinstance(fact, kind)]


def play(desk: Any, live: float, candidate: float, tasks: int, k: int = 1) -> None:
    """Tasks of the experiment with outcomes at these rates, the last three of them without."""
    luck, store = random.Random(3), desk.prompts()
    for n in range(tasks):
        on = luck.random() < 0.5
        ids = {"tenant": "default", "run": f"r{n}", "task": "design"}
        chosen = PromptChosen(
            **ids, template="architect-design", prompt=NAME, prompt_version=OTHER.digest if on else FILE.version,
            experiment=k, arm="candidate" if on else "live",
        )  # fmt: skip
        stored = desk.log.put(subject_of(chosen), encode(chosen))
        won = luck.random() < (candidate if on else live)
        if n < tasks - 3:
            store.put(
                OutcomeScored(
                    role="architect", name="design", k=k, **ids, epoch=0, arm="candidate" if on else "live",
                    place=stored.sequence, won=won, cost=10, latency=900,
                )
            )  # fmt: skip


def test_starting_brings_in_the_file_that_is_live_and_says_what_is_tried(fleet: Any) -> None:
    done = experiment(fleet, "start", NAME, "--candidate", OTHER.digest[:5], "--share", "20%", "--within", "30m")
    assert done.exit_code == 0, done.output
    assert f"{NAME} experiment 1: 20 % of tasks get {OTHER.digest}, the others {FILE.version}" in done.output
    started = said(fleet, ExperimentStarted)[0]
    assert (started.live, started.candidate, started.share) == (FILE.version, OTHER.digest, 200_000)
    assert (started.metric, started.within_s, started.dearer, started.slower) == ("valid", 1_800, 25, 50)
    assert started.by == "ada"
    assert {pushed.digest for pushed in said(fleet, VersionPushed)} == {OTHER.digest, FILE.version}


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("start", NAME, "--candidate", "feedbeef0000"), "has no version or label 'feedbeef0000'"),
        (("start", NAME, "--candidate", "live"), "is what is live"),
        (("start", "architect/nothing", "--candidate", "abcd"), "there is no prompt 'architect/nothing'"),
        (("start", f"{NAME}:security", "--candidate", "abcd"), "leave the persona out"),
        (("start", NAME, "--candidate", OTHER.digest, "--share", "1"), "leaves nothing to compare"),
        (("start", NAME, "--candidate", OTHER.digest, "--share", "most"), "give a part of the tasks such as 0.2"),
        (("start", NAME, "--candidate", OTHER.digest, "--metric", "speed"), "--metric 'speed': there are valid,"),
        (("start", NAME, "--candidate", OTHER.digest, "--within", "soon"), "give a time such as 60s"),
        (("start", NAME, "--candidate", OTHER.digest, "--dearer", "-3"), "give whole percent from 0 to 10000"),
        (("start", NAME, "--candidate", OTHER.digest, "--most", "3"), "from 10 to 1,000,000"),
        (("show", NAME), "had no experiment yet"),
        (("share", NAME, "0.3"), "no experiment of architect/design runs"),
        (("stop", NAME), "no experiment of architect/design runs"),
    ],
)
def test_what_cant_be_is_a_sentence_and_nothing_is_said(fleet: Any, arguments: tuple[str, ...], complaint: str) -> None:
    before = list(fleet.said_of_prompts)
    done = experiment(fleet, *arguments)
    assert done.exit_code == 2
    assert complaint in " ".join(done.output.split())
    assert fleet.said_of_prompts == before


def test_a_second_experiment_is_refused_while_one_runs(fleet: Any) -> None:
    fleet.prompts().put(THIRD)
    assert experiment(fleet, "start", NAME, "--candidate", OTHER.digest).exit_code == 0
    done = experiment(fleet, "start", NAME, "--candidate", THIRD.digest)
    assert done.exit_code == 2
    assert f"experiment 1 of {NAME} runs, with {OTHER.digest}" in done.output
    assert len(said(fleet, ExperimentStarted)) == 1


def test_an_experiment_that_somebody_else_starts_at_the_same_moment_wins(fleet: Any) -> None:
    mine = fleet.prompts()
    mine.put(THIRD)
    theirs = ExperimentStarted(role="architect", name="design", k=1, live=OTHER.digest, candidate=THIRD.digest)
    move = LabelMoved(role="architect", name="design", n=1, label="live", to=OTHER.digest)
    fleet.said_before += [move, theirs]
    done = experiment(fleet, "start", NAME, "--candidate", OTHER.digest)
    assert done.exit_code in (1, 2)
    assert "at the same moment" in done.output or "runs" in done.output
    assert said(fleet, ExperimentStarted) == [theirs]


def test_the_share_is_changed_and_shown_with_what_it_was(fleet: Any) -> None:
    experiment(fleet, "start", NAME, "--candidate", OTHER.digest, "--share", "0.1")
    done = experiment(fleet, "share", NAME, "0.5")
    assert done.exit_code == 0
    assert "the candidate gets 50 % of the tasks" in done.output
    assert "50 % of tasks get the candidate (10 % before)" in experiment(fleet, "show", NAME).output
    assert experiment(fleet, "share", NAME, "50%").exit_code == 2


def test_one_that_runs_is_shown_with_its_present_evidence(fleet: Any) -> None:
    experiment(fleet, "start", NAME, "--candidate", OTHER.digest)
    play(fleet, 0.6, 0.7, 63)
    text = experiment(fleet, "show", NAME).output
    assert "running: 60 of at most 1,000 outcomes, 3 awaited" in text
    assert "better" in text
    assert "27:1 ┤" in text or "27:1 +" in text
    found = json.loads(experiment(fleet, "show", NAME, "--json").stdout)
    assert found["outcomes"] == 60
    assert found["curve"][-1][0] == 60
    assert sum(found["arms"]["live"].values()) + sum(found["arms"]["candidate"].values()) == 60


def test_the_evidence_is_drawn_to_a_file_that_browsers_show(fleet: Any, tmp_path: Path) -> None:
    experiment(fleet, "start", NAME, "--candidate", OTHER.digest)
    play(fleet, 0.6, 0.7, 63)
    file = tmp_path / "evidence.svg"
    done = experiment(fleet, "show", NAME, "--svg", str(file), "--json")
    assert done.exit_code == 0 and json.loads(done.stdout)["outcomes"] == 60
    text = "".join(ElementTree.fromstring(file.read_text("utf-8")).itertext())
    assert f"{NAME} experiment 1: running" in text and OTHER.digest in text
    for wrong in (("--svg", str(file), "--watch"), ("--svg", str(tmp_path / "no" / "folder.svg"))):
        assert experiment(fleet, "show", NAME, *wrong).exit_code == 2


def test_evidence_that_is_enough_waits_for_the_prompt_lab(fleet: Any) -> None:
    experiment(fleet, "start", NAME, "--candidate", OTHER.digest)
    play(fleet, 0.2, 1.0, 200)
    text = " ".join(experiment(fleet, "show", NAME).output.split())
    assert "which is enough; the prompt lab ends it as soon as it runs" in text


def test_stopping_keeps_the_evidence_so_far(fleet: Any) -> None:
    experiment(fleet, "start", NAME, "--candidate", OTHER.digest)
    play(fleet, 0.6, 0.7, 33)
    done = experiment(fleet, "stop", NAME, "--reason", "not the right time")
    assert done.exit_code == 0
    ended = said(fleet, ExperimentEnded)[0]
    assert (ended.verdict, ended.why, ended.by) == ("stopped", "by_hand", "ada")
    assert ended.curve[-1][0] == 30
    text = experiment(fleet, "show", NAME).output
    assert "stopped after 30 outcomes" in text
    assert f"the experiment is stopped by hand, tasks get {FILE.version} (not the right time)" in " ".join(text.split())
    assert fleet.prompts().of(NAME).running is None


def test_one_that_a_move_of_live_has_ended_shows_what_was_known_by_then(fleet: Any) -> None:
    experiment(fleet, "start", NAME, "--candidate", OTHER.digest)
    play(fleet, 0.6, 0.7, 23)
    store = fleet.prompts()
    store.put(LabelMoved(role="architect", name="design", n=1, label="live", to=OTHER.digest))
    text = experiment(fleet, "show", NAME, "1").output
    assert "stopped after 20 outcomes" in text
    told = f"the experiment is stopped by hand, tasks get {OTHER.digest} (live was moved to {OTHER.digest})"
    assert told in " ".join(text.split())


@pytest.mark.parametrize(
    ("verdict", "moves", "told"),
    [
        ("promoted", (), f"{OTHER.digest} is promoted, `live` names it now: it succeeds more often"),
        ("promoted", (None,), f"{OTHER.digest} was promoted, and tasks get {FILE.version} by now: it succeeds more"),
        ("rolled_back", (), f"{OTHER.digest} is rolled back, tasks get {FILE.version} again: it succeeds less often"),
        ("rolled_back", (THIRD.digest,), f"{OTHER.digest} was rolled back, and tasks get {THIRD.digest} by now: it"),
        ("stopped", (THIRD.digest,), f"the experiment is stopped, tasks get {THIRD.digest}: it"),
    ],
)
def test_an_end_says_what_tasks_get_by_now(fleet: Any, verdict: Any, moves: tuple[Any, ...], told: str) -> None:
    store = fleet.prompts()
    store.put(THIRD)
    experiment(fleet, "start", NAME, "--candidate", OTHER.digest)
    store.put(ExperimentEnded(role="architect", name="design", k=1, verdict=verdict, why="success"))
    for n, to in enumerate(moves, 1):
        store.put(LabelMoved(role="architect", name="design", n=n, label="live", to=to))
    assert told in " ".join(experiment(fleet, "show", NAME).output.split())


def test_an_unknown_number_is_a_sentence(fleet: Any) -> None:
    experiment(fleet, "start", NAME, "--candidate", OTHER.digest)
    done = experiment(fleet, "show", NAME, "7")
    assert done.exit_code == 2
    assert "has no experiment 7; it had 1" in done.output


def test_all_experiments_are_listed_with_their_state(fleet: Any) -> None:
    assert "there was no experiment yet" in experiment(fleet, "ls").output
    experiment(fleet, "start", NAME, "--candidate", OTHER.digest)
    experiment(fleet, "stop", NAME)
    experiment(fleet, "start", NAME, "--candidate", OTHER.digest, "--metric", "tests_green")
    rows = [json.loads(line) for line in experiment(fleet, "ls", "--json").stdout.splitlines()]
    assert [(row["k"], row["state"], row["metric"]) for row in rows] == [
        (1, "stopped", "valid"), (2, "running", "tests_green"),
    ]  # fmt: skip
    lines = experiment(fleet, "ls").stdout.splitlines()
    assert [line.split()[:3] for line in lines[1:]] == [[NAME, "1", "stopped"], [NAME, "2", "running"]]


def test_watching_into_a_pipe_prints_a_line_per_change_until_the_end(fleet: Any) -> None:
    experiment(fleet, "start", NAME, "--candidate", OTHER.digest)
    play(fleet, 0.6, 0.7, 23)
    curve = ((20, 3_400_000, -1_000_000, 0, 0, 0),)
    ids: dict[str, Any] = {"role": "architect", "name": "design", "k": 1}
    fleet.said_later += [
        ShareChanged(**ids, epoch=1, share=300_000),
        ExperimentEnded(**ids, verdict="promoted", why="success", curve=curve),
    ]
    done = experiment(fleet, "show", NAME, "--watch")
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert len(lines) == 2
    assert "20 outcomes  live" in lines[0]
    assert "better 30:1" in lines[1]
    assert lines[1].endswith("is promoted, `live` names it now: it succeeds more often")


def test_watched_on_a_terminal_it_is_shown_whole_at_its_end(fleet: Any) -> None:
    experiment(fleet, "start", NAME, "--candidate", OTHER.digest)
    play(fleet, 0.6, 0.7, 23)
    stopped = ExperimentEnded(role="architect", name="design", k=1, verdict="stopped", why="length")
    fleet.said_later += [LabelMoved(role="architect", name="design", n=1, label="best", to=OTHER.digest), stopped]
    fleet.with_outside(console=lambda: Console(width=80, height=24, force_terminal=True, force_interactive=True))
    done = experiment(fleet, "show", NAME, "--watch")
    assert done.exit_code == 0, done.output
    assert "nothing was certain after 1,000 outcomes" in " ".join(done.stdout.split())


def test_leaving_a_watched_experiment_leaves_it_running(fleet: Any) -> None:
    experiment(fleet, "start", NAME, "--candidate", OTHER.digest)
    play(fleet, 0.6, 0.7, 23)
    fleet.signals.left = 1
    done = experiment(fleet, "show", NAME, "--watch")
    assert done.exit_code == 130
    assert fleet.prompts().of(NAME).running is not None


def test_on_a_terminal_the_picture_fits_its_width(fleet: Any) -> None:
    experiment(fleet, "start", NAME, "--candidate", OTHER.digest)
    play(fleet, 0.6, 0.8, 83)
    for width in (60, 80, 120):
        fleet.with_outside(console=lambda width=width: Console(width=width, force_terminal=True))
        lines = ESCAPES.sub("", experiment(fleet, "show", NAME).stdout).splitlines()
        assert max(map(len, lines)) <= width


@pytest.mark.parametrize(("text", "share"), [("0.2", 200_000), ("20%", 200_000), (" 2.5 % ", 25_000), (".5", 500_000)])
def test_shares_are_typed_as_a_part_or_in_percent(text: str, share: int) -> None:
    assert share_typed("--share", text) == share


def test_no_limit_is_typed_as_any() -> None:
    assert percent_typed("--dearer", "any") is None
    assert percent_typed("--dearer", "10%") == 10
