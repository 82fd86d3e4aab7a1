"""A weighted ballot is opened with the weights that were learned by then."""

from types import SimpleNamespace

import pytest

from contracts.v1.ballots import BallotOpened, Option
from workers.orchestrator.known_runs import FoldedRun
from workers.orchestrator.worker import Orchestrator
from workers.runtime.ports import Said
from workers.runtime.settings import Settings
from workers.runtime.telemetry import Metrics


class _Log:
    """Keeps what is said; all of it is news."""

    def __init__(self):
        self.said = []

    async def say(self, message):
        self.said.append(message)
        return Said(news=True, sequence=len(self.said))


async def _opened(make, rule, weigh):
    log, known = _Log(), FoldedRun("t", "r")
    orchestrator = Orchestrator(make.VOTING, weigh)
    await orchestrator.start(SimpleNamespace(bus=SimpleNamespace(log=log), settings=Settings(), metrics=Metrics()))
    options = (Option(option="x"), Option(option="y"))
    opened = BallotOpened(**make.IDS, ballot="b", question="?", options=options, electorate=("a", "b"), rule=rule)
    assert await orchestrator._say(known, opened)
    assert known.run.facts["ballot.b"] == log.said[0]
    return log.said[0].weights


@pytest.mark.parametrize("rule", ["weighted", "majority"])
async def test_only_a_weighted_ballot_is_weighed(make, rule):
    async def weigh(tenant, voters):
        return {voter: 7 for voter in voters if tenant == "t"}

    assert await _opened(make, rule, weigh) == ({"a": 7, "b": 7} if rule == "weighted" else {})


async def test_without_weights_that_were_learned_all_weigh_the_same(make):
    assert await _opened(make, "weighted", None) == {}
