"""What `flotilla prompts examples` does: read a task once more or a file, check it against the template, keep it."""

import hashlib
import json as jsonlib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import to_jsonable_python

from contracts.codec import described
from contracts.v1.prompts import ExampleDropped, ExampleKept, Metric, PromptFact
from workers.cli.ballottext import page_of
from workers.cli.complaints import Misused
from workers.cli.figures import count, plain, short
from workers.cli.modeltable import hanging
from workers.cli.outside import Outside, note, say
from workers.cli.promptstores import agreed, checked_name, prompts_of
from workers.cli.rereading import question_of, reply_of, won_by
from workers.cli.sessions import Session, checked_run, checked_tenant
from workers.prompt_lab.outcomes import readable
from workers.prompting.errors import PromptConflict
from workers.prompting.template_history import TemplateHistory
from workers.prompting.templates import Prompt
from workers.runtime.prompt_store import PromptStore
from workers.runtime.roster import roles

SHORTEST_PREFIX = 4
MOST_BYTES = 1_000_000


async def add_one(
    outside: Outside,
    name: str,
    source: str,
    won: bool | None,
    metric: Metric | None,
    tenant: str,
    json: bool,
    nats: str,
) -> None:
    """Keep an example."""
    written = _written(Path(source)) if _is_file(source) else None
    async with prompts_of(outside, nats, checked_tenant(tenant) if tenant else "") as (opened, store):
        prompt = _prompt(store, name)
        if written is not None:
            example = _example(prompt, *written, won, outside.user())
        else:
            example = await _recorded(opened, store, prompt, source, won, metric, outside.user())
        did = await agreed(store, name, lambda history: _new(history, example))
    if json:
        say(jsonlib.dumps({"prompt": name, "id": example.id, "won": example.won, "news": bool(did)}))
        return
    known = {True: "won", False: "lost", None: "not known how it turned out"}[example.won]
    say(f"{name}: {f'example {example.id} was kept' if did else f'example {example.id} is there already'} ({known})")
    if example.won is False:
        note("prompts never show one that lost; say --won if it is a good one")
    if prompt.examples is None:
        note(f"the live version of {name} shows no examples: its front matter has no `examples`")


def _prompt(store: PromptStore, name: str) -> Prompt:
    prompt = store.live(checked_name(store.names(), name))
    if prompt is None:
        raise Misused(f"{name} has no live version to check the example against; label one live first")
    return prompt


def _is_file(source: str) -> bool:
    return source.endswith(".json") or Path(source).is_file()


def _written(file: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Inputs and reply of an example in a file."""
    try:
        with file.open("rb") as stream:
            content = stream.read(MOST_BYTES + 1)
        found = jsonlib.loads(content.decode("utf-8-sig"))
    except OSError as error:
        raise Misused(f"{file} can't be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise Misused(f"{file} is no JSON: {short(str(error), 200)}") from None
    if len(content) > MOST_BYTES:
        raise Misused(f"{file} has more than {MOST_BYTES:,} bytes; an example is far smaller")
    if not isinstance(found, dict) or set(found) != {"inputs", "reply"}:
        raise Misused(f'{file}: an example is {{"inputs": {{…}}, "reply": {{…}}}} and nothing else')
    inputs, reply = found["inputs"], found["reply"]
    if not isinstance(inputs, dict) or not isinstance(reply, dict):
        raise Misused(f"{file}: `inputs` and `reply` must be objects")
    return inputs, reply


async def _recorded(
    opened: Session, store: PromptStore, prompt: Prompt, source: str, won: bool | None, metric: Metric | None, by: str
) -> ExampleKept:
    """What a recorded task asked, and what was answered."""
    run, slash, task = source.partition("/")
    if not (slash and task) or "/" in task:
        raise Misused(f"{short(source)!r} is no task and no file: write RUN/TASK, or name a file that ends in .json")
    await opened.entries(checked_run(run))
    bus, settings = opened.bus, opened.settings
    facts = readable(await bus.log.history(opened.tenant, run), settings.prefix)
    asked = await question_of(facts, task, prompt.name, bus.log, bus.artifacts, store.files, settings)
    reply = await reply_of(facts, task, prompt.name, asked.reply, bus.artifacts)
    won = won_by(facts, task, prompt.name, metric) if won is None else won
    example = _example(prompt, to_jsonable_python(asked.inputs), reply.model_dump(mode="json"), won, by)
    return example.model_copy(update={"tenant": opened.tenant, "run": run, "task": task})


def _example(prompt: Prompt, inputs: dict[str, Any], reply: dict[str, Any], won: bool | None, by: str) -> ExampleKept:
    """The fact; complains where the example does not fit the template."""
    role, _, name = prompt.name.partition("/")
    if wrong := [*prompt.misfits(inputs), *reply_faults(prompt, reply)]:
        raise Misused(f"that is no example for {prompt.name} version {prompt.version}: {short('; '.join(wrong), 500)}")
    canonical = jsonlib.dumps([inputs, reply], sort_keys=True, separators=(",", ":"))
    id = hashlib.sha256(canonical.encode()).hexdigest()[:12]
    try:
        return ExampleKept(role=role, name=name, id=id, inputs=inputs, reply=reply, won=won, by=by)
    except ValidationError as error:
        raise Misused("; ".join(f"{field}: {why}" for field, why in described(error))) from None


def reply_faults(prompt: Prompt, reply: dict[str, Any]) -> list[str]:
    """Why this is none of the replies that the template may ask for; nothing if it is one, or if none are known."""
    role = next((role for role in roles() if role.name == prompt.name.partition("/")[0]), None)
    classes = [one for one in role.replies if not prompt.reply or one.__name__ in prompt.reply] if role else []
    faults: list[str] = []
    for cls in classes:
        found = _faults(cls, reply)
        if not found:
            return []
        faults = faults or [f"reply is no {cls.__name__}: {found}"]
    return faults


def _faults(cls: type[BaseModel], reply: dict[str, Any]) -> str:
    try:
        cls.model_validate_json(jsonlib.dumps(reply))
    except ValidationError as error:
        return "; ".join(f"{field}: {why}" for field, why in described(error)[:3])
    return ""


def _new(history: TemplateHistory, example: ExampleKept) -> list[PromptFact]:
    if example.id in history.dropped:
        raise PromptConflict(f"example {example.id} was dropped from {history.template}, and that is for ever")
    return [] if example.id in history.examples else [example]


async def list_all(outside: Outside, name: str, json: bool, nats: str) -> None:
    """Print the examples of a template."""
    async with prompts_of(outside, nats) as (_, store):
        prompt = store.live(checked_name(store.names(), name))
        examples = list(store.of(name).examples.values())
    if json:
        for one in examples:
            say(jsonlib.dumps(one.model_dump(mode="json", exclude={"kind", "version", "role", "name"})))
        return
    if not examples:
        note(f"{name} has no examples yet; `flotilla prompts examples add {name} RUN/TASK` keeps one")
    like = prompt.examples.like if prompt and prompt.examples else ""
    width = page_of(outside.console()).width
    for one in examples:
        for line in hanging(_line(one, like), width, 14):
            say(line)


def _line(example: ExampleKept, like: str) -> str:
    """An example on one line, with the beginning of the input that it is chosen by."""
    known = {True: "won", False: "lost", None: "?"}[example.won]
    whence = f"{example.run}/{example.task}" if example.run and example.task else "a file"
    asked = example.inputs.get(like, example.inputs)
    said = asked if isinstance(asked, str) else jsonlib.dumps(asked, ensure_ascii=False)
    by = f" by {plain(example.by)}" if example.by else ""
    return f"{example.id}  {known:<4}  {whence}{by}  {short(said, 120)}"


async def drop_one(outside: Outside, name: str, id: str, why: str, json: bool, nats: str) -> None:
    """Drop an example."""
    async with prompts_of(outside, nats) as (_, store):
        whole = _meant(store.of(checked_name(store.names(), name)), id)
        role, _, own = name.partition("/")
        fact = ExampleDropped(role=role, name=own, id=whole, reason=why, by=outside.user())
        await agreed(store, name, lambda history: [] if whole in history.dropped else [fact])
        left = len(store.of(name).examples)
    say(jsonlib.dumps({"prompt": name, "id": whole, "left": left}) if json else f"{name}: example {whole} was dropped")
    if not json:
        note(f"{count(left, 'example is', 'examples are')} left")


def _meant(history: TemplateHistory, id: str) -> str:
    found = [known for known in history.examples if known.startswith(id)] if len(id) >= SHORTEST_PREFIX else []
    if len(found) == 1:
        return found[0]
    there = ", ".join(history.examples) or "none"
    if found:
        raise Misused(f"{id} begins {len(found)} examples of {history.template}: {', '.join(found)}; say more")
    raise Misused(f"{history.template} has no example {short(id)!r}; it has {there}")
