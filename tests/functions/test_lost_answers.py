"""Writes whose first answer was lost: botocore sends them again, and they count as made by whoever sent them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from freehold import wiring
from freehold.adapters.access import AccessEntries
from freehold.adapters.aws_tokens import AwsTokens
from freehold.adapters.table import Table
from freehold.errors import StaleWrite
from freehold.http.call import Answer as Done
from freehold.http.call import Call
from freehold.http.caller import Caller as Who
from freehold.http.idempotency import once
from freehold.values.access import AccessEntry
from freehold.values.run import Principal
from memory_table import MemoryTable, TwiceSent

from .caller import TENANT, Answer
from .deployed import Deployed, agent
from .in_memory import deployed_in_memory
from .test_api_auth import ROLE, SESSION, admitted

NOW = 1_800_000_000
AGENT, ALIAS = "/agents/helper", "/agents/helper/aliases/live"
BODIES: dict[str, Any] = {AGENT: agent(), ALIAS: {"routes": [{"version": "1"}]}}


@pytest.fixture(name="product")
def _product() -> Iterator[Deployed]:
    with deployed_in_memory(TwiceSent()) as (product, _):
        yield product


def put(product: Deployed, path: str, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return product.admin.call("PUT", path, BODIES[path], headers=named)


def test_a_key_is_made_once_and_opens_the_api(product: Deployed):
    body = {"name": "ci", "scopes": ["run"]}

    answer = product.admin.call("POST", "/keys", body, headers={"Idempotency-Key": "k1"})

    assert answer.status == 201
    assert admitted(answer.body["key"])["context"]["tenant"] == TENANT
    assert len(product.admin.call("GET", "/keys").body["keys"]) == 1


def test_a_token_is_given():
    entries = AccessEntries(Table(MemoryTable(), "agents"))  # pyright: ignore[reportArgumentType]
    entries.grant(AccessEntry("iam", ROLE, TENANT, NOW, ("run",)))
    tokens = AwsTokens(Table(TwiceSent(), "agents"), entries)  # pyright: ignore[reportArgumentType]

    made = tokens.create(SESSION, now=NOW)

    assert tokens.verify(made.text, now=NOW) == made.identity


def test_what_a_precondition_allowed_is_not_refused_for_having_been_done(product: Deployed):
    made = put(product, AGENT, If_None_Match="*")
    changed = put(product, AGENT, If_Match=made.headers["ETag"])
    version = product.admin.call("POST", f"{AGENT}/versions")
    led = put(product, ALIAS, If_None_Match="*")
    led_again = put(product, ALIAS, If_Match=led.headers["ETag"])

    answers = (made, changed, version, led, led_again)
    assert [answer.status for answer in answers] == [200, 200, 201, 200, 200]
    assert product.admin.call("GET", AGENT).headers["ETag"] == changed.headers["ETag"]
    gone = product.admin.call("DELETE", AGENT, headers={"If-Match": changed.headers["ETag"]})
    assert (gone.status, product.admin.call("GET", AGENT).status) == (204, 404)


def test_where_somebody_else_was_quicker_the_same_request_goes_on_under_its_key(product: Deployed):
    call = Call({}, None, "{}", {"Idempotency-Key": "k1"}, {}, wiring.endings)
    caller = Who(TENANT, Principal("key", "k"), frozenset(("admin",)))
    seen: list[tuple[str, bool]] = []

    def act(claim: Any) -> Done:
        seen.append((claim.id, claim.again))
        if not claim.again:
            raise StaleWrite("write KEYS#acme 0123")
        return Done({"done": True})

    with pytest.raises(StaleWrite):
        once(caller, call, "make", act)
    answer = once(caller, call, "make", act)

    (first, _), (second, again) = seen
    assert (second, again, answer.body) == (first, True, {"done": True})
