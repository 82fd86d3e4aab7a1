"""Cases are read from the log of a real broker, and from files that people may have touched."""

import json
from hashlib import sha256
from itertools import count

import pytest

from contracts.subjects import subject_of
from contracts.v1.failures import TaskFailed
from contracts.v1.journal import Call
from contracts.v1.projects import Criterion, Design, Evidence, FileRef, Module, Requirements
from contracts.v1.runs import RunRequested
from contracts.v1.tasks import (
    BuildModule,
    DesignProposed,
    DesignSystem,
    ModuleBuilt,
    ProjectReviewed,
    ProjectVerified,
    RepairProject,
    ReviewProject,
    VerifyProject,
)
from workers.prompt_lab.cases import Case, found, recorded, refs_in
from workers.prompt_lab.pins import BadCases, pinned, unpinned
from workers.runtime import topology
from workers.runtime.ports import ArtifactMissing

WANTED = Requirements(
    title="Books", package="books", summary="Keeps books.", criteria=(Criterion(id="AC-1", statement="It does."),)
)
MODULE = Module(name="api", purpose="HTTP", files=("books/api.py",))
DESIGN = Design(summary="Small.", package="books", modules=(MODULE,))
GREEN = Evidence(passed=True, tests=3, level="landlock", duration_s=1.0, files_digest="a" * 64)
RED = GREEN.model_copy(update={"passed": False, "failed": 1})
NUMBERS = count(1)


class Kept:
    """Artifacts in memory; `asked` is what was looked for."""

    def __init__(self):
        self.content, self.asked = {}, []

    def file(self, path, content):
        digest = sha256(content).hexdigest()
        self.content[digest] = content
        return FileRef(path=path, sha256=digest, size=len(content))

    async def put(self, content):
        return self.file("x", content).sha256

    async def get(self, digest):
        self.asked.append(digest)
        if digest not in self.content:
            raise ArtifactMissing(digest)
        return self.content[digest]


def called(prompt, target="builtin:a", n=1):
    return Call(
        entry=f"llm.t.1.{n}", target=target, prompt=prompt, prompt_version="a" * 12, input_tokens=1, output_tokens=1,
        cost_usd=0.0,
    )  # fmt: skip


class World:
    """Runs in the log, with a role that no other test uses."""

    def __init__(self, bus):
        self.log, self.artifacts, self.publisher = bus.log, Kept(), bus.publisher
        self.role = f"architect{next(NUMBERS)}"
        self.template = f"{self.role}/design"

    def identity(self, run, task="design", attempt=1):
        return {"tenant": "acme", "run": f"{self.role}-{run}", "task": task, "attempt": attempt}

    def command(self, run, task="design", attempt=1):
        return DesignSystem(**self.identity(run, task, attempt), role=self.role, requirements=WANTED)

    def result(self, run, *prompts, task="design", attempt=1, target="builtin:a"):
        calls = tuple(called(prompt, target, n) for n, prompt in enumerate(prompts or (self.template,), 1))
        return DesignProposed(**self.identity(run, task, attempt), design=DESIGN, calls=calls)

    def failure(self, run, error="malformed_reply", attempt=1):
        named = {**self.identity(run, attempt=attempt), "role": self.role, "calls": (called(self.template),)}
        return TaskFailed(**named, error=error, retry=True, reason="it did not fit")

    async def request(self, run):
        return await self.log.say(RunRequested(tenant="acme", run=f"{self.role}-{run}", idea="books"))

    async def run(self, name, *facts):
        """A run with these facts; returns the sequence of its last one."""
        said = await self.request(name)
        for fact in facts:
            said = await self.log.say(fact)
            assert said.news
        return said.sequence

    async def ids(self, last=50, **where):
        cases = await recorded(self.log, self.artifacts, self.template, last, **where)
        return [(case.task.run.removeprefix(f"{self.role}-"), case.task.task) for case in cases]


@pytest.fixture
async def world(bus):
    await topology.provision(bus.js, bus.settings, ())
    return World(bus)


async def test_tasks_whose_result_cites_the_template_are_cases_the_newest_run_first(world):
    for run in ("r1", "r2", "r3"):
        await world.run(run, world.command(run), world.result(run))
    assert await world.ids() == [("r3", "design"), ("r2", "design"), ("r1", "design")]
    assert await world.ids(last=2) == [("r3", "design"), ("r2", "design")]


async def test_a_case_has_the_command_the_end_and_who_answered(world):
    await world.run("r1", world.command("r1"), world.result("r1", target="groq:fast"))
    [case] = await recorded(world.log, world.artifacts, world.template, 5)
    assert (case.task, case.end, case.target) == (
        world.command("r1"),
        world.result("r1", target="groq:fast"),
        "groq:fast",
    )
    assert case.id == f"acme/{world.role}-r1/design"


async def test_many_runs_are_read_until_there_are_enough(world):
    for n in range(40):
        await world.run(f"r{n}", *([world.command(f"r{n}"), world.result(f"r{n}")] if n % 7 == 0 else []))
    assert [run for run, _ in await world.ids(last=5)] == ["r35", "r28", "r21", "r14", "r7"]


async def test_a_task_that_used_another_template_is_no_case(world):
    await world.run("r1", world.command("r1"), world.result("r1", f"{world.role}/design_again"))
    assert await world.ids() == []


async def test_a_persona_is_the_same_template(world):
    await world.run("r1", world.command("r1"), world.result("r1", f"{world.template}:security"))
    assert await world.ids() == [("r1", "design")]


async def test_the_attempt_that_worked_is_the_case(world):
    facts = [world.command("r1"), world.failure("r1"), world.command("r1", attempt=2), world.result("r1", attempt=2)]
    await world.run("r1", *facts)
    [case] = await recorded(world.log, world.artifacts, world.template, 5)
    assert case.task.attempt == 2 and isinstance(case.end, DesignProposed)


@pytest.mark.parametrize(
    ("error", "is_case"),
    [("malformed_reply", True), ("refused_by_model", True), ("impossible", False), ("crashed", False)],
)
async def test_a_task_that_failed_by_its_prompt_is_a_case_and_no_other_failure(world, error, is_case):
    await world.run("r1", world.command("r1"), world.failure("r1", error))
    assert bool(await world.ids()) == is_case


async def test_a_task_that_is_still_worked_on_is_no_case(world):
    await world.run("r1", world.command("r1"))
    assert await world.ids() == []


async def test_what_came_into_the_log_later_does_not_count(world):
    await world.run("r1", world.command("r1"), world.result("r1"))
    await world.run("r2", world.command("r2"))
    before = (await world.request("mine")).sequence
    await world.log.say(world.result("r2"))
    await world.run("r3", world.command("r3"), world.result("r3"))
    assert await world.ids(before=before) == [("r1", "design")]


async def test_a_spoiled_command_is_left_out_with_the_reason(world):
    await world.run("r1", world.command("r1"), world.result("r1"))
    await world.request("r2")
    await world.publisher.publish(subject_of(world.command("r2")), b'{"kind": "design_system", "version": 1}')
    await world.log.say(world.result("r2"))
    await world.publisher.publish(subject_of(world.command("r2", task="other")), b"\xff\x00")
    await world.publisher.publish(f"flotilla.acme.{world.role}-r2.task.{world.role}.far.too.many", b"{}")
    seen = await found(world.log, world.artifacts, world.template, 5)
    assert [case.task.run for case in seen.cases] == [f"{world.role}-r1"]
    [why] = seen.left_out
    assert why.startswith(f"acme/{world.role}-r2/design: design_system: requirements")


async def test_a_spoiled_result_is_left_out_and_a_newer_one_as_well(world):
    for run, payload in (("r1", b"no json"), ("r2", b'{"kind": "design_proposed", "version": 99}')):
        await world.run(run, world.command(run))
        await world.publisher.publish(subject_of(world.result(run)), payload)
    seen = await found(world.log, world.artifacts, world.template, 5)
    assert seen.cases == () and len(seen.left_out) == 2 and "newer" in seen.left_out[0]


def reviewing(world, run, *files):
    task = ReviewProject(
        **world.identity(run, "review"),
        role=world.role,
        requirements=WANTED,
        design=DESIGN,
        files=files,
        evidence=GREEN,
    )
    return task, ProjectReviewed(**world.identity(run, "review"), calls=(called(world.template),))


async def test_a_case_whose_files_are_gone_is_left_out_and_an_older_one_taken_instead(world):
    there, gone = world.artifacts.file("a.py", b"1"), FileRef(path="b.py", sha256="b" * 64, size=1)
    await world.run("r1", *reviewing(world, "r1", there))
    await world.run("r2", *reviewing(world, "r2", there, gone))
    seen = await found(world.log, world.artifacts, world.template, 1)
    assert [case.task.run for case in seen.cases] == [f"{world.role}-r1"]
    assert seen.left_out == (f"acme/{world.role}-r2/review: artifact bbbbbbbbbbbb is gone",)


def building(world, run):
    task = BuildModule(
        **world.identity(run, "build"), role=world.role, requirements=WANTED, design=DESIGN, module=MODULE
    )
    return task, ModuleBuilt(**world.identity(run, "build"), calls=(called(world.template),))


def verifying(world, run, n, evidence, *files):
    named = world.identity(run, f"verify-{n}")
    return VerifyProject(**named, role="sandbox", files=files), ProjectVerified(**named, evidence=evidence)


async def test_a_module_is_part_of_the_last_project_of_its_run_that_passed(world):
    files = [world.artifacts.file(f"{n}.py", b"x") for n in range(4)]
    verified = [verifying(world, "r1", n, GREEN if n in (0, 2) else RED, files[n]) for n in range(4)]
    await world.run("r1", *building(world, "r1"), *(fact for pair in verified for fact in pair))
    [case] = await recorded(world.log, world.artifacts, world.template, 5)
    assert case.project == (files[2],)


async def test_a_module_of_a_run_that_never_passed_has_no_project(world):
    await world.run("r1", *building(world, "r1"), *verifying(world, "r1", 1, RED, world.artifacts.file("a", b"x")))
    await world.publisher.publish(f"flotilla.acme.{world.role}-r1.task.sandbox.verify-2.1", b"spoiled")
    [case] = await recorded(world.log, world.artifacts, world.template, 5)
    assert case.project == ()


async def test_a_repair_is_of_the_project_that_it_was_given(world):
    file = world.artifacts.file("a.py", b"x")
    task = RepairProject(
        **world.identity("r1", "repair-1"), role=world.role, requirements=WANTED, design=DESIGN, files=(file,)
    )
    result = ModuleBuilt(**world.identity("r1", "repair-1"), calls=(called(world.template),))
    await world.run("r1", task, result)
    [case] = await recorded(world.log, world.artifacts, world.template, 5)
    assert case.project == (file,)


# Pinned cases


@pytest.fixture
def kept():
    return Kept()


def case_of(kept, n=1, project=()):
    named = {"tenant": "acme", "run": f"r{n}", "task": "review", "attempt": 1}
    files = (kept.file("a.py", b"print('\xc3\xa4')\n"), kept.file("b.bin", bytes(range(256))))
    task = ReviewProject(
        **named, role="reviewer", requirements=WANTED, design=DESIGN, files=files, evidence=GREEN, model="groq:fast"
    )
    end = ProjectReviewed(**named, summary="fine", calls=(called("reviewer/review", "groq:fast"),))
    return Case("reviewer/review", task, end, project)


async def test_pinned_cases_are_read_back_as_they_were_with_their_files(kept):
    cases = tuple(case_of(kept, n) for n in range(3))
    read = unpinned(await pinned(cases, kept))
    assert read.cases == cases and read.template == "reviewer/review"
    assert read.artifacts == kept.content


async def test_a_file_that_many_cases_refer_to_is_pinned_once(kept):
    raw = json.loads(await pinned([case_of(kept, n) for n in range(50)], kept))
    assert len(raw["artifacts"]) == 2 and len(kept.asked) == 2
    assert sorted(next(iter(content)) for content in raw["artifacts"].values()) == ["base64", "text"]


async def test_a_project_that_is_gone_is_not_pinned_and_a_file_that_the_task_needs_must_be_there(kept):
    case = case_of(kept, project=(FileRef(path="c.py", sha256="c" * 64, size=1),))
    assert unpinned(await pinned([case], kept)).cases[0].project == ()
    kept.content.clear()
    with pytest.raises(BadCases, match=r"acme/r1/review can't be pinned: artifact \w{12} is gone"):
        await pinned([case], kept)


async def test_cases_that_are_too_large_are_refused_before_they_are_read(kept):
    task = case_of(kept).task
    big = tuple(FileRef(path=f"{n}", sha256=f"{n:064x}", size=40_000_000) for n in range(2))
    case = Case("reviewer/review", task.model_copy(update={"files": big}), case_of(kept).end)
    with pytest.raises(BadCases, match="80,000,000 bytes"):
        await pinned([case], kept)
    assert kept.asked == []


async def test_no_cases_and_cases_of_two_templates_are_not_pinned(kept):
    with pytest.raises(BadCases, match="one or more"):
        await pinned([], kept)
    with pytest.raises(BadCases, match="one template"):
        await pinned([case_of(kept), Case("reviewer/vote", case_of(kept, 2).task, case_of(kept, 2).end)], kept)


@pytest.fixture
async def raw(kept):
    return json.loads(await pinned([case_of(kept)], kept))


def spoil(path, value):
    def change(raw):
        *way, last = path
        for step in way:
            raw = raw[step]
        raw[last] = value

    return change


FIRST = ("cases", 0)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (spoil(("format",), "something else"), "no file of cases"),
        (spoil(("version",), 2), "version 2, and 1 is the one"),
        (spoil(("version",), None), "version None"),
        (spoil(("cases",), []), "one or more cases"),
        (spoil(("cases",), {}), "one or more cases"),
        (spoil(("artifacts",), []), "artifacts by digest"),
        (spoil(("artifacts",), {}), "case 1 refers to artifact"),
        (spoil(("artifacts",), {"a" * 64: {"text": "x"}}), "another content than its name says"),
        (spoil(("artifacts",), {"a" * 64: {"base64": "???"}}), "no base64"),
        (spoil(("artifacts",), {"a" * 64: "x"}), "must be"),
        (spoil(("template",), "reviewer/vote"), "case 1 did not use 'reviewer/vote'"),
        (spoil(("template",), 7), "needs a template"),
        (spoil(FIRST, 7), "case 1 needs a subject"),
        (spoil((*FIRST, "command", "requirements"), 7), "case 1: review_project: requirements"),
        (spoil((*FIRST, "command", "kind"), "nonsense"), "case 1: message: kind"),
        (spoil((*FIRST, "command", "version"), 99), "case 1: review_project version 99 is newer"),
        (spoil((*FIRST, "subject"), "flotilla.acme.r1.result.review"), "case 1: a review_project is published under"),
        (spoil((*FIRST, "end", "subject"), "flotilla.acme.r1.result.other"), "case 1: task is 'review' in the payload"),
        (spoil((*FIRST, "end"), None), "case 1 needs a subject"),
        (spoil((*FIRST, "project"), 7), "case 1 has a project that is none"),
        (spoil((*FIRST, "project"), [{"path": "/etc", "sha256": "a" * 64, "size": 1}]), "a project that is none"),
    ],
)
def test_a_file_that_somebody_touched_is_refused_with_what_is_wrong_where(raw, change, why):
    change(raw)
    with pytest.raises(BadCases, match=why):
        unpinned(json.dumps(raw).encode())


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[]", b"7", b"{", b"[" * 100_000])
def test_what_is_no_json_object_is_refused(content):
    with pytest.raises(BadCases):
        unpinned(content)


def test_a_case_that_is_there_twice_and_one_whose_end_is_of_another_task_are_refused(raw, kept):
    twice = {**raw, "cases": raw["cases"] * 2}
    with pytest.raises(BadCases, match="more than once"):
        unpinned(json.dumps(twice).encode())
    [case] = raw["cases"]
    fact = {**case["end"]["fact"], "run": "r2"}
    other = {**case, "end": {"subject": "flotilla.acme.r2.result.review", "fact": fact}}
    with pytest.raises(BadCases, match=r"the end of flotilla\.acme\.r2"):
        unpinned(json.dumps({**raw, "cases": [other]}).encode())


def test_a_command_in_the_place_of_an_end_is_refused(raw):
    [case] = raw["cases"]
    end = {"subject": case["subject"], "fact": case["command"]}
    with pytest.raises(BadCases, match="not ReviewProject with ReviewProject"):
        unpinned(json.dumps({**raw, "cases": [{**case, "end": end}]}).encode())


def test_text_that_utf_8_can_not_hold_is_no_content(raw):
    raw["artifacts"] = {"a" * 64: {"text": "\ud800"}}
    with pytest.raises(BadCases, match="another content"):
        unpinned(json.dumps(raw).encode())


def test_every_file_that_a_message_refers_to_is_found(kept):
    case = case_of(kept)
    assert [ref.path for ref in refs_in(case.task)] == ["a.py", "b.bin"]
    assert case.needs == kept.content.keys()
