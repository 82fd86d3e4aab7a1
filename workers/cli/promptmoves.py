"""What `flotilla prompts push`, `label`, `rollback` and `improve` do: decide from the history, say it, print it."""

import json as jsonlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from contracts.v1.prompts import ImprovementSet, PromptFact
from workers.cli.asking import in_a_sentence
from workers.cli.ballottext import page_of
from workers.cli.complaints import Misused
from workers.cli.improvetext import improvement_as_json, improvement_shown
from workers.cli.outside import Outside, note, say
from workers.cli.promptstores import agreed, checked_name, followed, prompts_of, with_file
from workers.prompt_lab.trigger import NOT_IMPROVED
from workers.prompting.checks import content_of, text_of
from workers.prompting.errors import PromptRefused, UnknownPersona
from workers.prompting.moves import move, push, resolve, roll_back
from workers.prompting.source import parse
from workers.prompting.template_history import LIVE, Entry, TemplateHistory
from workers.prompting.templates import Prompt, compiled
from workers.runtime.prompt_store import PromptStore


async def push_one(outside: Outside, file: Path, label: str, why: str, json: bool, nats: str) -> None:
    """Bring the version in a file into the fleet, and have a label name it."""
    prompt, content = pushed(file)
    async with prompts_of(outside, nats) as (opened, store):
        name, by = prompt.name, outside.user()
        shipped = store.shipped(name)
        if wrong := misfits(prompt, shipped or store.live(name)):
            raise Misused(f"{file} can't stand for {name}: {wrong[0]}")
        try:
            store.files.seen(prompt)
        except UnknownPersona as error:
            raise Misused(f"{file} can't stand for {name}: {error}") from None

        def decide(history: TemplateHistory) -> list[PromptFact]:
            came = push(history, prompt.version, content, by, why)
            said: list[PromptFact] = [came] if came else []
            known = followed(history, came) if came else history
            version = shipped.version if shipped else ""
            named = known.live or version if label == LIVE else known.labels.get(label)
            if label and named != prompt.version:
                said.append(move(known, label, prompt.version, by, why, version))
            return said

        done = await agreed(store, name, decide, lambda history: history.labels.get(label))
        if shipped is None:
            note(f"there is no file {name} here; a worker without one can use it once a version is live")
        _tell(store, name, prompt.version, done, json, f"version {prompt.version} is there already")
        options = opened.options
    if not label and not json:
        note(
            f"try it with `flotilla prompts experiment start {name} --candidate {prompt.version}{options}`, "
            f"or use it at once: `flotilla prompts label {name} live {prompt.version}{options}`"
        )


def pushed(file: Path) -> tuple[Prompt, str]:
    """The template in a file that may lie anywhere, and its text; complains about what is refused."""
    try:
        text = text_of(file, content_of(file))
        source = parse(file, text)
        return compiled(replace(source, file=Path(source.head.role, f"{source.head.name}.md"))), text
    except OSError as error:
        raise Misused(f"{file} can't be read: {error.strerror}") from None
    except PromptRefused as error:
        raise Misused(f"{PromptRefused(file, error.line, error.why, error.column)}; nothing was pushed") from None


def misfits(prompt: Prompt, like: Prompt | None) -> list[str]:
    """Why the code that uses `like` can't use this one; nothing if it can."""
    if like is None:
        return []
    wrong = []
    if set(prompt.inputs) != set(like.inputs):
        takes, given = (", ".join(one.inputs) or "no inputs" for one in (prompt, like))
        wrong.append(f"it takes {takes}, and is given {given}")
    for name, contract in prompt.contracts.items():
        given = str(like.contracts.get(name, contract))
        if str(contract) not in (given, f"{given}?"):
            wrong.append(f"{name} is to be a {contract}, and it is given a {given}")
    if prompt.reply and (missing := sorted(set(like.reply) - set(prompt.reply))):
        wrong.append(f"its reply is {', '.join(prompt.reply)}, and {', '.join(missing)} is asked for")
    return wrong


async def label_one(
    outside: Outside, name: str, label: str, version: str, remove: bool, why: str, json: bool, nats: str
) -> None:
    """Have a label name another version, or none."""
    if remove == bool(version):
        raise Misused("say which VERSION the label is to name, or take it away with --remove")
    async with prompts_of(outside, nats) as (_, store):
        file, by = store.shipped(checked_name(store.names(), name)), outside.user()
        shipped = file.version if file else ""

        def decide(history: TemplateHistory) -> list[PromptFact]:
            to, said = None if remove else resolve(history, version, shipped), list[PromptFact]()
            if to == shipped and label != LIVE:
                history, said = with_file(history, file, by)
            found = store.prompt(name, to) if to and label == LIVE else None
            if found and (wrong := misfits(found, file)):
                raise Misused(f"version {to} can't stand for {name}: {wrong[0]}")
            return [*said, move(history, label, to, by, why, shipped)]

        done = await agreed(store, name, decide, lambda history: history.labels.get(label))
        _tell(store, name, store.of(name).labels.get(label), done, json)


async def roll_back_one(outside: Outside, name: str, why: str, json: bool, nats: str) -> None:
    """Make the version live again that was so before."""
    async with prompts_of(outside, nats) as (_, store):
        file, by = store.shipped(checked_name(store.names(), name)), outside.user()

        def decide(history: TemplateHistory) -> list[PromptFact]:
            return [roll_back(history, by, why, file.version if file else "")]

        done = await agreed(store, name, decide, lambda history: history.live)
        live = store.live(name)
        _tell(store, name, live.version if live else None, done, json)


async def improve_one(
    outside: Outside, name: str, on: bool | None, limits: Mapping[str, Any], json: bool, nats: str
) -> None:
    """Set whether a template improves itself and within which limits; without either, show that."""
    if on is None and limits:
        raise Misused("limits go with --on: what does not improve itself has none")
    if on and name.partition("/")[0] in NOT_IMPROVED:
        raise Misused(f"{name} can't improve itself: no task is judged by it")
    async with prompts_of(outside, nats) as (_, store):
        checked_name(store.names(), name)
        if on is not None:
            wanted, by = on, outside.user()
            await agreed(
                store, name, lambda history: [_set(history, wanted, limits, by)], lambda history: history.improvement
            )
        history = store.of(name)
    if json:
        say(jsonlib.dumps(improvement_as_json(history)))
        return
    for line in improvement_shown(history, page_of(outside.console()).width):
        say(line)


def _set(history: TemplateHistory, on: bool, limits: Mapping[str, Any], by: str) -> ImprovementSet:
    """What was set before stays where nothing else was typed."""
    before = history.improvement.model_dump() if history.improvement else {"role": history.role, "name": history.name}
    try:
        return ImprovementSet.model_validate({**before, **limits, "n": history.next_improvement, "on": on, "by": by})
    except ValidationError as error:
        raise Misused(in_a_sentence(error)) from None


def _tell(
    store: PromptStore, name: str, version: str | None, done: Sequence[Entry], json: bool, nothing: str = ""
) -> None:
    """Say what the facts did, and how things stand now."""
    history, live = store.of(name), store.live(name)
    if json:
        standing = {"live": live.version if live else None, "labels": dict(history.labels)}
        did = [entry.did for entry in done]
        say(jsonlib.dumps({"prompt": name, "version": version, "news": bool(done), "did": did, **standing}))
        return
    for entry in done:
        say(f"{name}: {entry.did}")
    if not done:
        say(f"{name}: {nothing}")
