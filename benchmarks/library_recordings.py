"""What `benchmarks/library.py` evaluates templates on: ideas, plans, ballots and feedback, and the role that revises.

All of it is made from a few words, so it is the same on every machine; no two of them ask the same.
"""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from contracts.v1.ballots import BallotOpened, Option, Panelist
from contracts.v1.plans import Plan, PlannedTask
from contracts.v1.tasks import PerformTask, Task, TaskPerformed
from workers.prompt_lab import revising
from workers.prompt_lab.cases import Case
from workers.prompt_lab.pairs import MEANS, Pair, feedback_block
from workers.prompt_lab.replies import RevisionReply
from workers.prompt_lab.report import CaseDone
from workers.prompt_lab.revised import faults
from workers.prompt_lab.trigger import Trial
from workers.prompting.templates import Prompts
from workers.runtime.role import Job, Role
from workers.runtime.roster import roles
from workers.runtime.toolkit import Toolkit

TENANT = "library"
REVISER = "reviser"
REVISE = revising.PROMPT

THINGS = (
    "books", "plants", "tools", "guitars", "coins", "lamps", "recipes", "bikes", "stamps", "rooms", "courses", "vases",
    "cameras", "boats",
)  # fmt: skip
FIELDS = (
    "a unique name and a price",
    "a title, an author and a page count",
    "a unique code, a height in cm and a purchase date",
    "a name, a colour and whether it is broken",
    "a label and a status that is open, done or lost",
)
IDEAS = tuple(f"A small service that tracks {things} with {fields}." for fields in FIELDS for things in THINGS)

TEAM = ("project_manager", "architect", "backend_developer", "test_engineer", "reviewer")
TOPICS = ("the queue", "the cache", "the upload of files", "the search", "the export", "the login", "the audit log")
WORK = (
    "Write down what {topic} of system {n} must do.",
    "Decide how {topic} of system {n} is built.",
    "Write the code for {topic} of system {n}.",
    "Write the cases that {topic} of system {n} is tested with.",
    "Judge what was made for {topic} of system {n}.",
)

RULES = ("majority", "approval", "ranked", "score")
"""One for each kind of reply to a ballot."""

SYSTEM = "The old system is to be mended."

PERSONAS = ("correctness", "security", "user", "simplicity")
PAIRS_SHOWN = 5
LONGEST = 800
"""Characters of each text of a pair; all of them must be within what an instruction may hold."""


def team_plan(n: int) -> Plan:
    """A task for each role that thinks, each of which is shown what the one before it made."""
    topic = TOPICS[n % len(TOPICS)]
    return Plan(
        tasks=tuple(
            PlannedTask(
                task=f"t{place}",
                role=role,
                needs=(f"t{place - 1}",) if place else (),
                instruction=work.format(topic=topic, n=n),
            )
            for place, (role, work) in enumerate(zip(TEAM, WORK, strict=True))
        )
    )


def ballot(n: int) -> BallotOpened:
    """A ballot that four voters answer, by each of the rules in turn."""
    question = f"How is {TOPICS[n % len(TOPICS)]} number {n} kept?"
    return BallotOpened(
        tenant=TENANT, run=f"ballot-{n}", ballot="choice", question=question,
        options=tuple(Option(option=f"way-{k}", text=f"Keep it in {k} parts.") for k in range(1, 4)),
        electorate=PERSONAS, quorum=len(PERSONAS), wave=len(PERSONAS), rule=RULES[n % len(RULES)], deadline_s=600,
        panel=tuple(Panelist(voter=persona, persona=persona) for persona in PERSONAS),
    )  # fmt: skip


class Feedback(NamedTuple):
    """What a reviser is told of a template's tasks. `pairs` are as `workers.prompt_lab.pairs.Pair`."""

    template: str
    pairs: tuple[Pair, ...]


def feedback_on(template: str, cases: Sequence[Case], rows: Sequence[CaseDone], n: int) -> Feedback:
    """How an evaluation's cases went, beginning at another one for each `n`, those that went wrong first."""
    tasks = {case.id: case.task for case in cases}
    known = [row for row in rows if row.case in tasks and row.done[0].success is not None]
    turned = sorted((*known[n:], *known[:n]), key=lambda row: row.done[0].success is True)
    return Feedback(template, tuple(_pair(tasks[row.case], row) for row in turned[:PAIRS_SHOWN]))


def _pair(task: Task, row: CaseDone) -> Pair:
    done = row.done[0]
    said = (done.why[:LONGEST],) if done.why else ()
    return Pair(int(done.success is True), said, task.model_dump_json(exclude_defaults=True)[:LONGEST], "")


def order_of(feedback: Feedback) -> str:
    """The feedback as a task's instruction, within what that may hold."""
    return json.dumps({"template": feedback.template, "pairs": [pair._asdict() for pair in feedback.pairs]})


async def revise(task: PerformTask, tools: Toolkit) -> TaskPerformed:
    """Ask for a revision of a shipped template, as the prompt lab does, and judge it by the same faults."""
    order = json.loads(task.instruction)
    live = Prompts.load().named(order["template"])
    pairs = [Pair(**pair) for pair in order["pairs"]]
    trials = [Trial(TENANT, "r", str(n), n, won=bool(pair.score)) for n, pair in enumerate(pairs)]
    content = live.source.file.read_text(encoding="utf-8")
    reply = await tools.ask(
        REVISE,
        reply=RevisionReply,
        check=lambda said: faults(live, content, said.template, {}),
        template=content,
        purpose=live.purpose,
        contracts={name: str(live.contracts.get(name, "json")) for name in live.inputs},
        schema={name: cls.model_json_schema() for name, cls in replies_of(live.name).items()},
        metric=MEANS["valid"],
        feedback=feedback_block("valid", trials, pairs),
        tried=[],
    )
    return tools.report(TaskPerformed, output=reply.reason)


def replies_of(template: str) -> dict[str, Any]:
    """The classes of replies that a template asks for, by name."""
    wanted = Prompts.load().named(template).reply
    return {cls.__name__: cls for role in roles() for cls in role.replies if cls.__name__ in wanted}


reviser = Role(REVISER, "Revises templates.", (Job(PerformTask, revise),), replies=(RevisionReply,))
