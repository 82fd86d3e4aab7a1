import stat

import nkeys
import pytest

from workers.runtime.settings import Settings
from workers.runtime.signing import BadKey, Signer, check_signature, configured_signer, new_seed, seed_in

SEED = b"SUAEL6GG2L2HIF7DUGZJGMRUFKXELGGYFMHF76UO2AYBG3K4YLWR3FKC2Q"
DIGEST = "ab" * 32


@pytest.fixture(scope="module")
def signer():
    return Signer(SEED)


def test_a_seed_always_gives_the_same_key_and_signature(signer):
    assert signer.public_key.startswith("U")
    assert signer.public_key == Signer(SEED).public_key
    assert signer.sign(DIGEST) == Signer(SEED).sign(DIGEST)


def test_the_signature_is_over_the_raw_digest(signer):
    pair = nkeys.from_seed(SEED)
    assert pair.verify(bytes.fromhex(DIGEST), pair.sign(bytes.fromhex(DIGEST)))
    check_signature(DIGEST, signer.sign(DIGEST), pair.public_key.decode())


def test_without_a_seed_each_signer_has_a_key_of_its_own():
    assert Signer().public_key != Signer().public_key


def test_a_signature_is_bound_to_digest_and_key(signer):
    signature = signer.sign(DIGEST)
    with pytest.raises(BadKey, match="is not of"):
        check_signature("cd" * 32, signature, signer.public_key)
    with pytest.raises(BadKey, match="is not of"):
        check_signature(DIGEST, signature, Signer().public_key)


@pytest.mark.parametrize("signature", ["", "AAAA", "not base64!", "ü", "A" * 88])
def test_what_is_no_signature_is_refused(signer, signature):
    with pytest.raises(BadKey):
        check_signature(DIGEST, signature, signer.public_key)


def test_a_mistyped_key_is_told_apart_from_a_wrong_one(signer):
    key = signer.public_key
    with pytest.raises(BadKey, match="mistyped"):
        check_signature(DIGEST, signer.sign(DIGEST), key[:-1] + ("A" if key[-1] != "A" else "B"))


@pytest.mark.parametrize("key", ["", "U", "hello", "ü", "A" * 56])
def test_what_is_no_user_key_is_refused(signer, key):
    with pytest.raises(BadKey, match="no"):
        check_signature(DIGEST, signer.sign(DIGEST), key)


@pytest.mark.parametrize(
    "seed",
    [
        b"x",
        b"SUA",
        "ü".encode(),
        SEED[:-1] + b"A",
        SEED[:9] + b"X" + SEED[10:],
        nkeys.encode_seed(bytes(32), nkeys.PREFIX_BYTE_ACCOUNT),
    ],
)
def test_a_bad_seed_is_refused_without_repeating_it(seed):
    with pytest.raises(BadKey, match="nk -gen user") as refused:
        Signer(seed)
    assert repr(seed)[2:-1] not in str(refused.value)


def test_a_data_directory_keeps_its_seed_to_its_owner(tmp_path):
    seed = seed_in(tmp_path)
    assert seed_in(tmp_path) == seed
    assert Signer(seed).public_key == Signer(seed_in(tmp_path)).public_key
    (file,) = tmp_path.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_new_seed_is_never_the_same():
    assert new_seed() != new_seed()


@pytest.mark.parametrize("given", ["seed", "file", "both"])
def test_the_settings_say_the_key(tmp_path, given):
    (tmp_path / "seed").write_bytes((SEED if given == "file" else new_seed()) + b"\n")
    settings = Settings(
        signing_seed=None if given == "file" else SEED.decode(),
        signing_seed_file=None if given == "seed" else tmp_path / "seed",
    )
    assert configured_signer(settings).public_key == Signer(SEED).public_key


def test_without_a_configured_seed_a_process_keeps_one_key():
    first = configured_signer(Settings(signing_seed=None, signing_seed_file=None))
    assert configured_signer(Settings(signing_seed=None, signing_seed_file=None)) is first
