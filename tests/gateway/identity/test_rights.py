"""Who may do what: every right of every role, and what a foreign tenant looks like."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.gateway.identity.rights import (
    ROLE_FOR,
    ROLES,
    Principal,
    Right,
    Role,
    may,
    refused,
    refused_everywhere,
    rights_of,
    tenant_asked,
)

roles = st.sampled_from(ROLES)
rights = st.sampled_from(list(ROLE_FOR))
tenants = st.sampled_from(["acme", "globex"])


def _somebody(role: Role = "operator", tenant: str | None = "acme") -> Principal:
    return Principal("Ann", tenant, role, "key", "7kq2")


@pytest.mark.parametrize(
    ("role", "more"),
    [
        ("viewer", {"read_runs", "read_prompts"}),
        ("operator", {"start_runs", "cancel_runs", "open_ballots", "vote"}),
        ("approver", {"approve", "spawn_agents"}),
        ("admin", {"administer"}),
    ],
)
def test_each_role_has_the_rights_of_those_before_it_and_its_own(role: Role, more: set[Right]) -> None:
    place = ROLES.index(role)
    before = rights_of(ROLES[place - 1]) if place else frozenset()
    assert rights_of(role) == before | more
    assert not before & more


@given(roles, rights, tenants, tenants)
def test_a_foreign_tenant_is_not_found_whatever_the_role(role: Role, right: Right, own: str, asked: str) -> None:
    found = refused(_somebody(role, own), right, asked)
    if own != asked:
        assert found is not None
        assert found.status == 404
        assert asked not in found.reason
    elif may(role, right):
        assert found is None
    else:
        assert found is not None
        assert found.status == 403


@given(rights, tenants)
def test_who_says_nothing_is_asked_who_he_is(right: Right, tenant: str) -> None:
    found = refused(None, right, tenant)
    assert found is not None
    assert (found.status, found.presented) == (401, False)


@given(rights, tenants)
def test_an_admin_of_every_tenant_may_do_all_of_it(right: Right, tenant: str) -> None:
    assert refused(_somebody("admin", None), right, tenant) is None
    assert refused_everywhere(_somebody("admin", None), right) is None


@given(roles, rights)
def test_what_belongs_to_no_tenant_is_for_principals_of_every_tenant(role: Role, right: Right) -> None:
    found = refused_everywhere(_somebody(role, "acme"), right)
    assert found is not None
    assert found.status == 403


def test_a_refused_right_names_the_role_that_has_it() -> None:
    found = refused(_somebody("viewer"), "approve", "acme")
    assert found is not None
    assert found.reason == "approve takes the role approver; 'Ann' is viewer. Ask an admin for it"


def test_facts_name_somebody_by_name_and_by_how_he_showed_it() -> None:
    assert _somebody().said == "Ann (key 7kq2)"
    assert Principal("anybody", None, "admin", "open").said == "anybody (open)"
    assert len(Principal("x" * 100, "acme", "viewer", "jwt", "y" * 64).said) <= 200


@pytest.mark.parametrize("name", ["", " Ann", "Ann\n", "a\nb", "x" * 101, "\u2028"])
def test_a_name_that_could_be_mistaken_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="a name has"):
        Principal(name, "acme", "viewer", "key")


@pytest.mark.parametrize("role", ["viewer", "operator", "approver"])
def test_every_tenant_is_for_admins_alone(role: Role) -> None:
    with pytest.raises(ValueError, match="name one tenant"):
        Principal("Ann", None, role, "key")


@pytest.mark.parametrize("tenant", ["", "a.b", "*", ">", "x" * 65])
def test_a_tenant_that_is_no_token_is_refused(tenant: str) -> None:
    with pytest.raises(ValueError, match="a tenant is"):
        Principal("Ann", tenant, "viewer", "key")


def test_a_request_is_about_the_tenant_it_names_else_the_askers_own_else_the_default() -> None:
    assert tenant_asked(_somebody(), "globex", "default") == "globex"
    assert tenant_asked(_somebody(), None, "default") == "acme"
    assert tenant_asked(_somebody("admin", None), None, "default") == "default"
