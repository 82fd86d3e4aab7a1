"""The fleet itself takes back a template that was made worse, keeps one that is better, and mends one by itself.

The built-in model answers worse where a template's slot of constraints is missing (`careless`), which is all that
tells these versions apart. Tasks are votes on ballots, which are quick.
"""

import json
import re

import pytest

from contracts.v1.ballots import BallotOpened, Option, Panelist
from contracts.v1.prompts import PromptChosen
from workers.prompting.templates import SHIPPED

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

WORKERS = ("orchestrator", "consensus", "timekeeper", "reviewer", "prompt_lab")
PERSONAS = ("correctness", "security", "user", "simplicity", "operations")
VOTE = "reviewer/vote"
BALLOTS_AT_ONCE = 4
MOST_BALLOTS = 160


@pytest.fixture
def voters(outside, tmp_path):
    """What votes and learns; its model answers carelessly where nobody states constraints."""
    with outside.Fleet(tmp_path, workers=WORKERS, model="builtin:careless=0.8") as fleet:
        yield fleet


@pytest.fixture
def careless(tmp_path):
    """The shipped template for votes without its constraints, as a file."""
    text = (SHIPPED / "reviewer" / "vote.md").read_text()
    head, body = text.split("\n---\n", 1)
    without = re.sub(r"\nconstraints:\n(?:[ -].*\n?)+", "\n", head + "\n").rstrip("\n")
    assert "constraints" not in without
    file = tmp_path / "mine" / "reviewer" / "vote.md"
    file.parent.mkdir(parents=True)
    file.write_text(f"{without}\n---\n{body}")
    return file


def told(fleet, *arguments):
    """What a command on prompts says as JSON, a line each."""
    said = fleet.flotilla("prompts", *arguments, "--json")
    assert said.returncode == 0, said.stderr
    return [json.loads(line) for line in said.stdout.splitlines()]


def shipped_version(fleet):
    return next(one["version"] for one in told(fleet, "ls") if one["prompt"] == VOTE)


def live_version(fleet):
    [shown] = told(fleet, "show", VOTE)
    return shown["version"]


def pushed(fleet, file):
    [said] = told(fleet, "push", str(file))
    return said["version"]


def ballot(run, n):
    return BallotOpened(
        tenant="default", run=run, ballot="choice", question=f"Which of them is number {n}?", quorum=len(PERSONAS),
        options=(Option(option="a", text="The first."), Option(option="b", text="The second.")), deadline_s=60,
        electorate=PERSONAS, rule="unanimity", wave=len(PERSONAS),
        panel=tuple(Panelist(voter=persona, persona=persona) for persona in PERSONAS),
    )  # fmt: skip


def hold_ballots(fleet, start):
    """A few ballots, to their ends."""
    runs = [f"vote-{start + n}" for n in range(BALLOTS_AT_ONCE)]

    async def open_all(bus):
        for n, run in enumerate(runs):
            await bus.log.say(ballot(run, start + n))

    fleet.ask(open_all)
    fleet.until(lambda: all("decision.choice" in fleet.facts(run).names for run in runs), "all are decided", 60.0)


def until_ended(fleet, k):
    """Hold ballots until the experiment has ended; what is known of it then."""
    for start in range(k * 1_000, k * 1_000 + MOST_BALLOTS, BALLOTS_AT_ONCE):
        hold_ballots(fleet, start)
        [shown] = told(fleet, "experiment", "show", VOTE, str(k))
        if shown["state"] != "running":
            return shown
    raise AssertionError(f"nothing was decided by {MOST_BALLOTS} ballots: {shown}")


def test_what_is_worse_is_rolled_back_and_what_is_better_is_promoted_by_the_fleet(voters, careless):
    good, bad = shipped_version(voters), pushed(voters, careless)

    told(voters, "experiment", "start", VOTE, "--candidate", bad, "--share", "0.5")
    worse = until_ended(voters, 1)
    assert (worse["state"], worse["why"]) == ("rolled_back", "success")
    assert live_version(voters) == good

    told(voters, "label", VOTE, "live", bad)
    assert live_version(voters) == bad
    told(voters, "experiment", "start", VOTE, "--candidate", good, "--share", "0.5")
    better = until_ended(voters, 2)
    assert (better["state"], better["why"]) == ("promoted", "success")
    assert live_version(voters) == good

    hold_ballots(voters, 9_000)
    given = voters.facts("vote-9000").of(PromptChosen)
    assert {one.prompt_version for one in given} == {good}
    entries = told(voters, "history", VOTE)
    ends = [entry["fact"] for entry in entries if entry["fact"]["kind"] == "experiment_ended"]
    assert [(end["verdict"], end["by"]) for end in ends] == [("rolled_back", "prompt_lab"), ("promoted", "prompt_lab")]
    assert all(end["curve"] and end["live"]["won"] + end["candidate"]["won"] > 0 for end in ends)
    told(voters, "rollback", VOTE)
    assert live_version(voters) == bad


def test_a_template_that_goes_wrong_is_revised_gated_tried_and_made_live_by_the_fleet(voters, careless):
    bad = pushed(voters, careless)
    told(voters, "label", VOTE, "live", bad)
    told(voters, "improve", VOTE, "--on", "--failures", "3", "--cases", "8")
    hold_ballots(voters, 100)
    for start in range(200, 200 + MOST_BALLOTS, BALLOTS_AT_ONCE):
        hold_ballots(voters, start)
        if live_version(voters) != bad:
            break
    facts = [entry["fact"] for entry in told(voters, "history", VOTE)]
    kinds = [fact["kind"] for fact in facts]
    [tried] = [fact for fact in facts if fact["kind"] == "revision_tried"]
    [ended] = [fact for fact in facts if fact["kind"] == "experiment_ended"]
    assert tried["gate"]["passed"]
    assert tried["reason"]
    assert ended["verdict"] == "promoted"
    assert live_version(voters) == tried["candidate"]
    assert kinds.index("revision_tried") < kinds.index("experiment_started") < kinds.index("experiment_ended")
    given = [one for start in range(100, 104) for one in voters.facts(f"vote-{start}").of(PromptChosen)]
    assert {one.prompt_version for one in given} == {bad}
