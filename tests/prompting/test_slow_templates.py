"""Templates of the largest size, made to take long: a worker compiles them between two heartbeats."""

import contextlib
import time

import pytest

from workers.prompting.errors import PromptRefused
from workers.prompting.templates import compiled_text

HEAD = """---
name: design
role: architect
purpose: To write.
inputs: [topic]
---
# user
Write.
"""
SHOWN = '{{ topic | data("topic") }}\n'
MOST_S = 3.0
"""Far more than any of these takes, and far less than what takes the square of its length."""

LONG = 100_000


@pytest.mark.parametrize(
    "body",
    [
        " " * LONG + "# system" + " " * LONG + SHOWN,
        "#" + " " * LONG + "system" + " " * LONG + "!" + SHOWN,
        "\t# user" + "\t" * LONG + ": :" + SHOWN,
        ("x\n" + " " * 500) * 400 + SHOWN,
        '{{ topic | data("' + "a" * LONG + '") }}',
    ],
    ids=["blanks around a heading", "blanks in a heading", "tabs", "lines of blanks", "a long name"],
)
def test_no_template_takes_the_square_of_its_length(body):
    began = time.process_time()
    with contextlib.suppress(PromptRefused):
        compiled_text("architect", "design", HEAD + body)
    assert time.process_time() - began < MOST_S


@pytest.mark.parametrize("line", ["  # system  ", "#system:", "# user : ", "\t#  assistant", "# ѕystem"])
def test_what_looks_like_a_heading_is_still_refused(line):
    with pytest.raises(PromptRefused, match="begins no section"):
        compiled_text("architect", "design", f"{HEAD}{line}\n{SHOWN}")
