import gzip
import hashlib
import io
import json
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.packager.capsule import CapsuleRefused, pack
from workers.packager.manifest import manifest_of
from workers.packager.opening import open_capsule

names = st.text("abcXYZ019_-.", min_size=1, max_size=120).filter(lambda name: name not in (".", "..", ".flotilla"))
paths = st.lists(names, min_size=1, max_size=3).map("/".join).filter(lambda path: len(path) <= 200)


@st.composite
def projects(draw):
    """Files by path, none of which is a folder of another."""
    drawn = draw(st.dictionaries(paths, st.binary(max_size=2_000), min_size=1, max_size=6))
    return {path: content for path, content in drawn.items() if not any(f"{path}/" in other for other in drawn)}


@given(projects())
def test_what_is_packed_is_what_is_opened(make_task, files):
    task = make_task(files, None)
    opened = open_capsule(pack(files, manifest_of(task)))
    assert opened.files == files
    assert opened.manifest == manifest_of(task)
    assert opened.junit is None


@given(projects(), st.randoms())
def test_the_same_content_gives_the_same_bytes(make_task, files, rng):
    shuffled = list(files.items())
    rng.shuffle(shuffled)
    manifest = manifest_of(make_task(files, None))
    assert pack(dict(shuffled), manifest) == pack(files, manifest)


def test_bytes_do_not_depend_on_owner_time_or_machine(make_task, shelf, junit):
    archive = pack(shelf, manifest_of(make_task()), junit)
    # Magic, deflate, no flags, time 0, best compression, no operating system named.
    assert archive[:10] == bytes((0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 2, 255))
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        seen = {(entry.uid, entry.gid, entry.uname, entry.gname, entry.mtime, entry.mode) for entry in tar}
    assert seen == {(0, 0, "", "", 0, 0o644)}


def test_the_manifest_comes_first_and_names_every_other_entry(make_task, shelf, junit):
    with tarfile.open(fileobj=io.BytesIO(pack(shelf, manifest_of(make_task()), junit))) as tar:
        first, *others = tar.getnames()
        manifest = json.loads(tar.extractfile(first).read())
        digests = {name: hashlib.sha256(tar.extractfile(name).read()).hexdigest() for name in others}
    assert first == "manifest.json"
    assert digests.pop("evidence/junit.xml") == manifest["evidence"]["junit"]
    assert digests == {"project/" + file["path"]: file["sha256"] for file in manifest["files"]}


def test_a_capsule_holds_exactly_the_files_of_its_manifest(make_task, shelf, junit):
    manifest = manifest_of(make_task())
    with pytest.raises(CapsuleRefused, match=r"extra\.py.*not in the manifest"):
        pack({**shelf, "extra.py": b""}, manifest, junit)
    with pytest.raises(CapsuleRefused, match=r"README\.md.*was not given"):
        pack({path: content for path, content in shelf.items() if path != "README.md"}, manifest, junit)
    with pytest.raises(CapsuleRefused, match=r"README\.md.*bytes"):
        pack({**shelf, "README.md": b"changed"}, manifest, junit)
    with pytest.raises(CapsuleRefused, match=r"junit\.xml.*SHA-256"):
        pack(shelf, manifest, b"<other/>")


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"a": b"", "a/b": b""}, "file and a folder"),
        ({".flotilla/x": b""}, "kept for the manifest"),
        ({".Flotilla/x": b""}, "kept for the manifest"),
    ],
)
def test_a_project_that_could_not_be_unpacked_is_not_packed(make_task, files, why):
    with pytest.raises(CapsuleRefused, match=why):
        pack(files, manifest_of(make_task(files, None)))


def test_a_project_with_the_same_path_twice_is_not_packed(make_task, shelf):
    task = make_task(junit=None)
    with pytest.raises(CapsuleRefused, match="twice"):
        pack(shelf, manifest_of(task.model_copy(update={"files": (*task.files, task.files[0])})))


def test_any_program_that_reads_tar_can_read_a_capsule(make_task, shelf, junit):
    inflated = gzip.decompress(pack(shelf, manifest_of(make_task()), junit))
    with tarfile.open(fileobj=io.BytesIO(inflated), mode="r:") as tar:
        assert tar.extractfile("project/shelf/api.py").read() == shelf["shelf/api.py"]
