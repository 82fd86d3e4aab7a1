"""A simulated world: a write-once log, replicas that decide, roles that answer, and a clock."""

import re
import sys

from contracts import subjects
from contracts.codec import decode, encode
from contracts.message import Command
from contracts.v1.approvals import ApprovalGiven
from contracts.v1.ballots import BallotOpened, DecisionMade, OutcomeSeen
from contracts.v1.failures import TaskFailed
from contracts.v1.runs import RunClosed
from contracts.v1.tasks import (
    BuildModule,
    DesignProposed,
    DesignSystem,
    PackProject,
    PerformTask,
    ProjectReviewed,
    ProjectVerified,
    RepairProject,
    ReviewProject,
    TaskPerformed,
    VerifyProject,
    WriteTests,
)
from workers.orchestrator import decider, endings
from workers.orchestrator.decider import NOTHING
from workers.orchestrator.run import Run, fold, fold_spoiled

make = sys.modules["orchestrator_tests_making"]
script = sys.modules["orchestrator_tests_script"]

SPOILED = "spoiled"
TRIGGERS = ("run.requested", "run.cancel", "result", "failure", "timer", "wait", "decision", "approval")


def decided(run, policy=make.POLICY):
    """What is decided, after looking at it from all sides."""
    decision = decider.decide(run, policy)
    if run.is_closed:
        assert decision == NOTHING, "something is said after the end"
    if "run.cancel" in (*run.facts, *run.spoiled) and run.request and not run.is_closed:
        statuses = [getattr(message, "status", message.kind) for message in decision.messages]
        assert statuses == ["cancelled"], "a cancel does not win"
    names = [subjects.name_of(message) for message in decision.messages]
    assert len(set(names)) == len(names), "two messages of one name"
    assert not set(names) & (set(run.facts) | run.spoiled), "a name is said twice"
    after = decider.decide(fold(run, decision.messages), policy)
    waits = any(isinstance(message, TaskFailed) for message in decision.messages)
    begun = any(name.startswith("task.") for name in (*run.facts, *run.spoiled, *names))
    assert waits or after == NOTHING or not (begun or after.messages), "deciding again says more"
    left_out = [message for message in decision.messages if getattr(message, "task", "").startswith("design")]
    assert not waits or after != NOTHING or left_out, "nothing follows from a failure"
    for failure in decision.messages:
        if isinstance(failure, TaskFailed) and failure.error == "deadline":
            assert not waits_of(failure, (*run.facts, *run.spoiled)), "the deadline of an attempt that has waited"
    for message in decision.messages:
        assert decode(subjects.subject_of(message), encode(message)) == message, "what is said does not decode"
    for timer in decision.timers:
        assert subjects.is_token(timer.name), f"timer {timer.name} has no name that the bus can carry"
    return decision


def waits_of(attempt, names):
    """The names of the waits of an attempt."""
    return [name for name in names if name.startswith(f"wait.{attempt.task}.{attempt.attempt}.")]


class Replica:
    """One orchestrator. It may forget everything (a crash) and know less than the log has (a stale view)."""

    def __init__(self):
        self.run = Run("t", "r")

    def learn(self, name, stored):
        self.run = fold_spoiled(self.run, name) if stored is SPOILED else fold(self.run, [stored])


class World:
    """One run from its request until nothing is left to happen. Every step is checked by assertions."""

    def __init__(self, answers, schedule=b"", replicas=1, own=False, racing=False):
        self.script, self.schedule, self.racing = script.Script(answers), script.Tape(schedule), racing
        self.policy = (make.POLICY, make.VOTING, make.THREE)[self.script.of("policy").pick(3)]
        self.replicas = [Replica() for _ in range(replicas)]
        self.log, self.timers, self.events = {}, {}, []
        self.sober = replicas == 1 and not racing
        self.silent = False
        self.parked, self.waits_for_ever = [], False
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
        if self.parked and ((not self.events and waiting[:1] in ([], ["run"])) or (self.racing and self._early())):
            for fact in self.parked.pop(0):
                self._said(fact)
            return True
        if waiting and (not self.events or (self.racing and self.schedule.chance(5))):
            name = waiting[0 if self.events == [] else self.schedule.pick(len(waiting))]
            self.timers[name] = True
            self.put(f"timer.{name}", SPOILED if self.racing and self.schedule.chance(10) else make.passed(name))
        if not self.events:
            return False
        kind, what = self.events.pop(self.schedule.pick(len(self.events)))
        {"trigger": self._deliver, "command": self._answer, "ballot": self._vote}[kind](what)
        return True

    def _early(self):
        return self.schedule.chance(10)

    def put(self, name, stored):
        """Write once; returns whether it was news."""
        if name in self.log:
            return False
        self.log[name] = stored
        if name.startswith(TRIGGERS):
            self.events.append(("trigger", name))
        if isinstance(stored, Command):
            self.events.append(("command", stored))
        if name.startswith("ballot."):
            self.events.append(("ballot", name))
        return True

    def _answer(self, command):
        if self.schedule.chance(10):
            self.events.append(("command", command))
        answer = self.script.answer(command, self.racing)
        endless = f"task-{command.task}-{command.attempt}" not in self.timers
        self.silent = self.silent or (not answer and endless)
        self._say_all(answer)

    def _vote(self, name):
        stored = self.log[name]
        self._say_all(self.script.ballot(name, None if stored is SPOILED else stored))

    def _say_all(self, answer):
        for place, fact in enumerate(answer):
            if fact is script.WHILE:
                return self.parked.append(answer[place + 1 :])
            if fact is script.FOR_EVER:
                self.waits_for_ever = True
                return None
            self._said(fact)
        return None

    def _said(self, fact):
        spoiled = isinstance(fact, str)
        self.put(fact if spoiled else subjects.name_of(fact), SPOILED if spoiled else fact)

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
            decision = decided(replica.run, self.policy)
            for timer in decision.timers:
                self.timers.setdefault(timer.name, False)
            as_meant = True
            for message in decision.messages:
                if not self.sober and self.schedule.chance(8):
                    return False
                name = subjects.name_of(message)
                if name not in self.log:
                    self._check_said(message)
                    may_burn = isinstance(message, Command | BallotOpened)
                    burnt = self.racing and may_burn and self.schedule.chance(3)
                    self.put(name, SPOILED if burnt else message)
                theirs = self.log[name]
                as_meant = as_meant and (theirs == message or isinstance(theirs, Command))
                replica.learn(name, self.log[name])
            if as_meant:
                return True

    def _check_said(self, message):
        if self.sober:
            assert "run.closed" not in self.log, "said after the end"
        if isinstance(message, Command):
            self._check_timers(message)
            self._check_attempts(message)
            self._check_needs(message)
        if isinstance(message, BallotOpened):
            self._check_ballot(message)
        if isinstance(message, OutcomeSeen):
            self._check_outcome(message)

    def _check_ballot(self, opened):
        names = [option.option for option in opened.options]
        if opened.ballot == "design":
            assert names[-1] == "revise", "nobody can ask for another design"
            assert all(isinstance(self.result(name), DesignProposed) for name in names[:-1]), "an option is no design"
            count = self.policy.blueprint.designs
            over = [n for n in range(1, count + 1) if self._is_over("design" if n == 1 else f"design-O{n}")]
            assert len(over) == count, "opened before all designs had come or failed"
        else:
            number = int(opened.ballot.removeprefix("release-"))
            assert names == ["release", "repair"], f"{opened.ballot} has the options {names}"
            assert self.result(f"verify-{number}").evidence.passed, "put to a ballot while red"
            assert not self._wants_repair(number), "put to a ballot while blocked"

    def _is_over(self, task):
        failed = [name for name in self.log if name.startswith(f"failure.{task}")]
        return self.result(task) or failed or self.log.get(f"result.{task}") is SPOILED

    def _check_outcome(self, outcome):
        decision, answer = self.log[f"decision.{outcome.ballot}"], self.log.get(f"approval.{outcome.ballot}")
        if decision.option is not None:
            assert outcome.option == decision.option, "the outcome of another option"
            assert outcome.right == self.result("verify-1").evidence.passed, "the sandbox says otherwise"
        else:
            assert isinstance(answer, ApprovalGiven), "right without anybody who knows"
            assert outcome.right, "a person is wrong"
        assert not set(outcome.voters_right) & set(outcome.voters_wrong), "right and wrong at once"

    def _design(self):
        """The task whose design is to be built; the architect's own where there was no ballot."""
        taken = self.taken("design") or "design"
        return "design-R1" if taken == "revise" else taken

    def taken(self, ballot):
        """The option that was taken at a ballot, by voters or by a person; None while there is none."""
        decision, answer = self.log.get(f"decision.{ballot}"), self.log.get(f"approval.{ballot}")
        if not isinstance(decision, DecisionMade) or decision.by in ("undecided", "refused"):
            return None
        if decision.by != "escalated":
            return decision.option
        if not isinstance(answer, ApprovalGiven):
            return None
        options = [option.option for option in self.log[f"ballot.{ballot}"].options if option.eligible]
        return answer.option or options[0 if answer.verdict == "approve" else -1]

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
            made = self._design() if need == "design" else need
            assert per_module or self.result(made), f"{name} was asked for before {need} was done"
        if isinstance(command, PerformTask):
            assert all(self.result(given.task) for given in command.inputs), f"{name} lacks an input"
        if isinstance(command, BuildModule | WriteTests):
            assert any(isinstance(fact, DesignProposed) for fact in self.log.values()), f"{name} without a design"
        if isinstance(command, BuildModule | WriteTests | RepairProject) and self.policy.blueprint.ballots.design:
            assert self.taken("design"), f"{name} before a design was chosen"
            assert self.result(self._design()).design == command.design, (
                f"{name} goes by another design than the chosen one"
            )
        number = int(name.rpartition("-")[2]) if re.search(r"-\d+$", name) else 0
        if isinstance(command, VerifyProject):
            makers = BuildModule | WriteTests | PerformTask
            asked = {_plain(fact.task) for fact in self.log.values() if isinstance(fact, makers)}
            missing = [task for task in asked if not self.result(task)]
            assert not missing, f"verified before {missing}"
            assert not self._was_verified(command), "the same files are verified again"
        if isinstance(command, ReviewProject):
            assert self.result(f"verify-{number}").evidence.passed, "reviewed while red"
        if isinstance(command, RepairProject):
            assert self._wants_repair(number), "repaired without a reason"
        if isinstance(command, PackProject):
            last = max(n for n in range(1, 9) if isinstance(self.result(f"verify-{n}"), ProjectVerified))
            assert self.result(f"review-{last}") and not self._wants_repair(last), "packed what is not fine"
            if self.policy.blueprint.ballots.release:
                assert self.taken(f"release-{last}") == "release", "packed what was not released"

    def _is_open(self, name):
        """Whether a name is that of a wait that can be read, of an attempt that has not ended."""
        noun, task, attempt, *_ = (*name.split("."), "")
        ends = (f"result.{task}", f"failure.{task}.{attempt}")
        return noun == "wait" and self.log[name] is not SPOILED and not any(end in self.log for end in ends)

    def _wants_repair(self, n):
        verified, reviewed = self.result(f"verify-{n}"), self.result(f"review-{n}")
        blocking = isinstance(reviewed, ProjectReviewed) and any(f.severity == "blocking" for f in reviewed.findings)
        return blocking or not verified.evidence.passed or self.taken(f"release-{n}") == "repair"

    def _was_verified(self, command):
        """Whether another round had the same files; another attempt at this one, or its task anew, is none."""
        others = [fact for fact in self.log.values() if isinstance(fact, VerifyProject)]
        return command.files in [other.files for other in others if _plain(other.task) != _plain(command.task)]

    def _check_end(self, closed):
        own = self.log["run.requested"].plan
        assert closed.reason, "an end without a reason"
        assert not closed.evidence_at or closed.evidence_at in self.log, f"{closed.evidence_at} is not in the log"
        if closed.status == "completed" and own is None:
            assert closed.evidence.passed, "completed while red"
            assert closed.capsule, "completed without a capsule"
            assert self.taken("design") in (None, "revise") or "outcome.design" in self.log, "nothing was learned"
            for command in [fact for fact in self.log.values() if isinstance(fact, Command)]:
                if isinstance(command, DesignSystem) and "ballot.design" in self.log:
                    continue  # one that failed is left out
                kind = make.REPORTS.get(type(command), TaskPerformed)
                assert isinstance(self.result(_plain(command.task)), kind), f"{command.task} is not done"
        if closed.status == "completed" and own is not None:
            assert all(isinstance(self.result(task.task), TaskPerformed) for task in own.tasks), "not all is done"
        if closed.status == "cancelled":
            assert "run.cancel" in self.log, "nobody asked for the cancel"
        if closed.reason.startswith(endings.LATE) and not self.racing:
            assert self.silent or self.waits_for_ever, (
                "nobody was silent or waited, and yet the run hung to its deadline"
            )
            assert ("waited for" in closed.reason) >= any(map(self._is_open, self.log)), (
                "it is not said what was waited for"
            )
        if closed.status == "failed":
            assert closed.failed_task or "timer.run" in self.log, "failed without saying where"
        assert closed.status != "refused", "a sound request was refused"


def _plain(task):
    return re.sub(r"-S\d+$", "", task)
