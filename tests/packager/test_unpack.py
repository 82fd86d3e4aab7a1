import hashlib
import json
import resource

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.packager.capsule import CapsuleRefused, pack
from workers.packager.manifest import manifest_of
from workers.packager.opening import Limits
from workers.packager.unpack import TargetTaken, unpack, verify
from workers.runtime.signing import Signer


def sha(content):
    return hashlib.sha256(content).hexdigest()


@pytest.fixture(scope="module")
def signer():
    return Signer()


@pytest.fixture(scope="module")
def archive(make_task, shelf, junit):
    return pack(shelf, manifest_of(make_task()), junit)


def test_a_signed_capsule_is_verified(archive, signer):
    verify(archive, sha(archive), signer.sign(sha(archive)), signer.public_key)
    verify(archive, sha(archive), signer.sign(sha(archive)), signer.public_key, [signer.public_key])


@given(st.data())
def test_a_flipped_bit_anywhere_is_refused(archive, signer, data):
    place = data.draw(st.integers(0, len(archive) * 8 - 1))
    changed = bytearray(archive)
    changed[place // 8] ^= 1 << place % 8
    with pytest.raises(CapsuleRefused, match="SHA-256"):
        verify(bytes(changed), sha(archive), signer.sign(sha(archive)), signer.public_key)
    with pytest.raises(CapsuleRefused, match="signature"):
        verify(bytes(changed), sha(changed), signer.sign(sha(archive)), signer.public_key)


def test_a_capsule_signed_by_another_key_is_refused_where_keys_are_trusted(archive, signer):
    other = Signer()
    signature = other.sign(sha(archive))
    verify(archive, sha(archive), signature, other.public_key)
    with pytest.raises(CapsuleRefused, match=f"{other.public_key}.*not among the trusted"):
        verify(archive, sha(archive), signature, other.public_key, [signer.public_key])
    with pytest.raises(CapsuleRefused, match="signature is not of"):
        verify(archive, sha(archive), signature, signer.public_key, [signer.public_key])


def test_an_empty_list_trusts_nobody(archive, signer):
    with pytest.raises(CapsuleRefused, match="trusted"):
        verify(archive, sha(archive), signer.sign(sha(archive)), signer.public_key, [])


@pytest.mark.parametrize("empty", [True, False], ids=["into an empty folder", "into a new folder"])
def test_the_project_is_unpacked(archive, shelf, junit, tmp_path, empty):
    into = tmp_path / "deep" / "out"
    if empty:
        into.mkdir(parents=True)
    manifest = unpack(archive, into)
    for path, content in shelf.items():
        assert (into / path).read_bytes() == content
    assert json.loads((into / ".flotilla" / "manifest.json").read_bytes()) == manifest.model_dump(mode="json")
    assert (into / ".flotilla" / "junit.xml").read_bytes() == junit
    assert [path.name for path in into.parent.iterdir()] == ["out"]


def test_what_is_unpacked_can_be_read_like_any_other_folder(archive, tmp_path):
    (tmp_path / "sample").mkdir()
    unpack(archive, tmp_path / "out")
    assert (tmp_path / "out").stat().st_mode == (tmp_path / "sample").stat().st_mode


def test_a_folder_with_something_in_it_is_left_alone(archive, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(TargetTaken, match=r"out is there already"):
        unpack(archive, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.txt"]


def test_a_file_in_the_way_is_left_alone(archive, tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(TargetTaken, match="out is there already"):
        unpack(archive, tmp_path / "out")


def test_the_current_folder_is_not_replaced(archive, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TargetTaken, match="current folder"):
        unpack(archive, tmp_path)


def test_a_link_to_an_empty_folder_is_followed(archive, shelf, tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    unpack(archive, tmp_path / "link")
    assert (tmp_path / "real" / "README.md").read_bytes() == shelf["README.md"]


def test_a_refused_capsule_leaves_nothing_behind(archive, tmp_path):
    with pytest.raises(CapsuleRefused):
        unpack(archive, tmp_path / "deep" / "out", Limits(entries=2))
    assert not list(tmp_path.iterdir())


def test_a_disk_error_in_the_middle_leaves_nothing_behind(make_task, tmp_path):
    files = {"a": b"fits", "b": bytes(200_000)}
    archive = pack(files, manifest_of(make_task(files, None)))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(OSError, match="too large"):
            unpack(archive, tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list(tmp_path.iterdir())
