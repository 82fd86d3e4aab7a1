"""What an evaluation found: how often each version did its cases, what that took, and how the outputs differ."""

from collections.abc import Sequence
from math import fsum
from statistics import median
from typing import Literal

from pydantic import BaseModel, ConfigDict

from contracts.v1.prompts import Metric
from workers.prompt_lab.bounds import lower_bound

REPORT = "report.json"
"""The file of an evaluation's result that holds its report."""


class Part(BaseModel):
    """A frozen part of a report. Unknown fields are ignored, so that readers can be older than writers."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Done(Part):
    """A case as one version did it. `success` is None where that can't be said; `why` then says why, and of a failure.

    `diff` goes from the first version's output to this one's, or from the recorded one if there is but one version.
    Latency is that of the calls in milliseconds; None of cost or latency is not known.
    """

    version: str
    success: bool | None
    why: str = ""
    target: str = ""
    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = 0.0
    latency_ms: float | None = None
    diff: str = ""


class CaseDone(Part):
    """A case, `tenant/run/task`, who answered when it was recorded, and how each version did it."""

    case: str
    recorded: str
    done: tuple[Done, ...]


class VersionReport(Part):
    """How one version did. Of `cases` that could be judged it has done `successes` well; `left` could not be.

    `bound` is what the true rate is at least, with a confidence of 95 %. `rate` is None without a case. `cost_usd` is
    that of all calls, None if some price is not known; `latency_ms` is the median.
    """

    version: str
    asked: str = ""
    cases: int
    successes: int
    left: int = 0
    rate: float | None
    bound: float
    cost_usd: float | None
    latency_ms: float | None
    input_tokens: int = 0
    output_tokens: int = 0


class Report(Part):
    """What came of an evaluation. `metric` is what success was judged by, `wanted` what was asked for.

    `source` is where the cases are from, as in the order; `target` is who was asked, empty for who answered then.
    `left_out` are recorded tasks that are no cases, `notes` what a reader should know.
    """

    kind: Literal["prompt_report"] = "prompt_report"
    version: Literal[1] = 1
    template: str
    metric: Metric
    wanted: Metric
    source: str
    target: str = ""
    versions: tuple[VersionReport, ...]
    cases: tuple[CaseDone, ...]
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def summed(version: str, asked: str, done: Sequence[Done]) -> VersionReport:
    """How a version did over all its cases."""
    judged = [one for one in done if one.success is not None]
    successes = sum(one.success is True for one in judged)
    costs = [one.cost_usd for one in done]
    known = [cost for cost in costs if cost is not None]
    latencies = [one.latency_ms for one in judged if one.latency_ms is not None]
    return VersionReport(
        version=version,
        asked=asked,
        cases=len(judged),
        successes=successes,
        left=len(done) - len(judged),
        rate=successes / len(judged) if judged else None,
        bound=lower_bound(successes, len(judged)),
        cost_usd=round(fsum(known), 9) if len(known) == len(costs) else None,
        latency_ms=median(latencies) if latencies else None,
        input_tokens=sum(one.input_tokens for one in done),
        output_tokens=sum(one.output_tokens for one in done),
    )


def told(report: Report) -> str:
    """The report in a few lines."""
    by = report.metric.replace("_", " ")
    lines = [f"{report.template}, {len(report.cases)} cases, judged by {by}"]
    return "\n".join([*lines, *map(_line, report.versions), *report.notes])


def _line(one: VersionReport) -> str:
    named = f"{one.version} ({one.asked})" if one.asked and one.asked != one.version else one.version
    rate = "no case could be judged" if one.rate is None else f"{one.successes} of {one.cases} went well"
    sure = "" if one.rate is None else f", so {one.bound:.1%} or more (95 % sure)"
    cost = "cost not known" if one.cost_usd is None else f"${one.cost_usd:.4f}"
    left = f"; {one.left} could not be judged" if one.left and one.cases else ""
    return f"{named}: {rate}{sure}, {cost}{left}"
