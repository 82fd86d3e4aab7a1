import gzip
import io
import json
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.packager.capsule import CapsuleRefused, pack
from workers.packager.manifest import manifest_of
from workers.packager.opening import Limits, open_capsule


def header(name, kind=tarfile.REGTYPE, target="", size=0):
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname, entry.size = kind, target, size
    return entry


def contents(manifest, files):
    return [("manifest.json", manifest.to_bytes()), *(("project/" + path, content) for path, content in files.items())]


@pytest.fixture
def good(make_task, shelf):
    """The entries of a sound capsule, in order."""
    return contents(manifest_of(make_task(junit=None)), shelf)


def test_entries_written_by_another_program_are_as_good(good, make_archive, shelf):
    assert open_capsule(make_archive(good)).files == shelf


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        (header("/etc/passwd"), "absolute"),
        (header("\\\\server\\share"), "absolute"),
        (header("C:/x"), "absolute"),
        (header("project/../../x"), "leads out"),
        (header(".."), "leads out"),
        (header("project\\..\\x"), "leads out"),
        (header("project/link", tarfile.SYMTYPE, "/etc/passwd"), "link"),
        (header("project/README.md", tarfile.SYMTYPE, "shelf/api.py"), "link"),
        (header("project/hard", tarfile.LNKTYPE, "project/README.md"), "link"),
        (header("project/device", tarfile.CHRTYPE), "no plain file"),
        (header("project/disk", tarfile.BLKTYPE), "no plain file"),
        (header("project/pipe", tarfile.FIFOTYPE), "no plain file"),
        (header("project/folder", tarfile.DIRTYPE), "no plain file"),
        (header("project/contiguous", tarfile.CONTTYPE), "no plain file"),
        (header("project/extra.py"), "not in the manifest"),
        (header("README.md"), "not in the manifest"),
        (header("evidence/junit.xml"), "not in the manifest"),
        (header("project/README.md"), "twice"),
        (header("manifest.json"), "twice"),
    ],
    ids=lambda value: value.name if isinstance(value, tarfile.TarInfo) else "",
)
def test_an_entry_that_does_not_belong_is_refused_by_name(good, make_archive, entry, why):
    with pytest.raises(CapsuleRefused, match=why) as refused:
        open_capsule(make_archive([*good, (entry, b"")]))
    assert refused.value.entry == entry.name


def test_a_sparse_file_is_refused(good, make_archive):
    entry = header("project/README.md")
    entry.pax_headers = {"GNU.sparse.size": str(2**50), "GNU.sparse.map": "0,1"}
    with pytest.raises(CapsuleRefused, match="no plain file"):
        open_capsule(make_archive([good[0], (entry, b"x")]))


def test_a_missing_file_is_refused_by_name(good, make_archive):
    with pytest.raises(CapsuleRefused, match=r"'project/shelf/api\.py' is in the manifest and not in the archive"):
        open_capsule(make_archive(good[:-1]))


def test_a_changed_file_of_the_same_size_is_refused(good, make_archive):
    name, content = good[-1]
    with pytest.raises(CapsuleRefused, match="SHA-256"):
        open_capsule(make_archive([*good[:-1], (name, content.swapcase())]))


def test_a_file_of_another_size_is_refused(good, make_archive):
    name, content = good[-1]
    with pytest.raises(CapsuleRefused, match="the manifest says"):
        open_capsule(make_archive([*good[:-1], (name, content + b" ")]))


def test_the_manifest_must_come_first(good, make_archive):
    with pytest.raises(CapsuleRefused, match=r"is not manifest\.json"):
        open_capsule(make_archive(good[::-1]))


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../b", "a\n", "a\\b", "C:x", "a//b", ""])
def test_a_manifest_that_promises_a_path_outside_is_refused(good, make_archive, path):
    manifest = json.loads(good[0][1])
    manifest["files"][0]["path"] = path
    with pytest.raises(CapsuleRefused, match=r"manifest\.json.*files\.0\.path"):
        open_capsule(make_archive([("manifest.json", json.dumps(manifest).encode()), *good[1:]]))


def test_a_newer_format_is_refused_with_what_to_do(good, make_archive):
    manifest = json.loads(good[0][1]) | {"format": 2}
    with pytest.raises(CapsuleRefused, match="reads format 1"):
        open_capsule(make_archive([("manifest.json", json.dumps(manifest).encode()), *good[1:]]))


def test_a_field_that_this_program_does_not_know_is_kept(good, make_archive):
    manifest = json.dumps(json.loads(good[0][1]) | {"mood": "fine"}).encode()
    assert open_capsule(make_archive([("manifest.json", manifest), *good[1:]])).manifest_json == manifest


def test_a_bomb_is_refused_before_it_unfolds(good, make_archive):
    zeros = 64 * 2**20
    bomb = make_archive([*good, ("project/zeros", bytes(zeros))])
    assert len(bomb) < 100_000
    with pytest.raises(CapsuleRefused, match="more than the 1048576 bytes"):
        open_capsule(bomb, Limits(total_bytes=2**20, file_bytes=2**30))
    with pytest.raises(CapsuleRefused, match=r"'project/zeros' has 67108864 bytes; 10000 are allowed"):
        open_capsule(bomb, Limits(total_bytes=2**30, file_bytes=10_000))


def test_a_bomb_behind_the_end_of_the_archive_is_refused_too(good, make_archive):
    with pytest.raises(CapsuleRefused, match="unpacks to more"):
        open_capsule(make_archive(good) + gzip.compress(bytes(2**22)), Limits(total_bytes=2**20))


def test_a_bomb_in_a_header_is_refused_too(good):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        entry = header("manifest.json")
        entry.pax_headers = {"comment": "x" * 2**22}
        tar.addfile(entry, io.BytesIO())
    with pytest.raises(CapsuleRefused, match="unpacks to more"):
        open_capsule(gzip.compress(out.getvalue()), Limits(total_bytes=2**20))


def test_too_many_entries_are_refused(good, make_archive):
    with pytest.raises(CapsuleRefused, match="one entry too many; 3 are allowed"):
        open_capsule(make_archive(good), Limits(entries=3))
    assert open_capsule(make_archive(good), Limits(entries=4))


def test_headers_nested_without_end_are_refused(good):
    long_name = header("././@LongLink", tarfile.GNUTYPE_LONGNAME, size=1)
    nested = (long_name.tobuf(tarfile.GNU_FORMAT) + b"x".ljust(512, b"\0")) * 5_000
    with pytest.raises(CapsuleRefused):
        open_capsule(gzip.compress(nested))


@pytest.mark.parametrize("archive", [b"", b"hello", gzip.compress(b""), gzip.compress(b"x" * 2_000)])
def test_what_is_no_archive_is_refused(archive):
    with pytest.raises(CapsuleRefused):
        open_capsule(archive)


@given(st.data())
def test_a_cut_capsule_is_refused(make_task, shelf, junit, data):
    archive = pack(shelf, manifest_of(make_task()), junit)
    with pytest.raises(CapsuleRefused):
        open_capsule(archive[: data.draw(st.integers(0, len(archive) - 1))])


@given(st.data())
def test_a_changed_archive_is_refused_or_has_the_same_files(make_task, shelf, junit, data):
    """Whoever can recompute gzip's checksum may change what nobody unpacks, such as the owner of an entry."""
    inflated = bytearray(gzip.decompress(pack(shelf, manifest_of(make_task(shelf)), junit)))
    for place in data.draw(st.lists(st.integers(0, len(inflated) - 1), min_size=1, max_size=5)):
        inflated[place] = data.draw(st.integers(0, 255))
    try:
        opened = open_capsule(gzip.compress(bytes(inflated), compresslevel=1))
    except CapsuleRefused:
        return
    assert set(opened.files) == {file.path for file in opened.manifest.files}
