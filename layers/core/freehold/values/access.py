"""Who from outside may come in, and as whom."""

from __future__ import annotations

import re
from typing import Literal, get_args

from ..value import Value
from .run import Principal

# An AWS principal, a queue, a rule of EventBridge, and the sources of events that a tenant's own triggers may name.
EntryKind = Literal["iam", "queue", "rule", "source"]

# What a credential may let its owner do.
Scope = Literal["run", "read", "approve", "admin", "gateway"]
SCOPES: tuple[str, ...] = get_args(Scope)
TENANT = re.compile(r"[a-z0-9-]{1,40}")

_AWS_PRINCIPAL = re.compile(
    r"(?P<partition>arn:aws[a-z-]*):"
    r"(iam::(?P<account>[0-9]{12}):((?P<kind>role|user)/([!-~]+/)?(?P<name>[\w+=,.@-]{1,64})|root)"
    r"|sts::(?P<of>[0-9]{12}):assumed-role/(?P<role>[\w+=,.@-]{1,64})/[\w+=,.@-]{1,64})",
    re.ASCII,
)


class AccessEntry(Value):
    """Leads what AWS knows by `name` to a tenant. `scopes` are those of an IAM principal's tokens.

    `name` is the ARN of a role, user, queue or rule, or the source of events, at whose end a `*` stands for any text.
    What is granted anew after it was revoked has another `entry_id`; entries of the first kind have a blank one.
    """

    kind: EntryKind
    name: str
    tenant: str
    created_at: int
    scopes: tuple[str, ...] = ()
    entry_id: str = ""
    created_by: Principal | None = None


class Identity(Value):
    """Who a credential stands for, and what it lets them do."""

    tenant: str
    principal: Principal
    scopes: tuple[str, ...]


def aws_principal(arn: str) -> str | None:
    """The ARN without path and session, one for all sessions of a role; None where it names no role and no user.

    A session's ARN does not tell the path of its role, and needs not: names are unique within an account.
    """
    found = _AWS_PRINCIPAL.fullmatch(arn)
    if found is None:
        return None
    account = found["account"] or found["of"]
    kind, name = found["kind"] or "role", found["name"] or found["role"]
    return f"{found['partition']}:iam::{account}:{f'{kind}/{name}' if name else 'root'}"
