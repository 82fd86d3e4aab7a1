"""A YAML file that people write: a mapping in which nothing is given twice, or one sentence that says what is wrong."""

from typing import Any

import yaml


class NoMapping(ValueError):
    """The text can't be read; the message says where and why."""


class _Once(yaml.SafeLoader):
    """A loader that refuses a key that is given twice; YAML would keep the last one."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """The mapping of a node."""
        seen: set[str] = set()
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if not isinstance(key.value, str):
                raise yaml.MarkedYAMLError(problem="a key must be a word", problem_mark=key.start_mark)
            if key.value in seen:
                problem = f"{key.value!r} is given twice; keep one of them"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def mapping_in(text: str, parts: str) -> dict[Any, Any] | None:
    """The mapping of a file's text, None if there is nothing in it; `parts` names its keys. Raises `NoMapping`."""
    try:
        content = yaml.load(text, Loader=_Once)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise NoMapping(f"{at}{error.problem or error.context or 'no YAML'}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise NoMapping(f"no YAML: {str(error).splitlines()[0][:200]}") from None
    if content is not None and not isinstance(content, dict):
        raise NoMapping(f"the file must be a mapping with {parts} at its left edge")
    return content
