"""Hostile templates and hostile inputs: 0 role injections and 0 escapes from a data block, each case counted."""

import json
import re
import time
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from workers.prompting.blocks import data_block
from workers.prompting.checks import refusals
from workers.prompting.errors import PromptRefused, TooLong, WrongInputs
from workers.prompting.inputs import Contract
from workers.prompting.source import MAX_FILE, parse
from workers.prompting.templates import Prompts, compiled

CORPUS = Path(__file__).parent / "corpus"
FILE = Path("poet/poem.md")
HEAD = "---\nname: poem\nrole: poet\npurpose: Ask for a poem.\ninputs: [topic]\n---\n"
SYSTEM = "# system\n\nYou write poems.\n"
USER = '# user\n\n{{ topic | data("topic") }}\n'
PLACES = {
    "user": HEAD + SYSTEM + "\n" + USER + "{}\n",
    "system": HEAD + SYSTEM + "{}\n\n" + USER,
    "head": "{}" + SYSTEM + "\n" + USER,
    "sections": HEAD + "{}",
}
BLOCK = re.compile(r'<data name="(\w+)">\n(.*)\n</data>')
"""Any character but a line feed may stand inside: what else could end a line is looked for in what was found."""
MARKUP = re.compile(r"[<>&]|\[/?(INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_\w+|ARGS|PREFIX|SUFFIX|MIDDLE|gMASK)\]")
UNSEEN = {"Cc", "Cs", "Zl", "Zp"}


def cases(name):
    found = yaml.safe_load((CORPUS / f"{name}.yaml").read_text())
    return [pytest.param(case, id=case["case"]) for case in found]


TEMPLATES, INPUTS = cases("templates"), cases("inputs")


def whole(case):
    text, repeat = case["text"], case.get("repeat", {})
    for mark, key in (("@@", "text"), ("$$", "then")):
        text = text.replace(mark, repeat.get(key, mark) * repeat.get("times", 1))
    return PLACES[case["place"]].replace("{}", text)


def untyped(prompt):
    """The prompt for inputs of any kind: contracts keep most that is hostile out, and here it is to get in."""
    front = prompt.source.front
    anything = front.matter.model_copy(update={"inputs": dict.fromkeys(prompt.inputs, Contract())})
    return compiled(replace(prompt.source, front=front._replace(matter=anything)))


@pytest.fixture(scope="module")
def typed():
    return [*Prompts.load()]


@pytest.fixture(scope="module")
def shipped(typed):
    prompts, loose = Prompts.load(), [untyped(prompt) for prompt in typed]
    vote = next(prompt for prompt in loose if prompt.name == "reviewer/vote")
    sections = [[section.text for section in prompt.source.sections] for prompt in typed]
    assert [[section.text for section in prompt.source.sections] for prompt in loose] == sections
    return [*loose, *(prompts.seen(vote, name) for name in prompts.personas("reviewer"))]


def test_the_corpus_has_at_least_150_cases_and_none_twice():
    assert len(TEMPLATES) + len(INPUTS) >= 150
    for found in (TEMPLATES, INPUTS):
        assert len({param.id for param in found}) == len(found)


@pytest.mark.parametrize("case", TEMPLATES)
def test_a_hostile_template_is_refused_with_its_place_and_a_reason(case):
    found = refusals(FILE, whole(case).encode())
    assert [(one.line, one.column) for one in found[:1]] == [(case["line"], case["column"])]
    assert found[0].why.startswith(case["why"])
    assert str(found[0]) == f"poet/poem.md:{case['line']}:{case['column']}: {found[0].why}"
    assert all(one.line and one.column for one in found)


@pytest.mark.parametrize("case", [one for one in TEMPLATES if one.id != "a file that is too large"])
def test_what_lint_refuses_is_never_compiled(case):
    with pytest.raises(PromptRefused):
        compiled(parse(FILE, whole(case)))


def test_every_shipped_prompt_is_refused_nothing(shipped):
    files = {prompt.source.file for prompt in shipped}
    assert [refusals(file, file.read_bytes()) for file in files] == [[]] * len(files)


def test_a_plain_comment_raw_text_and_fences_are_allowed():
    text = HEAD + SYSTEM + "{# why #}\n{% raw %}{{ x }}{% endraw %}\n\n```\n# user\n```\n\n" + USER
    assert refusals(FILE, text.encode()) == []
    system, _ = compiled(parse(FILE, text)).render({"topic": 1}).messages
    assert system.text == "You write poems.\n{{ x }}\n```\n# user\n```"


def test_every_fault_of_a_file_is_found_in_its_order():
    text = HEAD.replace("poet", "bard") + SYSTEM.replace("poems", "{{ topic }}") + "\n" + USER + "{{ a.b }} {{ topic }}"
    found = [(one.line, one.column) for one in refusals(FILE, text.encode())]
    assert found == [(2, 1), (9, 14), (14, 5), (14, 14)]


def given_to(prompt, case):
    """What goes in: the value everywhere, or a huge one in one place, and then the next prompt takes it elsewhere."""
    value = case["value"] * case["times"] if "times" in case else case["value"]
    if "times" not in case:
        return dict.fromkeys(prompt.inputs, value)
    return {name: value if name == prompt.inputs[0] else "x" for name in prompt.inputs}


def injections(rendered, plain):
    """Messages that are not there when nothing hostile is shown, and system messages that say something else."""
    pairs = zip(rendered.messages, plain.messages, strict=False)
    wrong = [one for one, other in pairs if one.role != other.role or (one.role == "system" and one != other)]
    return len(wrong) + abs(len(rendered.messages) - len(plain.messages))


def escapes(text, plain, inputs):
    """Blocks that do not give back exactly what went in, and text outside of blocks that an input changed."""
    wrong = 0
    for name, inside in BLOCK.findall(text):
        seen = unicodedata.normalize("NFKC", inside)
        wrong += not same(json.loads(inside), inputs[name])
        wrong += bool(MARKUP.search(seen)) or len(inside.splitlines()) != 1
        wrong += any(unicodedata.category(char) in UNSEEN for char in set(inside))
        wrong += any(char in inside for char in "\u202a\u202d\u202e\u2066\u2067\u2069\u200b\u2060\ufeff\U000e0061")
    return wrong + (BLOCK.sub("", text) != BLOCK.sub("", plain))


def same(found, wanted):
    return type(found) is type(wanted) and found == wanted


@pytest.mark.parametrize("case", INPUTS)
def test_a_hostile_input_stays_in_its_block_in_every_shipped_prompt(case, shipped):
    injected = escaped = blocks = 0
    for prompt in shipped:
        inputs = given_to(prompt, case)
        plain = prompt.render({name: "x" if value else "" for name, value in inputs.items()})
        rendered = prompt.render(inputs)
        injected += injections(rendered, plain)
        for message, other in zip(rendered.messages, plain.messages, strict=True):
            blocks += len(BLOCK.findall(message.text)) if message.role == "user" else 0
            escaped += escapes(message.text, other.text, inputs) if message.role == "user" else 0
    assert (injected, escaped) == (0, 0)
    assert blocks >= len(shipped)


@pytest.mark.parametrize("case", INPUTS)
def test_a_hostile_input_is_refused_by_its_contract_or_stays_in_its_block(case, typed, fitting):
    value = few(case)
    injected = escaped = refused = 0
    for prompt in typed:
        tries = [dict.fromkeys(prompt.inputs, value)]
        tries += [fitting(prompt, value)] if isinstance(value, str) and is_unicode(value) else []
        plain = prompt.render(fitting(prompt, "x"))
        for inputs in tries:
            try:
                rendered = prompt.render(inputs)
            except WrongInputs:
                refused += 1
                continue
            injected += injections(rendered, plain)
            blocks = [inside for message in rendered.messages for _, inside in BLOCK.findall(message.text)]
            escaped += sum(not is_closed(inside) for inside in blocks)
    assert (injected, escaped) == (0, 0)
    assert refused


def few(case):
    """The value, not as often as would fill a prompt by itself."""
    return case["value"] * min(case["times"], 1_000) if "times" in case else case["value"]


def is_unicode(text):
    return not any(unicodedata.category(char) == "Cs" for char in text)


def is_closed(inside):
    return not MARKUP.search(unicodedata.normalize("NFKC", inside)) and len(inside.splitlines()) == 1


SLOTS = HEAD.removesuffix("---\n") + "examples: {like: topic}\nconstraints: [Be short.]\n---\n"


@pytest.mark.parametrize("case", INPUTS)
def test_a_hostile_example_stays_in_its_block(case):
    prompt = compiled(parse(FILE, SLOTS + SYSTEM + USER))
    value = few(case)
    shown = [{"inputs": {"topic": value}, "reply": {"poem": value}}] * 2
    rendered = prompt.render({"topic": "x"}, shown)
    plain = prompt.render({"topic": "x"}, [{"inputs": {"topic": "x"}, "reply": {"poem": "x"}}])
    assert [message.role for message in rendered.messages] == ["system", "user", "user"]
    assert (injections(rendered, plain), rendered.messages[2]) == (0, plain.messages[2])
    assert escapes(rendered.messages[1].text, plain.messages[1].text, {"examples": shown}) == 0


HOSTILE = [param.values[0]["value"] for param in INPUTS if isinstance(param.values[0]["value"], str)]
TEXTS = st.lists(st.sampled_from(HOSTILE) | st.text(), max_size=4).map("".join)


@given(st.recursive(TEXTS, lambda some: st.lists(some) | st.dictionaries(st.text(), some), max_leaves=6))
def test_hostile_texts_joined_and_nested_stay_in_their_block(value):
    text = data_block("topic", value)
    assert escapes(text, '<data name="topic">\n"x"\n</data>', {"topic": as_utf16(value)}) == 0


def as_utf16(value):
    """Halves of a character that come to stand side by side are that character, in JSON as in UTF-16."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    if isinstance(value, list):
        return [as_utf16(one) for one in value]
    return {as_utf16(name): as_utf16(one) for name, one in value.items()}


class TestCaps:
    def prompt(self, times):
        return compiled(parse(FILE, HEAD + SYSTEM + USER + '{{ topic | data("topic") }}\n' * times))

    @pytest.mark.parametrize("value", [float("nan"), b"\xff", object(), {"\ud800": 1}])
    def test_an_input_that_json_cannot_say_is_named(self, value):
        with pytest.raises(WrongInputs, match="what is to be shown as 'topic' is nothing that JSON can say: "):
            self.prompt(1).render({"topic": value})

    def test_an_input_that_is_nested_too_deep_is_named(self):
        value = []
        for _ in range(5_000):
            value = [value]
        with pytest.raises(WrongInputs, match="'topic' is nothing that JSON can say"):
            self.prompt(1).render({"topic": value})

    def test_a_large_input_that_is_shown_many_times_ends_at_the_limit(self):
        with pytest.raises(TooLong, match=r"came to 4,\d+,\d+ characters or more; the limit is 4,000,000"):
            self.prompt(300).render({"topic": "x" * 100_000})

    def test_a_file_over_its_size_is_refused_without_reading_it_all(self, tmp_path):
        file = tmp_path / "poet" / "poem.md"
        file.parent.mkdir()
        file.write_text(HEAD + SYSTEM + "x" * MAX_FILE)
        with pytest.raises(PromptRefused, match=r"poem\.md:1:1: the file has more than 262,144 bytes"):
            Prompts.load(tmp_path)

    @pytest.mark.parametrize(
        "line",
        [
            "{% if topic %}x{% endif %}\n",
            "{##}",
            "{% raw %}{% endraw %}",
            "{",
            "{% ",
            "\n",
            "# User\n",
            "\u200b\n",
            "a\u0300",
        ],
    )
    def test_no_file_takes_long_to_check(self, line):
        text = HEAD + SYSTEM + USER
        began = time.process_time()
        refusals(FILE, (text + line * ((MAX_FILE - len(text)) // len(line.encode()))).encode())
        assert time.process_time() - began < 10
