from pathlib import Path

import pytest

from contracts.codec import decode
from contracts.schema_files import PUBLISHED, kind_of, subject_template

PAGE = (Path(__file__).parents[2] / "docs" / "contracts.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("cls", PUBLISHED, ids=kind_of)
def test_the_page_names_every_message_in_the_row_of_its_subject(cls):
    subject = subject_template(cls).removeprefix("flotilla.{tenant}.{run}.").replace("{", "<").replace("}", ">")
    assert any(f"`{subject}`" in line and f"`{kind_of(cls)}`" in line for line in PAGE.splitlines())


def test_the_request_that_the_page_shows_is_one():
    payload = PAGE.split("```json\n")[1].split("```")[0]
    assert decode("flotilla.acme.r42.run.requested", payload.encode()).idea.startswith("A lending library")
