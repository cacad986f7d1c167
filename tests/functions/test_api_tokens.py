"""Tokens of pages: each opens the list that it came from, and no forged one makes an error of ours."""

from __future__ import annotations

import base64

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from freehold.adapters import keys
from freehold.adapters import pages as tokens

from .caller import TENANT, Answer, Caller
from .deployed import Deployed, agent, remembering
from .pages import flat, key_of, pages


@pytest.fixture
def paged(product: Deployed) -> Deployed:
    """Two tenants, each with more than one page of all that is listed."""
    other = product.other_tenant()
    for caller in (product.admin, other):
        caller.call("PUT", "/agents/helper", remembering())
        for name in ("other", "third"):
            caller.call("PUT", f"/agents/{name}", agent(name))
            caller.call("POST", "/agents/helper/versions")
            caller.call("PUT", f"/agents/helper/aliases/{name}", {"routes": [{"version": "1"}]})
            caller.call("POST", "/keys", {"name": name, "scopes": ["run"]})
    for session in ("s1", "s2"):
        for caller in (product.admin, other):
            body = {"input": "hi", "sessionId": session, "memoryId": "m1"}
            answer = caller.call("POST", "/agents/helper/runs", body)
            product.add_lap(answer.body["runId"], "ok", tenant=caller.tenant)
    return product


LISTS = (
    "/runs",
    "/sessions",
    "/agents/helper/memories",
    "/sessions/s1/items",
    "/agents",
    "/agents/helper/versions",
    "/agents/helper/aliases",
    "/keys",
)


def first_token(caller: Caller, path: str) -> str:
    return caller.call("GET", path, query={"limit": "1"}).body["nextToken"]


def refuses(answer: Answer) -> bool:
    return answer.status == 400 and [problem["path"] for problem in answer.body["problems"]] == ["nextToken"]


def test_a_token_opens_no_other_list(paged: Deployed):
    tokens = {path: first_token(paged.admin, path) for path in LISTS}

    for path in (*LISTS, "/sessions/s2/items"):
        for opens, token in tokens.items():
            answer = paged.admin.call("GET", path, query={"nextToken": token})
            assert answer.status == 200 if path == opens else refuses(answer)


def test_a_token_of_another_tenant_is_refused(paged: Deployed):
    for path in LISTS:
        token = first_token(paged.other_tenant(), path)

        assert refuses(paged.admin.call("GET", path, query={"nextToken": token}))


def test_a_token_does_not_show_another_tenant(paged: Deployed):
    seen = flat(pages(paged.admin, "/runs", "runs", limit="1"))

    assert len(seen) == 2
    assert {run["sessionId"] for run in seen} == {"s1", "s2"}
    theirs = flat(pages(paged.other_tenant(), "/runs", "runs", limit="1"))
    assert not {run["runId"] for run in seen} & {run["runId"] for run in theirs}


@pytest.mark.parametrize(
    "token",
    [
        "",
        "x",
        "%%%",
        "ä",
        "e30",
        "e30=",
        base64.urlsafe_b64encode(b'{"pk": "x", "sk": "y"}').decode(),
        "A" * 5000,
    ],
)
def test_a_forged_token_is_refused(paged: Deployed, token: str):
    for path in LISTS:
        assert refuses(paged.admin.call("GET", path, query={"nextToken": token}))


@pytest.mark.parametrize(
    "place", ["", "RUN#", "nonsense", "1#x", "x#a-1", "1#a-1#", "\x00", "RUN#" + "9" * 2000]
)
def test_a_token_whose_mark_is_right_still_leads_nowhere_else(paged: Deployed, place: str):
    """The mark is no secret: whoever reads the code can write one."""
    run_id = paged.admin.call("GET", "/runs", query={"sessionId": "s1"}).body["runs"][0]["runId"]
    conversation = keys.conversation(key_of(run_id))
    listings = (
        keys.runs_of(TENANT),
        keys.sessions_of(TENANT),
        keys.memories_of(TENANT, "helper"),
        f"{conversation} RUN#",
        f"{keys.agents_of(TENANT)} ",
        f"{keys.agent(TENANT, 'helper')} VERSION#",
        f"{keys.agent(TENANT, 'helper')} ALIAS#",
        f"{keys.api_keys_of(TENANT)} ",
    )
    for listing, path in zip(listings, LISTS, strict=True):
        mark = tokens.mark(listing, place)
        forged = base64.urlsafe_b64encode(f"{mark}{place}".encode()).decode()

        answer = paged.admin.call("GET", path, query={"nextToken": forged})

        assert answer.status in (200, 400), answer.text
        assert "globex" not in answer.text


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    token=st.text(max_size=60)
    | st.binary(max_size=60).map(lambda raw: base64.urlsafe_b64encode(raw).decode())
)
def test_no_token_makes_an_error_of_ours(paged: Deployed, token: str):
    for path in LISTS:
        assert refuses(paged.admin.call("GET", path, query={"nextToken": token}))
