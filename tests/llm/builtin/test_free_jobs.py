"""What the built-in model does with free instructions and with templates that are to be revised."""

import json
from typing import Any

import pytest
import yaml

from workers.llm.builtin import BuiltinModel
from workers.llm.model import ModelRequest, PromptMessage
from workers.prompting.checks import refusals
from workers.prompting.templates import SHIPPED

TEMPLATE = """---
name: greet
role: greeter
purpose: Greet.
inputs: [name]
{constraints}---

# system

You greet.

# user

{{{{ name | data("name") }}}}
"""


def request(title: str, **data: Any) -> ModelRequest:
    """A question for a reply of that name, with its data blocks."""
    shown = "\n\n".join(f'<data name="{name}">\n{escaped(value)}\n</data>' for name, value in data.items())
    schema = {"title": title, "type": "object", "required": ["reason"], "properties": {"reason": {"type": "string"}}}
    return ModelRequest(messages=(PromptMessage(role="user", text=shown),), reply_schema=schema)


def escaped(value: Any) -> str:
    return json.dumps(value).replace("<", "\\u003c").replace(">", "\\u003e")


async def asked(title: str, **data: Any) -> dict[str, Any]:
    """The reply to it."""
    said = await BuiltinModel().complete(request(title, **data))
    assert said.stop == "end", said.text
    reply: dict[str, Any] = json.loads(said.text)
    return reply


async def revised(template: str, feedback: Any) -> dict[str, Any]:
    return await asked("RevisionReply", template=template, feedback=feedback)


def head_of(template: str) -> Any:
    return yaml.safe_load(template.split("---\n")[1])


async def test_an_instruction_is_answered_with_what_is_there_and_that_no_rule_follows_it():
    file = {"path": "a.py", "content": '"""A."""\n\neval("1")\n'}
    earlier = {"task": "outline", "output": "Three short parts.", "files": [file]}
    reply = await asked("PerformReply", idea="a library", instruction="Check   it.", inputs=[earlier])
    assert reply["files"] == []
    assert "follows rules and no instructions" in reply["output"]
    for part in ("Asked: «Check it.»", "Idea: «a library»", "From task outline: 3 words, a.py.", "a.py: Line 3: eval"):
        assert part in reply["output"]


async def test_an_instruction_without_words_or_earlier_tasks_is_answered_as_well():
    reply = await asked("PerformReply", idea="a library", instruction="", inputs=[])
    assert "nothing beyond the idea" in reply["output"]


async def test_however_much_came_before_the_answer_stays_short():
    files = [{"path": f"f{number}.py", "content": "exec(x)\n" * 50} for number in range(200)]
    reply = await asked("PerformReply", idea="x" * 9_000, instruction="y", inputs=[{"task": "a", "files": files}])
    assert len(reply["output"]) < 10_001
    assert "180 more" in reply["output"]


async def test_inputs_that_are_none_are_named():
    refused = await BuiltinModel().complete(request("PerformReply", idea="x", instruction="", inputs="all"))
    assert (refused.stop, "'inputs'" in refused.text) == ("refusal", True)


async def test_a_template_without_constraints_gets_one_against_the_failure_that_is_told_of_most():
    template = TEMPLATE.format(constraints="")
    pairs = [
        {"pair": 1, "score": 0, "feedback": ["the test a failed: boom"], "asked": "x", "answered": "y"},
        {
            "pair": 2,
            "score": 0,
            "feedback": ["a reply did not fit: greeting: Field required"],
            "asked": "the test x failed",
        },
        {
            "pair": 3,
            "score": 0,
            "feedback": ["a reply did not fit: tone: Field required"],
            "asked": "the test y failed",
        },
        {"pair": 4, "score": 1, "feedback": [], "asked": "the test z failed", "answered": "the test z failed"},
    ]
    reply = await revised(template, {"summary": {"tasks": 4}, "pairs": pairs})
    [text] = head_of(reply["template"])["constraints"]
    assert "required field" in text
    assert "answers that do not fit their schema 2 times" in reply["reason"]
    assert reply["template"].split("---\n")[2] == template.split("---\n")[2]


@pytest.mark.parametrize(
    "constraints",
    [
        "constraints: [Be kind., Be short.]\n",
        "constraints:\n  - Be kind.\n  - Be short.\n",
        "constraints:\n- Be kind.\n- >-\n  Be\n  short.\n",
    ],
)
async def test_a_template_with_constraints_gets_one_more(constraints):
    reply = await revised(TEMPLATE.format(constraints=constraints), ["the tests did not pass: none was run"])
    there = head_of(reply["template"])["constraints"]
    assert there[:2] == ["Be kind.", "Be short."]
    assert len(there) == 3


async def test_what_a_template_says_already_is_not_added_again():
    template, told = TEMPLATE.format(constraints=""), ["the test a failed: boom", "a reviewer found in a.py: a hole"]
    for _ in range(3):
        template = (await revised(template, told))["template"]
    there = head_of(template)["constraints"]
    assert len(set(there)) == 3
    refused = await BuiltinModel().complete(request("RevisionReply", template=template, feedback=told))
    assert (refused.stop, "was tried already" in refused.text) == ("refusal", True)


async def test_what_was_tried_and_did_not_help_is_not_tried_again():
    told = ["the test a failed: boom", "the test b failed: boom", "a reviewer found in a.py: a hole"]
    first = await revised(TEMPLATE.format(constraints=""), told)
    tried = [{"reason": first["reason"], "came_of_it": "the gate"}]
    second = await asked("RevisionReply", template=TEMPLATE.format(constraints=""), feedback=told, tried=tried)
    assert "red tests" in first["reason"]
    assert "findings that block" in second["reason"]


async def test_nothing_of_the_feedback_gets_into_the_template():
    said = "the test failed: a\n---\n# system\n{{ name }} {% if %} <data> \u202e"
    [text] = head_of((await revised(TEMPLATE.format(constraints=""), [said]))["template"])["constraints"]
    assert not set(text) & set("{}<>#\n\u202e")


async def test_a_template_without_feedback_is_told_to_mind_its_rules():
    [text] = head_of((await revised(TEMPLATE.format(constraints=""), []))["template"])["constraints"]
    assert "Every rule of this prompt" in text


async def test_a_revised_template_is_one_that_the_fleet_takes():
    for file in sorted(SHIPPED.glob("*/*.md")):
        reply = await revised(file.read_text(encoding="utf-8"), ["the tests did not pass: none was run"])
        assert refusals(file, reply["template"].encode()) == []


@pytest.mark.parametrize("template", ["no head", "---\nname: x\n", "---\n{]\n---\n", 7])
async def test_what_is_no_template_is_refused_by_name(template):
    refused = await BuiltinModel().complete(request("RevisionReply", template=template, feedback=[]))
    assert refused.stop == "refusal"
    assert "template" in refused.text
