"""Who may do what, by how people are known."""

import doctest

import pytest

from dashboards import roles
from dashboards.roles import LEAST, NotAllowed, Right, Role, Visitor, Ways
from kpis.errors import ConfigError

HERE = "127.0.0.1"


def test_examples() -> None:
    assert doctest.testmod(roles).failed == 0


def test_nothing_set_up_means_that_nobody_may_write() -> None:
    known = Ways.read({}, "0.0.0.0")
    assert known == Ways()
    assert {right for right in Right if Visitor("kim", Role.VIEWER).may(right)} == {Right.LOOK}


@pytest.mark.parametrize(
    ("role", "lacking"),
    [
        (Role.VIEWER, set(Right) - {Right.LOOK}),
        (Role.LEAD, {Right.UNDO}),
        (Role.ADMIN, set()),
    ],
)
def test_rights_of_a_role(role: Role, lacking: set[Right]) -> None:
    visitor = Visitor("kim", role)
    assert set(LEAST) == set(Right)
    assert {right for right in Right if not visitor.may(right)} == lacking
    for right in lacking:
        with pytest.raises(NotAllowed, match=f"kim has the role {role.name.lower()}, which may not"):
            visitor.need(right)


@pytest.mark.parametrize("name", [roles.ROLE, roles.USER_HEADER])
@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.4", None, "::"])
def test_what_anybody_could_claim_is_trusted_on_this_machine_only(name: str, host: str | None) -> None:
    with pytest.raises(ConfigError, match="others than this machine reach"):
        Ways.read({name: "lead"}, host)
    Ways.read({name: "lead"}, HERE)


def test_people_are_known_in_one_way() -> None:
    with pytest.raises(ConfigError, match="both set"):
        Ways.read({roles.ROLE: "lead", roles.OIDC_FILE: "login.toml"}, HERE)
    with pytest.raises(ConfigError, match='no role "boss"'):
        Ways.read({roles.ROLE: "boss"}, HERE)


def test_a_proxy_names_people_and_their_groups() -> None:
    known = Ways.read(
        {
            roles.USER_HEADER: "X-Forwarded-User",
            roles.GROUPS_HEADER: "X-Forwarded-Groups",
            roles.LEADS: "Anna@acme.example, shift-leads",
            roles.ADMINS: "it",
        },
        HERE,
    )
    asked = {"X-Forwarded-User": "anna@acme.example"}
    assert known.by_header(asked) == Visitor("anna@acme.example", Role.LEAD)
    assert known.by_header({"X-Forwarded-User": "bo", "X-Forwarded-Groups": "all, IT"}) == Visitor("bo", Role.ADMIN)
    assert known.by_header({"X-Forwarded-User": "bo", "X-Forwarded-Groups": "lead"}) == Visitor("bo", Role.VIEWER)
    assert known.by_header({"X-Forwarded-Groups": "it"}) is None
    assert known.by_header({"X-Forwarded-User": " "}) is None


def test_a_log_in_names_people_by_what_is_verified() -> None:
    known = Ways.read({roles.OIDC_FILE: "f", roles.CLAIM: "realm_access.roles", roles.LEADS: "oee-leads,anna@x"}, None)
    assert known.by_claims({"is_logged_in": False, "email": "anna@x"}) is None
    assert known.by_claims({"is_logged_in": True}) is None
    assert known.by_claims({"is_logged_in": True, "email": "Anna@X"}) == Visitor("Anna@X", Role.LEAD)
    unverified = {"is_logged_in": True, "email": "anna@x", "email_verified": False, "sub": "17"}
    assert known.by_claims(unverified) == Visitor("17", Role.VIEWER)
    listed = {"is_logged_in": True, "preferred_username": "bo", "realm_access": {"roles": ["OEE-Leads"]}}
    assert known.by_claims(listed) == Visitor("bo", Role.LEAD)
    assert known.by_claims(listed | {"realm_access": None, "roles": ["oee-leads"]}) == Visitor("bo", Role.VIEWER)


def test_a_claim_counts_only_when_it_is_named() -> None:
    known = Ways.read({roles.OIDC_FILE: "f", roles.ADMINS: "admins"}, None)
    assert known.by_claims({"is_logged_in": True, "sub": "1", "roles": ["admins"]}) == Visitor("1", Role.VIEWER)
