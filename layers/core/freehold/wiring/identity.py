"""Who may come in."""

from __future__ import annotations

import os
from functools import cache, partial
from typing import TYPE_CHECKING

from . import access, agents_table, api_keys
from .clients import setting

if TYPE_CHECKING:
    from ..adapters.aws_tokens import AwsTokens
    from ..adapters.credentials import Credentials
    from ..adapters.oidc import OidcTokens


@cache
def aws_tokens() -> AwsTokens:
    from ..adapters.aws_tokens import AwsTokens

    return AwsTokens(agents_table(), access())


@cache
def credentials() -> Credentials:
    """For the authorizer."""
    from ..adapters.credentials import Credentials

    return Credentials(api_keys(), aws_tokens(), oidc)


@cache
def oidc() -> OidcTokens | None:
    """None where no issuer is named. Only the authorizer has the library that this needs."""
    if not setting("OIDC_ISSUER"):
        return None
    from ..adapters import egress
    from ..adapters.http_exchange import Exchange
    from ..adapters.issuer_keys import IssuerKeys, fetched
    from ..adapters.oidc import Issuer, OidcTokens

    audiences = (each.strip() for each in setting("OIDC_AUDIENCE").split(","))
    issuer = Issuer(
        url=setting("OIDC_ISSUER"),
        audiences=frozenset(each for each in audiences if each),
        tenant=setting("OIDC_TENANT"),
        tenant_claim=setting("OIDC_TENANT_CLAIM"),
        subject_claim=setting("OIDC_SUBJECT_CLAIM"),
        scopes_claim=setting("OIDC_SCOPES_CLAIM"),
        scope_prefix=setting("OIDC_SCOPE_PREFIX"),
    )
    pinned = partial(egress.pinned, loopback=os.environ.get("TOOLS_MAY_USE_LOOPBACK") == "true")
    return OidcTokens(issuer, IssuerKeys(issuer.url, partial(fetched, pinned=pinned, exchange=Exchange())))
