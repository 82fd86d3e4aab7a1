"""What a template may do: an allow-list over Jinja's syntax tree.

A sandboxed environment alone still lets a template build a string of 10⁸ characters or loop for
minutes. So templates may show inputs as data blocks and ask whether an input is there, and no more:
no calls, no arithmetic, no loops, no assignments, no other template. How much of it there may be is capped too,
so that neither checking nor compiling takes long, and neither meets the limits of Python's own compiler.
"""

from collections.abc import Iterator
from typing import NamedTuple

from jinja2 import nodes

from workers.prompting.source import MessageRole

MAX_NODES = 2_000
"""Nodes of one section's syntax tree; an input that is shown takes four with the text before it."""

MAX_DEPTH = 24
"""Nodes within each other; a condition around an input that is shown takes five."""


class Fault(NamedTuple):
    """What is wrong, and in which line (from 1) of the section. A `Place` as the line knows its column, too."""

    line: int
    why: str


def faults(tree: nodes.Template, role: MessageRole, inputs: frozenset[str]) -> Iterator[Fault]:
    """Everything in the section that a template may not do, in order; of a tree that is not `beyond`."""
    for node in tree.body:
        yield from _statement(node, role, inputs)


def shown(tree: nodes.Template) -> frozenset[str]:
    """The names that the section uses."""
    return frozenset(name.name for name in tree.find_all(nodes.Name))


def beyond(tree: nodes.Template) -> Fault | None:
    """The node with which the tree gets too large or too deep. Looks without recursion: the tree may be any size."""
    count, open_nodes = 0, [(node, 1) for node in tree.iter_child_nodes()]
    while open_nodes:
        node, depth = open_nodes.pop()
        count += 1
        if depth > MAX_DEPTH:
            return Fault(_line(node), f"nested more than {MAX_DEPTH} deep; take what is in there apart")
        if count > MAX_NODES:
            return Fault(_line(node), f"the section has more than {MAX_NODES:,} nodes; show less in one prompt")
        open_nodes += [(child, depth + 1) for child in node.iter_child_nodes()]
    return None


def _line(node: nodes.Node) -> int:
    """The node's line, or that of the first one in it that has one: some frames that Jinja makes up have none."""
    while not node.lineno and (inner := next(node.iter_child_nodes(), None)):
        node = inner
    return node.lineno or 1


def _statement(node: nodes.Node, role: MessageRole, inputs: frozenset[str]) -> Iterator[Fault]:
    match node:
        case nodes.Output():
            for part in node.nodes:
                yield from _output(part, role, inputs)
        case nodes.If():
            yield from _condition(node.test, role, inputs)
            for child in (*node.body, *node.elif_, *node.else_):
                yield from _statement(child, role, inputs)
        case _:
            yield Fault(_line(node), f"templates have no {type(node).__name__}; only if, and {{{{ input | data }}}}")


def _output(node: nodes.Node, role: MessageRole, inputs: frozenset[str]) -> Iterator[Fault]:
    match node:
        case nodes.TemplateData():
            pass
        case nodes.Filter(
            node=nodes.Name() as name,
            name="data",
            args=[nodes.Const(value=str() as block)],
            kwargs=[],
            dyn_args=None,
            dyn_kwargs=None,
        ):
            yield from _input(name, role, inputs)
            if not (block.isascii() and block.isidentifier()):
                yield Fault(node.lineno, f"{block!r} can't name a data block; use letters, digits and '_'")
        case nodes.Name():
            yield from _input(node, role, inputs)
            if role != "system":
                yield Fault(
                    node.lineno, f'{node.name!r} is shown bare; write {{{{ {node.name} | data("{node.name}") }}}}'
                )
        case _:
            what = f"filter {node.name!r}" if isinstance(node, nodes.Filter) else type(node).__name__
            yield Fault(node.lineno, f'templates show nothing but {{{{ input | data("name") }}}}; found {what}')


def _condition(node: nodes.Node, role: MessageRole, inputs: frozenset[str]) -> Iterator[Fault]:
    match node:
        case nodes.Name():
            yield from _input(node, role, inputs)
        case nodes.Not(node=inner):
            yield from _condition(inner, role, inputs)
        case nodes.And(left=left, right=right) | nodes.Or(left=left, right=right):
            yield from _condition(left, role, inputs)
            yield from _condition(right, role, inputs)
        case _:
            yield Fault(node.lineno, f"a condition asks for inputs with not, and, or; found {type(node).__name__}")


def _input(name: nodes.Name, role: MessageRole, inputs: frozenset[str]) -> Iterator[Fault]:
    if role == "system":
        yield Fault(name.lineno, f"the system section uses {name.name!r}; inputs are shown to the model as user only")
    elif name.name not in inputs:
        yield Fault(name.lineno, f"{name.name!r} is not declared; add it to the inputs of the front matter")
