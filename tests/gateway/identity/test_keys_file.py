"""`keys.yaml`: what is written is read, and every fault has its line and what to do."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.gateway.identity import keys_file
from workers.gateway.identity.keys import Keys, mint
from workers.gateway.identity.keys_file import BadKeys, entry_text, read_keys
from workers.gateway.identity.rights import ROLES, Role, is_name

DIGEST = "ab" * 32
ENTRY = f"""\
keys:
  - id: 7kq2mdx4
    sha256: {DIGEST}
    name: build server
    tenant: acme
    role: operator
"""


def _faults(text: str) -> tuple[str, ...]:
    with pytest.raises(BadKeys) as caught:
        read_keys(text, "keys.yaml")
    return caught.value.faults


def _fault(more: str, *, without: str = "") -> str:
    kept = "".join(line for line in ENTRY.splitlines(keepends=True) if not (without and without in line))
    (fault,) = _faults(f"{kept}    {more}\n")
    return fault


def test_the_example_of_the_documentation_is_read() -> None:
    text = str(keys_file.__doc__).partition("\n\n")[2]
    (key,) = read_keys(text, "keys.yaml").by_id.values()
    assert (key.name, key.tenant, key.role, key.expires, key.revoked) == (
        "build server", "acme", "operator", 1_801_353_600, True,
    )  # fmt: skip
    assert (key.limits.requests_per_minute, key.limits.burst, key.limits.body_bytes) == (600, 60, 1_000_000)


@given(
    st.text(min_size=1, max_size=100).filter(is_name),
    st.sampled_from(ROLES),
    st.none() | st.integers(0, 253_402_300_799),
    st.integers(),
)
def test_the_lines_of_a_new_key_are_read_back(name: str, role: Role, expires: int | None, seed: int) -> None:
    minted = mint(Random(seed).randbytes, name, "acme", role, expires)
    text = "keys:\n" + entry_text(minted)
    assert minted.text not in text
    assert read_keys(text, "keys.yaml").by_id == {minted.key.id: minted.key}


@given(st.text(max_size=200) | st.text(alphabet="keys:-{}[]&*\n \"'#!|>%@`\t?,", max_size=60))
def test_whatever_the_file_holds_it_is_read_or_refused_with_its_name(text: str) -> None:
    try:
        assert isinstance(read_keys(text, "keys.yaml"), Keys)
    except BadKeys as error:
        assert error.faults
        assert all(fault.startswith("keys.yaml") for fault in error.faults)


def test_a_list_without_keys_is_read() -> None:
    assert len(read_keys("keys: []", "keys.yaml")) == 0


def test_an_entry_says_all_that_is_missing() -> None:
    assert _faults("keys:\n  - role: admin\n") == tuple(
        f"keys.yaml, line 2: {name} is missing; add it" for name in ("id", "sha256", "name", "tenant")
    )


@pytest.mark.parametrize(
    ("more", "without", "said"),
    [
        ("id: A", "- id", "line 6"),
        ("sha256: 00", "sha256", "sha256: must be 64 hexadecimal digits"),
        ("name: ' x'", "name", "name: use 1 to 100 printable characters"),
        ("tenant: a.b", "tenant", "tenant: use 1 to 64 of"),
        ('tenant: "*"', "tenant", "every tenant is for the role admin, not for operator; name one tenant"),
        ("role: opertor", "role", "did you mean operator?"),
        ("role:", "role", "must be one plain value"),
        ("expires: soon", "", "line 7: expires: must be a day like 2027-01-31"),
        ("revoked: yes", "", "line 7: revoked: must be true or false"),
        ("limits: {burst: 0}", "", "limits: burst must be a whole number from 1"),
        ("limits: {brst: 1}", "", "unknown field 'brst' (did you mean 'burst'?)"),
        ("limits: 7", "", "limits: must be a mapping"),
        ("rôle: admin", "", "unknown field 'rôle'"),
        ("role: admin", "", "line 7: role is given twice; keep one of them"),
        ("name: [a]", "name", "must be one plain value"),
    ],
)
def test_a_fault_names_its_line_and_what_to_do(more: str, without: str, said: str) -> None:
    if without == "- id":
        (fault,) = _faults(ENTRY.replace("7kq2mdx4", "A"))
        assert fault == (
            "keys.yaml, line 2: id: must be 4 to 32 of a-z 0-9, the part between `flk_` and the second `_`"
        )
        return
    assert said in _fault(more, without=without)


def test_a_key_in_place_of_its_digest_is_refused_and_not_repeated() -> None:
    minted = mint(Random(1).randbytes, "Ann", "acme", "viewer")
    faults = _faults(ENTRY.replace(DIGEST, minted.text)) + _faults(ENTRY.replace("build server", minted.text))
    faults += _faults(ENTRY + f"    {minted.text}: 1\n") + _faults(ENTRY + f"    expires: {minted.text}\n")
    assert all("revoke that key" in fault for fault in faults[:2])
    assert not any(minted.text[-64:] in fault for fault in faults)


def test_keys_with_one_id_or_one_digest_name_both_lines() -> None:
    second = ENTRY.removeprefix("keys:\n")
    assert _faults(ENTRY + second) == (
        "keys.yaml, line 7: has the same id 7kq2mdx4 as the key at line 2; remove one of them",
        "keys.yaml, line 7: has the same sha256 as the key at line 2; remove one of them",
    )
    assert len(_faults(ENTRY + second.replace("7kq2mdx4", "other"))) == 1


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "keys.yaml, line 1: the file is empty; it needs `keys:` with a list below"),
        ("keyz: []", "keys.yaml, line 1: unknown field 'keyz' (did you mean 'keys'?); there are keys"),
        ("keys: 3", "keys.yaml, line 1: `keys:` must be a list; begin each key with `- id: …`"),
        ("- a", "keys.yaml, line 1: the file must be `keys:` with a list below"),
        ("{}", "keys.yaml, line 1: `keys:` is missing; put the list of keys below it"),
        ("keys:\n- 3", "keys.yaml, line 2: a key must be a mapping; write its fields as `name: value`"),
        ("\0", "keys.yaml: is no YAML; write it as UTF-8 text, without control characters"),
        ("keys: " + "[" * 5_000, "keys.yaml: is no YAML; write it as UTF-8 text, without control characters"),
    ],
)
def test_a_file_that_holds_no_keys_says_where(text: str, fault: str) -> None:
    assert _faults(text) == (fault,)


def test_of_a_very_wrong_file_only_so_many_faults_are_said() -> None:
    assert len(_faults("keys:\n" + "- {}\n" * 100)) == keys_file.MOST_FAULTS


def test_digits_that_yaml_would_take_for_numbers_stay_text() -> None:
    keys = read_keys(ENTRY.replace("7kq2mdx4", "0123456").replace("acme", "1e5").replace("build server", "no"), "k")
    key = keys.by_id["0123456"]
    assert (key.tenant, key.name) == ("1e5", "no")
