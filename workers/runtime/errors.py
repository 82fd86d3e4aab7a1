"""The errors of the workers and what becomes of a message that met one, in one place.

Parked                             no model can serve now, or no budget pays: give it back until then; the run says so
ModelUnavailable, BusUnavailable   transient: give the message back, with a delay that grows
TaskEnded                          the attempt is over: record the failure, then ack
  MalformedReply                     the model's answer did not fit, twice      another attempt may help
    RepeatedReply                      …and was that of the attempt before        no other attempt
  RefusedByModel                     the model would not answer                 no other attempt
  Impossible                         the task can't be done as it is put        no other attempt
NewerVersion                       leave it for a newer worker
ContractError                      dead letter, record the failure, term
anything else                      give it back until the delivery limit, then dead letter, failure, term
"""

from dataclasses import dataclass
from typing import Literal

from contracts.codec import ContractError, NewerVersion
from contracts.v1.failures import FailureClass
from workers.llm.calls import Parked
from workers.llm.model import ModelUnavailable
from workers.llm.records import RecordsUnavailable

NEWER_VERSION_DELAY_S = 5.0
LONGEST_WAIT_FOR_UPGRADE_S = 60.0
LONGEST_DELAY_S = 30.0
SHORTEST_REST_S = 0.1


class BusUnavailable(Exception):
    """The broker did not acknowledge in time; what was published may or may not be stored."""


class TaskEnded(Exception):
    """The attempt is over; the message is the reason that the run's owner reads."""

    error: FailureClass
    retry: bool


class MalformedReply(TaskEnded):
    """The model's answer did not fit the schema, not even after the repair turn."""

    error, retry = "malformed_reply", True


class RepeatedReply(MalformedReply):
    """The answer that did not fit is, word for word, the one that the attempt before ended with."""

    retry = False


class RefusedByModel(TaskEnded):
    """The model would not answer; the same question would be refused again."""

    error, retry = "refused_by_model", False


class Impossible(TaskEnded):
    """The task can't be done as it is put, by this or by any other attempt."""

    error, retry = "impossible", False


class TooLarge(Impossible):
    """A message of `size` bytes is more than the broker carries; another attempt would make the same one."""

    def __init__(self, subject: str, size: int) -> None:
        self.size = size
        super().__init__(f"{subject} has {size} bytes, more than the broker carries; ask for less at once")


@dataclass(frozen=True)
class Verdict:
    """What becomes of a message: how it is settled, and what is recorded before that."""

    settle: Literal["ack", "nak", "term"]
    delay_s: float = 0.0
    failure: FailureClass | None = None
    retry: bool = False
    dead_letter: bool = False


def is_surprise(error: BaseException) -> bool:
    """Whether no branch of the tree knows the error, so that somebody has to see where it came from."""
    return not isinstance(error, TaskEnded | ContractError | ModelUnavailable | BusUnavailable | RecordsUnavailable)


def verdict_on(error: BaseException, delivery: int, limit: int) -> Verdict:
    """What becomes of a message whose `delivery`-th hand-over (from 1) ended in `error`."""
    match error:
        case TaskEnded():
            return Verdict("ack", failure=error.error, retry=error.retry)
        case NewerVersion() if delivery < limit:
            return Verdict("nak", delay_s=min(LONGEST_WAIT_FOR_UPGRADE_S, NEWER_VERSION_DELAY_S * delivery))
        case ContractError():
            return Verdict("term", failure="impossible", dead_letter=True)
        case ModelUnavailable() | BusUnavailable() | RecordsUnavailable():
            return Verdict("nak", delay_s=_rest_s(error, delivery))
        case _ if delivery < limit:
            return Verdict("nak", delay_s=backoff_s(delivery))
        case _:
            return Verdict("term", failure="crashed", retry=True, dead_letter=True)


def _rest_s(error: Exception, delivery: int) -> float:
    if isinstance(error, Parked):
        return min(max(error.delay_s, SHORTEST_REST_S), LONGEST_DELAY_S)
    return backoff_s(delivery)


def backoff_s(delivery: int) -> float:
    """Seconds until the next delivery: 0.5, 1, 2, … up to `LONGEST_DELAY_S`."""
    return min(LONGEST_DELAY_S, 0.5 * 2.0 ** min(delivery - 1, 10))
