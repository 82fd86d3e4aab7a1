"""The README's table of providers: every row is an entry that works, and every provider has one."""

import re

import pytest

from workers.llm.catalogue import Catalogue
from workers.llm.presets import PRESETS

ROW = re.compile(r"^\| [^|]+ \| [^|]+ \| `(\w+: \{provider: ([\w-]+).*\})` \|$", re.MULTILINE)


def test_every_provider_has_a_row(page):
    assert {provider for _, provider in ROW.findall(page("README.md").text)} == set(PRESETS) - {"builtin"}


@pytest.mark.parametrize("provider", sorted(set(PRESETS) - {"builtin"}))
def test_the_row_of_each_provider_is_a_target_as_it_stands(page, tmp_path, provider):
    [entry] = [entry for entry, of in ROW.findall(page("README.md").text) if of == provider]
    file = tmp_path / "models.yaml"
    file.write_text(f"targets:\n  {entry}\n")
    [target] = Catalogue.load(file).targets.values()
    assert target.provider == provider
