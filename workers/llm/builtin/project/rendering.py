"""The templates of the generated project, rendered strictly."""

from functools import cache
from importlib.resources import files

from jinja2 import Environment, FunctionLoader, StrictUndefined

from workers.llm.builtin.project.source import tidy


def render(template: str, values: dict[str, object]) -> str:
    """Render a template by its path under `templates/`; Python is laid out afterwards."""
    text = _environment().get_template(template).render(values)
    return tidy(text) if template.endswith(".py.j2") else text


@cache
def _environment() -> Environment:
    # The output is Python, SQL and Markdown, never HTML: escaping would damage it.
    return Environment(
        loader=FunctionLoader(_load),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _load(name: str) -> str:
    return files("workers.llm.builtin").joinpath("templates", *name.split("/")).read_text(encoding="utf-8")
