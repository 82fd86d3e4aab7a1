"""The head of a template: YAML with a few keys, read without what YAML has for grown documents.

    name, role, purpose     who asks for what; the file lies at <role>/<name>.md
    inputs                  [a, b], or {a: Requirements, b: [text], c: "Evidence?"}: what must be given (`inputs.py`)
    reply                   DesignReply, or several: the role's replies that may be asked for; none is any
    persona                 with whose eyes a model sees where nobody names a persona
    thinking                none | brief | plan (`thinking.py`)
    examples, constraints   slots (`slots.py`)
    output                  schema: as the provider takes it; shown: in the system message as well
    limits                  {rendered: characters of all messages, output_tokens: of the answer}

All but the first four may be left out.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError
from pydantic_core import PydanticCustomError

from workers.prompting.errors import PromptRefused
from workers.prompting.inputs import Contract
from workers.prompting.slots import Constraint, ExampleSlot, Limits, Output
from workers.prompting.thinking import Thinking

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
ReplyName = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Za-z0-9]{0,63}$")]
PersonaName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{0,64}$")]

MAX_HEAD = 16_384
"""Characters of the front matter."""

MAX_DEPTH = 3
"""Collections within each other: the head, its inputs, a contract that is a list."""

_RESERVED = {"self"}
"""What means something else in Jinja, so that no input of that name would ever be shown."""


def _by_name(stated: Any) -> Any:
    """Inputs without contracts may be anything."""
    if isinstance(stated, dict):
        return stated
    if not isinstance(stated, list) or any(not isinstance(name, str) for name in stated):
        raise PydanticCustomError("names", "must be a list of names, or names with their contracts")
    if twice := sorted({name for name in stated if stated.count(name) > 1}):
        raise PydanticCustomError("twice", "{names} declared twice; keep one", {"names": ", ".join(twice)})
    return dict.fromkeys(stated, Contract())


def _listed(stated: Any) -> Any:
    return [stated] if isinstance(stated, str) else stated


class FrontMatter(BaseModel):
    """The head of a template. `inputs` are the names that must be given, no more and no fewer, in the file's order."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: Name
    role: Name
    purpose: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
    inputs: Annotated[dict[Name, Contract], BeforeValidator(_by_name)]
    reply: Annotated[list[ReplyName], BeforeValidator(_listed), Field(max_length=20)] = []
    persona: PersonaName = ""
    thinking: Thinking = "none"
    examples: ExampleSlot | None = None
    constraints: Annotated[list[Constraint], Field(max_length=40)] = []
    output: Output = "schema"
    limits: Limits = Limits()


Way = tuple[str | int, ...]


class Head(NamedTuple):
    """The head, and where its keys are: (line, column) in the file, by the way to each; the head itself is at ()."""

    matter: FrontMatter
    places: Mapping[Way, tuple[int, int]]

    def refused(self, file: Path, why: str, *way: str | int) -> PromptRefused:
        """A refusal at this place, or at the nearest one above that is there."""
        return _refused(file, self.places, why, way)


def head_of(file: Path, lines: list[str]) -> tuple[Head | None, list[PromptRefused]]:
    """The head in these lines, which begin with the file's second one, and all that is wrong with it."""
    text = "\n".join(lines)
    if len(text) > MAX_HEAD:
        return None, [PromptRefused(file, 2, f"the front matter has {len(text):,} characters; at most {MAX_HEAD:,}", 1)]
    try:
        if wrong := list(_beyond(file, text)):
            return None, wrong
        content = yaml.safe_load(text)
        places = dict(_placed(yaml.compose(text, yaml.SafeLoader), ())) | {(): (2, 1)}
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = str(getattr(error, "problem", error))
        hint = "; quote what ends with a '?'" if problem.endswith("got '?'") else ""
        why = f"the front matter is no YAML: {problem}{hint}"
        return None, [PromptRefused(file, 2 + (mark.line if mark else 0), why, mark.column + 1 if mark else 1)]
    except ValueError as error:  # YAML knows dates and numbers by their looks, and then says so when they are none
        return None, [PromptRefused(file, 2, f"the front matter is no YAML: {error}; quote texts", 1)]
    try:
        head = Head(FrontMatter.model_validate(content), places)
    except ValidationError as error:
        return None, list(_misfits(file, places, error))
    return head, list(_odd(file, head))


def _beyond(file: Path, text: str) -> Iterator[PromptRefused]:
    """Aliases, which can grow without end, depth that no key has, and a key that is there twice."""
    open_nodes: list[set[str] | None] = []
    is_key = [True]
    for event in yaml.parse(text, yaml.SafeLoader):
        mark = event.start_mark
        line, column = (mark.line + 2, mark.column + 1) if mark else (2, 1)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            yield PromptRefused(file, line, "the front matter has no anchors and aliases; write it out", column)
            return
        if isinstance(event, yaml.CollectionEndEvent):
            open_nodes.pop()
            is_key.pop()
            continue
        keys = open_nodes[-1] if open_nodes else None
        if isinstance(event, yaml.NodeEvent) and keys is not None:
            if is_key[-1] and isinstance(event, yaml.ScalarEvent):
                if event.value == "<<":
                    yield PromptRefused(file, line, "the front matter merges no keys; write them out", column)
                if event.value in keys:
                    yield PromptRefused(file, line, f"{event.value!r} is there twice; keep one", column)
                keys.add(event.value)
            is_key[-1] = not is_key[-1]
        if isinstance(event, yaml.CollectionStartEvent):
            open_nodes.append(set() if isinstance(event, yaml.MappingStartEvent) else None)
            is_key.append(True)
            if len(open_nodes) > MAX_DEPTH:
                why = f"the front matter is nested more than {MAX_DEPTH} deep; none of its keys needs that"
                yield PromptRefused(file, line, why, column)
                return


def _placed(node: yaml.Node | None, way: Way) -> Iterator[tuple[Way, tuple[int, int]]]:
    """Where each key begins, and each item of a list."""
    inside: list[tuple[str | int, yaml.Node, yaml.Node]] = []
    if isinstance(node, yaml.MappingNode):
        inside = [(str(key.value), key, value) for key, value in node.value]
    elif isinstance(node, yaml.SequenceNode):
        inside = [(at, item, item) for at, item in enumerate(node.value)]
    for step, begins, value in inside:
        place = begins.start_mark.line + 2, begins.start_mark.column + 1
        yield (*way, step), place
        if isinstance(step, int) and isinstance(value, yaml.ScalarNode):  # a list of names
            yield (*way, str(value.value)), place
        yield from _placed(value, (*way, step))


def _refused(file: Path, places: Mapping[Way, tuple[int, int]], why: str, way: Way) -> PromptRefused:
    line, column = next(places[way[:length]] for length in range(len(way), -1, -1) if way[:length] in places)
    return PromptRefused(file, line, why, column)


def _misfits(file: Path, places: Mapping[Way, tuple[int, int]], error: ValidationError) -> Iterator[PromptRefused]:
    for fault in error.errors(include_url=False):
        way = tuple(step for step in fault["loc"] if step != "[key]")
        where = ".".join(map(str, way)) or "front matter"
        yield _refused(file, places, f"{where}: {fault['msg']}{_hint(fault['type'], way)}", way)


def _hint(fault: str, way: Way) -> str:
    """What helps, where the fault by itself does not say it."""
    if (not way and fault == "model_type") or (len(way) == 1 and fault == "missing"):
        return "; it needs name, role, purpose and inputs"
    by_way: Mapping[Way, type[BaseModel]] = {(): FrontMatter, ("examples",): ExampleSlot, ("limits",): Limits}
    known = by_way.get(way[:-1])
    return f"; there are {', '.join(known.model_fields)}" if known and fault == "extra_forbidden" else ""


def _odd(file: Path, head: Head) -> Iterator[PromptRefused]:
    """What fits key by key, and not together."""
    matter = head.matter
    for name in sorted(_RESERVED.intersection(matter.inputs)):
        yield head.refused(file, f"no input can be called {name!r}; choose another name", "inputs", name)
    if matter.examples and matter.examples.like not in matter.inputs:
        why = f"examples.like: {matter.examples.like!r} is no input; there are {', '.join(matter.inputs) or 'none'}"
        yield head.refused(file, why, "examples", "like")
