"""What is told in the log when things go wrong, how loudly and how often."""

from types import SimpleNamespace

import pytest

from workers.llm.calls import Parked
from workers.llm.conventions import FailedCall
from workers.llm.failures import CallFailed
from workers.llm.gateway import NOBODY
from workers.llm.model import ModelRequest, ModelUnavailable
from workers.llm.targets import Target
from workers.runtime.errors import Impossible
from workers.runtime.models import LoggedCalls
from workers.runtime.role_service import RoleService
from workers.runtime.service import Environment, Service
from workers.runtime.settings import Settings
from workers.runtime.telemetry import Metrics


class HeardLog:
    """Keeps (level, event, words) of each line."""

    def __init__(self):
        self.lines = []

    def __getattr__(self, level):
        return lambda event, **words: self.lines.append((level, event, words))


def told(error, kind=Service):
    """The levels of the lines on a delivery that ended in `error`."""

    class Ends(Service):
        told_elsewhere = kind.told_elsewhere

        async def work(self, delivery):
            raise error

    async def handled():
        service = Ends("step")
        service.log = HeardLog()
        await service.start(Environment(Settings(), Metrics(), SimpleNamespace()))
        await service.handle(SimpleNamespace(subject="flotilla.acme.r1.task.step.t.1", number=1))
        return [(level, event) for level, event, _ in service.log.lines]

    return handled()


@pytest.mark.parametrize("kind", [Service, RoleService])
async def test_a_task_that_waits_is_no_failed_delivery_however_often_it_comes_back(kind):
    parked = Parked("models", "a: down (unreachable)", "acme/r1/llm.t.1.1", 15.0)
    assert await told(parked, kind) == [("debug", "delivery_failed")]


async def test_a_task_that_ended_is_told_as_such_and_not_as_a_failed_delivery_too():
    assert await told(Impossible("no"), RoleService) == [("debug", "delivery_failed")]
    assert await told(Impossible("no"), Service) == [("warning", "delivery_failed")]


async def test_anything_else_that_brings_a_task_back_is_a_warning():
    assert await told(ModelUnavailable("a: broke off"), RoleService) == [("warning", "delivery_failed")]


@pytest.mark.parametrize(
    ("kind", "level"),
    [
        ("rate_limited", "info"),
        ("server_error", "info"),
        ("unreachable", "info"),
        ("denied", "warning"),
        ("quota", "warning"),
        ("unknown_model", "warning"),
        ("bad_request", "warning"),
    ],
)
def test_a_call_without_an_answer_is_one_line_and_a_warning_where_somebody_has_to_act(kind, level):
    log, request = HeardLog(), ModelRequest(messages=(), reply_schema=None)
    failed = FailedCall(Target(name="a", provider="openai"), request, CallFailed(kind, "so it is", 3.0), 1, 2)
    LoggedCalls(NOBODY, log).failed(failed)
    words = {"target": "a", "kind": kind, "reason": "so it is", "retry_after_s": 3.0}
    assert log.lines == [(level, "model_call_failed", words)]
