"""The page on prompts: its trial runs on a real fleet, its templates are some, and what it says of limits is so."""

import asyncio
import os
import re
import shlex
import sys
from contextlib import asynccontextmanager
from typing import get_args

import pytest

from contracts.v1.prompts import ExperimentEnded, ExperimentStarted, ImprovementSet, Metric
from workers import fleet
from workers.prompting import source, syntax
from workers.prompting.checks import refusals
from workers.prompting.experiments import spending
from workers.prompting.frontmatter import MAX_HEAD, FrontMatter
from workers.prompting.slots import ExampleSlot, Limits
from workers.prompting.templates import Prompts, compiled_text

PAGE = "docs/prompts.md"
TRIAL = "## A trial in ten minutes"
VOTE = "reviewer/vote"
WORKERS = ("orchestrator", "consensus", "timekeeper", "reviewer", "prompt_lab")
PATIENCE_S = 60


@pytest.fixture
def trial(page):
    """The commands of the trial, block by block, and what the fleet's model is to be."""
    section = page(PAGE).text.partition(TRIAL)[2].partition("\n## A template\n")[0]
    [model] = re.findall(r"^FLOTILLA_MODEL=(\S+) flotilla up$", section, re.MULTILINE)
    blocks = re.findall(r"^```sh\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    return model, [[shlex.split(line)[1:] for line in block.splitlines()] for block in blocks]


@pytest.fixture
def laid_out(page, tmp_path):
    """A folder in which somebody has saved the page's templates."""
    for path, text in page(PAGE).files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    return tmp_path


@asynccontextmanager
async def running(settings):
    """A fleet of all that votes and learns, in this process."""
    ready, stop = asyncio.Event(), asyncio.Event()
    work = asyncio.create_task(fleet.run_in_process(settings, WORKERS, ready, stop))
    try:
        async with asyncio.timeout(PATIENCE_S):
            await ready.wait()
        yield
    finally:
        stop.set()
        await work


class Terminal:
    """Where the page's commands are typed."""

    def __init__(self, folder, url):
        self._folder = folder
        home = str(folder / "home")
        own = {"HOME": home, "XDG_STATE_HOME": home, "FLOTILLA_NATS_URL": url}
        self._environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **own}

    async def block(self, commands):
        """What each command of a block says, one after the other; all of them succeed."""
        return [await self._said(command) for command in commands]

    async def _said(self, arguments):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "workers.cli", *arguments, cwd=self._folder, env=self._environment,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            said, errors = await asyncio.wait_for(process.communicate(), PATIENCE_S)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode == 0, (arguments, said.decode(), errors.decode())
        return said.decode()


async def until_running(store, k):
    async with asyncio.timeout(PATIENCE_S):
        while True:
            record = (await store.fresh()).of(VOTE).running
            if record is not None and record.k == k:
                return
            await asyncio.sleep(0.05)


def ends(store):
    return [(record.ended.verdict, record.ended.by) for record in store.of(VOTE).experiments if record.ended]


@pytest.mark.timeout(180)
async def test_the_trial_of_the_page_goes_as_the_page_says(page, trial, laid_out, settings, bus):
    model, (first, second, third, fourth, last) = trial
    shown = version_of(page, VOTE)
    async with running(settings.model_copy(update={"model": model})), bus.prompt_store(Prompts.load()) as store:
        terminal = Terminal(laid_out, settings.nats_url)

        _, pushed, started, _, watched = await terminal.block(first)
        assert f"version {shown} came in" in pushed
        assert shown in started
        assert f"{shown} is rolled back, tasks get {store.shipped(VOTE).version} again" in watched

        [report] = await terminal.block(second)
        rows = [line.split() for line in report.splitlines()]
        versions = [shown, store.shipped(VOTE).version]
        compared = [row[:2] for row in rows if row and row[0] in versions and row[1] != "did"]
        assert compared == [[versions[0], "short"], [versions[1], "live"]]
        assert (laid_out / "cases.json").is_file()

        await terminal.block(third)
        await until_running(store, 2)
        *_, improved, history = await terminal.block(fourth)
        await store.refresh()
        candidate = store.of(VOTE).experiments[-1].started.candidate
        assert ends(store) == [("rolled_back", "prompt_lab"), ("promoted", "prompt_lab")]
        assert store.of(VOTE).live == candidate
        assert "passed the gate" in improved
        assert candidate in history

        [back] = await terminal.block(last)
        assert f"from {candidate} to {shown}" in back


def version_of(page, name):
    """The version that the page's file of that template has."""
    role, _, own = name.partition("/")
    return compiled_text(role, own, page(PAGE).files[f"drafts/{name}.md"]).version


def test_each_template_of_the_page_is_one_and_its_version_is_the_one_that_the_page_shows(page, laid_out):
    files = sorted((laid_out / "drafts").glob("*/*.md"))
    assert {str(file.relative_to(laid_out)) for file in files} == set(page(PAGE).files)
    assert [refused for file in files for refused in refusals(file, file.read_bytes())] == []
    shown = {version_of(page, VOTE), next(one.version for one in Prompts.load() if one.name == VOTE)}
    assert shown == set(re.findall(r"\b[0-9a-f]{12}\b", page(PAGE).text))


def test_the_template_with_all_slots_has_all_of_them_in_the_order_that_the_page_says(page):
    prompt = compiled_text("architect", "perform", page(PAGE).files["drafts/architect/perform.md"])
    assert set(prompt.source.head.model_fields_set) == set(FrontMatter.model_fields) - {"persona"}
    rendered = prompt.render({"idea": "a", "instruction": "b", "inputs": []})
    system = rendered.with_system("## Output\n")[0].text
    places = [
        system.index(f"## {heading}") for heading in ("Data blocks", "Thinking", "Examples", "Constraints", "Output")
    ]
    assert places == sorted(places)


def test_the_page_tells_every_key_of_the_front_matter_every_metric_and_every_verdict(page):
    told = page(PAGE)
    keys = {key.strip(" `") for cell in told.column("key") for key in cell.split(",")}
    assert keys == set(FrontMatter.model_fields)
    assert {cell.strip("`") for cell in told.column("metric")} == set(get_args(Metric))
    assert {cell.strip("`") for cell in told.column("verdict")} == set(_choices(ExperimentEnded, "verdict"))
    assert all(f"`{why}`" in told.text for why in _choices(ExperimentEnded, "why"))


def _choices(fact, field):
    return get_args(fact.model_fields[field].annotation)


def test_what_is_enough_stands_on_the_page_as_it_is_in_the_code(page):
    needed = ", ".join(f"{spending.promotion(n):,}" for n in range(2, 6))
    text = page(PAGE).text
    assert f"{spending.promotion(1)}:1 for a template's first candidate, then {needed} …" in text
    assert text.count(f"| {spending.ROLL_BACK}:1 | rolled back |") == 3
    assert spending.GUARD == spending.ROLL_BACK
    assert f"| {spending.SPLIT:,}:1 | stopped" in text


def test_the_defaults_and_caps_of_the_page_are_those_of_the_code(page):
    text, started, limits = page(PAGE).text, ExperimentStarted.model_fields, ImprovementSet.model_fields
    for said in (
        f"`--dearer` percent more ({started['dearer'].default};",
        f"`--slower` percent longer ({started['slower'].default};",
        f"`--most` outcomes ({started['most'].default:,})",
        f"| `--failures` | {limits['failures'].default} tasks",
        f"raise it to allow more | {limits['candidates'].default} |",
        f"| ${limits['usd_each'].default:g}; no limit of tokens |",
        f"| `--usd`: all attempts together | ${limits['usd'].default:g} |",
        f"with `--share` of the tasks ({limits['share'].default // 10_000} %)",
        f"{Limits().rendered:,} and {Limits().output_tokens:,}",
        f"are shown, 1 to 10 ({ExampleSlot.model_fields['most'].default})",
        f"0 to 1 ({ExampleSlot.model_fields['copies'].default})",
        f"{source.MAX_FILE // 1024} KiB a file, {MAX_HEAD:,} characters of head, {source.MAX_SECTIONS} sections",
        f"{syntax.MAX_NODES:,} nodes and {syntax.MAX_DEPTH} levels",
    ):
        assert said in text
