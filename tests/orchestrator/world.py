"""A simulated world: a write-once log, replicas that decide, roles that answer, and a clock.

Every choice is read from bytes. A byte of 0, or none left, is the tame choice (success, in order, no
crash), so that hypothesis shrinks towards a run in which nothing special happens.
"""

import re
import sys
from zlib import crc32

from contracts import subjects
from contracts.codec import decode, encode
from contracts.message import Command
from contracts.v1.failures import TaskFailed
from contracts.v1.runs import RunClosed
from contracts.v1.tasks import (
    BuildModule,
    DesignProposed,
    DesignSystem,
    PackProject,
    PerformTask,
    PlanProject,
    ProjectReviewed,
    ProjectVerified,
    RepairProject,
    ReviewProject,
    TaskPerformed,
    VerifyProject,
    WriteTests,
)
from workers.orchestrator import decider
from workers.orchestrator.decider import NOTHING
from workers.orchestrator.run import Run, fold, fold_spoiled

make = sys.modules["orchestrator_tests_making"]

SPOILED = "spoiled"
TRIGGERS = ("run.requested", "run.cancel", "result", "failure", "timer")


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
        tape = self.of(decider.name_of(command))
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
        return [result]


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
    files = (make.file(f"{command.task}.py", str(tape.pick(10))),)
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


class Replica:
    """One orchestrator. It may forget everything (a crash) and know less than the log has (a stale view)."""

    def __init__(self):
        self.run = Run("t", "r")

    def learn(self, name, stored):
        self.run = fold_spoiled(self.run, name) if stored is SPOILED else fold(self.run, [stored])


class World:
    """One run from its request until nothing is left to happen. Every step is checked by assertions."""

    def __init__(self, script, schedule=b"", replicas=1, own=False, racing=False):
        self.script, self.schedule, self.racing = Script(script), Tape(schedule), racing
        self.replicas = [Replica() for _ in range(replicas)]
        self.log, self.timers, self.events = {}, {}, []
        self.sober = replicas == 1 and not racing
        self.silent = False
        plan = self.script.own_plan() if own else None
        self.put("run.requested", make.request(plan))

    def close(self):
        """Let everything happen; returns the end of the run."""
        for _ in range(4_000):
            if not self._happen():
                break
        else:
            raise AssertionError("the run goes on and on")
        assert isinstance(self.log.get("run.closed"), RunClosed), f"no end; the log has {list(self.log)}"
        self._check_end(self.log["run.closed"])
        return self.log["run.closed"]

    def _happen(self):
        if self.racing and self.schedule.chance(2) and "run.cancel" not in self.log:
            self.put("run.cancel", SPOILED if self.schedule.chance(30) else make.cancel())
        waiting = sorted((name for name, fired in self.timers.items() if not fired), key=lambda n: (n == "run", n))
        if waiting and (not self.events or (self.racing and self.schedule.chance(5))):
            name = waiting[0 if self.events == [] else self.schedule.pick(len(waiting))]
            self.timers[name] = True
            self.put(f"timer.{name}", SPOILED if self.racing and self.schedule.chance(10) else make.passed(name))
        if not self.events:
            return False
        kind, what = self.events.pop(self.schedule.pick(len(self.events)))
        self._deliver(what) if kind == "trigger" else self._answer(what)
        return True

    def put(self, name, stored):
        """Write once; returns whether it was news."""
        if name in self.log:
            return False
        self.log[name] = stored
        if name.startswith(TRIGGERS):
            self.events.append(("trigger", name))
        if isinstance(stored, Command):
            self.events.append(("command", stored))
        return True

    def _answer(self, command):
        if self.schedule.chance(10):
            self.events.append(("command", command))
        answer = self.script.answer(command, self.racing)
        endless = f"task-{command.task}-{command.attempt}" not in self.timers
        self.silent = self.silent or (not answer and endless)
        for fact in answer:
            spoiled = isinstance(fact, str)
            self.put(fact if spoiled else decider.name_of(fact), SPOILED if spoiled else fact)

    def _deliver(self, name):
        replica = self.replicas[self.schedule.pick(len(self.replicas))]
        replica.learn(name, self.log[name])
        if not self.sober and self.schedule.chance(30):
            self._act(replica)
        for known in list(self.log):
            replica.learn(known, self.log[known])
        if not self._act(replica):
            replica.run = Run("t", "r")
            self.events.append(("trigger", name))
        elif self.schedule.chance(10):
            self.events.append(("trigger", name))

    def _act(self, replica):
        """Decide and say until what the log holds is what was meant; returns False when the replica crashed."""
        while True:
            decision = self._decide(replica.run)
            for timer in decision.timers:
                self.timers.setdefault(timer.name, False)
            as_meant = True
            for message in decision.messages:
                if not self.sober and self.schedule.chance(8):
                    return False
                name = decider.name_of(message)
                if name not in self.log:
                    self._check_said(message)
                    burnt = self.racing and isinstance(message, Command) and self.schedule.chance(3)
                    self.put(name, SPOILED if burnt else message)
                theirs = self.log[name]
                as_meant = as_meant and (theirs == message or isinstance(theirs, Command))
                replica.learn(name, self.log[name])
            if as_meant:
                return True

    def _decide(self, run):
        decision = decider.decide(run, make.POLICY)
        if run.is_closed:
            assert decision == NOTHING, "something is said after the end"
        if "run.cancel" in (*run.facts, *run.spoiled) and run.request and not run.is_closed:
            statuses = [getattr(message, "status", message.kind) for message in decision.messages]
            assert statuses == ["cancelled"], "a cancel does not win"
        names = [decider.name_of(message) for message in decision.messages]
        assert len(set(names)) == len(names), "two messages of one name"
        assert not set(names) & (set(run.facts) | run.spoiled), "a name is said twice"
        after = decider.decide(fold(run, decision.messages), make.POLICY)
        waits = any(isinstance(message, TaskFailed) for message in decision.messages)
        assert waits or after == NOTHING, "deciding again says more"
        assert not waits or after != NOTHING, "nothing follows from a failure"
        for message in decision.messages:
            assert decode(subjects.subject_of(message), encode(message)) == message, "what is said does not decode"
        for timer in decision.timers:
            assert subjects.is_token(timer.name), f"timer {timer.name} has no name that the bus can carry"
        return decision

    def _check_said(self, message):
        if self.sober:
            assert "run.closed" not in self.log, "said after the end"
        if isinstance(message, Command):
            self._check_timers(message)
            self._check_attempts(message)
            self._check_needs(message)

    def _check_timers(self, command):
        assert "run" in self.timers, "a command without the run's deadline"
        planned = next((task for task in self._plan() if task.task == _plain(command.task)), None)
        if planned is None and not isinstance(command, BuildModule):
            wanted = command.role in ("project_manager", "sandbox", "reviewer", "packager")
        else:
            wanted = planned is not None and planned.deadline_s
        if wanted:
            assert f"task-{command.task}-{command.attempt}" in self.timers, f"no deadline for {command.task}"

    def _check_attempts(self, command):
        assert command.attempt <= make.POLICY.max_attempts, "too many attempts"
        if command.attempt > 1:
            before = self.log.get(f"failure.{command.task}.{command.attempt - 1}")
            assert before is not None, f"attempt {command.attempt} of {command.task} without a failure before"
            assert before is SPOILED or before.retry, "another attempt at what makes no sense to retry"
        if mark := re.search(r"-S(\d+)$", command.task):
            assert int(mark[1]) <= make.POLICY.max_attempts, "too many spoiled results"
        if isinstance(command, RepairProject):
            assert command.round <= make.POLICY.max_repairs, "too many repairs"

    def _plan(self):
        own = self.log["run.requested"].plan
        planned = self.result("plan-2") or self.result("plan")
        return own.tasks if own else getattr(getattr(planned, "plan", None), "tasks", ())

    def result(self, task):
        """The result of a task, followed over spoiled names."""
        name, n = task, 1
        while self.log.get(f"result.{name}") is SPOILED:
            n += 1
            name = f"{task}-S{n}"
        return self.log.get(f"result.{name}")

    def _check_needs(self, command):
        name = _plain(command.task)
        for need in next((task.needs for task in self._plan() if task.task == name), ()):
            per_module = [task for task in self._plan() if task.task == need and task.each]
            assert per_module or self.result(need), f"{name} was asked for before {need} was done"
        if isinstance(command, PerformTask):
            assert all(self.result(given.task) for given in command.inputs), f"{name} lacks an input"
        if isinstance(command, BuildModule | WriteTests):
            assert any(isinstance(fact, DesignProposed) for fact in self.log.values()), f"{name} without a design"
        number = int(name.rpartition("-")[2]) if re.search(r"-\d+$", name) else 0
        if isinstance(command, VerifyProject):
            makers = BuildModule | WriteTests | PerformTask
            asked = {_plain(fact.task) for fact in self.log.values() if isinstance(fact, makers)}
            missing = [task for task in asked if not self.result(task)]
            assert not missing, f"verified before {missing}"
        if isinstance(command, ReviewProject):
            assert self.result(f"verify-{number}").evidence.passed, "reviewed while red"
        if isinstance(command, RepairProject):
            assert self._wants_repair(number), "repaired without a reason"
        if isinstance(command, PackProject):
            last = max(n for n in range(1, 9) if isinstance(self.result(f"verify-{n}"), ProjectVerified))
            assert self.result(f"review-{last}") and not self._wants_repair(last), "packed what is not fine"

    def _wants_repair(self, n):
        verified, reviewed = self.result(f"verify-{n}"), self.result(f"review-{n}")
        blocking = isinstance(reviewed, ProjectReviewed) and any(f.severity == "blocking" for f in reviewed.findings)
        return blocking or not verified.evidence.passed

    def _check_end(self, closed):
        own = self.log["run.requested"].plan
        assert closed.reason, "an end without a reason"
        assert not closed.evidence_at or closed.evidence_at in self.log, f"{closed.evidence_at} is not in the log"
        if closed.status == "completed" and own is None:
            assert closed.evidence.passed, "completed while red"
            assert closed.capsule, "completed without a capsule"
            for command in [fact for fact in self.log.values() if isinstance(fact, Command)]:
                kind = make.REPORTS.get(type(command), TaskPerformed)
                assert isinstance(self.result(_plain(command.task)), kind), f"{command.task} is not done"
        if closed.status == "completed" and own is not None:
            assert all(isinstance(self.result(task.task), TaskPerformed) for task in own.tasks), "not all is done"
        if closed.status == "cancelled":
            assert "run.cancel" in self.log, "nobody asked for the cancel"
        if closed.reason == decider.LATE and not self.racing:
            assert self.silent, "nobody was silent without a deadline, and yet the run hung until its own"
        if closed.status == "failed":
            assert closed.failed_task or "timer.run" in self.log, "failed without saying where"
        assert closed.status != "refused", "a sound request was refused"


def _plain(task):
    return re.sub(r"-S\d+$", "", task)
