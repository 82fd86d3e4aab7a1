"""Prompts: their versions, labels, experiments and revisions as facts, and which version a task was given.

What holds for the whole fleet is in the stream `PROMPTS`, and each name there is used once, as in the log:
`<prefix>-prompts.<role>.<name>.<noun>.<tokens…>`. What a task was given is in the log with its run.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, JsonValue, StringConstraints

from contracts.message import Attempt, Fact, Prose, Token, Value
from contracts.v1.runs import TargetName

TemplateName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
"""The role's part or the own part of a template's name."""

Version = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{12}$")]
"""A template's version: the beginning of a SHA-256 of what a model can see of it."""

Share = Annotated[int, Field(ge=0, le=1_000_000)]
"""The part of tasks that get the candidate, in millionths."""

Number = Annotated[int, Field(ge=1, le=100_000)]

Who = Annotated[str, StringConstraints(max_length=200)]

Metric = Literal["valid", "tests_green", "no_repairs", "votes_won", "cost", "latency"]
"""`valid`: the reply fits at the first try. `tests_green`: the run's tests pass at their first run. `no_repairs`: the
run completes without a repair. `votes_won`: what the task made or voted for won its ballot. `cost`, `latency`: it costs
or takes less than is usual, and the reply fits."""

Arm = Literal["live", "candidate"]


class PromptFact(Value):
    """A fact about the template `role`/`name`. Subclasses set `noun`, `names`, `kind` and `version`.

    `names` are the fields that complete the subject, in order. `by` says who did it.
    """

    noun: ClassVar[str]
    names: ClassVar[tuple[str, ...]]

    role: TemplateName
    name: TemplateName
    by: Who = ""

    @property
    def template(self) -> str:
        """`role/name`."""
        return f"{self.role}/{self.name}"


class VersionPushed(PromptFact):
    """A version of the template came into the fleet. `content` is the whole file."""

    noun: ClassVar[str] = "version"
    names: ClassVar[tuple[str, ...]] = ("digest",)

    kind: Literal["version_pushed"] = "version_pushed"
    version: Literal[1] = 1
    digest: Version
    content: Annotated[str, StringConstraints(min_length=1, max_length=262_144)]
    note: Prose = ""


class LabelMoved(PromptFact):
    """A label names another version from now on. None is no version; for `live` it is the file that a worker has.

    `n` counts the moves of the template's labels from 1, `was` is what the label named before.
    """

    noun: ClassVar[str] = "label"
    names: ClassVar[tuple[str, ...]] = ("n",)

    kind: Literal["label_moved"] = "label_moved"
    version: Literal[1] = 1
    n: Number
    label: Token
    to: Version | None
    was: Version | None = None
    reason: Prose = ""


class ExperimentStarted(PromptFact):
    """The candidate is tried beside the live version. `k` counts the experiments of the template from 1.

    Both versions are in the stream. A task without an outcome `within_s` seconds after it was assigned has failed. The
    candidate may cost `dearer` and take `slower` percent more; None is as much as it likes.
    """

    noun: ClassVar[str] = "experiment"
    names: ClassVar[tuple[str, ...]] = ("k",)

    kind: Literal["experiment_started"] = "experiment_started"
    version: Literal[1] = 1
    k: Number
    live: Version
    candidate: Version
    share: Share = 500_000
    metric: Metric = "valid"
    within_s: Annotated[int, Field(ge=1, le=30 * 86_400)] = 7_200
    dearer: Annotated[int, Field(ge=0, le=10_000)] | None = 25
    slower: Annotated[int, Field(ge=0, le=10_000)] | None = 50
    most: Annotated[int, Field(ge=10, le=1_000_000)] = 1_000
    reason: Prose = ""


class ShareChanged(PromptFact):
    """The candidate gets another share of the tasks from now on. `epoch` counts the changes within the experiment."""

    noun: ClassVar[str] = "share"
    names: ClassVar[tuple[str, ...]] = ("k", "epoch")

    kind: Literal["share_changed"] = "share_changed"
    version: Literal[1] = 1
    k: Number
    epoch: Number
    share: Share


class OutcomeScored(PromptFact):
    """How a task of an experiment went. `task` is `-` where the run as a whole is counted once.

    `place` is the sequence of the assignment in the log. `won` is None when nothing came in time. `cost` is in
    millionths of a dollar, `latency` in milliseconds; None is not known. One that is `void` counts for nothing: the
    task was called off before it had an answer, because nobody needed one any more.
    """

    noun: ClassVar[str] = "outcome"
    names: ClassVar[tuple[str, ...]] = ("k", "tenant", "run", "task")

    kind: Literal["outcome_scored"] = "outcome_scored"
    version: Literal[1] = 1
    k: Number
    tenant: Token
    run: Token
    task: Token
    epoch: Annotated[int, Field(ge=0)]
    arm: Arm
    place: Annotated[int, Field(ge=1)]
    won: bool | None
    cost: Annotated[int, Field(ge=0)] | None = None
    latency: Annotated[int, Field(ge=0)] | None = None
    void: bool = False
    why: Annotated[str, StringConstraints(max_length=500)] = ""


class ArmCount(Value):
    """Tasks of an arm whose outcome was counted."""

    won: int = 0
    lost: int = 0
    missing: int = 0


class ExperimentEnded(PromptFact):
    """The experiment is decided. `promoted` moves the label `live` to the candidate by itself.

    `curve` has the evidence after so many outcomes: (outcomes, better, worse, dearer, slower, split), ln in millionths.
    """

    noun: ClassVar[str] = "verdict"
    names: ClassVar[tuple[str, ...]] = ("k",)

    kind: Literal["experiment_ended"] = "experiment_ended"
    version: Literal[1] = 1
    k: Number
    verdict: Literal["promoted", "rolled_back", "stopped"]
    why: Literal["success", "cost", "latency", "split", "length", "by_hand"]
    live: ArmCount = ArmCount()
    candidate: ArmCount = ArmCount()
    curve: Annotated[tuple[tuple[int, int, int, int, int, int], ...], Field(max_length=1_000)] = ()
    reason: Prose = ""


class ImprovementSet(PromptFact):
    """Whether the template improves itself, and within which limits. `n` counts the settings from 1.

    A revision is tried when `failures` tasks of the live version went wrong since the one before. Each may spend
    `usd_each` and `tokens_each`; all together `usd`; None is no limit. `candidates` is how many there may be in all.
    """

    noun: ClassVar[str] = "improvement"
    names: ClassVar[tuple[str, ...]] = ("n",)

    kind: Literal["improvement_set"] = "improvement_set"
    version: Literal[1] = 1
    n: Number
    on: bool
    metric: Metric = "valid"
    failures: Annotated[int, Field(ge=1, le=1_000)] = 5
    candidates: Annotated[int, Field(ge=1, le=1_000)] = 5
    cases: Annotated[int, Field(ge=4, le=500)] = 20
    usd_each: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = 1.0
    tokens_each: Annotated[int, Field(ge=0)] | None = None
    usd: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = 5.0
    share: Share = 500_000
    target: TargetName = ""


class GateResult(Value):
    """What the held-out cases showed: of `cases`, so many went well with the live version and with the candidate."""

    cases: Annotated[int, Field(ge=0)]
    live: Annotated[int, Field(ge=0)]
    candidate: Annotated[int, Field(ge=0)]
    passed: bool
    why: Prose = ""


class RevisionTried(PromptFact):
    """What came of an attempt to revise the live version `of`. `n` counts the attempts; `run` is the run that tried."""

    noun: ClassVar[str] = "revision"
    names: ClassVar[tuple[str, ...]] = ("n",)

    kind: Literal["revision_tried"] = "revision_tried"
    version: Literal[1] = 1
    n: Number
    tenant: Token
    run: Token
    of: Version
    candidate: Version | None = None
    reason: Prose = ""
    gate: GateResult | None = None
    experiment: Number | None = None
    cost_usd: float | None = 0.0


class ExampleKept(PromptFact):
    """A question and its answer that later prompts may show. `id` is the beginning of a SHA-256 of both.

    `inputs` are those of the template, `reply` is what was answered; `won` says how it turned out, if that is known.
    """

    noun: ClassVar[str] = "example"
    names: ClassVar[tuple[str, ...]] = ("id",)

    kind: Literal["example_kept"] = "example_kept"
    version: Literal[1] = 1
    id: Version
    inputs: dict[str, JsonValue]
    reply: dict[str, JsonValue]
    won: bool | None = None
    tenant: Token | None = None
    run: Token | None = None
    task: Token | None = None


class ExampleDropped(PromptFact):
    """The example is shown no more."""

    noun: ClassVar[str] = "dropped"
    names: ClassVar[tuple[str, ...]] = ("id",)

    kind: Literal["example_dropped"] = "example_dropped"
    version: Literal[1] = 1
    id: Version
    reason: Prose = ""


class PromptChosen(Fact):
    """Which version of a template a task was given. It keeps that one to its end, whatever happens to labels.

    `template` is `role-name`, as a token. In an experiment `experiment` is its number, else 0 with no arm. `examples`
    are those that are shown.
    """

    noun: ClassVar[str] = "prompt"

    kind: Literal["prompt_chosen"] = "prompt_chosen"
    version: Literal[1] = 1
    task: Token
    template: Token
    attempt: Attempt = 1
    prompt: Annotated[str, StringConstraints(max_length=140)]
    prompt_version: Version
    experiment: Annotated[int, Field(ge=0)] = 0
    epoch: Annotated[int, Field(ge=0)] = 0
    arm: Arm | None = None
    examples: Annotated[tuple[Version, ...], Field(max_length=20)] = ()


PROMPT_FACTS: tuple[type[PromptFact], ...] = (
    VersionPushed, LabelMoved, ExperimentStarted, ShareChanged, OutcomeScored, ExperimentEnded, ImprovementSet,
    RevisionTried, ExampleKept, ExampleDropped,
)  # fmt: skip
"""Every fact of the stream `PROMPTS`."""
