"""A blueprint is read from YAML, and each fault names its path and what to do."""

import pytest

from workers.orchestrator.blueprint import Blueprint, Voter
from workers.orchestrator.blueprint_file import BadBlueprint, read_blueprint
from workers.orchestrator.configured import policy_of
from workers.runtime.settings import Settings


@pytest.fixture
def read(tmp_path):
    """Reads a text as a blueprint."""

    def of(text):
        path = tmp_path / "blueprint.yaml"
        path.write_text(text, encoding="utf-8")
        return read_blueprint(path)

    return of


def test_without_a_file_runs_have_both_ballots_and_one_design():
    assert read_blueprint(None) == Blueprint()
    assert Blueprint().ballots.design.no_quorum == "default"
    assert Blueprint().ballots.release.rule == "majority"


def test_what_a_file_does_not_say_stays_as_it_is_without_one(read):
    blueprint = read("designs: 3\nballots:\n  release: {quorum: 3}\n")
    default = Blueprint().ballots
    assert (blueprint.designs, blueprint.ballots.design) == (3, default.design)
    assert blueprint.ballots.release == default.release.model_copy(update={"quorum": 3})
    assert read("ballots:\n").ballots == read("ballots: {design: on, release: }").ballots == default


def test_a_ballot_that_is_off_is_not_held(read):
    ballots = read("ballots: {design: off, release: false}").ballots
    assert (ballots.design, ballots.release) == (None, None)
    assert read("ballots: off").ballots == ballots


def test_an_empty_file_says_what_no_file_says(read):
    assert read("") == read("# nothing yet") == Blueprint()


def test_what_people_write_short_is_understood(read):
    terms = read("ballots: {release: {voters: security, rule: supermajority, threshold: 3/4}}").ballots.release
    assert (terms.voters, terms.quorum, terms.threshold) == ((Voter(persona="security"),), 1, (3, 4))


def test_voters_are_written_as_personas_or_with_a_target(read):
    terms = read("ballots: {release: {voters: [security, {persona: security, target: 'groq:x'}]}}").ballots.release
    assert terms.voters == (Voter(persona="security"), Voter(persona="security", target="groq:x"))
    assert [voter.name for voter in terms.voters] == ["security", "security-groq-x"]


FAULTS = {
    "desings: 2": "desings: unknown field (did you mean 'designs'?); there are designs, ballots",
    "designs: 0": "designs: must be greater than or equal to 1",
    "ballots: {desing: off}": "ballots.desing: unknown field (did you mean 'design'?); there are design, release",
    "ballots: 3": "ballots: must be a mapping of fields",
    "ballots: {design: majority}": "ballots.design: must be a mapping of fields, or `off` for no ballot",
    "ballots: {design: {quorom: 1}}": "ballots.design.quorom: unknown field (did you mean 'quorum'?); there are rule,",
    "ballots: {design: {rule: best}}": "ballots.design.rule: must be 'majority', 'supermajority',",
    "ballots: {design: {quorum: 4}}": "ballots.design: quorum 4 is above the 3 voters",
    "ballots: {design: {no_quorum: extend}}": "ballots.design: no_quorum extend needs extension_s, in seconds",
    "ballots: {design: {threshold: [3, 2]}}": "ballots.design: threshold 3 of 2 can't be reached",
    "ballots: {design: {voters: []}}": "ballots.design.voters: is empty; name at least one",
    "ballots: {design: {voters: 3}}": "ballots.design.voters: must be a list",
    "ballots: {design: {threshold: a/b}}": "ballots.design.threshold[0]: must be a whole number",
    "ballots: {design: {voters: [a, a]}}": "ballots.design: voters must differ: a is there more than once",
    "ballots: {design: {voters: [a b, c]}}": "ballots.design.voters[0].persona: ",
    "ballots: {design: {voters: [a, {target: b}]}}": "ballots.design.voters[1].persona: is missing; add it",
    "ballots: {design: {voters: [{persona: a, modle: b}, c]}}": "ballots.design.voters[0].modle: unknown field;",
    f"ballots: {{design: {{voters: [{'a' * 41}, b]}}}}": f"ballots.design: the voter's name {'a' * 41} has 41 char",
    "designs: 2\ndesigns: 3": "line 2, column 1: 'designs' is given twice; keep one of them",
    "designs: [": "line 1, column 11: ",
    "3: 4": "[3]: keys should be strings",
    "[1]: 4": "line 1, column 1: a key must be a word",
    "some words": "the file must be a mapping with `designs:` and `ballots:` at its left edge",
}


@pytest.mark.parametrize("text", FAULTS)
def test_a_fault_names_its_path_and_what_is_wrong(read, text):
    with pytest.raises(BadBlueprint) as caught:
        read(text)
    assert [fault for fault in caught.value.faults if fault.startswith(FAULTS[text])], caught.value.faults


def test_all_faults_come_at_once(read):
    with pytest.raises(BadBlueprint) as caught:
        read("designs: 0\nballots: {design: {quorum: 9}, release: {wave: 0}}")
    assert len(caught.value.faults) == 3
    assert "blueprint.yaml can't be used:\n  designs: " in str(caught.value)


@pytest.mark.parametrize(("content", "why"), [(None, "No such file"), (b"\xff\xfe", "it is not UTF-8")])
def test_a_file_that_can_not_be_read_says_which_variable_names_it(tmp_path, content, why):
    path = tmp_path / "blueprint.yaml"
    if content:
        path.write_bytes(content)
    with pytest.raises(BadBlueprint, match=f"{why}.*FLOTILLA_BLUEPRINT"):
        read_blueprint(path)


def _settings(tmp_path, monkeypatch, text):
    path = tmp_path / "blueprint.yaml"
    path.write_text(text, encoding="utf-8")
    monkeypatch.setenv("FLOTILLA_BLUEPRINT", str(path))
    return Settings()


def test_a_fleets_policy_has_its_blueprint_and_knows_the_family_of_every_target(tmp_path, monkeypatch):
    policy = policy_of(
        _settings(tmp_path, monkeypatch, "ballots: {design: {voters: [user, {persona: security, target: 'groq:x'}]}}")
    )
    assert policy.blueprint.ballots.design.voters[1].target == "groq:x"
    assert policy.families.get("groq:x", "") != policy.families[""] == "builtin"
    assert (policy.families.get("nowhere"), "" in list(policy.families), len(policy.families)) == (None, True, 1)


def test_a_persona_that_nobody_has_written_is_a_fault(tmp_path, monkeypatch):
    with pytest.raises(
        BadBlueprint, match=r"design\.voters\[1\]\.persona: there is no persona 'nobody'; there are corr"
    ):
        policy_of(_settings(tmp_path, monkeypatch, "ballots: {design: {voters: [user, nobody]}}"))


def test_a_voter_on_a_target_that_there_is_none_of_is_a_fault(tmp_path, monkeypatch):
    text = "ballots: {release: {voters: [user, {persona: security, target: nowhere}]}}"
    with pytest.raises(
        BadBlueprint, match=r"ballots\.release\.voters\[1\]\.target: there is no model target 'nowhere'"
    ):
        policy_of(_settings(tmp_path, monkeypatch, text))
