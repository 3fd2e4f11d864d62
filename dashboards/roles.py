"""Who looks at the pages, and what each may do. The one place where that is decided.

A visitor is known by one of three ways, set by the environment: a log-in (OpenID Connect), headers of a proxy that
has one, or a role that everybody has, for trying out. Without any of them everybody may look and nobody may write.
"""

import ipaddress
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum
from getpass import getuser
from typing import Any, Final, Self

import streamlit as st

from kpis.errors import ConfigError, OeeflowError

ROLE: Final = "OEEFLOW_ROLE"
OIDC_FILE: Final = "OEEFLOW_OIDC_FILE"
USER_HEADER: Final = "OEEFLOW_USER_HEADER"
GROUPS_HEADER: Final = "OEEFLOW_GROUPS_HEADER"
CLAIM: Final = "OEEFLOW_ROLES_CLAIM"
LEADS: Final = "OEEFLOW_LEADS"
ADMINS: Final = "OEEFLOW_ADMINS"
_WAYS: Final = (ROLE, OIDC_FILE, USER_HEADER)


class Role(IntEnum):
    """What somebody is; each may do what those before it may."""

    VIEWER = 1
    LEAD = 2
    ADMIN = 3


class Right(Enum):
    """What somebody may do."""

    LOOK = "look"
    RECLASSIFY = "reclassify"
    MOVE_PIECES = "move pieces"
    SIGN_OFF = "sign off reports"
    ACT = "act on alerts"
    NOTE = "comment on hours and sign them off"
    UNDO_OWN = "undo what one decided oneself"
    UNDO = "undo what others decided"


LEAST: Final = {
    Right.LOOK: Role.VIEWER,
    Right.RECLASSIFY: Role.LEAD,
    Right.MOVE_PIECES: Role.LEAD,
    Right.SIGN_OFF: Role.LEAD,
    Right.ACT: Role.LEAD,
    Right.NOTE: Role.LEAD,
    Right.UNDO_OWN: Role.LEAD,
    Right.UNDO: Role.ADMIN,
}
"""The least role that has a right. Every page needs the right to look."""


class NotAllowed(OeeflowError):  # noqa: N818 (it is an answer)
    """Somebody asked for what his role does not allow."""


@dataclass(frozen=True)
class Visitor:
    """Somebody who looks: his name as it is kept with what he decides, and his role."""

    name: str
    role: Role

    def may(self, right: Right) -> bool:
        """Whether the role has a right."""
        return self.role >= LEAST[right]

    def need(self, right: Right) -> None:
        """Raise NotAllowed unless the role has a right."""
        if not self.may(right):
            msg = f"{self.name} has the role {self.role.name.lower()}, which may not {right.value}"
            raise NotAllowed(msg, hint=f"ask somebody with the role {LEAST[right].name.lower()}")


@dataclass(frozen=True)
class Ways:
    """How visitors are known; see docs/operations.md. At most one of `role`, `oidc` and `user_header` is set."""

    role: Role | None = None
    oidc: str | None = None
    user_header: str | None = None
    groups_header: str | None = None
    claim: str | None = None
    leads: frozenset[str] = frozenset()
    admins: frozenset[str] = frozenset()

    @classmethod
    def read(cls, environment: Mapping[str, str], host: str | None) -> Self:
        """What the environment says, for pages served at an address.

        Raises ConfigError when it contradicts itself, or trusts whoever reaches an address that others reach too.
        """
        given = [name for name in _WAYS if environment.get(name)]
        if len(given) > 1:
            msg = f"{' and '.join(given)} are both set"
            raise ConfigError(msg, hint="people are known in one way: leave one of them")
        if given and given[0] != OIDC_FILE and not loopback(host):
            msg = f"{given[0]} is set, but others than this machine reach {host or 'every address'}"
            raise ConfigError(msg, hint="serve on 127.0.0.1, or let people log in; see docs/operations.md")
        return cls(
            _role(environment.get(ROLE)),
            environment.get(OIDC_FILE) or None,
            environment.get(USER_HEADER) or None,
            environment.get(GROUPS_HEADER) or None,
            environment.get(CLAIM) or None,
            _listed(environment.get(LEADS, "")),
            _listed(environment.get(ADMINS, "")),
        )

    def by_header(self, headers: Mapping[str, str]) -> Visitor | None:
        """Whom the proxy names; None: nobody."""
        name = headers.get(self.user_header or "", "").strip()
        if not name:
            return None
        groups = _listed(headers.get(self.groups_header, "")) if self.groups_header else frozenset()
        return Visitor(name, self._role_of({name.casefold(), *groups}))

    def by_claims(self, claims: Mapping[str, Any]) -> Visitor | None:
        """Who logged in; None: nobody did. An e-mail address that is not verified names nobody."""
        if not claims.get("is_logged_in"):
            return None
        email = claims.get("email") if claims.get("email_verified", True) is not False else None
        name = str(email or claims.get("preferred_username") or claims.get("sub") or "").strip()
        if not name:
            return None
        return Visitor(name, self._role_of({name.casefold(), *_claimed(claims, self.claim)}))

    def _role_of(self, names: Iterable[str]) -> Role:
        known = frozenset(names)
        if known & self.admins:
            return Role.ADMIN
        return Role.LEAD if known & self.leads else Role.VIEWER


def loopback(host: str | None) -> bool:
    """Whether only this machine reaches an address; None stands for every address.

    >>> [loopback(host) for host in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "192.168.1.4", None)]
    [True, True, True, False, False, False]
    """
    try:
        return host is not None and ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def ways() -> Ways:
    """How visitors of this server are known. Raises ConfigError."""
    return Ways.read(os.environ, st.get_option("server.address"))


def visitor() -> Visitor | None:
    """Who looks at this page; None: he has to log in first, and sees nothing until then. Raises ConfigError."""
    known = ways()
    if known.oidc is not None:
        return known.by_claims(st.user.to_dict())
    if known.user_header is not None:
        return known.by_header(st.context.headers)
    return Visitor(getuser(), known.role or Role.VIEWER)


def _role(name: str | None) -> Role | None:
    if not name:
        return None
    try:
        return Role[name.upper()]
    except KeyError as error:
        msg = f'there is no role "{name}"'
        raise ConfigError(msg, hint=f"one of {', '.join(role.name.lower() for role in Role)}") from error


def _listed(text: str) -> frozenset[str]:
    """Names, separated by commas; their case does not matter.

    >>> sorted(_listed("Anna@acme.example, shift-leads,"))
    ['anna@acme.example', 'shift-leads']
    """
    return frozenset(name.strip().casefold() for name in text.split(",") if name.strip())


def _claimed(claims: Mapping[str, Any], path: str | None) -> frozenset[str]:
    """The values of a claim, a text or a list of texts; `a.b` is the claim b within a.

    >>> sorted(_claimed({"realm_access": {"roles": ["Leads", "all"]}}, "realm_access.roles"))
    ['all', 'leads']
    """
    found: Any = claims
    for part in path.split(".") if path else ():
        found = found.get(part) if isinstance(found, Mapping) else None
    if isinstance(found, str):
        return frozenset(part.casefold() for part in re.split(r"[,\s]+", found) if part)
    return frozenset(str(part).casefold() for part in found) if isinstance(found, list) and path else frozenset()
