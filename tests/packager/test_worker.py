import hashlib
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from contracts.codec import encode
from contracts.subjects import subject_of
from contracts.v1.capsules import CapsulePacked
from contracts.v1.tasks import PackProject, ProjectPacked
from workers.packager.unpack import unpack, verify
from workers.packager.worker import pack_project, role
from workers.runtime.errors import Impossible
from workers.runtime.ports import ArtifactMissing, Said, Stored
from workers.runtime.settings import Settings
from workers.runtime.signing import Signer, new_seed

PREFIX = "fleet"
SEED = new_seed()
SIGNER = Signer(SEED)


class Log:
    """Accepts each name once."""

    def __init__(self):
        self.stored = {}

    async def say(self, message):
        return self.keep(subject_of(message, PREFIX), encode(message))

    def keep(self, subject, data):
        news = subject not in self.stored
        self.stored.setdefault(subject, data)
        return Said(len(self.stored) if news else 0, news)

    async def find(self, subject):
        data = self.stored.get(subject)
        return data and Stored(1, datetime.now(UTC), subject, data)


class Artifacts(dict):
    async def put(self, content):
        sha256 = hashlib.sha256(content).hexdigest()
        self[sha256] = content
        return sha256

    async def get(self, sha256):
        try:
            return self[sha256]
        except KeyError:
            raise ArtifactMissing(sha256) from None


class Tools:
    """What the packager uses of a toolkit."""

    def __init__(self, task, log, artifacts, seed):
        self.task, self.log, self.artifacts = task, log, artifacts
        self.settings = Settings(prefix=PREFIX, signing_seed=seed.decode())

    async def load_bytes(self, refs):
        return {ref.path: await self.artifacts.get(ref.sha256) for ref in refs}

    def report(self, outcome, **fields):
        identity = self.task.model_dump(include={"tenant", "run", "task", "attempt"})
        return outcome(**identity, **fields)


@pytest.fixture
async def fleet(shelf, junit):
    """A log, and artifacts that hold the shelf."""
    artifacts = Artifacts()
    for content in (*shelf.values(), junit):
        await artifacts.put(content)
    return SimpleNamespace(log=Log(), artifacts=artifacts)


async def packed_by(fleet, task, seed=SEED):
    return await pack_project(task, Tools(task, fleet.log, fleet.artifacts, seed))


def said_in(fleet):
    return CapsulePacked.model_validate_json(fleet.log.stored[f"{PREFIX}.acme.r42.capsule"])


async def test_the_files_become_a_signed_capsule_that_unpacks_to_them(fleet, make_task, shelf, tmp_path):
    result = await packed_by(fleet, make_task())
    said = said_in(fleet)
    archive = fleet.artifacts[said.sha256]
    assert result == ProjectPacked(
        tenant="acme", run="r42", task="pack", attempt=1, capsule=said.sha256, size=len(archive)
    )
    assert (said.size, said.files, said.task, said.attempt) == (len(archive), len(shelf), "pack", 1)
    verify(archive, said.sha256, said.signature, said.public_key, [SIGNER.public_key])
    unpack(archive, tmp_path / "out")
    assert {path: (tmp_path / "out" / path).read_bytes() for path in shelf} == shelf


async def test_a_redelivery_finds_its_capsule_and_reports_it_again(fleet, make_task):
    first = await packed_by(fleet, make_task())
    before = dict(fleet.log.stored)
    assert await packed_by(fleet, make_task()) == first
    assert fleet.log.stored == before


async def test_equal_work_is_the_same_capsule_whatever_its_tests_took(fleet, make_task):
    reports = [f'<testsuites><testsuite tests="1" time="{took}"/></testsuites>'.encode() for took in ("0.31", "12.9")]
    capsules = []
    for report in reports:
        other = SimpleNamespace(log=Log(), artifacts=Artifacts(fleet.artifacts))
        await other.artifacts.put(report)
        capsules.append(((await packed_by(other, make_task(junit=report))).capsule, said_in(other).signature))
    assert capsules[0] == capsules[1]


async def test_a_report_that_is_none_is_not_packed(fleet, make_task):
    await fleet.artifacts.put(b"12 passed")
    with pytest.raises(Impossible, match=r"evidence/junit\.xml.*no XML"):
        await packed_by(fleet, make_task(junit=b"12 passed"))
    assert not fleet.log.stored


async def test_a_zombie_with_another_key_finds_the_same_capsule_good(fleet, make_task):
    first = await packed_by(fleet, make_task())
    later = await packed_by(fleet, make_task(attempt=2), new_seed())
    assert (later.capsule, later.attempt) == (first.capsule, 2)
    assert said_in(fleet).public_key == SIGNER.public_key


async def test_another_capsule_under_the_name_is_no_redelivery(fleet, make_task):
    await packed_by(fleet, make_task())
    with pytest.raises(Impossible, match=r"fleet\.acme\.r42\.capsule is taken by another"):
        await packed_by(fleet, make_task(idea="another idea"))


async def test_a_spoiled_capsule_under_the_name_is_reported(fleet, make_task):
    fleet.log.keep(f"{PREFIX}.acme.r42.capsule", b'{"kind": "capsule_packed"}')
    with pytest.raises(Impossible, match=r"stored as fleet\.acme\.r42\.capsule is no capsule"):
        await packed_by(fleet, make_task())


async def test_a_project_with_red_tests_is_not_packed(fleet, make_task):
    red = make_task().evidence.model_copy(update={"passed": False, "failed": 1})
    with pytest.raises(Impossible, match="did not pass"):
        await packed_by(fleet, make_task(evidence=red))
    assert not fleet.log.stored


async def test_a_file_that_is_not_stored_is_not_packed_around(fleet, make_task, shelf):
    del fleet.artifacts[hashlib.sha256(shelf["README.md"]).hexdigest()]
    with pytest.raises(ArtifactMissing):
        await packed_by(fleet, make_task())
    assert not fleet.log.stored


async def test_a_store_that_gives_other_bytes_is_noticed(fleet, make_task, shelf):
    fleet.artifacts[hashlib.sha256(shelf["README.md"]).hexdigest()] = b"# Other\n"
    with pytest.raises(Impossible, match=r"README\.md.*the manifest says"):
        await packed_by(fleet, make_task())
    assert not fleet.log.stored


def test_the_packager_takes_the_command_to_pack():
    assert role.name == "packager"
    assert [job.consumes for job in role.jobs] == [PackProject]


async def test_files_that_were_not_tested_are_not_packed(fleet, make_task):
    other = make_task().files[0].model_copy(update={"sha256": "b" * 64})
    with pytest.raises(Impossible, match="about other files"):
        await packed_by(fleet, make_task().model_copy(update={"files": (other,)}))
