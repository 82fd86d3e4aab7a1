"""The composition root refuses settings with which no task could be done."""

import pytest

from workers.llm.catalogue import BadModels
from workers.runtime.bootstrap import catalogue_of
from workers.runtime.settings import Settings


def test_a_default_model_that_there_is_not_is_told_before_any_work_is_taken():
    with pytest.raises(BadModels, match=r"FLOTILLA_MODEL can't be used:\n.*no model target 'sonet'"):
        catalogue_of(Settings(model="sonet"))


@pytest.mark.parametrize("model", ["builtin", "builtin:error=0.2", "groq:llama-3.3-70b-versatile"])
def test_a_default_model_may_be_any_that_works_without_a_file(model):
    assert catalogue_of(Settings(model=model)).route(model, model).targets == (model,)
