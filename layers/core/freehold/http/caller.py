"""Who asks, and what they may do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..approving import Decider
from ..errors import Denied
from ..value import Value
from ..values.run import Principal


class Caller(Value):
    """Who asks, as the authorizer established it."""

    tenant: str
    principal: Principal
    scopes: frozenset[str]

    @classmethod
    def of(cls, context: Mapping[str, Any]) -> Caller:
        principal = Principal(context["callerType"], context["callerId"])
        return cls(context["tenant"], principal, frozenset(context["scopes"].split()))

    @property
    def decider(self) -> Decider:
        return Decider(self.principal.name, self.principal, self.scopes)

    def needs(self, *scopes: str) -> Caller:
        """Raises `Denied` where the caller has none of these scopes; `admin` has them all."""
        if not self.scopes & {*scopes, "admin"}:
            raise Denied(f"this call needs the scope {' or '.join(scopes)}")
        return self


def asker(context: Mapping[str, Any]) -> dict[str, Any]:
    """For the log: as the authorizer says. Who signed a call, which then has none, API Gateway says by itself."""
    if not context.get("authorizer"):
        return {"principal": f"iam:{context['identity'].get('userArn')}"}
    who = Caller.of(context["authorizer"])
    return {"tenant": who.tenant, "principal": who.principal.name}
