"""One line on each fact, for lists and plain output."""

from pydantic import ValidationError

from contracts.message import Message
from contracts.v1.approvals import ApprovalGiven, GateOpened
from contracts.v1.ballots import BallotOpened, DecisionMade, OutcomeSeen, VoteCast
from contracts.v1.budgets import BudgetRaised
from contracts.v1.capsules import CapsulePacked
from contracts.v1.failures import TaskFailed
from contracts.v1.journal import ModelCalled
from contracts.v1.projects import Evidence
from contracts.v1.prompts import PromptChosen, RevisionTried
from contracts.v1.runs import CancelRequested, RunClosed, RunRequested
from contracts.v1.tasks import (
    BallotAnswered,
    CastVote,
    DesignProposed,
    Outcome,
    ProjectPacked,
    ProjectPlanned,
    ProjectRepaired,
    ProjectReviewed,
    ProjectVerified,
    Task,
    TaskPerformed,
)
from contracts.v1.timers import DeadlinePassed
from contracts.v1.waits import TaskWaits
from workers.cli.entries import Entry
from workers.cli.figures import count, dollars, plain


def gist(entry: Entry) -> str:
    """What the fact says, on one line and safe to print; its name is not repeated."""
    if entry.message is None:
        return plain(f"spoiled: {entry.spoiled}")
    return plain(_of_run(entry.message))


def gist_of(fact: Message) -> str:
    """The same of a message that is at hand."""
    return plain(_of_run(fact))


def _of_run(fact: Message) -> str:
    match fact:
        case RunRequested():
            plan = f" (with a plan of {count(len(fact.plan.tasks), 'task')})" if fact.plan else ""
            return fact.idea + plan
        case CancelRequested():
            return fact.reason or "no reason given"
        case RunClosed():
            return _closed(fact)
        case DeadlinePassed():
            return "the deadline has passed"
        case CapsulePacked():
            return (
                f"{count(fact.files, 'file')}, {fact.size:,} bytes, sha256 {fact.sha256[:12]}, signed {fact.public_key}"
            )
        case _:
            return _of_task(fact)


def _of_task(fact: Message) -> str:
    match fact:
        case CastVote():
            return f"asks {fact.voter} for a vote on {fact.ballot}, attempt {fact.attempt}"
        case Task():
            return f"{_kind(fact)} for {fact.role}, attempt {fact.attempt}"
        case TaskFailed():
            return f"{fact.error}: {fact.reason}" + ("" if fact.retry else " (no other attempt)")
        case ModelCalled():
            tokens = f"{fact.input_tokens:,} + {fact.output_tokens:,} tokens"
            return f"{fact.target}, {fact.prompt}, {tokens}, {dollars(fact.cost_usd)}, {fact.latency_ms / 1000:.1f} s"
        case Outcome():
            return _outcome(fact)
        case _:
            return _of_means(fact)


def _of_means(fact: Message) -> str:
    match fact:
        case TaskWaits():
            return f"waits for {fact.what}" + (f": {fact.reason}" if fact.reason else "")
        case BudgetRaised():
            return _raised(fact)
        case PromptChosen():
            return _chosen(fact)
        case _:
            return _of_people(fact)


def _of_people(fact: Message) -> str:
    match fact:
        case GateOpened():
            options = f" ({', '.join(fact.options)})" if fact.options else ""
            return f"waits: {fact.question}{options}"
        case ApprovalGiven():
            return f"{said_at_gate(fact)} by {fact.by}" + (f": {fact.comment}" if fact.comment else "")
        case _:
            return _of_ballots(fact)


def said_at_gate(answer: ApprovalGiven) -> str:
    """The option that was taken, else the verdict with the changes that it asks for."""
    changes = f" ({'; '.join(answer.changes)})" if answer.changes else ""
    return (answer.option or answer.verdict.replace("_", " ")) + changes


def _of_ballots(fact: Message) -> str:
    match fact:
        case BallotOpened():
            options = ", ".join(option.option for option in fact.options)
            return f"{fact.question} ({options}; {count(len(fact.electorate), 'voter')}, quorum {fact.quorum})"
        case VoteCast():
            return _vote(fact)
        case DecisionMade():
            counts = ", ".join(f"{option} {votes}" for option, votes in fact.counts.items())
            by = fact.by if fact.by in ("escalated", "refused") else "undecided"
            why = f": {fact.reason}" if fact.by != "rule" and fact.reason else ""
            return f"{fact.option or by} ({counts or 'no votes'}){why}"
        case OutcomeSeen():
            proven = [f"{', '.join(fact.voters_right)} right"] if fact.voters_right else []
            proven += [f"{', '.join(fact.voters_wrong)} wrong"] if fact.voters_wrong else []
            worth = f"{fact.option} was {'right' if fact.right else 'wrong'}"
            return f"{worth} ({'; '.join(proven) or 'it proves nothing of a voter'})"
        case _:
            return _kind(fact)


def _vote(fact: VoteCast) -> str:
    scores = ", ".join(f"{option} {score}" for option, score in fact.scores.items())
    said = fact.choice or ", ".join(fact.approved) or " > ".join(fact.ranking) or scores
    if not said:
        return "abstains" + (f": {fact.because}" if fact.because else "")
    return said + (f": {fact.rationale}" if fact.rationale else "")


def _kind(fact: Message) -> str:
    return str(getattr(fact, "kind", type(fact).__name__))


def _outcome(fact: Outcome) -> str:
    files = count(len(fact.files), "file")
    match fact:
        case ProjectPlanned():
            return f"{fact.requirements.title}: {count(len(fact.plan.tasks), 'task')}"
        case DesignProposed():
            return f"{count(len(fact.design.modules), 'module')}, {count(len(fact.design.endpoints), 'endpoint')}"
        case ProjectRepaired():
            return f"{files} changed" + (f": {fact.diagnosis}" if fact.diagnosis else "")
        case TaskPerformed():
            return _performed(fact.output) or files
        case _:
            return _judged(fact) or files


def _performed(output: str) -> str:
    """What was reported; the prompt lab's result of a revision is JSON, and is told in words."""
    if not output.startswith("{"):
        return output
    try:
        return came_of_it(RevisionTried.model_validate_json(output))
    except ValidationError:
        return output


def came_of_it(tried: RevisionTried) -> str:
    """What came of an attempt, without its reason if there is a version."""
    if tried.candidate is None:
        return "no version came of it" + (f": {tried.reason}" if tried.reason else "")
    if (gate := tried.gate) is None:
        return f"version {tried.candidate} came of it"
    passed = "passed" if gate.passed else "did not pass"
    cases = count(gate.cases, "case")
    return f"version {tried.candidate} {passed} the gate, {gate.candidate} of {cases}, live {gate.live} of {gate.cases}"


def _judged(fact: Outcome) -> str:
    match fact:
        case ProjectVerified():
            return evidence_line(fact.evidence)
        case ProjectReviewed():
            blocking = [finding.message for finding in fact.findings if finding.severity == "blocking"]
            first = f": {blocking[0]}" if blocking else ""
            return f"{count(len(fact.findings), 'finding')}, {len(blocking)} blocking{first}"
        case BallotAnswered():
            return f"abstained: {fact.abstained}" if fact.abstained else "voted"
        case ProjectPacked():
            return f"capsule {fact.capsule[:12]}, {fact.size:,} bytes"
        case _:
            return ""


def evidence_line(evidence: Evidence) -> str:
    """What the sandbox saw, in one line."""
    if not evidence.passed:
        why = evidence.reason or f"{evidence.failed} of {count(evidence.tests, 'test')}"
        return f"red: {why} ({evidence.level})"
    coverage = "" if evidence.coverage is None else f", coverage {evidence.coverage:.0f} %"
    return f"green: {count(evidence.tests, 'test')} passed{coverage} ({evidence.level})"


def _raised(fact: BudgetRaised) -> str:
    more = [dollars(fact.usd)] if fact.usd else []
    more += [count(fact.tokens, "token")] if fact.tokens else []
    return (" and ".join(more) or "nothing") + " more" + (f", says {fact.raised_by}" if fact.raised_by else "")


def _chosen(fact: PromptChosen) -> str:
    arm = f", {fact.arm} of experiment {fact.experiment}" if fact.experiment else ""
    shown = f", {count(len(fact.examples), 'example')}" if fact.examples else ""
    return f"{fact.prompt} {fact.prompt_version}{arm}{shown}"


def _closed(fact: RunClosed) -> str:
    where = f", task {fact.failed_task}" if fact.failed_task else ""
    errors = "; ".join(f"{error.field}: {error.message}" for error in fact.errors)
    why = ": ".join(part for part in (fact.reason, errors) if part)
    return f"{fact.status}{where}" + (f": {why}" if why else "")
