"""Who asks, what he may do, and how he is refused.

A role has every right of the roles before it: viewer ⊂ operator ⊂ approver ⊂ admin. `ROLE_FOR` is the whole table.

What belongs to a tenant that is not the asker's does not exist for him: 404, whatever his role. Only then does it
matter what he may do: 403. Who has not said who he is learns nothing at all: 401.
"""

import re
from dataclasses import dataclass
from typing import Literal, get_args

from contracts.subjects import is_token

Role = Literal["viewer", "operator", "approver", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)
"""From the fewest rights to all of them."""

Right = Literal[
    "read_runs", "read_prompts", "start_runs", "cancel_runs", "open_ballots", "vote", "approve", "spawn_agents",
    "administer",
]  # fmt: skip

ROLE_FOR: dict[Right, Role] = {
    "read_runs": "viewer",
    "read_prompts": "viewer",
    "start_runs": "operator",
    "cancel_runs": "operator",
    "open_ballots": "operator",
    "vote": "operator",
    "approve": "approver",
    # An agent votes in every ballot of its role: who adds voters decides, so it takes the right to decide.
    "spawn_agents": "approver",
    "administer": "admin",
}
"""Each right and the least role that has it."""

How = Literal["key", "jwt", "link", "open"]
"""How somebody showed who he is; `open` is the door of a loopback address with authentication off."""

LONGEST_NAME = 100
LONGEST_ID = 64
_PRINTABLE = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def may(role: Role, right: Right) -> bool:
    """Whether the role has the right."""
    return ROLES.index(role) >= ROLES.index(ROLE_FOR[right])


def rights_of(role: Role) -> frozenset[Right]:
    """Every right of the role."""
    return frozenset(right for right in ROLE_FOR if may(role, right))


@dataclass(frozen=True)
class Principal:
    """Somebody who showed who he is. `tenant` None stands for every tenant, which takes the role admin.

    `identity` tells apart two of the same name: the id of a key, the issuer of a token; it is no secret.
    """

    name: str
    tenant: str | None
    role: Role
    how: How
    identity: str = ""

    def __post_init__(self) -> None:
        """Raises `ValueError` for a principal that can't be."""
        if not is_name(self.name):
            raise ValueError(f"a name has 1 to {LONGEST_NAME} printable characters, without spaces at its ends")
        if self.identity and (len(self.identity) > LONGEST_ID or _PRINTABLE.fullmatch(self.identity) is None):
            raise ValueError(f"an identity has at most {LONGEST_ID} printable characters")
        if self.tenant is None and self.role != "admin":
            raise ValueError(f"every tenant is for the role admin, not for {self.role}; name one tenant")
        if self.tenant is not None and not is_token(self.tenant):
            raise ValueError("a tenant is 1 to 64 of A-Z a-z 0-9 _ -")

    @property
    def said(self) -> str:
        """What facts name as `requested_by` and `by`: `Ann (key 7kq2…)`. At most 200 characters."""
        return f"{self.name} ({self.how} {self.identity})" if self.identity else f"{self.name} ({self.how})"

    def sees(self, tenant: str) -> bool:
        """Whether the tenant is his."""
        return self.tenant is None or self.tenant == tenant


@dataclass(frozen=True)
class Refusal:
    """Why somebody can't go on; `reason` is for him to read. `presented` says that what he showed was not accepted."""

    status: Literal[401, 403, 404]
    reason: str
    presented: bool = False


def refused(principal: Principal | None, right: Right, tenant: str) -> Refusal | None:
    """Why the principal may not use the right on something of the tenant; None if he may."""
    if principal is None:
        return Refusal(401, "say who you are: send `Authorization: Bearer <key>`")
    if not principal.sees(tenant):
        return Refusal(404, "there is nothing of this name")
    if not may(principal.role, right):
        return Refusal(403, lacking(principal, right))
    return None


def refused_everywhere(principal: Principal | None, right: Right) -> Refusal | None:
    """The same for what belongs to no tenant, such as the fleet itself: it takes a principal of every tenant."""
    if principal is None or not may(principal.role, right):
        return refused(principal, right, (principal.tenant if principal else None) or "any")
    if principal.tenant is not None:
        return Refusal(403, f"{principal.name!r} belongs to one tenant; this takes a key for every tenant")
    return None


def lacking(principal: Principal, right: Right) -> str:
    """The sentence for somebody whose role is too small."""
    return f"{right} takes the role {ROLE_FOR[right]}; {principal.name!r} is {principal.role}. Ask an admin for it"


def tenant_asked(principal: Principal, named: str | None, default: str) -> str:
    """The tenant that a request is about: the one it names, else the principal's own, else the gateway's default."""
    return named or principal.tenant or default


def is_name(text: str) -> bool:
    """Whether the text can be the name of a principal."""
    return len(text) <= LONGEST_NAME and _PRINTABLE.fullmatch(text) is not None and text == text.strip()
