"""An idea that the model can't read ends in a reason that helps, and never in some other project."""

import json

import pytest

from contracts.v1.runs import RunClosed

UNREADABLE = {
    "mail": (
        "Contacts have a name and an email. Send every contact a newsletter each Monday.",
        ["newsletter", "keep records of messages"],
    ),
    "payment": (
        "A shop with products (name, price) where customers pay with Stripe at the checkout.",
        ["Stripe", "keep records of payments"],
    ),
    "game": ("A multiplayer game in which knights fight dragons.", ["multiplayer", "keep"]),
    "login": (
        "Keep track of notes (title, body). Users must log in with a password.",
        ["password", "keep records of people"],
    ),
    "poem": ("Write me a poem about the sea.", ["poem", "keep"]),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_run_that_can_not_be_done_names_the_part_and_what_could_be_done_instead(fleet, name, tmp_path):
    idea, said = UNREADABLE[name]
    target = tmp_path / "out"
    ran = fleet.flotilla("run", idea, "--run-id", f"cannot-{name}", "--out", str(target), "--json")
    assert ran.returncode == 1, ran.stdout
    summary = json.loads(ran.stdout.splitlines()[-1])
    assert summary["status"] == "failed" and summary["failed_task"] == "plan"
    for part in said:
        assert part.lower() in summary["reason"].lower()
    assert not target.exists()
    [closed] = fleet.facts(f"cannot-{name}").of(RunClosed)
    assert (closed.status, closed.reason) == ("failed", summary["reason"])
    assert not any(fact.startswith("result.") for fact in fleet.facts(f"cannot-{name}").names)


def test_what_it_can_not_do_is_said_in_plain_lines_as_well(fleet):
    ran = fleet.flotilla("run", UNREADABLE["poem"][0])
    assert ran.returncode == 1
    assert "poem" in ran.stdout and "Traceback" not in ran.stdout + ran.stderr


def test_an_empty_idea_is_a_usage_error_that_names_it(fleet):
    ran = fleet.flotilla("run", "  ", "--run-id", "empty")
    assert ran.returncode == 2
    assert "idea" in ran.stderr
    assert fleet.facts("empty").names == []
