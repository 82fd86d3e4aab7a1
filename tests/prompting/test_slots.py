"""Slots and contracts: what a front matter states, where it stands in a prompt, and what is refused of inputs."""

import json
from pathlib import Path

import pytest

from contracts.v1.projects import Evidence, Finding, Module
from workers.prompting.checks import refusals
from workers.prompting.errors import PromptRefused, TooLong, UnknownPersona, WrongInputs
from workers.prompting.inputs import CLASSES, Contract
from workers.prompting.source import parse
from workers.prompting.templates import Prompts, compiled, compiled_text
from workers.prompting.thinking import NoReasoning, with_reasoning, without_reasoning
from workers.runtime.roster import roles

TOP = "---\nname: poem\nrole: poet\npurpose: Ask for a poem.\n"
BODY = '# system\n\nYou write poems.\n\n# user\n\nAbout:\n{{ topic | data("topic") }}\n'
PLAIN = "ccb2eb671b02"
"""The version of the template without any slot, as it was before there were slots."""

EXAMPLE = {"inputs": {"topic": "snow"}, "reply": {"lines": ["white"]}}


def prompt(more="", inputs="[topic]", body=BODY):
    return compiled(parse(Path("poet/poem.md"), f"{TOP}inputs: {inputs}\n{more}---\n{body}"))


def system(found):
    first = found.render({"topic": "rain"}).messages[0]
    assert first.role == "system"
    return first.text


class TestSystemSection:
    def test_constraints_are_listed_behind_it_word_for_word(self):
        found = prompt("constraints:\n  - Be short.\n  - No more than\n    four lines, & <b>no</b> titles.\n")
        assert system(found) == (
            "You write poems.\n\n## Constraints\n\n- Be short.\n- No more than four lines, & <b>no</b> titles."
        )

    def test_slots_stand_in_one_order_and_the_persona_last(self):
        found = prompt("constraints: [Be short.]\nexamples: {like: topic}\nthinking: plan\n").seen_as(
            "grump", "Grumble."
        )
        text = system(found)
        heads = ["You write poems.", "## Thinking", "## Examples", "## Constraints", "Grumble."]
        places = [text.index(f"{head}") for head in heads]
        assert places == sorted(places)
        assert text.endswith("- Be short.\n\nGrumble.")

    def test_without_a_system_section_slots_make_a_message_of_their_own(self):
        found = prompt("constraints: [Be short.]\n", body=BODY[BODY.index("# user") :])
        assert [message.role for message in found.render({"topic": "rain"}).messages] == ["system", "user"]
        assert system(found) == "## Constraints\n\n- Be short."

    def test_a_text_that_is_added_stands_before_the_persona(self):
        rendered = prompt().seen_as("grump", "Grumble.").render({"topic": "rain"})
        assert rendered.with_system("More.")[0].text == "You write poems.\n\nMore.\n\nGrumble."
        assert rendered.with_system("More.")[1:] == rendered.messages[1:]
        assert prompt().render({"topic": "rain"}).with_system("More.")[0].text == "You write poems.\n\nMore."
        bare = prompt(body=BODY[BODY.index("# user") :])
        assert bare.render({"topic": "rain"}).with_system("More.")[0].text == "More."
        assert bare.seen_as("grump", "G.").render({"topic": "rain"}).with_system("More.")[0].text == "More.\n\nG."


class TestVersion:
    @pytest.mark.parametrize(
        "more",
        [
            "thinking: none\n",
            "constraints: []\n",
            "output: schema\n",
            "limits: {output_tokens: 32000}\n",
            "persona: ''\n",
        ],
    )
    def test_what_says_nothing_new_keeps_it(self, more):
        assert prompt(more).version == prompt(more, "{topic: json}").version == PLAIN

    def test_everything_that_a_model_is_sent_or_a_task_held_to_changes_it(self):
        slots = [
            "",
            "thinking: brief\n",
            "thinking: plan\n",
            "constraints: [Be short.]\n",
            "constraints: [Be long.]\n",
            "examples: {like: topic}\n",
            "examples: {like: topic, most: 3}\n",
            "output: shown\n",
            "limits: {output_tokens: 500}\n",
            "persona: grump\n",
            "reply: PoemReply\n",
            "reply: [PoemReply, OdeReply]\n",
            "limits: {rendered: 5000}\n",
        ]
        found = {prompt(more).version for more in slots} | {prompt("", "{topic: text}").version}
        assert len(found) == len(slots) + 1

    def test_a_pushed_text_is_the_same_as_a_file(self):
        text = f"{TOP}inputs: {{topic: text}}\nconstraints: [Be short.]\n---\n{BODY}"
        pushed = compiled_text("poet", "poem", text)
        same = prompt("constraints: [Be short.]\n", "{topic: text}")
        assert (pushed.version, pushed.name) == (same.version, "poet/poem")
        assert (
            pushed.render({"topic": "rain"}).messages
            == prompt("constraints: [Be short.]\n").render({"topic": "rain"}).messages
        )

    @pytest.mark.parametrize(
        ("role", "text", "why"),
        [
            ("bard", TOP + "inputs: [topic]\n---\n" + BODY, "2:1: poet/poem must lie at poet/poem.md"),
            ("poet", TOP + "inputs: [topic]\nthinking: much\n---\n" + BODY, "6:1: thinking: Input should be"),
            ("poet", "x" * 300_000, "1:1: the file has more than 262,144 bytes"),
            ("poet", TOP + "inputs: []\n---\n# user\n\ud800\n", "8:1: the file is no UTF-8"),
        ],
    )
    def test_a_pushed_text_that_is_no_template_is_refused_with_its_place(self, role, text, why):
        with pytest.raises(PromptRefused) as caught:
            compiled_text(role, "poem", text)
        assert str(caught.value).startswith(f"{role}/poem.md:{why}")


class TestContracts:
    @pytest.mark.parametrize(
        ("contract", "value"),
        [
            ("text", ""),
            ("number", 3),
            ("number", 0.5),
            ("json", None),
            ("json", {"a": [1]}),
            ("[text]", ()),
            ("[text]", ["a", "b"]),
            ("[json]", [None, 1]),
            ("text?", None),
            ("'[text]?'", None),
            ("'[text]?'", ["a"]),
            ("Finding", Finding(severity="note", message="x")),
            ("Finding", {"severity": "note", "message": "x"}),
            ("[Finding]", (Finding(severity="note", message="x"), {"severity": "minor", "message": "x"})),
            ("Evidence?", {"passed": True, "tests": 3, "level": "none", "files_digest": "0" * 64}),
            ("Evidence", Evidence(passed=True, tests=3, level="none", files_digest="0" * 64, duration_s=1.0)),
            ("[Option]", [{"option": "a", "files": [{"path": "a.py", "content": "x = 1\n"}]}]),
            ("File", {"path": "a.py", "content": ""}),
        ],
    )
    def test_a_value_that_fits_is_shown(self, contract, value):
        found = prompt(inputs=f"\n  topic: {contract}")
        assert '<data name="topic">' in found.render({"topic": value}).messages[1].text

    @pytest.mark.parametrize(
        ("contract", "value", "why"),
        [
            ("text", 3, r"topic is no text: must be a text, not int"),
            ("text", None, r"topic is no text: must be a text, not null"),
            ("number", True, r"topic is no number: must be a number, not bool"),
            ("number", "3", r"topic is no number: must be a number, not str"),
            ("[text]", "rain", r"topic is no \[text\]: must be a list, not str"),
            ("[text]", ["a", 3], r"topic is no \[text\]: 1: must be a text, not int"),
            ("[text]", None, r"must be a list, not null"),
            ("[json]", {"a": 1}, r"must be a list, not dict"),
            ("text?", 3, r"topic is no text\?: must be a text"),
            ("Module", "rain", r"topic is no Module: must be a Module, not str"),
            ("Module", Finding(severity="note", message="x"), r"must be a Module, not Finding"),
            ("Module", {"name": "shelf"}, r"topic is no Module: purpose: Field required; files: Field required"),
            (
                "[Finding]",
                [{"severity": "bad", "message": ""}],
                r"topic is no \[Finding\]: 0: severity: Input should be",
            ),
            ("Evidence", {"passed": True}, r"topic is no Evidence: tests: Field required"),
            ("[Option]", [{"option": "a b"}], r"0: option: String should match"),
        ],
    )
    def test_a_value_that_does_not_fit_is_named_with_its_fault(self, contract, value, why):
        with pytest.raises(WrongInputs, match=rf"prompt poet/poem takes topic; .*{why}"):
            prompt(inputs=f"\n  topic: {contract}").render({"topic": value})

    def test_a_contract_reads_as_it_is_written(self):
        for text in ("text", "[Finding]", "Evidence?", "[text]?"):
            quoted = prompt(inputs=json.dumps({"topic": text}))
            assert str(quoted.source.head.inputs["topic"]) == text

    def test_the_classes_are_those_of_projects_and_a_few_more(self):
        assert {"Requirements", "Design", "Module", "Evidence", "Finding", "Option", "RoleBrief", "File"} <= set(
            CLASSES
        )
        assert "BaseModel" not in CLASSES and "Value" not in CLASSES
        assert Contract("Module").faults(Module(name="a", purpose="", files=("a.py",))) == []


class TestExamples:
    MORE = "examples: {like: topic, most: 2}\n"

    def test_they_are_one_message_of_data_before_the_last(self):
        body = "# system\n\nYou write poems.\n\n# user\n\nListen.\n\n" + BODY[BODY.index("# user") :]
        first, listen, shown, last = prompt(self.MORE, body=body).render({"topic": "rain"}, [EXAMPLE, EXAMPLE]).messages
        assert (listen.text, shown.role) == ("Listen.", "user")
        assert (
            json.loads(shown.text.partition('<data name="examples">\n')[2].removesuffix("\n</data>")) == [EXAMPLE] * 2
        )
        assert last == prompt(self.MORE, body=body).render({"topic": "rain"}).messages[-1]
        assert "## Examples" in first.text

    def test_none_are_shown_where_there_are_none(self):
        assert len(prompt(self.MORE).render({"topic": "rain"}, []).messages) == 2

    @pytest.mark.parametrize(
        ("examples", "why"),
        [
            ([EXAMPLE] * 3, "was given 3 examples; it takes 2 at most"),
            ([{"inputs": {"topic": "snow"}}], "example 1 for prompt poet/poem must have `inputs` and `reply`"),
            ([EXAMPLE, {"inputs": [], "reply": {}}], "example 2 for prompt poet/poem must have"),
            (
                [{"inputs": {"mood": 1}, "reply": {}}],
                "example 1 does not fit prompt poet/poem: missing: topic; unknown: mood",
            ),
            ([{"inputs": {"topic": 3}, "reply": {}}], "example 1 does not fit .*: topic is no text"),
        ],
    )
    def test_one_that_does_not_fit_is_named(self, examples, why):
        with pytest.raises(WrongInputs, match=why):
            prompt(self.MORE, "{topic: text}").render({"topic": "rain"}, examples)

    def test_a_prompt_without_the_slot_takes_none(self):
        with pytest.raises(WrongInputs, match="takes none: its front matter has no `examples`"):
            prompt().render({"topic": "rain"}, [EXAMPLE])


class TestLimits:
    def test_all_messages_together_must_fit(self):
        found = prompt("limits: {rendered: 120}\nconstraints: [Be short.]\n")
        assert sum(len(message.text) for message in found.render({"topic": "rain"}).messages) <= 120
        with pytest.raises(TooLong, match=r"prompt poet/poem came to \d+ characters or more; the limit is 120"):
            found.render({"topic": "x" * 60})

    def test_examples_count(self):
        found = prompt("limits: {rendered: 900}\nexamples: {like: topic}\n")
        found.render({"topic": "rain"}, [EXAMPLE])
        with pytest.raises(TooLong, match="the limit is 900"):
            found.render({"topic": "rain"}, [{**EXAMPLE, "inputs": {"topic": "x" * 500}}])

    def test_tokens_of_the_answer_are_told(self):
        assert prompt("limits: {output_tokens: 500}\n").render({"topic": 1}).output_tokens == 500
        assert prompt().render({"topic": 1}).output_tokens == 32_000


class TestPersona:
    def folder(self, tmp_path, persona):
        (tmp_path / "poet" / "personas").mkdir(parents=True)
        (tmp_path / "poet" / "personas" / "grump.md").write_text("You grumble.")
        (tmp_path / "poet" / "personas" / "fan.md").write_text("You cheer.")
        file = tmp_path / "poet" / "poem.md"
        file.write_text(f"{TOP}inputs: [topic]\npersona: {persona}\n---\n{BODY}")
        return file

    def test_the_one_that_a_template_names_is_seen_with_where_nobody_names_another(self, tmp_path):
        self.folder(tmp_path, "grump")
        prompts = Prompts.load(tmp_path)
        assert system(prompts.named("poet/poem")) == "You write poems.\n\nYou grumble."
        assert prompts.named("poet/poem").name == "poet/poem:grump"
        assert system(prompts.named("poet/poem:fan")) == "You write poems.\n\nYou cheer."

    def test_one_that_is_not_there_is_refused_with_its_place(self, tmp_path):
        file = self.folder(tmp_path, "bore")
        why = r"poem\.md:6:1: role poet has no persona 'bore'; there are fan, grump"
        with pytest.raises(PromptRefused, match=why):
            Prompts.load(tmp_path)
        assert [str(one).partition("poem.md")[2] for one in refusals(file, file.read_bytes())] == [
            ":6:1: role poet has no persona 'bore'; there are fan, grump"
        ]

    def test_a_pushed_version_is_refused_one_when_it_is_used(self):
        pushed = compiled_text("poet", "poem", f"{TOP}inputs: [topic]\npersona: bore\n---\n{BODY}")
        with pytest.raises(UnknownPersona, match="role poet has no persona 'bore'"):
            Prompts.load().seen(pushed)


SCHEMA = {"title": "Poem", "type": "object", "properties": {"lines": {"type": "array"}}, "required": ["lines"]}


class TestThinking:
    def test_the_field_comes_first_and_must_be_there(self):
        for thinking in ("brief", "plan"):
            schema = with_reasoning(SCHEMA, thinking)
            assert list(schema["properties"]) == schema["required"] == ["reasoning", "lines"]
            assert schema["title"] == "Poem"
        assert with_reasoning(SCHEMA, "none") == SCHEMA
        assert "reasoning" not in SCHEMA["properties"]

    def test_a_reply_that_has_such_a_field_keeps_its_own(self):
        own = {**SCHEMA, "properties": {"reasoning": {"type": "integer"}}}
        assert with_reasoning(own, "plan") == own

    def test_it_is_taken_out_of_the_answer(self):
        assert json.loads(without_reasoning('{"reasoning": "Rain is wet.", "lines": ["\\u00e9", 1.5]}')) == {
            "lines": ["é", 1.5]
        }
        assert without_reasoning("no JSON") == "no JSON"
        assert without_reasoning("[1]") == "[1]"

    @pytest.mark.parametrize("answer", ['{"lines": []}', '{"reasoning": "", "lines": []}', '{"reasoning": null}'])
    def test_an_answer_without_it_is_none(self, answer):
        with pytest.raises(NoReasoning, match="reasoning: must be there"):
            without_reasoning(answer)


def test_shipped_templates_ask_for_replies_that_their_role_has_and_for_contracts_that_there_are():
    replies = {role.name: {reply.__name__ for reply in role.replies} for role in roles()}
    asked = dict.fromkeys(replies, frozenset())
    for found in Prompts.load():
        role = found.name.partition("/")[0]
        if role in replies:
            assert set(found.reply) <= replies[role], found.name
            assert found.reply and all(contract.kind for contract in found.source.head.inputs.values()), found.name
            asked[role] |= set(found.reply)
    assert {role: names for role, names in replies.items() if names} == {
        role: set(names) for role, names in asked.items() if names
    }
