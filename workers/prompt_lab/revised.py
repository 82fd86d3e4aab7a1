"""What keeps a revised file from being tried: faults for its author, who may mend them once. Pure.

The code around a template and those who read its answers rely on more than the recorded tasks show, and a reviser reads
what anybody at all has written. So inputs, reply, limits and data blocks stay, and so does what is said of data blocks;
a file that repeats what a task or an answer says is refused, whatever good it may do.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path

from jinja2 import nodes

from workers.prompting.checks import Environment, refusals
from workers.prompting.errors import PromptRefused
from workers.prompting.templates import Prompt, compiled_text

MOST_FAULTS = 20
LONGER = 1.5
SLACK = 1_500
"""A revision may have `LONGER` times the characters of what it revises, and these on top."""

PIECE = 80
"""Characters that a file and a task share by chance hardly ever."""

MOST_CONDITIONS = 10
"""Inputs that conditions ask for; each doubles the cases that are gone through."""

_DATA = "## Data blocks"

Blocks = frozenset[tuple[str, str]]
"""Data blocks that are shown: input and name of the block."""


def faults(live: Prompt, present: str, content: str, tried: Mapping[str, str], others: Sequence[str] = ()) -> list[str]:
    """Everything for which `content` can't take the place of the live version; nothing if it may.

    `present` is the live version's file, `tried` are versions that were tried before, each with what came of it, and
    `others` is what tasks and answers say.
    """
    role, _, name = live.name.partition("/")
    try:
        new = compiled_text(role, name, content)
    except PromptRefused as refused:
        every = refusals(Path(role, f"{name}.md"), content.encode(errors="replace"))
        return [str(one) for one in every[:MOST_FAULTS]] or [str(refused)]
    return [
        *_seen_before(live, new, tried),
        *_changed(live, new),
        *_hidden(live, new),
        *_unprotected(live, new),
        *_grown(len(present), len(content)),
        *_copied(present, content, others),
    ]


def _seen_before(live: Prompt, new: Prompt, tried: Mapping[str, str]) -> Iterator[str]:
    if new.version == live.version:
        yield "a model sees no difference to the present file; change what it reads, or what it is shown"
    elif new.version in tried:
        yield f"a model sees no difference to version {new.version}, which was tried: {tried[new.version]}"


def _changed(live: Prompt, new: Prompt) -> Iterator[str]:
    """What of the head is different that the code around the template depends on."""
    for (key, was), (_, now) in zip(_fixed(live), _fixed(new), strict=True):
        if was != now:
            yield f"{key} of the front matter must stay as it is: {was or 'none'}, and not {now or 'none'}"
    if _system(live) and not _system(new):
        yield "the system section is gone; keep it"


def _fixed(prompt: Prompt) -> tuple[tuple[str, str], ...]:
    contracts = (f"{name}: {prompt.contracts.get(name, 'json')}" for name in prompt.inputs)
    persona = prompt.source.head.persona
    limits = ", ".join(f"{key}: {most}" for key, most in prompt.limits)
    return (
        ("inputs", ", ".join(contracts)),
        ("reply", ", ".join(prompt.reply)),
        ("persona", persona),
        ("limits", limits),
    )


def _hidden(live: Prompt, new: Prompt) -> Iterator[str]:
    """Data blocks that are missing, always or under some condition."""
    was, now = _trees(live), _trees(new)
    asked = sorted(_asked_for(was) | _asked_for(now))[:MOST_CONDITIONS]
    gone, some = set[tuple[str, str]](), set[tuple[str, str]]()
    for values in product((True, False), repeat=len(asked)):
        there = dict(zip(asked, values, strict=True))
        shown = _shown(now, there)
        gone |= _shown(was, there) - shown
        some |= shown
    for name, block in sorted(gone):
        how = "is shown under fewer conditions than now" if (name, block) in some else "is missing"
        yield f'{{{{ {name} | data("{block}") }}}} {how}; show it as the present file does'


def _trees(prompt: Prompt) -> tuple[nodes.Template, ...]:
    environment = Environment()
    return tuple(environment.parse(section.text) for section in prompt.source.sections if section.role == "user")


def _asked_for(trees: Iterable[nodes.Template]) -> frozenset[str]:
    """The inputs that conditions ask for."""
    tests = [one.test for tree in trees for one in tree.find_all(nodes.If)]
    return frozenset(
        name.name for test in tests for name in (test, *test.find_all(nodes.Name)) if isinstance(name, nodes.Name)
    )


def _shown(trees: Iterable[nodes.Template], there: Mapping[str, bool]) -> Blocks:
    """The data blocks that are shown if those inputs are there."""
    return frozenset(block for tree in trees for block in _blocks(tree.body, there))


def _blocks(statements: Iterable[nodes.Node], there: Mapping[str, bool]) -> Iterator[tuple[str, str]]:
    for node in statements:
        match node:
            case nodes.Output():
                yield from _output(node)
            case nodes.If():
                yield from _blocks(_branch(node, there), there)


def _branch(node: nodes.If, there: Mapping[str, bool]) -> list[nodes.Node]:
    if _holds(node.test, there):
        return node.body
    return next((other.body for other in node.elif_ if _holds(other.test, there)), node.else_)


def _output(node: nodes.Output) -> Iterator[tuple[str, str]]:
    for part in node.nodes:
        match part:
            case nodes.Filter(node=nodes.Name(name=name), args=[nodes.Const(value=block)]):
                yield name, block


def _holds(test: nodes.Node, there: Mapping[str, bool]) -> bool:
    match test:
        case nodes.Name(name=name):
            return there.get(name, True)
        case nodes.Not(node=inner):
            return not _holds(inner, there)
        case nodes.And(left=left, right=right):
            return _holds(left, there) and _holds(right, there)
        case nodes.Or(left=left, right=right):
            return _holds(left, there) or _holds(right, there)
    raise AssertionError(f"the checks let a condition through that is a {type(test).__name__}")


def _unprotected(live: Prompt, new: Prompt) -> Iterator[str]:
    """Whether what is said of data blocks is there no more, word for word."""
    said = _part_on_data(_system(live))
    if said and " ".join(said.split()) not in " ".join(_system(new).split()):
        yield f"the part {_DATA!r} of the system section must stay as it is, word for word; add behind it if need be"


def _system(prompt: Prompt) -> str:
    return "\n".join(section.text for section in prompt.source.sections if section.role == "system")


def _part_on_data(text: str) -> str:
    _, found, rest = f"\n{text}\n".partition(f"\n{_DATA}\n")
    return rest.partition("\n## ")[0].strip() if found else ""


def _grown(before: int, now: int) -> Iterator[str]:
    most = int(before * LONGER) + SLACK
    if now > most:
        yield f"the file has {now:,} characters instead of {before:,}; {most:,} are the most, so leave things out"


def _copied(before: str, content: str, others: Sequence[str]) -> Iterator[str]:
    """Whether what is new in the file repeats a longer piece of what a task or an answer says.

    A piece that is shared has a whole block of half its length in it, so only those are looked for.
    """
    half = PIECE // 2
    old = {line.strip() for line in before.splitlines()}
    new = " ".join(" ".join(line for line in content.splitlines() if line.strip() not in old).split())
    known = " ".join(before.split())
    spoken = [" ".join(text.split()) for text in others]
    blocks = {text[at : at + half] for text in spoken for at in range(0, len(text) - half + 1, half)}
    for at in range(len(new) - half + 1):
        piece = new[max(0, at - half) : at + PIECE]
        if new[at : at + half] in blocks and (shared := _longest(piece, known, spoken)):
            yield f"the file repeats what a task or an answer says: {shared[:60]!r}…; say the rule, not the case"
            return


def _longest(window: str, known: str, spoken: Sequence[str]) -> str:
    """A piece of the window, long enough to count, that somebody has said and the present file has not."""
    pieces = (window[at : at + PIECE] for at in range(len(window) - PIECE + 1))
    return next((piece for piece in pieces if piece not in known and any(piece in text for text in spoken)), "")
