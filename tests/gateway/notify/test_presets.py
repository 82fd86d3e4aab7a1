"""What a notification says, as an event and in Slack; nothing that a model wrote works as anything but text."""

import json

from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from workers.gateway.notify.presets import MOST_BUTTONS, Choice, Notice, about, event, notice_id, slack


def notice(
    question: str = "Release it?", options: tuple[str, ...] = ("approve", "reject", "ask_for_changes")
) -> Notice:
    choices = tuple(Choice(option, SecretStr(f"https://f.example.org/answer#{option}")) for option in options)
    return Notice(
        "msg_1", "acme", "r42", "release", question, "https://f.example.org/runs/r42", 1_700_000_000.25, 1_700_003_600,
        "package", choices,
    )  # fmt: skip


def test_an_event_has_type_time_and_all_that_a_program_needs_to_answer():
    assert json.loads(event(notice())) == {
        "type": "gate.opened",
        "timestamp": "2023-11-14T22:13:20.250Z",
        "data": {
            "tenant": "acme", "run": "r42", "gate": "release", "question": "Release it?", "subject_task": "package",
            "deadline": "2023-11-14T23:13:20.000Z", "page": "https://f.example.org/runs/r42",
            "choices": [
                {"option": option, "link": f"https://f.example.org/answer#{option}"}
                for option in ("approve", "reject", "ask_for_changes")
            ],
        },
    }  # fmt: skip


def test_slack_shows_the_question_and_a_button_for_each_answer():
    header, section, context, actions = json.loads(slack(notice()))["blocks"]
    assert header["text"]["text"] == "Run r42 waits for an answer at release"
    assert section["text"]["text"] == "Release it?"
    assert context["elements"][0]["text"] == "tenant acme · about package · answer by 2023-11-14 23:13 UTC"
    shown = [(button["text"]["text"], button.get("style"), button["url"]) for button in actions["elements"]]
    assert shown == [
        ("Open", None, "https://f.example.org/runs/r42"),
        ("Approve", "primary", "https://f.example.org/answer#approve"),
        ("Reject", "danger", "https://f.example.org/answer#reject"),
        ("Ask for changes", None, "https://f.example.org/answer#ask_for_changes"),
    ]


@given(st.text(max_size=8000) | st.sampled_from(["<!channel>", "<https://evil|Approve>", "\ud800", "*a*", ""]))
def test_whatever_the_question_slack_takes_it_and_reads_no_marks_in_it(question):
    content = json.loads(slack(notice(question, tuple(f"option-{n}" for n in range(50)))))
    assert "<" not in content["text"]
    texts = [block["text"] for block in content["blocks"] if "text" in block]
    assert {text["type"] for text in texts} == {"plain_text"}
    assert 1 <= len(content["blocks"][1]["text"]["text"]) <= 3000
    buttons = content["blocks"][3]["elements"]
    assert len(buttons) == MOST_BUTTONS and len({button["action_id"] for button in buttons}) == MOST_BUTTONS
    json.loads(event(notice(question)))


def test_a_notice_does_not_show_its_links():
    assert "#approve" not in repr(notice()) and "#approve" not in str(notice().choices)


def test_ids_are_the_same_for_the_same_words_only():
    assert notice_id("a", "b", "c", "d") == notice_id("a", "b", "c", "d")
    assert (
        len({notice_id("a", "b", "c", "d", "e"), notice_id("a", "b", "cd", "", "e"), notice_id("ab", "", "c", "d")})
        == 3
    )


def test_a_gate_without_task_and_deadline_says_neither():
    bare = Notice("msg_1", "acme", "r42", "release", "", "https://f.example.org", 0.0)
    assert about(bare) == "tenant acme"
    assert json.loads(event(bare))["data"]["deadline"] is None
    assert json.loads(slack(bare))["blocks"][1]["text"]["text"] == "(no question)"
