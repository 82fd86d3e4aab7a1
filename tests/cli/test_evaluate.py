"""`flotilla prompts eval`: what is asked of the fleet, and how its report is shown."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from contracts.codec import encode
from contracts.message import Message
from contracts.subjects import subject_of
from contracts.v1.orders import EvaluatePrompt
from contracts.v1.projects import FileRef
from contracts.v1.prompts import VersionPushed
from contracts.v1.runs import RunClosed, RunRequested, Spent
from contracts.v1.tasks import DesignProposed, DesignSystem, PerformTask, TaskPerformed
from workers.cli.ballottext import Page
from workers.cli.evaluationtext import as_json, shown
from workers.prompt_lab.pins import unpinned
from workers.prompt_lab.report import CaseDone, Done, Report, summed
from workers.prompting.checks import content_of
from workers.prompting.templates import Prompts, compiled_text

NAME = "architect/design"
FILE = Prompts.load().named(NAME)
BRIEF = content_of(FILE.source.file).decode().replace("# system\n", "# system\nBe brief.\n", 1)
OTHER = VersionPushed(
    role="architect", name="design", digest=compiled_text("architect", "design", BRIEF).version, content=BRIEF
)
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
THERE = ("--nats", "nats://there:4222")


def report(cases: int = 8, wrong: int = 3) -> Report:
    """Two versions; the first does not do `wrong` of the cases, the second does all and says other things."""
    rows = []
    for n in range(cases):
        good = n >= wrong
        first = Done(version=FILE.version, success=good, why="" if good else "the reply needed a repair", calls=1,
                     cost_usd=0.01, latency_ms=900.0 + n)  # fmt: skip
        second = Done(
            version=OTHER.digest, success=True, calls=1, cost_usd=0.004, latency_ms=1_400.0,
            diff="--- first\n+++ second\n-  modules: 3\n+  modules: 2 \x1b[31mred\n" + "\n".join(["+ more"] * 30),
        )  # fmt: skip
        rows.append(CaseDone(case=f"default/r{n}/design", recorded="builtin", done=(first, second)))
    columns = list(zip(*(row.done for row in rows), strict=True))
    return Report(
        template=NAME, metric="valid", wanted="tests_green", source="last-8", target="", cases=tuple(rows),
        versions=(summed(FILE.version, "live", columns[0]), summed(OTHER.digest, OTHER.digest, columns[1])),
        notes=("a replay of architect/design can't be judged by tests green; it was by valid",),
    )  # fmt: skip


@pytest.mark.parametrize("width", [30, 60, 80, 120, None])
@pytest.mark.parametrize("unicode", [True, False])
def test_the_report_fits_the_terminal_and_steers_nothing(width: int | None, unicode: bool) -> None:
    lines = list(shown(report(), Page(width, unicode), "--json has all of it"))
    assert width is None or max(map(len, lines)) <= width
    assert unicode or "".join(lines).isascii()
    assert "\x1b" not in "".join(lines)


def test_each_version_has_its_rate_with_the_bound_cost_and_time() -> None:
    lines = list(shown(report(), Page(100)))
    live = next(line for line in lines if line.startswith(FILE.version))
    assert live.split()[:11] == [FILE.version, "live", "8", "5", "62", "%", "28.9", "%", "$0.08", "904", "ms"]
    assert any("95 % sure, one-sided" in line for line in lines)
    assert any(line.startswith("note: a replay of") for line in lines)


def test_what_went_wrong_is_said_by_case_and_outputs_are_compared() -> None:
    text = "\n".join(shown(report(), Page(100)))
    assert f"{FILE.version} did not do well:" in text
    assert "default/r0/design  the reply needed a repair" in text
    assert f"default/r0/design: from {FILE.version} to {OTHER.digest}" in text
    assert "  -  modules: 3" in text
    assert "\\x1b[31mred" in text
    assert "and 8 more lines" in text
    assert "8 outputs differ in all" in text


def test_a_version_that_nobody_could_judge_has_no_rate() -> None:
    done = Done(version=FILE.version, success=None, why="artifact 12 is gone", cost_usd=None)
    row = CaseDone(case="default/r1/design", recorded="", done=(done,))
    alone = Report(template=NAME, metric="valid", wanted="valid", source="last-1", cases=(row,),
                   versions=(summed(FILE.version, "live", [done]),))  # fmt: skip
    text = "\n".join(shown(alone, Page(100)))
    assert "not judged: artifact 12 is gone" in text
    assert "unknown" in text
    assert "the outputs are as recorded" in text


def test_an_output_that_never_came_is_not_compared() -> None:
    done = Done(version=FILE.version, success=False, why="no reply fits", diff="--- recorded\n+++ now\n-{\n-}\n+")
    row = CaseDone(case="default/r1/design", recorded="builtin", done=(done,))
    alone = Report(template=NAME, metric="valid", wanted="valid", source="last-1", cases=(row,),
                   versions=(summed(FILE.version, "live", [done]),))  # fmt: skip
    assert list(shown(alone, Page(100)))[-1] == "  default/r1/design  no reply fits"


def test_as_json_the_report_is_whole() -> None:
    said = as_json(report(), "r9", Spent(calls=3))
    assert (said["type"], said["run"], said["spent"]["calls"]) == ("evaluation", "r9", 3)
    assert Report.model_validate(said) == report()


@pytest.fixture
def fleet(desk: Any, story: Any) -> Any:
    """A desk with one recorded design, whose fleet answers an evaluation with a report."""
    command, call, _ = story.designing()
    call = call.model_copy(update={"prompt": NAME, "prompt_version": FILE.version})
    result = DesignProposed(**story.ids, task="design", design=story.design, calls=(call.cited(),))
    assert isinstance(command, DesignSystem)
    desk.tell([story.request(), command, call, result, *story.closing()])
    desk.prompts().put(OTHER)
    desk.log.answer = answering(desk, report().model_dump_json().encode())
    return desk


def answering(desk: Any, content: bytes, **closing: Any) -> Any:
    def answer(log: Any, message: Message) -> None:
        if not isinstance(message, RunRequested):
            return
        desk.keep(content)
        ids: dict[str, Any] = {"tenant": message.tenant, "run": message.run}
        ref = FileRef(path="report.json", sha256=hashlib.sha256(content).hexdigest(), size=len(content))
        done = TaskPerformed(**ids, task="evaluate", files=(ref,), output="done")
        command = PerformTask(
            **ids, task="evaluate", role="prompt_lab", idea=message.idea, instruction=order_in(message)
        )
        closed = RunClosed(**ids, **(closing or {"status": "completed"}))
        for said in (command, done, closed):
            log.put(subject_of(said), encode(said))

    return answer


def another_command(desk: Any, run: str) -> None:
    """A command has a loop and signals of its own, and makes up another name."""
    desk.signals = type(desk.signals)()
    desk.with_outside(new_id=lambda: run)


def order_in(request: RunRequested) -> str:
    assert request.plan is not None
    return request.plan.tasks[0].instruction


def asked(desk: Any) -> list[tuple[RunRequested, EvaluatePrompt]]:
    """The evaluations that were asked for."""
    requests = [
        RunRequested.model_validate_json(fact.data) for fact in desk.log.facts if fact.subject.endswith("run.requested")
    ]
    return [(one, EvaluatePrompt.model_validate_json(order_in(one))) for one in requests if one.plan is not None]


def test_an_evaluation_is_a_run_with_a_plan_of_its_own(fleet: Any) -> None:
    done = fleet("prompts", "eval", NAME, "--version", OTHER.digest[:5], "--version", "shipped", "--target", "builtin",
                 "--cases", "last-20", "--budget", "2", *THERE)  # fmt: skip
    assert done.exit_code == 0, done.output
    ((request, order),) = asked(fleet)
    assert order.template == NAME
    assert order.versions == (OTHER.digest, FILE.version)
    assert (order.cases, order.target, order.metric) == ("last-20", "builtin", "valid")
    assert request.plan.tasks[0].role == "prompt_lab"
    assert request.budget.usd == 2.0
    assert f"run {request.run} evaluates {NAME}" in done.stderr
    assert f"{FILE.version}  shipped" in done.stdout


def test_what_is_live_is_evaluated_when_no_version_is_named(fleet: Any) -> None:
    assert fleet("prompts", "eval", NAME, *THERE).exit_code == 0
    assert asked(fleet)[0][1].versions == ()
    assert asked(fleet)[0][1].cases == "last-50"


def test_as_json_only_the_report_goes_to_the_output(fleet: Any) -> None:
    done = fleet("prompts", "eval", NAME, "--json", *THERE)
    said = json.loads(done.stdout)
    assert [one["successes"] for one in said["versions"]] == [5, 8]
    assert said["run"] == asked(fleet)[0][0].run


def test_cases_are_pinned_in_a_file_and_used_again_from_it(fleet: Any, tmp_path: Path) -> None:
    file = tmp_path / "cases.json"
    done = fleet("prompts", "eval", NAME, "--pin", str(file), *THERE)
    assert done.exit_code == 0, done.output
    assert f"1 case pinned in {file}" in done.stderr
    content = file.read_bytes()
    assert [case.id for case in unpinned(content).cases] == ["default/r1/design"]
    digest = hashlib.sha256(content).hexdigest()
    assert asked(fleet)[0][1].cases == digest
    another_command(fleet, "again")
    assert fleet("prompts", "eval", NAME, "--cases", str(file), *THERE).exit_code == 0
    assert asked(fleet)[1][1].cases == digest
    assert fleet.artifacts.kept[digest] == content


def test_pinned_cases_are_done_by_a_fleet_of_the_commands_own_where_none_is_up(fleet: Any, tmp_path: Path) -> None:
    file = tmp_path / "cases.json"
    fleet("prompts", "eval", NAME, "--pin", str(file), *THERE)
    another_command(fleet, "alone")
    done = fleet("prompts", "eval", NAME, "--cases", str(file))
    assert done.exit_code == 0, done.output
    assert len(fleet.fleet.ran) == 1
    assert "fleet of its own for this evaluation" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("architect/nothing", *THERE), "there is no prompt 'architect/nothing'"),
        ((NAME, "--version", "feedbeef", *THERE), "has no version or label 'feedbeef'"),
        ((NAME, "--cases", "last-0", *THERE), "give a number of cases from 1 to 1,000 with 1 version"),
        ((NAME, "--cases", "last-600", "--version", "live", "--version", "x", *THERE), "from 1 to 500 with 2 versions"),
        ((NAME, "--cases", "nowhere.json", *THERE), "the file can't be read: no such file or directory"),
        ((NAME, "--metric", "speed", *THERE), "--metric 'speed': there are valid"),
        ((NAME, "--target", "a b", *THERE), "target"),
        (("reviewer/vote", *THERE), "no recorded task used reviewer/vote"),
        ((NAME,), "one of the command's own has no recorded tasks"),
        ((NAME, *(part for n in "123456" for part in ("--version", n)), *THERE), "at most 5 versions"),
    ],
)
def test_what_cant_be_evaluated_is_a_sentence_and_nothing_is_asked(
    fleet: Any, arguments: tuple[str, ...], complaint: str
) -> None:
    done = fleet("prompts", "eval", *arguments)
    assert done.exit_code == 2, done.output
    assert complaint in " ".join(done.output.split())
    assert asked(fleet) == []
    assert fleet.fleet.ran == []


def test_a_file_that_holds_no_cases_of_the_template_is_refused(fleet: Any, tmp_path: Path) -> None:
    file = tmp_path / "cases.json"
    fleet("prompts", "eval", NAME, "--pin", str(file), *THERE)
    wrong = fleet("prompts", "eval", "reviewer/vote", "--cases", str(file), *THERE)
    assert wrong.exit_code == 2
    assert "are of architect/design, not of reviewer/vote" in wrong.output
    both = fleet("prompts", "eval", NAME, "--cases", str(file), "--pin", str(file), *THERE)
    assert both.exit_code == 2
    file.write_text("{}")
    assert "it is no file of cases" in fleet("prompts", "eval", NAME, "--cases", str(file), *THERE).output
    assert len(asked(fleet)) == 1


def test_a_file_that_cant_be_written_is_found_out_before_anything_is_asked(fleet: Any, tmp_path: Path) -> None:
    done = fleet("prompts", "eval", NAME, "--pin", str(tmp_path / "no" / "cases.json"), *THERE)
    assert done.exit_code == 2
    assert "can't be written: no such file or directory" in done.output
    assert asked(fleet) == []


def test_an_evaluation_that_fails_says_why(fleet: Any) -> None:
    fleet.log.answer = answering(fleet, b"{}", status="failed", reason="the target does not answer")
    done = fleet("prompts", "eval", NAME, *THERE)
    assert done.exit_code == 1
    assert "the target does not answer" in done.stderr
    assert done.stdout == ""


def test_a_report_that_cant_be_read_is_a_sentence(fleet: Any) -> None:
    fleet.log.answer = answering(fleet, b'{"kind": "other"}')
    done = fleet("prompts", "eval", NAME, *THERE)
    assert done.exit_code == 1
    assert "can't be read here" in done.output


def test_left_alone_an_evaluation_goes_on(fleet: Any) -> None:
    fleet.log.answer = lambda log, message: None
    fleet.signals.left, fleet.signals.can_ask = 1, False
    done = fleet("prompts", "eval", NAME, *THERE)
    assert done.exit_code == 130
    assert f"run {asked(fleet)[0][0].run} goes on" in done.stderr


def test_on_a_terminal_a_line_says_what_is_going_on(fleet: Any) -> None:
    fleet.with_outside(console=lambda: Console(width=60, force_terminal=True))
    done = fleet("prompts", "eval", NAME, *THERE)
    assert done.exit_code == 0
    lines = ESCAPES.sub("", done.stdout).splitlines()
    assert any(line.startswith("architect/design on 8 cases") for line in lines)
