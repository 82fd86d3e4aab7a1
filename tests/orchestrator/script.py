"""What the roles of a simulated world do.

Every choice is read from bytes. A byte of 0, or none left, is the tame choice (success, in order, no
crash), so that hypothesis shrinks towards a run in which nothing special happens.
"""

import sys
from zlib import crc32

from contracts.subjects import address_of, name_of
from contracts.v1.approvals import GateOpened
from contracts.v1.ballots import CountedVote, DecisionMade, voting_task
from contracts.v1.tasks import (
    BallotAnswered,
    DesignSystem,
    PackProject,
    PerformTask,
    PlanProject,
    ProjectVerified,
    RepairProject,
    ReviewProject,
    TaskPerformed,
    VerifyProject,
)

make = sys.modules["orchestrator_tests_making"]


WHILE, FOR_EVER = object(), object()
"""In an answer: what follows comes after a while, in which deadlines pass; nothing follows."""


class Tape:
    """Choices as bytes."""

    def __init__(self, data):
        self._left = list(reversed(data))

    def pick(self, n):
        return (self._left.pop() if self._left else 0) % n

    def chance(self, percent):
        return (self._left.pop() if self._left else 0) >= 256 - 2.56 * percent


class Script:
    """What the roles do. An answer follows from the name of the command, whoever asks for it and when."""

    def __init__(self, data):
        self._data = data or b"\0"
        self._hardness = self._data[0] % 4 / 3

    def of(self, name):
        start = crc32(name.encode()) % len(self._data)
        return Tape((self._data[start:] + self._data[:start])[:12])

    def own_plan(self):
        tape = self.of("own plan")
        names = [f"t{n}" for n in range(1 + tape.pick(8))]
        needs = [[need for need in names[:n] if tape.chance(40)] for n in range(len(names))]
        deadlines = [5 if tape.chance(30) else None for _ in names]
        rows = zip(names, needs, deadlines, strict=True)
        return make.plan(*(make.task(name, needs=need, deadline_s=deadline) for name, need, deadline in rows))

    def answer(self, command, racing):
        """The facts that the role says, in order; a name alone is a fact that does not validate."""
        tape = self.of(address_of(command).name)
        failure = make.failed(command.task, command.attempt, role=command.role)
        fatal = failure.model_copy(update={"retry": False})
        result = _report(command, tape)
        odd = [
            (100 if self.of(f"worker for {command.task}").chance(5 * self._hardness) else 0, []),
            (3, []),
            (4, [f"failure.{command.task}.{command.attempt}"]),
            (14, [failure]),
            (4, [fatal]),
            (6, [f"result.{command.task}"]),
            (4, [_odd_one(command)]),
            (10 if racing else 0, [failure, result]),
        ]
        for percent, answer in odd:
            if tape.chance(percent if percent == 100 else percent * self._hardness):
                return answer
        return self._after_waiting(command, failure, result)

    def _after_waiting(self, command, failure, result):
        tape = self.of(f"waits of {address_of(command).name}")
        if not tape.chance(25 * self._hardness):
            return [result]
        wait = make.waits(command.task, command.attempt, what=("models", "budget")[tape.pick(2)], role=command.role)
        then = ((WHILE, result), (WHILE, result), (WHILE, result), (WHILE, failure), (FOR_EVER,))[tape.pick(5)]
        return [name_of(wait) if tape.chance(15) else wait, *then]

    def ballot(self, name, opened):
        """What voters, the consensus worker and a person say, in order; `opened` is None if it is spoiled."""
        ballot = name.removeprefix("ballot.")
        tape, decision = self.of(f"decision.{ballot}"), DecisionMade(**make.IDS, ballot=ballot, option=None)
        if opened is None:
            return [decision.model_copy(update={"by": "refused", "reason": "it does not validate"})]
        options = [option.option for option in opened.options if option.eligible]
        votes = tuple(_vote(ballot, voter, options, self.of(f"vote.{ballot}.{voter}")) for voter in opened.electorate)
        decision = decision.model_copy(update={"counted": votes})
        hard = [
            (5, [f"decision.{ballot}"]),
            (10, [decision.model_copy(update={"by": ("undecided", "refused")[tape.pick(2)]})]),
            (35, [decision.model_copy(update={"by": "escalated"}), *self._person(opened, options)]),
        ]
        tasks = [_voted(ballot, vote, tape) for vote in votes]
        for percent, answer in hard:
            if tape.chance(percent * self._hardness):
                return [*tasks, *answer]
        return [*tasks, decision.model_copy(update={"option": options[tape.pick(len(options))]})]

    def _person(self, opened, options):
        tape = self.of(f"approval.{opened.ballot}")
        gate = GateOpened(**make.IDS, gate=opened.ballot, question="?", options=tuple(options))
        option = (None, None, options[tape.pick(len(options))], "nonsense" if tape.chance(20) else None)[tape.pick(4)]
        verdict = ("approve", "reject", "ask_for_changes")[tape.pick(3)]
        answer = make.approved(opened.ballot, verdict, option=option, comment="because")
        if tape.chance(15):
            return [gate, FOR_EVER]
        return [gate, WHILE, name_of(answer) if tape.chance(10) else answer]


def _vote(ballot, voter, options, tape):
    stands_for = () if tape.chance(20) else (options[tape.pick(len(options))],)
    task = voting_task(ballot, voter)
    return CountedVote(voter=voter, options=stands_for, text=f"{voter} says why", task=task)


def _voted(ballot, vote, tape):
    task = voting_task(ballot, vote.voter)
    if tape.chance(15):
        return make.failed(task, role="reviewer", retry=False)
    given = {**make.IDS, "task": task, "ballot": ballot, "voter": vote.voter}
    return BallotAnswered(**given, calls=(make.call(task),))


def _odd_one(command):
    wrong = make.tested if isinstance(command, PerformTask) else make.performed
    return wrong(command.task)


def _report(command, tape):
    given = {**make.IDS, "task": command.task, "attempt": command.attempt}
    if isinstance(command, PlanProject):
        return make.planned(_plan(tape), command.task)
    if isinstance(command, DesignSystem):
        return make.proposed(*_modules(tape), name=command.task)
    if isinstance(command, VerifyProject):
        return ProjectVerified(**given, evidence=make.evidence(not tape.chance(35)))
    if isinstance(command, ReviewProject):
        found = ("blocking",) if tape.chance(25) else ("note",)
        return make.reviewed(1, *found).model_copy(update=given)
    if isinstance(command, PackProject):
        return make.packed(command.task)
    kind = make.REPORTS.get(type(command), TaskPerformed)
    again = isinstance(command, RepairProject) and tape.chance(60)
    files = (make.file("again.py" if again else f"{command.task}.py", str(tape.pick(2 if again else 10))),)
    return kind(**given, files=files, calls=(make.call(command.task),))


def _plan(tape):
    intro, docs = make.task("intro"), make.task("docs", needs=["build"], deadline_s=5)
    after = make.task("after", "infra_engineer", ["docs", "tests"])
    long = make.task("b" * 40, "backend_developer", ["design"], each="module", deadline_s=5)
    sound = [(), (docs,), (intro, docs), (docs, after), (long,)]
    colliding, unsound = (make.task("build-api"),), (make.task("lost", needs=["nowhere"]),)
    choices = [*sound, *sound, colliding, unsound]
    return make.project_plan(*choices[tape.pick(len(choices))])


def _modules(tape):
    choices = (("api",), ("api", "store"), ("a", "b", "c"), ("x" * 48, "x" * 47 + "y"), ("api", "store", "web", "cli"))
    choice = tape.pick(12)
    return ("api", "api") if choice == 11 else choices[choice % 5]
