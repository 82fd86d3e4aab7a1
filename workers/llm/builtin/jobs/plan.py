"""PlanReply: requirements and a plan for an idea, or the part of it that can't be read."""

from contracts.v1.projects import Criterion, RecordKind, Requirements
from workers.llm.builtin.idea.reading import Reading, read
from workers.llm.builtin.idea.unreadable import Unreadable
from workers.llm.builtin.jobs.job import Brief, CannotDo, Reply
from workers.llm.builtin.project.blueprint import blueprint
from workers.llm.builtin.project.criteria import criteria
from workers.llm.builtin.project.modules import MODULES
from workers.llm.builtin.project.wording import article, listed, sentence

NEEDED = ("architect", "backend_developer", "test_engineer")
MOST_DEVELOPERS = 4

TASKS: tuple[dict[str, object], ...] = (
    {
        "task": "design",
        "role": "architect",
        "needs": [],
        "instruction": "Design modules that can be built alone, the HTTP API and the tables.",
    },
    {
        "task": "build",
        "role": "backend_developer",
        "needs": ["design"],
        "each": "module",
        "instruction": "Write the files of this module.",
    },
    {
        "task": "tests",
        "role": "test_engineer",
        "needs": ["design"],
        "instruction": "Write tests from the acceptance criteria and the API of the design.",
    },
)

CONSTRAINTS = (
    "Python 3.11 or newer, standard library only.",
    "SQLite keeps the data; values reach it as parameters only.",
    "The tests need no network but loopback, and run without it, too.",
)


def plan(brief: Brief) -> Reply:
    """Read the idea; what can't be read is named and never guessed."""
    idea = brief.block("idea")
    if not isinstance(idea, str):
        raise CannotDo("The data block 'idea' must be text.")
    try:
        reading = read(idea)
    except Unreadable as unreadable:
        return {"understood": False, "problem": f"{unreadable.problem}.", "suggestion": unreadable.suggestion}
    offered = {role["name"] for role in brief.data.get("roles") or []}
    missing = [role for role in NEEDED if offered and role not in offered]
    if missing:
        raise CannotDo(f"The plan needs the roles {listed(missing)}, which are not offered.")
    return {
        "understood": True,
        "requirements": _requirements(reading).model_dump(mode="json"),
        "tasks": list(TASKS),
        "team": _team(offered),
    }


def _requirements(reading: Reading) -> Requirements:
    draft = Requirements(
        title=reading.title,
        package=reading.package,
        summary=_summary(reading),
        records=reading.records,
        criteria=(Criterion(id="AC-0", statement="drafted"),),
        constraints=CONSTRAINTS,
    )
    return draft.model_copy(update={"criteria": criteria(blueprint(draft))})


def _summary(reading: Reading) -> str:
    kinds = [_described(kind) for kind in reading.records]
    audience = f" {reading.audience}" if reading.audience else ""
    text = f"A service{audience} that keeps records of {'; '.join(kinds)}."
    if reading.assumptions:
        text += f" Assumed: {'; '.join(reading.assumptions)}."
    return text


def _described(kind: RecordKind) -> str:
    fields = listed([spec.name.replace("_", " ") for spec in kind.fields])
    refers = []
    for link in kind.links:
        name = link.name.replace("_", " ")
        refers.append(f"many {name}" if link.many else f"{article(name)} {name}{'' if link.required else ' or none'}")
    tail = f", linked with {listed(refers)}" if refers else ""
    return f"{kind.plural.replace('_', ' ')} ({fields}{tail})"


def _team(offered: set[str]) -> list[dict[str, object]]:
    developers = min(MOST_DEVELOPERS, len(MODULES))
    team: list[dict[str, object]] = [
        {"role": "architect", "count": 1, "why": "One design that all others build on."},
        {"role": "backend_developer", "count": developers, "why": f"{len(MODULES)} modules can be built side by side."},
        {"role": "test_engineer", "count": 1, "why": "Tests from the criteria, apart from the code."},
    ]
    if "reviewer" in offered:
        team.append({"role": "reviewer", "count": 1, "why": sentence("another look before the release.")})
    return team
