"""Revising: the job that makes a better version of a template, and shows it to nobody before the gate.

what went wrong  ─▶  a model's revision  ─▶  pushed  ─▶  held-out cases with both versions  ─▶  the gate  ─▶  the result

The result says what came of it; what follows from that is said once the run is over (`improving.py`). All that is shown
to the model is what the log had when the run was asked for, so a redelivery asks the same and reads the answer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from contracts.subjects import Address
from contracts.v1.orders import RevisePrompt
from contracts.v1.prompts import GateResult, ImprovementSet, RevisionTried, VersionPushed
from contracts.v1.tasks import PerformTask, TaskPerformed
from workers.prompt_lab.cases import Case, Record, record_of, recorded
from workers.prompt_lab.gate import LEAST_CASES, is_held_out, judged
from workers.prompt_lab.pairs import MEANS, Pair, feedback_block, pairs_of, words_in
from workers.prompt_lab.replay import Replayer, judged_by, role_of
from workers.prompt_lab.replies import RevisionReply
from workers.prompt_lab.revised import faults
from workers.prompt_lab.side_by_side import side_by_side
from workers.prompt_lab.trials import Trials
from workers.prompt_lab.trigger import LAB, Trial, allowance, is_within, obstacle, run_of
from workers.prompting.moves import push
from workers.prompting.template_history import TemplateHistory
from workers.prompting.templates import Prompt, compiled_text
from workers.runtime.errors import Impossible
from workers.runtime.prompt_store import PromptStore
from workers.runtime.roster import roles
from workers.runtime.toolkit import Toolkit

PROMPT = "prompt_lab/revise"
RECORDED_FOR_EACH = 4
"""Cases that are read for each one that the gate is to have; about half of them are held out."""

LONGEST_REASON = 2_000


@dataclass(frozen=True)
class Attempt:
    """An attempt that may be made: number `n` at a template, whose live version it is to better."""

    n: int
    task: PerformTask
    history: TemplateHistory
    limits: ImprovementSet
    live: Prompt
    before: int
    """The run's own place in the log; nothing that came later is looked at."""


async def revise(order: RevisePrompt, task: PerformTask, tools: Toolkit) -> TaskPerformed:
    """Do one attempt; its result is a `RevisionTried` as JSON, without what it cost."""
    attempt, log = await _attempt(order, task, tools), record_of(tools.log)
    limits, live = attempt.limits, attempt.live
    trials = await Trials(log, tools.prefix).of(live.name, live.version, limits.metric, attempt.before)
    pairs = await pairs_of(log, tools.prefix, live.name, trials, _replies_of(live))
    if all(pair.score for pair in pairs):
        return _told(attempt, tools, reason="no task went wrong that is not held out for the gate")
    cases = await held_out(log, tools, attempt)
    if len(cases) < LEAST_CASES:
        reason = f"{len(cases)} cases are held out for the gate; it takes {LEAST_CASES}, so wait for more tasks"
        return _told(attempt, tools, reason=reason)
    reply = await _asked(attempt, tools, trials, pairs)
    candidate = compiled_text(attempt.history.role, attempt.history.name, reply.template)
    await _push(attempt, tools, candidate, reply)
    gate = await _gate(attempt, tools, candidate, cases)
    return _told(attempt, tools, candidate=candidate.version, reason=reply.reason[:LONGEST_REASON], gate=gate)


async def _attempt(order: RevisePrompt, task: PerformTask, tools: Toolkit) -> Attempt:
    """The attempt, if it is the lab's own and within the limits as they are now. Raises `Impossible`."""
    role_of(order.template)
    store = _store(tools)
    await store.refresh()
    history, live, n = store.of(order.template), store.live(order.template), order.n
    if (task.tenant, task.run) != (tools.settings.tenant, run_of(order.template, n)):
        raise Impossible(
            f"revisions are asked for by the prompt lab itself; switch them on: flotilla prompts improve "
            f"{order.template} --on"
        )
    if live is None or history.improvement is None:
        raise Impossible(f"prompt {order.template} has no live version, or was never set to improve itself")
    if n != history.next_revision:
        raise Impossible(f"attempt {n} at {order.template} is not due; the next is {history.next_revision}")
    if why := obstacle(history, live.version):
        raise Impossible(f"prompt {order.template} is not revised: {why}")
    if not is_within(task.budget, allowance(history)):
        raise Impossible(f"this run may spend more than an attempt at {order.template} may by now; it is not begun")
    requested = Address(task.tenant, task.run, "run.requested").subject(tools.prefix)
    stored = await tools.log.find(requested)
    if stored is None:
        raise Impossible(f"{requested} is not in the log, so nobody asked for this attempt")
    return Attempt(n, task, history, history.improvement, live, stored.sequence)


def _store(tools: Toolkit) -> PromptStore:
    if tools.store is None:
        raise Impossible("this worker has no store of prompts; run the prompt lab on a fleet")
    return tools.store


async def held_out(log: Record, tools: Toolkit, attempt: Attempt) -> list[Case]:
    """The newest recorded cases that are kept for the gate, as many as it is to have."""
    template, most = attempt.live.name, attempt.limits.cases
    cases = await recorded(
        log, tools.artifacts, template, most * RECORDED_FOR_EACH, prefix=tools.prefix, before=attempt.before
    )
    kept = [case for case in cases if is_held_out(template, case.task.tenant, case.task.run, case.task.task)]
    return kept[:most]


async def _asked(attempt: Attempt, tools: Toolkit, trials: Sequence[Trial], pairs: Sequence[Pair]) -> RevisionReply:
    live, metric = attempt.live, attempt.limits.metric
    content, others, tried = _content(attempt, tools), words_in(pairs), tried_before(attempt.history)
    return await tools.ask(
        PROMPT,
        reply=RevisionReply,
        check=lambda reply: faults(live, content, reply.template, tried, others),
        template=content,
        purpose=live.purpose,
        contracts={name: str(live.contracts.get(name, "json")) for name in live.inputs},
        schema={name: reply.model_json_schema() for name, reply in _replies_of(live).items()},
        metric=MEANS[metric],
        feedback=feedback_block(metric, trials, pairs),
        tried=told_of(attempt.history),
    )


def _content(attempt: Attempt, tools: Toolkit) -> str:
    """The live version's whole file."""
    pushed = attempt.history.versions.get(attempt.live.version)
    return pushed.content if pushed is not None else attempt.live.source.file.read_text(encoding="utf-8")


def _replies_of(prompt: Prompt) -> Mapping[str, Any]:
    """The classes of the replies that the template asks for, by name; all of its role if it names none."""
    role = prompt.name.partition("/")[0]
    known = {reply.__name__: reply for one in roles() if one.name == role for reply in one.replies}
    return {name: known[name] for name in prompt.reply or known if name in known}


def tried_before(history: TemplateHistory) -> dict[str, str]:
    """Versions that were tried, with what came of each: those of attempts, of experiments, and those once live."""
    found = {version: "it was live before" for version in history.lives[:-1] if version}
    for tried in history.revisions:
        if tried.candidate:
            found[tried.candidate] = tried.gate.why if tried.gate else "it did not come to the gate"
    for record in history.experiments:
        verdict = record.ended.verdict if record.ended else "it is being tried"
        found[record.started.candidate] = f"experiment {record.k}: {verdict}"
    return found


def told_of(history: TemplateHistory) -> list[dict[str, Any]]:
    """The attempts before this one as a reviser is told of them, the last ten."""
    came = tried_before(history)
    return [
        {"attempt": tried.n, "reason": tried.reason, "came_of_it": came.get(tried.candidate or "", "no new version")}
        for tried in history.revisions[-10:]
    ]


async def _push(attempt: Attempt, tools: Toolkit, candidate: Prompt, reply: RevisionReply) -> None:
    """Bring both versions into the fleet, where none of it is active by that. Raises `Impossible`."""
    store, live = _store(tools), attempt.live
    note = f"attempt {attempt.n} to revise {live.version}: {reply.reason}"[:LONGEST_REASON]
    wanted = (
        push(store.of(live.name), live.version, _content(attempt, tools), LAB, "the file that ships"),
        push(store.of(live.name), candidate.version, reply.template, LAB, note),
    )
    for pushed in wanted:
        if isinstance(pushed, VersionPushed):
            await store.say(pushed)
    if store.prompt(live.name, candidate.version) is None:
        raise Impossible(f"version {candidate.version} of {live.name} is in the fleet with another content")


async def _gate(attempt: Attempt, tools: Toolkit, candidate: Prompt, cases: Sequence[Case]) -> GateResult:
    """Both versions on the same cases, each answered by who answered then. What the live one can't show counts not."""
    live = attempt.live
    replayer = Replayer(attempt.task, tools, metric=judged_by(attempt.limits.metric, live.name))

    async def went_well(case: Case) -> tuple[bool | None, bool | None]:
        before, after = [(await replayer.replay(case, prompt)).done.success for prompt in (live, candidate)]
        return before, after

    told = [one for one in await side_by_side(cases, went_well) if one[0] is not None]
    return judged(len(told), sum(before is True for before, _ in told), sum(after is True for _, after in told))


def _told(attempt: Attempt, tools: Toolkit, **fields: Any) -> TaskPerformed:
    history, task = attempt.history, attempt.task
    tried = RevisionTried(
        role=history.role, name=history.name, by=LAB, n=attempt.n, tenant=task.tenant, run=task.run,
        of=attempt.live.version, cost_usd=None, **fields,
    )  # fmt: skip
    return tools.report(TaskPerformed, output=tried.model_dump_json())
