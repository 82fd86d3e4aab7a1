"""Ballots of a run: how one is opened, and what came of it.

ballot ─ decision ─┬ an option                                  ─▶ settled
                   ├ escalated ─ approval: a person's option    ─▶ settled
                   └ undecided, refused, or nobody can read it  ─▶ the run's end
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from contracts.v1.approvals import ApprovalGiven
from contracts.v1.ballots import BallotOpened, DecisionMade, Option, Panelist, TieBreak, voting_task
from contracts.v1.runs import RunRequested
from contracts.v1.tasks import Outcome
from workers.orchestrator.blueprint import BallotTerms
from workers.orchestrator.endings import OPENED_BY, Ending
from workers.orchestrator.policy import Policy
from workers.orchestrator.run import Run

LONGEST_TEXT = 20_000
LONGEST_FAMILY = 100
_TARGET = re.compile(r"[A-Za-z0-9_.:/@=,-]{0,200}")


@dataclass(frozen=True)
class WantedBallot:
    """A ballot that a run is to have; `opened` makes the fact that opens it."""

    ballot: str
    opened: Callable[[], BallotOpened]


@dataclass(frozen=True)
class Question:
    """What a ballot asks. `authors` are the targets that made what is voted on, `default` is taken if terms say so.

    A vote for the `status_quo` is a veto where the rule knows vetoes.
    """

    ballot: str
    question: str
    options: tuple[Option, ...]
    context: str
    default: str
    status_quo: str
    ties: tuple[TieBreak, ...] = ()
    authors: tuple[str, ...] = ()


@dataclass(frozen=True)
class Settled:
    """What was decided. `because` are (who, why) of those who stand for it; `at` names the fact that decided."""

    option: str
    because: tuple[tuple[str, str], ...]
    at: str


def opened(request: RunRequested, policy: Policy, terms: BallotTerms, asked: Question) -> BallotOpened:
    """The ballot as it is opened: everything that decides it."""
    panel = tuple(
        Panelist(voter=voter.name, persona=voter.persona, target=target, family=_family(policy, target))
        for voter in terms.voters
        for target in (voter.target or request.model,)
    )
    authors = {_family(policy, author) for author in asked.authors} - {""} if terms.exclude_author else set[str]()
    return BallotOpened(
        tenant=request.tenant,
        run=request.run,
        ballot=asked.ballot,
        question=asked.question,
        options=asked.options,
        electorate=tuple(one.voter for one in panel),
        panel=panel,
        context=asked.context,
        status_quo=asked.status_quo,
        tie_order=asked.ties,
        default_option=asked.default if terms.no_quorum == "default" else None,
        exclude_families=tuple(sorted(authors)),
        budget=policy.budget(request.budget),
        opened_by=OPENED_BY,
        **terms.model_dump(exclude={"voters", "exclude_author"}),
    )


def _family(policy: Policy, target: str) -> str:
    return policy.families.get(target, "")[:LONGEST_FAMILY]


def authors_of(outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    """The targets whose answers went into these results; a name that is no target's is left out."""
    targets = (call.target for outcome in outcomes for call in outcome.calls)
    return tuple(dict.fromkeys(target for target in targets if _TARGET.fullmatch(target)))


def as_text(content: Mapping[str, Any]) -> str:
    """JSON of at most `LONGEST_TEXT` characters. What is too long has its longest texts cut, and stays JSON if it
    can."""
    text = ""
    for longest in (LONGEST_TEXT, 2_000, 500, 120, 40):
        text = json.dumps(_cut(content, longest), ensure_ascii=False)
        if len(text) <= LONGEST_TEXT:
            return text
    return text[:LONGEST_TEXT]


def _cut(value: Any, longest: int) -> Any:
    if isinstance(value, str):
        return value if len(value) <= longest else value[: longest - 1] + "…"
    if isinstance(value, Mapping):
        return {key: _cut(part, longest) for key, part in value.items()}
    return [_cut(part, longest) for part in value] if isinstance(value, list | tuple) else value


def is_known(run: Run, ballot: str) -> bool:
    """Whether the ballot was opened; its decision alone says so, too."""
    return run.knows(f"ballot.{ballot}") or run.knows(f"decision.{ballot}")


def settled(run: Run, ballot: str) -> Settled | Ending | None:
    """What came of a ballot; None while nothing did, or while not enough is known to tell."""
    at = f"decision.{ballot}"
    decision, terms = run.fact(at, DecisionMade), run.fact(f"ballot.{ballot}", BallotOpened)
    if wrong := _wrong_with(run, ballot, decision, terms):
        return Ending("failed", wrong, evidence_at=at)
    if decision is None or terms is None or not _all_reported(run, terms, decision):
        return None
    if decision.option is None:
        return _answered(run, terms, decision)
    return Settled(decision.option, _because(decision, decision.option), at)


def _all_reported(run: Run, terms: BallotOpened, decision: DecisionMade) -> bool:
    """Whether it is known what the votes that were counted have cost: a voting task reports right after its vote.

    A panelist's vote that no task said, as a person may say it, costs nothing and has no report.
    """
    said = {vote.task for vote in decision.counted}
    tasks = said.intersection(voting_task(terms.ballot, one.voter) for one in terms.panel)
    return all(run.knows(f"result.{task}") or run.knows(f"failure.{task}.1") for task in tasks)


def _wrong_with(run: Run, ballot: str, decision: DecisionMade | None, terms: BallotOpened | None) -> str:
    """Why nothing can come of a ballot any more; empty when something may."""
    if f"decision.{ballot}" in run.spoiled:
        return f"the stored decision of ballot {ballot} does not validate"
    if decision is None:
        return ""
    if decision.option is None and decision.by != "escalated":
        how = "was refused" if decision.by == "refused" else "stayed undecided"
        return f"ballot {ballot} {how}: {decision.reason or 'no reason was given'}"
    if f"ballot.{ballot}" in run.spoiled:
        return f"the stored ballot {ballot} does not validate"
    if terms and decision.option and decision.option not in {option.option for option in terms.options}:
        return f"ballot {ballot} was decided for {decision.option}, which is none of its options"
    return ""


def _answered(run: Run, terms: BallotOpened, decision: DecisionMade) -> Settled | Ending | None:
    """What a person said whom a ballot was left to. There is one answer; if it makes no sense, nothing mends it."""
    at = f"approval.{terms.ballot}"
    if at in run.spoiled:
        return Ending("failed", f"the stored approval of ballot {terms.ballot} does not validate", evidence_at=at)
    answer = run.fact(at, ApprovalGiven)
    if answer is None:
        return None
    there = [option.option for option in terms.options if option.eligible] or [one.option for one in terms.options]
    option = answer.option or (there[0] if answer.verdict == "approve" else there[-1])
    if option not in there:
        reason = f"{answer.by} took {option} at ballot {terms.ballot}, which has {', '.join(there)}"
        return Ending("failed", f"{reason}; a ballot is answered once, so ask for a new run", evidence_at=at)
    said = tuple((answer.by, text) for text in (*answer.changes, answer.comment) if text.strip())
    return Settled(option, said or _because(decision, option), at)


def _because(decision: DecisionMade, option: str) -> tuple[tuple[str, str], ...]:
    stand = (vote for vote in decision.counted if option in vote.options)
    return tuple((vote.voter, vote.text) for vote in stand if vote.text.strip())
