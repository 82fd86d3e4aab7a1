"""`flotilla prompts`: what is listed, shown, refused and different, at every width."""

import json
from pathlib import Path

import pytest
from rich.console import Console

from workers.prompting.templates import SHIPPED, Prompts
from workers.runtime.settings import Settings

DOC = Path(__file__).parents[2] / "docs" / "cli.md"
HEAD = "---\nname: poem\nrole: poet\npurpose: Ask for a poem.\ninputs: [topic]\n---\n"
GOOD = HEAD + '# system\n\nYou write poems.\n\n# user\n\n{{ topic | data("topic") }}\n'
POEM = "poet/poem"
BAD = GOOD.replace("poems", "{{ topic }}") + "\n{{ topic.x }}\n{% include 'y' %}\n"


@pytest.fixture
def own(desk, tmp_path):
    """A folder of prompts of one's own, with a template and a persona."""
    folder = tmp_path / "my"
    (folder / "poet" / "personas").mkdir(parents=True)
    (folder / "poet" / "poem.md").write_text(GOOD)
    (folder / "poet" / "personas" / "grump.md").write_text("You grumble.\n")
    desk.settings = Settings(prompts_dir=folder)
    return folder


def widen(desk, width):
    desk.with_outside(console=lambda: Console(width=width, force_terminal=True))


def lines(result):
    return [json.loads(line) for line in result.stdout.splitlines()]


class TestLs:
    def test_it_has_every_prompt_with_its_version_and_inputs(self, desk, own):
        rows = [" ".join(line.split()) for line in desk("prompts", "ls").stdout.splitlines()]
        assert rows[0] == "prompt version from inputs"
        live = Prompts.load(own)
        assert len(rows) == 1 + len(list(live))
        poem = live.named("poet/poem")
        assert f"poet/poem {poem.version} {own / 'poet' / 'poem.md'} topic" in rows
        version = live.named("toolkit/continue").version
        assert f"toolkit/continue {version} shipped none" in rows

    @pytest.mark.parametrize("width", [60, 80, 120])
    def test_it_fits_the_terminal_and_leaves_nothing_out(self, desk, width):
        widen(desk, width)
        output = desk("prompts", "ls").stdout
        assert max(map(len, output.splitlines())) <= width
        words = " ".join(output.split())
        for prompt in Prompts.load():
            assert prompt.name in words and prompt.version in words and ", ".join(prompt.inputs) in words
        assert "personas" not in words

    def test_as_json_it_has_an_object_for_each(self, desk, own):
        found = {entry["prompt"]: entry for entry in lines(desk("prompts", "ls", "--json"))}
        assert found["poet/poem"]["from"] == "own"
        assert found["poet/poem"]["personas"] == ["grump"]
        assert found["architect/design"] == {
            "prompt": "architect/design",
            "version": Prompts.load().named("architect/design").version,
            "purpose": Prompts.load().named("architect/design").purpose,
            "inputs": ["requirements", "sandbox", "objections", "alternative"],
            "from": "shipped",
            "file": str(SHIPPED / "architect" / "design.md"),
            "personas": [],
        }

    def test_a_folder_with_a_template_that_is_refused_is_said_with_what_helps(self, desk, own):
        (own / "poet" / "poem.md").write_text(BAD)
        result = desk("prompts", "ls")
        assert result.exit_code == 2
        assert "poem.md:9:14: " in result.stderr and "flotilla prompts lint" in result.stderr

    def test_a_folder_that_is_not_there_is_said(self, desk, tmp_path):
        desk.settings = Settings(prompts_dir=tmp_path / "nowhere")
        result = desk("prompts", "ls")
        assert (result.exit_code, "no folder of prompts" in result.stderr) == (2, True)


class TestShow:
    def test_it_has_the_front_matter_and_the_messages(self, desk, own):
        assert desk("prompts", "show", "poet/poem").stdout.splitlines() == [
            f"poet/poem  {Prompts.load(own).named('poet/poem').version}",
            "  purpose   Ask for a poem.",
            "  inputs    topic",
            "  personas  grump",
            f"  file      {own / 'poet' / 'poem.md'}",
            "",
            "[system]",
            "You write poems.",
            "",
            "[user]",
            '{{ topic | data("topic") }}',
        ]

    def test_with_a_persona_it_has_what_a_model_gets(self, desk, own):
        (entry,) = lines(desk("prompts", "show", "poet/poem:grump", "--json"))
        assert entry["prompt"] == "poet/poem:grump"
        assert entry["version"] == Prompts.load(own).named("poet/poem:grump").version
        assert entry["messages"] == [
            {"role": "system", "text": "You write poems.\n\nYou grumble."},
            {"role": "user", "text": '{{ topic | data("topic") }}'},
        ]

    def test_a_template_whose_front_matter_names_a_persona_has_the_version_that_is_listed(self, desk, own):
        (own / "poet" / "poem.md").write_text(GOOD.replace("role: poet", "role: poet\npersona: grump"))
        live = Prompts.load(own)
        seen = live.named(f"{POEM}:grump").version
        listed = next(entry for entry in lines(desk("prompts", "ls", "--json")) if entry["prompt"] == POEM)
        (entry,) = lines(desk("prompts", "show", POEM, "--json"))
        assert (entry["prompt"], entry["version"]) == (POEM, listed["version"])
        assert entry["seen_as"] == {"persona": "grump", "version": seen}
        assert entry["messages"][0]["text"].endswith("You grumble.")
        text = desk("prompts", "show", POEM).stdout
        assert text.startswith(f"{POEM}  {listed['version']}\n")
        assert f"  seen as   grump, if a task names nobody else; the journal cites {seen} then\n" in text
        (entry,) = lines(desk("prompts", "show", f"{POEM}:grump", "--json"))
        assert (entry["prompt"], entry["version"], entry["seen_as"]) == (f"{POEM}:grump", seen, None)

    @pytest.mark.parametrize("width", [60, 80, 120])
    @pytest.mark.parametrize("name", ["architect/design", "reviewer/vote:security"])
    def test_it_fits_the_terminal_and_leaves_nothing_out(self, desk, width, name):
        widen(desk, width)
        output = desk("prompts", "show", name).stdout
        assert max(map(len, output.splitlines())) <= width
        (entry,) = lines(desk("prompts", "show", name, "--json"))
        said = "".join(output.split())
        assert all("".join(message["text"].split()) in said for message in entry["messages"])

    @pytest.mark.parametrize(
        ("name", "why"),
        [("poet/ode", "there is no prompt 'poet/ode'; known are"), ("poet/poem:bard", "has no persona 'bard'")],
    )
    def test_what_is_not_there_is_named_with_what_is(self, desk, own, name, why):
        result = desk("prompts", "show", name)
        assert (result.exit_code, why in result.stderr) == (2, True)


class TestLint:
    def test_what_is_shipped_is_refused_nothing(self, desk):
        result = desk("prompts", "lint")
        assert (result.exit_code, result.stdout) == (0, "")
        assert result.stderr.startswith("nothing is refused in ")

    def test_it_says_every_refusal_of_every_file(self, desk, own):
        (own / "poet" / "poem.md").write_text(BAD)
        (own / "poet" / "ode.md").write_text("# user\nHi\n")
        (own / "poet" / "personas" / "grump.md").write_text("You\u202e grumble.\n")
        (own / "poet" / "folder.md").mkdir()
        result = desk("prompts", "lint")
        assert result.exit_code == 1
        poet = own / "poet"
        assert [line.partition(": ")[0] for line in result.stdout.splitlines()] == [
            f"{poet / 'folder.md'}:1:1",
            f"{poet / 'ode.md'}:1:1",
            f"{poet / 'poem.md'}:9:14",
            f"{poet / 'poem.md'}:15:9",
            f"{poet / 'poem.md'}:16:4",
            f"{poet / 'personas' / 'grump.md'}:1:4",
        ]
        assert result.stderr.startswith("6 refusals in 4 of ")

    def test_a_folder_can_be_named_and_then_nothing_else_is_checked(self, desk, own):
        desk.settings = Settings()
        assert desk("prompts", "lint", str(own)).stderr == "nothing is refused in 2 files\n"

    def test_as_json_it_has_an_object_for_each_and_a_summary(self, desk, own):
        (own / "poet" / "poem.md").write_text(BAD)
        result = desk("prompts", "lint", str(own), "--json")
        assert result.exit_code == 1
        *found, summary = lines(result)
        assert found[-1] == {
            "type": "refusal",
            "file": str(own / "poet" / "poem.md"),
            "line": 16,
            "column": 4,
            "why": "templates have no Include; only if, and {{ input | data }}",
        }
        assert summary == {"type": "summary", "files": 2, "refused": 1, "refusals": 3}

    def test_a_template_can_be_named_wherever_it_lies(self, desk, own, tmp_path):
        draft = tmp_path / "draft.md"
        draft.write_text(GOOD.replace("role: poet", "role: poet\npersona: grump"))
        assert desk("prompts", "lint", str(draft)).stderr == "nothing is refused in 1 file\n"
        for text, place in (
            (BAD, "9:14"),
            (GOOD.replace("role: poet", "persona: bard\nrole: poet"), "3:1"),
            ("x", "1:1"),
        ):
            draft.write_text(text)
            result = desk("prompts", "lint", str(draft))
            assert (result.exit_code, result.stdout.partition(": ")[0]) == (1, f"{draft}:{place}"), result.output
        draft.write_bytes(b"\xff")
        assert "the file is no UTF-8" in desk("prompts", "lint", str(draft)).stdout

    def test_a_persona_can_be_named_too(self, desk, own):
        grump = own / "poet" / "personas" / "grump.md"
        assert desk("prompts", "lint", str(grump)).stderr == "nothing is refused in 1 file\n"
        grump.write_text("")
        assert "the persona is empty" in desk("prompts", "lint", str(grump)).stdout

    @pytest.mark.parametrize(("folder", "why"), [("nowhere", "no folder of prompts"), (".", "there is no prompt in")])
    def test_a_folder_without_prompts_is_said(self, desk, tmp_path, folder, why):
        result = desk("prompts", "lint", str(tmp_path / folder))
        assert (result.exit_code, why in result.stderr) == (2, True)


class TestDiff:
    def test_it_shows_what_a_file_would_change(self, desk, own, tmp_path):
        (tmp_path / "draft.md").write_text(GOOD.replace("poems", "odes"))
        old, draft = Prompts.load(own).named("poet/poem").version, tmp_path / "draft.md"
        (entry,) = lines(desk("prompts", "diff", "poet/poem", str(draft), "--json"))
        assert entry["version"] == old != entry["file_version"]
        assert entry["refused"] is None
        said = desk("prompts", "diff", "poet/poem", str(draft)).stdout
        assert said.rstrip("\n") == entry["diff"]
        assert said.splitlines()[:2] == [
            f"--- poet/poem (live, version {old})",
            f"+++ {draft} (version {entry['file_version']})",
        ]
        assert [line for line in said.splitlines()[2:] if line[0] in "+-"] == ["-You write poems.", "+You write odes."]

    def test_a_file_that_models_would_not_tell_apart_is_said_to_be_the_same(self, desk, own, tmp_path):
        (tmp_path / "draft.md").write_text(GOOD.replace("Ask for", "Wish for"))
        result = desk("prompts", "diff", "poet/poem", str(tmp_path / "draft.md"))
        assert "models would see no difference" in result.stderr
        assert "+purpose: Wish for a poem." in result.stdout

    def test_a_file_that_is_refused_is_compared_and_said_to_be_refused(self, desk, own, tmp_path):
        (tmp_path / "draft.md").write_text(BAD + "\x1b[2J")
        result = desk("prompts", "diff", "poet/poem", str(tmp_path / "draft.md"))
        assert result.exit_code == 0
        assert "draft.md (refused)" in result.stdout and "\x1b" not in result.stdout
        assert "draft.md:17:1: nobody sees U+001B" in result.stderr

    @pytest.mark.parametrize(
        ("name", "file", "why"),
        [
            ("poet/ode", "draft.md", "there is no prompt 'poet/ode'"),
            ("poet/poem", "nothing.md", "nothing.md can't be read: No such file"),
            ("poet/poem:grump", "draft.md", "leave out :grump"),
            ("poet/poem", "bytes.md", "bytes.md:1:1: the file is no UTF-8"),
        ],
    )
    def test_what_cannot_be_compared_is_said(self, desk, own, tmp_path, name, file, why):
        (tmp_path / "draft.md").write_text(GOOD)
        (tmp_path / "bytes.md").write_bytes(b"\xff")
        result = desk("prompts", "diff", name, str(tmp_path / file))
        assert (result.exit_code, why in result.stderr) == (2, True)


@pytest.mark.parametrize(
    "command", ["ls", "show", "lint", "diff", "push", "label", "rollback", "history", "examples", "improve"]
)
def test_every_command_is_documented_with_an_example(command, desk):
    text = DOC.read_text()
    assert f"## `flotilla prompts {command}" in text
    assert f"\nflotilla prompts {command}" in text
    assert desk("prompts", command, "--help").exit_code == 0
