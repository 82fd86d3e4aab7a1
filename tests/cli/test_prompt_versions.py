"""`flotilla prompts` on what the fleet says: versions that are pushed, labelled, rolled back, listed and compared."""

import json

import pytest
from rich.console import Console

from contracts.prompt_facts import decode_prompt
from contracts.v1.prompts import (
    ArmCount,
    ExperimentEnded,
    ExperimentStarted,
    GateResult,
    ImprovementSet,
    LabelMoved,
    RevisionTried,
    VersionPushed,
)
from workers.prompting.templates import Prompts, compiled_text
from workers.runtime.ports import Stored
from workers.runtime.settings import Settings

HEAD = "---\nname: poem\nrole: poet\npurpose: Ask for a poem.\ninputs: [topic]\n---\n"
GOOD = HEAD + '# system\n\nYou write poems.\n\n# user\n\n{{ topic | data("topic") }}\n'
ODES = GOOD.replace("poems", "odes")
HAIKU = GOOD.replace("poems", "haiku")
NAME = "poet/poem"
FILE, ODE, HAIKUS = (compiled_text("poet", "poem", text).version for text in (GOOD, ODES, HAIKU))
HERE = ("--nats", "nats://there:4222")


@pytest.fixture
def fleet(desk, tmp_path):
    """The command with a template of its own as a file, and two drafts beside it."""
    folder = tmp_path / "my"
    (folder / "poet" / "personas").mkdir(parents=True)
    (folder / "poet" / "poem.md").write_text(GOOD)
    (folder / "poet" / "personas" / "grump.md").write_text("You grumble.\n")
    for name, text in (("odes", ODES), ("haiku", HAIKU)):
        (tmp_path / f"{name}.md").write_text(text)
    desk.settings = Settings(prompts_dir=folder)
    desk.with_outside(user=lambda: "ada")
    desk.folder = tmp_path
    return desk


def prompts(fleet, *arguments):
    return fleet("prompts", *arguments, *HERE)


def push(fleet, draft, *options):
    return prompts(fleet, "push", str(fleet.folder / f"{draft}.md"), *options)


def done(fleet, *arguments):
    result = prompts(fleet, *arguments)
    assert result.exit_code == 0, result.output
    return result


def as_json(result):
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def said(fleet):
    return [decode_prompt(stored.subject, stored.data) for stored in fleet.said_of_prompts]


def history(fleet):
    return fleet.prompts().of(NAME)


class TestPush:
    def test_a_file_becomes_a_version_that_nothing_uses_yet(self, fleet):
        result = push(fleet, "odes", "--reason", "odes are better")
        assert result.stdout == f"poet/poem: version {ODE} came in\n"
        assert f"flotilla prompts label {NAME} live {ODE} --nats nats://there:4222" in result.stderr
        assert said(fleet) == [
            VersionPushed(role="poet", name="poem", by="ada", digest=ODE, content=ODES, note="odes are better")
        ]
        assert history(fleet).live is None

    def test_pushing_it_again_says_nothing_new(self, fleet):
        push(fleet, "odes")
        result = push(fleet, "odes")
        assert (result.exit_code, result.stdout) == (0, f"poet/poem: version {ODE} is there already\n")
        assert len(said(fleet)) == 1

    def test_a_label_can_name_it_at_once(self, fleet):
        (entry,) = as_json(push(fleet, "odes", "--label", "live", "--json"))
        assert (entry["version"], entry["live"], entry["labels"], entry["news"]) == (ODE, ODE, {"live": ODE}, True)
        (entry,) = as_json(push(fleet, "odes", "--label", "live", "--json"))
        assert entry["news"] is False
        assert len(said(fleet)) == 2

    def test_one_that_another_pushed_at_the_same_moment_is_there(self, fleet):
        fleet.said_before.append(VersionPushed(role="poet", name="poem", digest=ODE, content=ODES, by="bob"))
        (entry,) = as_json(push(fleet, "odes", "--label", "tried", "--json"))
        assert entry["labels"] == {"tried": ODE}
        assert [fact.by for fact in said(fleet)] == ["bob", "ada"]

    @pytest.mark.parametrize(
        ("text", "label", "why"),
        [
            (GOOD.replace("poems", "{{ topic }}"), "", "draft.md:9:14: "),
            (GOOD.replace("topic", "theme"), "", "can't stand for poet/poem: it takes theme, and is given topic"),
            (GOOD.replace("role: poet", "role: poet\npersona: nobody"), "", "role poet has no persona 'nobody'"),
            (ODES, "a b", "'a b' is no label"),
            (ODES, "shipped", "shipped always means the file"),
            (None, "", "can't be read: No such file"),
        ],
    )
    def test_what_is_refused_leaves_nothing_behind(self, fleet, text, label, why):
        draft = fleet.folder / "draft.md"
        if text:
            draft.write_text(text)
        result = push(fleet, "draft", *(("--label", label) if label else ()))
        assert (result.exit_code, why in result.stderr) == (2, True), result.stderr
        assert fleet.said_of_prompts == []

    def test_a_template_that_no_file_has_can_be_pushed_and_is_said_to_need_a_label(self, fleet):
        (fleet.folder / "ode.md").write_text(ODES.replace("name: poem", "name: ode"))
        result = push(fleet, "ode")
        assert "there is no file poet/ode here" in result.stderr
        assert "poet/ode has versions, but none is live" in prompts(fleet, "ls").stderr
        assert "nothing is live" in prompts(fleet, "show", "poet/ode").stderr
        assert prompts(fleet, "show", "poet/ode@" + said(fleet)[0].digest).exit_code == 0


class TestLabel:
    def test_live_does_not_move_to_a_version_that_the_code_can_not_use(self, fleet):
        other = GOOD.replace("topic", "theme")
        digest = compiled_text("poet", "poem", other).version
        fleet.said_before.append(VersionPushed(role="poet", name="poem", digest=digest, content=other, by="a script"))
        push(fleet, "odes")
        result = prompts(fleet, "label", NAME, "live", digest)
        assert (result.exit_code, "it takes theme, and is given topic" in result.stderr) == (2, True), result.stderr
        assert prompts(fleet, "label", NAME, "odd", digest).exit_code == 0

    def test_a_version_whose_inputs_are_to_be_something_else_is_refused(self, fleet):
        file = fleet.settings.prompts_dir / "poet" / "poem.md"
        file.write_text(GOOD.replace("[topic]", "{topic: Design}"))
        draft = fleet.folder / "odes.md"
        draft.write_text(ODES.replace("[topic]", "{topic: Evidence}"))
        assert "topic is to be a Evidence, and it is given a Design" in push(fleet, "odes").stderr
        for fits in ("{topic: 'Design?'}", "[topic]", "{topic: Design}"):
            draft.write_text(ODES.replace("[topic]", fits))
            result = push(fleet, "odes")
            assert result.exit_code == 0, result.stderr

    def test_live_moves_to_a_version_by_its_beginning(self, fleet):
        push(fleet, "odes")
        result = done(fleet, "label", NAME, "live", ODE[:5], "--reason", "tried by hand")
        assert result.stdout == f"poet/poem: live moved from the file to {ODE}\n"
        assert said(fleet)[-1] == LabelMoved(
            role="poet", name="poem", by="ada", n=1, label="live", to=ODE, reason="tried by hand"
        )
        assert prompts(fleet, "label", NAME, "live", ODE).exit_code == 2

    def test_live_goes_back_to_the_file(self, fleet):
        push(fleet, "odes", "--label", "live")
        assert "to the file" in done(fleet, "label", NAME, "live", "shipped").stdout
        push(fleet, "odes", "--label", "live")
        assert "to the file" in done(fleet, "label", NAME, "live", "--remove").stdout
        assert history(fleet).live is None

    def test_the_file_that_ships_is_brought_in_where_a_label_needs_it(self, fleet):
        result = done(fleet, "label", NAME, "stable", "shipped")
        assert result.stdout.splitlines() == [
            f"poet/poem: version {FILE} came in",
            f"poet/poem: stable names {FILE} now",
        ]

    def test_a_label_is_taken_away(self, fleet):
        push(fleet, "odes", "--label", "stable")
        assert f"stable was taken away from {ODE}" in done(fleet, "label", NAME, "stable", "--remove").stdout
        assert history(fleet).labels == {}

    def test_one_who_was_quicker_with_another_label_is_no_obstacle(self, fleet):
        push(fleet, "odes")
        fleet.said_before.append(LabelMoved(role="poet", name="poem", by="bob", n=1, label="stable", to=ODE))
        done(fleet, "label", NAME, "live", ODE)
        assert history(fleet).labels == {"stable": ODE, "live": ODE}

    def test_one_who_was_quicker_with_the_same_label_is_told_and_not_overruled(self, fleet):
        push(fleet, "odes")
        push(fleet, "haiku")
        fleet.said_before.append(LabelMoved(role="poet", name="poem", by="bob", n=1, label="live", to=HAIKUS))
        result = prompts(fleet, "label", NAME, "live", ODE)
        assert result.exit_code == 1
        assert (
            f"somebody else changed poet/poem at the same moment: live moved from the file to {HAIKUS}" in result.stderr
        )
        assert history(fleet).live == HAIKUS

    @pytest.mark.parametrize(
        ("typed", "why"),
        [
            (("poet/ode", "live", "shipped"), "there is no prompt 'poet/ode'; known are"),
            (("poet/poem:grump", "live", "shipped"), "leave the persona out"),
            ((NAME, "live", "abcdef"), "has no version or label 'abcdef'; it has live"),
            ((NAME, "live", "shipped"), "already: there is nothing to move"),
            ((NAME, "stable", "--remove"), "stable of poet/poem is no version already"),
            ((NAME, "live"), "say which VERSION"),
            ((NAME, "live", "shipped", "--remove"), "say which VERSION"),
        ],
    )
    def test_what_can_not_be_done_is_said_and_not_done(self, fleet, typed, why):
        result = prompts(fleet, "label", *typed)
        assert (result.exit_code, why in result.stderr) == (2, True), result.stderr
        assert fleet.said_of_prompts == []

    def test_moving_live_ends_the_experiment_that_runs_and_says_so(self, fleet):
        tried(fleet)
        assert "which stopped experiment 1" in done(fleet, "label", NAME, "live", HAIKUS).stdout

    def test_the_candidate_of_an_experiment_is_not_moved_by_hand_and_nothing_is_pushed(self, fleet):
        tried(fleet)
        before = len(said(fleet))
        (fleet.folder / "sonnets.md").write_text(GOOD.replace("poems", "sonnets"))
        result = push(fleet, "sonnets", "--label", "candidate")
        assert (result.exit_code, "belongs to experiment 1" in result.stderr) == (2, True)
        assert len(said(fleet)) == before


def tried(fleet):
    """Experiment 1 runs: odes, which are live, against haiku."""
    push(fleet, "odes", "--label", "live")
    push(fleet, "haiku")
    fleet.prompts().put(
        ExperimentStarted(role="poet", name="poem", k=1, live=ODE, candidate=HAIKUS, share=200_000, by="bob")
    )


GATE = GateResult(cases=20, live=12, candidate=18, passed=True, why="18 of 20 cases went well with the candidate")


def revised(fleet):
    """The prompt lab wrote the haiku from what went wrong with odes, which are live; experiment 1 tries them."""
    push(fleet, "odes", "--label", "live")
    store, ids, reason = fleet.prompts(), {"role": "poet", "name": "poem", "by": "prompt_lab"}, "haiku say more in less"
    note = f"attempt 1 to revise {ODE}: {reason}"
    store.put(ImprovementSet(**ids, n=1, on=True))
    store.put(VersionPushed(**ids, digest=HAIKUS, content=HAIKU, note=note))
    run = {"n": 1, "tenant": "default", "run": "improve-poet-poem-1"}
    store.put(RevisionTried(**ids, **run, of=ODE, candidate=HAIKUS, reason=reason, gate=GATE, experiment=1))
    store.put(ExperimentStarted(**ids, k=1, live=ODE, candidate=HAIKUS, reason=reason))


class TestRollback:
    def test_it_goes_back_and_forth_between_the_last_two(self, fleet):
        push(fleet, "odes", "--label", "live")
        push(fleet, "haiku", "--label", "live")
        assert f"to {ODE}" in done(fleet, "rollback", NAME, "--reason", "haiku are too short").stdout
        assert said(fleet)[-1].reason == "haiku are too short"
        (entry,) = as_json(prompts(fleet, "rollback", NAME, "--json"))
        assert entry["live"] == entry["version"] == HAIKUS

    def test_it_goes_back_to_the_file(self, fleet):
        push(fleet, "odes", "--label", "live")
        done(fleet, "rollback", NAME)
        assert history(fleet).live is None

    def test_without_another_version_there_is_nothing_to_go_back_to(self, fleet):
        result = prompts(fleet, "rollback", NAME)
        assert (result.exit_code, "nothing to go back to" in result.stderr) == (2, True)


class TestHistory:
    def test_it_has_everything_with_who_when_why_and_the_evidence(self, fleet):
        tried(fleet)
        fleet.prompts().put(
            ExperimentEnded(
                role="poet", name="poem", by="prompt_lab", k=1, verdict="promoted", why="success",
                live=ArmCount(won=20, lost=15, missing=5), candidate=ArmCount(won=19, lost=1),
                curve=((60, 7_000_000, -3_000_000, 0, 0, 0),), reason="haiku are better",
            )
        )  # fmt: skip
        text = done(fleet, "history", NAME).stdout
        lines = text.splitlines()
        assert lines[0] == f"2026-03-01 12:00:00  version {ODE} came in  by ada"
        assert f"experiment 1 started: {HAIKUS} beside {ODE} with 20 % of the tasks  by bob" in text
        assert f"experiment 1 was promoted: it succeeds more often; live moved to {HAIKUS}  by prompt_lab" in text
        assert "live 20 of 40 won (5 without an outcome); candidate 19 of 20 won" in text
        assert "odds after 60 outcomes: 1,097:1 that it is better, 1:20 that it is worse" in " ".join(text.split())
        assert lines[-1].strip() == "haiku are better"

    def test_a_revisions_reason_and_what_its_gate_counted_stand_there_once(self, fleet):
        revised(fleet)
        text = " ".join(done(fleet, "history", NAME).stdout.split())
        assert text.count("haiku say more in less") == 1
        assert f"gate passed: {GATE.why}" in text and text.count("18 of 20") == 1
        assert f"experiment 1 started: {HAIKUS} beside {ODE}" in text

    def test_a_verdict_says_its_counts_once(self, fleet):
        tried(fleet)
        live, candidate = ArmCount(won=13), ArmCount(won=6, lost=8)
        reason = "the candidate succeeded in 6 of 14 outcomes and the live version in 13 of 13"
        verdict = {"k": 1, "verdict": "rolled_back", "why": "success", "live": live, "candidate": candidate}
        fleet.prompts().put(ExperimentEnded(role="poet", name="poem", by="prompt_lab", reason=reason, **verdict))
        text = done(fleet, "history", NAME).stdout
        assert "experiment 1 was rolled back: it succeeds less often  by prompt_lab" in text
        assert reason in text and text.count("6 of 14") == 1

    def test_as_json_it_has_a_line_for_each_fact_without_large_fields(self, fleet):
        push(fleet, "odes", "--label", "live")
        pushed, moved = as_json(prompts(fleet, "history", NAME, "--json"))
        assert pushed["fact"]["digest"] == ODE and "content" not in pushed["fact"]
        assert (moved["sequence"], moved["ignored"], moved["fact"]["label"]) == (2, False, "live")

    def test_what_was_ignored_or_can_not_be_read_is_there_with_the_reason(self, fleet):
        push(fleet, "odes")
        fleet.prompts().put(LabelMoved(role="poet", name="poem", n=1, label="live", to="0" * 12, by="\x1b[2Jeve"))
        number, at = len(fleet.said_of_prompts) + 1, fleet.said_of_prompts[0].at
        fleet.said_of_prompts.append(Stored(number, at, "flotilla-prompts.poet.poem.label.2", b"not json"))
        result = done(fleet, "history", NAME)
        assert "ignored: label 1: version 000000000000 is not known" in result.stdout
        assert "ignored: label 2: nobody here can read it" in result.stdout
        assert "\x1b" not in result.stdout
        assert "flotilla-prompts.poet.poem.label.2: the payload is no JSON" in result.stderr

    def test_a_template_that_nobody_touched_says_so(self, fleet):
        result = done(fleet, "history", NAME)
        assert (result.stdout, "nobody has touched poet/poem" in result.stderr) == ("", True)


class TestLooking:
    def test_a_list_has_what_is_live_where_from_and_what_else_the_fleet_says(self, fleet):
        tried(fleet)
        fleet.prompts().put(ImprovementSet(role="poet", name="poem", n=1, on=True))
        rows = [" ".join(line.split()) for line in done(fleet, "ls").stdout.splitlines()]
        assert rows[0] == "prompt version from inputs fleet"
        assert f"poet/poem {ODE} pushed topic experiment 1: {HAIKUS} gets 20 %, improves itself" in rows
        assert any(row.startswith("toolkit/continue ") and row.endswith(" -") for row in rows)
        entry = next(one for one in as_json(prompts(fleet, "ls", "--json")) if one["prompt"] == NAME)
        assert (entry["from"], entry["file"], entry["version"]) == ("pushed", None, ODE)
        assert entry["fleet"] == {
            "labels": {"live": ODE, "candidate": HAIKUS}, "versions": [ODE, HAIKUS], "labelled": ["live"],
            "experiment": 1, "share": 0.2, "improves": True, "examples": 0,
        }  # fmt: skip

    @pytest.mark.parametrize("width", [60, 80, 120])
    @pytest.mark.parametrize("command", [("ls",), ("show", NAME), ("history", NAME), ("improve", NAME)])
    def test_everything_fits_the_terminal(self, fleet, width, command):
        revised(fleet)
        fleet.with_outside(console=lambda: Console(width=width, force_terminal=True))
        output = done(fleet, *command).stdout
        assert max(map(len, output.splitlines())) <= width
        assert (ODE if command[0] == "show" else HAIKUS) in output

    @pytest.mark.parametrize(
        ("typed", "version", "text"),
        [
            (NAME, ODE, "You write odes."),
            (f"{NAME}@shipped", FILE, "You write poems."),
            (f"{NAME}@candidate", HAIKUS, "You write haiku."),
            (f"{NAME}@{HAIKUS[:6]}", HAIKUS, "You write haiku."),
        ],
    )
    def test_any_version_is_shown_with_its_labels(self, fleet, typed, version, text):
        tried(fleet)
        output = done(fleet, "show", typed).stdout
        assert output.startswith(f"{NAME}  {version}\n") and text in output
        (entry,) = as_json(prompts(fleet, "show", typed, "--json"))
        labels = {ODE: ["live"], HAIKUS: ["candidate"], FILE: []}[version]
        assert (entry["version"], entry["fleet"]["labelled"]) == (version, labels)
        assert f"labels    {', '.join(labels) or 'none'}" in output

    def test_a_version_is_shown_as_a_persona_sees_it(self, fleet):
        tried(fleet)
        (entry,) = as_json(prompts(fleet, "show", f"{NAME}:grump@candidate", "--json"))
        assert entry["messages"][0]["text"] == "You write haiku.\n\nYou grumble."
        assert "has no persona 'bard'" in prompts(fleet, "show", f"{NAME}:bard@candidate").stderr

    def test_the_text_of_any_version_can_be_had_as_it_is_and_pushed_again(self, fleet):
        tried(fleet)
        for version, text in (("", ODES), ("@candidate", HAIKU), (f"@{HAIKUS[:5]}", HAIKU), ("@shipped", GOOD)):
            assert done(fleet, "show", f"{NAME}{version}", "--raw").stdout == text
        (fleet.folder / "mine.md").write_text(done(fleet, "show", f"{NAME}@candidate", "--raw").stdout)
        assert f"version {HAIKUS} is there already" in push(fleet, "mine").stdout

    @pytest.mark.parametrize(
        ("typed", "why"),
        [
            ((f"{NAME}:grump",), "leave out :grump"),
            ((NAME, "--json"), "leave out --json"),
            (("poet/ode",), "no prompt"),
        ],
    )
    def test_what_has_no_text_of_its_own_is_refused(self, fleet, typed, why):
        result = prompts(fleet, "show", *typed, "--raw")
        assert (result.exit_code, result.stdout, why in result.stderr) == (2, "", True), result.stderr

    def test_slots_are_shown_as_a_model_gets_them(self, fleet):
        slots = "thinking: brief\nconstraints: [Rhyme.]\nexamples: {most: 2, like: topic}\noutput: shown\n"
        (fleet.folder / "odes.md").write_text(ODES.replace("inputs: [topic]\n", f"inputs: {{topic: text}}\n{slots}"))
        push(fleet, "odes", "--label", "live")
        output = done(fleet, "show", NAME).stdout
        for line in ("inputs    topic (text)", "thinking  brief", "examples  2 at most, like topic", "- Rhyme."):
            assert line in output
        (entry,) = as_json(prompts(fleet, "show", NAME, "--json"))
        assert (entry["thinking"], entry["constraints"], entry["output"]) == ("brief", ["Rhyme."], "shown")

    def test_two_versions_are_compared_and_a_file_with_any(self, fleet):
        tried(fleet)
        lines = done(fleet, "diff", NAME, "candidate").stdout.splitlines()
        assert lines[:2] == [
            f"--- poet/poem (live, version {ODE})",
            f"+++ poet/poem candidate (version {HAIKUS})",
        ]
        assert [line for line in lines[2:] if line[0] in "+-"] == ["-You write odes.", "+You write haiku."]
        (entry,) = as_json(prompts(fleet, "diff", NAME, "shipped", HAIKUS[:4], "--json"))
        assert (entry["version"], entry["file_version"], entry["file"]) == (FILE, HAIKUS, None)
        draft = fleet.folder / "odes.md"
        (entry,) = as_json(prompts(fleet, "diff", NAME, "candidate", str(draft), "--json"))
        assert (entry["version"], entry["file_version"], entry["file"]) == (HAIKUS, ODE, str(draft))

    def test_without_a_fleet_files_are_what_there_is(self, fleet):
        tried(fleet)
        for command in (("ls",), ("show", NAME), ("diff", NAME, str(fleet.folder / "odes.md"))):
            for result in (fleet("prompts", *command), fleet("prompts", *command, "--files", *HERE)):
                assert result.exit_code == 0
                assert FILE in result.stdout and "broker" not in result.stderr
        assert fleet("prompts", "show", f"{NAME}@shipped").exit_code == 0
        result = fleet("prompts", "show", f"{NAME}@candidate")
        assert (result.exit_code, "no fleet was asked" in result.stderr) == (2, True)

    def test_a_fleet_that_was_named_must_answer(self, fleet):
        result = fleet("prompts", "ls", "--nats", "nats://gone:4222")
        assert (result.exit_code, result.stdout) == (3, "")


class TestImprove:
    def test_it_is_shown_switched_on_with_limits_and_off_again(self, fleet):
        assert "does not improve itself" in done(fleet, "improve", NAME).stdout
        text = done(
            fleet, "improve", NAME, "--on", "--failures", "3", "--usd", "any", "--each", "0.25", "--share", "20%",
            "--metric", "tests_green", "--each-tokens", "1000", "--target", "openai:gpt-5",
        ).stdout  # fmt: skip
        for said_of_it in (
            "after 3 failed tasks of the live version, by tests_green", "0 of 5",
            "$0.25 and 1,000 tokens each time, no limit in all", "20 % of the tasks", "openai:gpt-5",
        ):  # fmt: skip
            assert said_of_it in text
        (entry,) = as_json(prompts(fleet, "improve", NAME, "--on", "--candidates", "2", "--json"))
        assert (entry["n"], entry["candidates"], entry["failures"], entry["usd"]) == (2, 2, 3, None)
        assert done(fleet, "improve", NAME, "--off").stdout.splitlines() == [
            "poet/poem does not improve itself; `flotilla prompts improve poet/poem --on` lets it"
        ]
        assert [fact.on for fact in said(fleet)] == [True, True, False]

    def test_what_came_of_each_attempt_is_listed(self, fleet):
        revised(fleet)
        last = done(fleet, "improve", NAME).stdout.splitlines()[-1]
        came = f"version {HAIKUS} passed the gate, 18 of 20 cases, live 12 of 20"
        assert last == f"  1. {came}; experiment 1; $0.00: haiku say more in less"

    @pytest.mark.parametrize(
        ("typed", "why"),
        [
            (("poet/ode", "--on"), "there is no prompt 'poet/ode'"),
            (("toolkit/continue", "--on"), "no task is judged by it"),
            ((NAME, "--failures", "3"), "limits go with --on"),
            ((NAME, "--on", "--share", "2"), "--share '2'"),
            ((NAME, "--on", "--share", "100%"), "--share '100%' leaves nothing to compare"),
            ((NAME, "--on", "--share", "0"), "--share '0' leaves nothing to compare"),
            ((NAME, "--on", "--usd", "much"), "--usd 'much'"),
            ((NAME, "--on", "--metric", "luck"), "--metric 'luck': there are valid"),
            ((NAME, "--on", "--cases", "3"), "--cases"),
            ((NAME, "--on", "--target", "a b"), "--target"),
        ],
    )
    def test_what_is_wrong_is_said_and_nothing_is_set(self, fleet, typed, why):
        result = prompts(fleet, "improve", *typed)
        assert (result.exit_code, why in result.stderr) == (2, True), result.stderr
        assert fleet.said_of_prompts == []


def test_every_shipped_template_can_be_pushed_as_it_is(desk):
    for prompt in Prompts.load():
        result = prompts(desk, "push", str(prompt.source.file))
        assert result.stdout == f"{prompt.name}: version {prompt.version} came in\n", result.output
