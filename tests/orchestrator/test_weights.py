"""A weighted ballot is opened with the weights that were learned by then."""

from datetime import UTC, datetime
from types import SimpleNamespace

from contracts.codec import encode
from contracts.subjects import subject_of
from contracts.v1.ballots import BallotOpened, Option, OutcomeSeen
from workers.consensus.rules import ONE
from workers.orchestrator.known_runs import FoldedRun
from workers.orchestrator.worker import Orchestrator
from workers.runtime.ports import Said, Stored
from workers.runtime.settings import Settings
from workers.runtime.telemetry import Metrics

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class _Log:
    """Keeps what is said, and has these outcomes from before."""

    def __init__(self, *outcomes):
        self.said, self._outcomes = [], outcomes

    async def say(self, message):
        self.said.append(message)
        return Said(news=True, sequence=len(self.said))

    async def scan(self, subjects, after=0):
        assert subjects == "flotilla.t.*.outcome.*"
        stored = (Stored(n, NOW, subject_of(fact), encode(fact)) for n, fact in enumerate(self._outcomes, 1))
        return [one for one in stored if one.sequence > after]


async def _opened(make, rule, *outcomes):
    log, known = _Log(*outcomes), FoldedRun("t", "r")
    orchestrator = Orchestrator(make.VOTING)
    await orchestrator.start(SimpleNamespace(bus=SimpleNamespace(log=log), settings=Settings(), metrics=Metrics()))
    options = (Option(option="x"), Option(option="y"))
    opened = BallotOpened(**make.IDS, ballot="b", question="?", options=options, electorate=("a", "b"), rule=rule)
    assert await orchestrator._say(known, opened)
    assert known.run.facts["ballot.b"] == log.said[0]
    return log.said[0].weights


def _outcome(n, right, wrong):
    return OutcomeSeen(
        tenant="t", run=f"r{n}", ballot="b", option="x", right=True, voters_right=right, voters_wrong=wrong
    )


async def test_a_weighted_ballot_is_opened_with_what_outcomes_have_taught(make):
    weights = await _opened(make, "weighted", *(_outcome(n, ("a",), ("b",)) for n in range(9)))
    assert weights["a"] > weights["b"]


async def test_no_other_ballot_is_weighed(make):
    assert await _opened(make, "majority", _outcome(1, ("a",), ("b",))) == {}


async def test_without_outcomes_all_weigh_the_same(make):
    assert await _opened(make, "weighted") == {"a": ONE, "b": ONE}
