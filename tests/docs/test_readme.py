"""What README and docs/ say is so: links, commands, settings, metrics, workers."""

import re
import shlex
from collections.abc import Iterator

import typer
from prometheus_client.metrics import MetricWrapperBase
from pydantic import BaseModel
from typer.core import TyperCommand, TyperGroup

from workers.cli.app import made
from workers.fleet import worker_names
from workers.runtime.settings import Settings
from workers.runtime.telemetry import Metrics

LINK = re.compile(r"\]\(([^)\s]+)\)")
ELSEWHERE = re.compile(r"[a-z]+:|#")
COMMAND = re.compile(r"^make ([a-z][a-z-]*)", re.MULTILINE)
VARIABLE = re.compile(r"\bFLOTILLA_[A-Z_]*[A-Z]\b")
METRIC = re.compile(r"`(flotilla_[a-z_]+)(?:\{([a-z_,]+)\})?`")


def test_the_javascript_of_the_readme_is_the_example_that_is_tested(page, root):
    assert page("README.md").blocks("js") == [(root / "docs/examples/submit.mjs").read_text(encoding="utf-8")]


def test_every_relative_link_leads_to_a_file(pages, root):
    broken = [
        f"{page.file.relative_to(root)}: {link}"
        for page in pages
        for link in LINK.findall(page.prose)
        if not ELSEWHERE.match(link) and not (page.file.parent / link.partition("#")[0]).exists()
    ]
    assert broken == []


def test_every_make_target_that_the_pages_name_is_there(pages, root):
    targets = set(re.findall(r"^([a-z][a-z-]*):", (root / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    commands = [text for page in pages for text in (*page.blocks("sh"), *re.findall(r"`([^`\n]+)`", page.prose))]
    named = {target for command in commands for target in COMMAND.findall(command)}
    assert {"demo", "test"} <= named
    assert sorted(named - targets) == []


def test_every_command_and_option_that_the_pages_show_is_there(pages):
    root = typer.main.get_command(made())
    shown = [line for page in pages for line in shown_commands(page)]
    assert len(shown) > 50
    assert {line: wrong for line in shown if (wrong := strangers(root, shlex.split(line, comments=True)[1:]))} == {}


def shown_commands(page) -> Iterator[str]:
    """The lines of shell blocks that call `flotilla`, up to a pipe."""
    for text in (*page.blocks(""), *page.blocks("sh")):
        yield from (line.partition(" | ")[0] for line in text.splitlines() if re.match(r"flotilla [a-z]", line))


def strangers(command: TyperCommand | TyperGroup, words: list[str]) -> list[str]:
    """The first word that is no command, or the options that the command does not have."""
    while isinstance(command, TyperGroup) and words and not words[0].startswith("-"):
        name, *words = words
        if name not in command.commands:
            return [name]
        command = command.commands[name]
    known = {option for one in command.params for option in (*one.opts, *one.secondary_opts)}
    return [word for word in words if word.startswith("-") and word.partition("=")[0] not in known]


def test_every_variable_that_the_pages_name_is_a_setting(pages):
    known = set(variables(Settings(), "FLOTILLA_"))
    named = {name for page in pages for name in VARIABLE.findall(page.text)}
    assert "FLOTILLA_SANDBOX_MINIMUM" in named
    assert sorted(named - known) == []


def variables(part: BaseModel, prefix: str) -> list[str]:
    """The environment variables of all settings, nested ones joined by an underscore."""
    found = []
    for field in type(part).model_fields:
        value, name = getattr(part, field), f"{prefix}{field.upper()}"
        found += variables(value, f"{name}_") if isinstance(value, BaseModel) else [name]
    return found


def test_the_page_lists_exactly_the_metrics_that_there_are(page):
    assert sorted(name for name, _ in METRIC.findall(page("docs/operating.md").text)) == sorted(metrics())


def test_the_labels_that_the_page_gives_a_metric_are_its_labels(page):
    there = metrics()
    labelled = [(name, labels.split(",")) for name, labels in METRIC.findall(page("docs/operating.md").text) if labels]
    assert labelled
    for name, labels in labelled:
        assert there[name].labels(**dict.fromkeys(labels, "x"))


def metrics() -> dict[str, MetricWrapperBase]:
    """Every metric by the name that is scraped."""
    made = [metric for metric in vars(Metrics()).values() if isinstance(metric, MetricWrapperBase)]
    described = [(next(iter(metric.describe())), metric) for metric in made]
    return {f"{told.name}_total" if told.type == "counter" else told.name: metric for told, metric in described}


def test_the_page_lists_exactly_the_workers_that_there_are(page):
    listed = [cell.strip("`") for cell in page("docs/how-it-works.md").column("worker")]
    assert sorted(listed) == sorted(worker_names())
