"""Voting: a voter's answer to a ballot goes into the log as its one vote, whatever the model made of the question.

    the reply fits                                               the vote that it says
    it does not fit twice, is too long or is refused,            an abstention that says why
    or the question can't be put at all
    no model can answer now                                      nothing: the task is handed out again

A voter is shown neither who made an option nor which other voters there are.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from contracts.v1.ballots import Option, VoteCast
from contracts.v1.tasks import BallotAnswered, CastVote
from workers.llm.failures import writable
from workers.roles import evidence
from workers.roles.reviewer.replies import ApprovalReply, ChoiceReply, RankingReply, ScoresReply, VoteReply
from workers.runtime.errors import Impossible, MalformedReply, RefusedByModel
from workers.runtime.ports import ArtifactMissing
from workers.runtime.redaction import redactor_for
from workers.runtime.signing import configured_signer
from workers.runtime.toolkit import Toolkit

MOST_REASON = 20_000
"""Characters that a vote can hold of why it abstains."""


class Form(NamedTuple):
    """What a rule asks for: the model's reply, and the field of the vote that takes what `preference` makes of it."""

    reply: type[VoteReply]
    field: str
    preference: Callable[[Any], Any]


CHOICE = Form(ChoiceReply, "choice", lambda reply: reply.choice)

FORMS: Mapping[str, Form] = {
    **dict.fromkeys(("majority", "supermajority", "unanimity", "veto", "weighted", "ahead"), CHOICE),
    "approval": Form(ApprovalReply, "approved", lambda reply: reply.approved),
    "ranked": Form(RankingReply, "ranking", lambda reply: reply.ranking),
    "score": Form(ScoresReply, "scores", lambda reply: {each.option: each.score for each in reply.scores}),
}
"""What each rule asks a voter for."""


async def vote(task: CastVote, tools: Toolkit) -> BallotAnswered:
    """The voter's vote, and the report that it is in the log. The log keeps the one that it has."""
    try:
        preference = await _preference(task, tools)
    except (MalformedReply, RefusedByModel, Impossible, ArtifactMissing) as error:
        preference = {"because": abstaining(error, redactor_for(tools.settings).clean)}
    cast = VoteCast(
        tenant=task.tenant,
        run=task.run,
        ballot=task.ballot,
        voter=task.voter,
        target=tools.target,
        task=task.task,
        **preference,
    )
    if task.signed:
        signature = configured_signer(tools.settings).sign_bytes(cast.signed_bytes)
        cast = cast.model_copy(update={"signature": signature})
    tools.say_first(cast)
    return tools.report(BallotAnswered, ballot=task.ballot, voter=task.voter, abstained=cast.because)


async def _preference(task: CastVote, tools: Toolkit) -> dict[str, Any]:
    """The fields of the vote that the model's reply decides."""
    form = FORMS.get(task.rule)
    if form is None:
        raise Impossible(f"this voter knows no rule {task.rule!r}; it knows {', '.join(sorted(FORMS))}")
    reply = await tools.ask(
        f"reviewer/vote:{task.persona}",
        reply=form.reply,
        elsewhere=False,
        check=lambda said: faults(said, [option.option for option in task.options], task.score_max),
        question=task.question,
        context=task.context,
        options=[shown(option, await tools.load(option.files)) for option in task.options],
        rule=task.rule,
        score_max=task.score_max,
    )
    preference = form.preference(reply)
    because = "" if preference else "the voter prefers none of the options; its rationale says why"
    return {form.field: preference, "rationale": reply.rationale, "because": because}


def shown(option: Option, files: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """What a voter gets to see of an option: nothing that tells whose it is, and no empty fields."""
    seen = {
        "option": option.option,
        "title": option.title,
        "text": option.text,
        "evidence": evidence.shown(option.evidence) if option.evidence else None,
        "files": list(files),
    }
    return {name: value for name, value in seen.items() if value}


def faults(reply: VoteReply, options: Sequence[str], score_max: int) -> Iterable[str]:
    """What keeps a reply of the right shape from being a vote on these options."""
    match reply:
        case ChoiceReply():
            yield from _misnamed([] if reply.choice is None else [reply.choice], options)
        case ApprovalReply():
            yield from _misnamed(reply.approved, options)
        case RankingReply():
            yield from _misnamed(reply.ranking, options)
        case ScoresReply():
            scored = [each.option for each in reply.scores]
            yield from _misnamed(scored, options)
            over = [each for each in reply.scores if each.score > score_max]
            yield from (f"the score {each.score} of {each.option!r} is above {score_max}" for each in over)
            if scored and (left := [option for option in options if option not in scored]):
                yield f"there is no score for {', '.join(left)}; score each option, or none so as to abstain"


def _misnamed(named: Sequence[str], options: Sequence[str]) -> Iterable[str]:
    for name, count in Counter(named).items():
        if name not in options:
            yield f"there is no option {name[:100]!r}; the options are {', '.join(options)}"
        elif count > 1:
            yield f"option {name!r} is there more than once"


def abstaining(
    error: MalformedReply | RefusedByModel | Impossible | ArtifactMissing, clean: Callable[[str], str]
) -> str:
    """Why there is no preference, without secrets and as long as a vote can hold."""
    match error:
        case MalformedReply():
            why = "the answer did not fit"
        case RefusedByModel():
            why = "the model refused"
        case _:
            why = "the question could not be put to a model"
    return writable(clean(f"{why}: {error}"))[:MOST_REASON]
