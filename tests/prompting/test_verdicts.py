"""What came of an experiment, in words."""

from typing import get_args

import pytest

from contracts.v1.prompts import ExperimentEnded, ExperimentStarted
from workers.prompting.verdicts import verdict_in_words

STARTED = ExperimentStarted(role="architect", name="design", k=1, live="a" * 12, candidate="b" * 12)


@pytest.mark.parametrize(
    ("metric", "verdict", "why", "words"),
    [
        ("valid", "promoted", "success", "promoted: it succeeds more often"),
        ("cost", "promoted", "success", "promoted: it costs less"),
        ("cost", "promoted", "cost", "promoted: it costs less"),
        ("latency", "promoted", "latency", "promoted: it is quicker"),
        ("cost", "rolled_back", "success", "rolled back: it succeeds less often"),
        ("valid", "rolled_back", "cost", "rolled back: it costs over 25 % more"),
        ("valid", "rolled_back", "latency", "rolled back: it takes over 50 % longer"),
        ("valid", "stopped", "length", "stopped: nothing was certain after 1,000 outcomes"),
        ("valid", "stopped", "by_hand", "stopped by hand"),
    ],
)
def test_each_end_is_said_with_its_reason(metric, verdict, why, words):
    assert verdict_in_words(STARTED.model_copy(update={"metric": metric}), verdict, why) == words


def test_no_reason_is_said_as_the_word_that_the_fact_has():
    for why in get_args(ExperimentEnded.model_fields["why"].annotation):
        assert "_" not in verdict_in_words(STARTED, "stopped", why)
