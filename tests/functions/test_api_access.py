"""Who may do what: scopes within a tenant, and nothing across tenants."""

from __future__ import annotations

import io
import json
import re
from typing import Any

import pytest

from freehold.adapters.api_keys import SCOPES

from .caller import Answer, Caller
from .calls import CALLS, SIGNED, Call, make_one_of_each, routes, shape
from .deployed import Deployed, agent
from .lambdas import invoke

UNKNOWN = {
    "agent": "nobody",
    "version": "7",
    "alias": "gone",
    "run": "01M84CY6FV8TPZ8VTAMGGSRG64-1",
    "session": "s9",
    "memory": "m9",
}
UNKNOWN["key"] = "ffffffffffff"
UNKNOWN["letter"] = "11111111-0000-4000-8000-000000000000"
UNKNOWN["schedule"] = 24 * "0"
UNKNOWN |= {"parked": "01M84CY6FV8TPZ8VTAMGGSRG65-1", "digest": 64 * "0", "escalated": "s8"}


def test_a_domain_of_ones_own_leads_to_the_same_calls(product: Deployed):
    event = product.admin.event("GET", "/agents/helper")

    answer = invoke("api", {**event, "path": f"/v1{event['path']}"})

    assert (answer["statusCode"], json.loads(answer["body"])["agentName"]) == (200, "helper")


def test_this_list_of_calls_is_the_apis_own():
    assert {shape(call.name) for call in CALLS} | {SIGNED} == {shape(route) for route in routes()}


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
def test_a_call_needs_one_of_its_scopes_and_changes_nothing_without(product: Deployed, call: Call):
    ids = make_one_of_each(product, call)
    before = product.items("agents"), product.items("sessions")
    allowed: list[str] = []
    for scope in sorted(SCOPES, key=lambda scope: scope in call.scopes):
        answer = call.by(product.scoped(scope), ids)
        if answer.status != 403:
            allowed.append(scope)
            continue
        assert answer.body["type"] == "urn:freehold:Denied"
        assert call.scopes[0] in answer.body["detail"]
        assert (product.items("agents"), product.items("sessions")) == before

    assert set(allowed) == set(call.scopes)
    assert call.by(product.scoped(), ids).status == 403


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
def test_a_call_succeeds_with_its_scope_and_the_log_says_who_may_have_changed_something(
    product: Deployed, call: Call, log: io.StringIO
):
    caller, ids = product.scoped(call.scopes[0]), make_one_of_each(product, call)
    before = log.tell()

    answer = call.by(caller, ids)

    assert answer.status == call.status, answer.text
    lines = [json.loads(line) for line in log.getvalue()[before:].splitlines()]
    done = [line for line in lines if line["message"] == "request done"]
    if call.method == "GET":
        assert done == []
        return
    (line,) = done
    assert (line["tenant"], line["principal"]) == (caller.tenant, f"key:{caller.key_id}")
    assert (line["method"], line["status"]) == (call.method, call.status)
    assert shape(line["route"]) == shape(call.path)
    # Users choose those of sessions and memories, which may name a person.
    named = set(re.findall(r"{(\w+)}", call.path)) - {"session", "escalated", "memory"}
    assert set(line["ids"].values()) == {ids[name] for name in named}


NAMED = [call for call in CALLS if "{" in call.path and call.method != "PUT"]


@pytest.mark.parametrize("call", NAMED, ids=lambda call: call.name)
def test_another_tenant_cannot_tell_whether_a_thing_exists(product: Deployed, call: Call):
    ids = make_one_of_each(product, call)
    before = product.items("agents"), product.items("sessions")
    stranger = product.other_tenant()

    real, unreal = call.by(stranger, ids), call.by(stranger, UNKNOWN)

    assert real.status == unreal.status == 404
    assert told(real, ids) == told(unreal, UNKNOWN)
    assert (product.items("agents"), product.items("sessions")) == before


def told(answer: Answer, ids: dict[str, str]) -> Any:
    """The answer with its ids made alike."""
    body = answer.body
    for name, value in sorted(ids.items(), key=lambda pair: -len(pair[1])):
        body["path"] = body["path"].replace(value, f"<{name}>")
        body["detail"] = body["detail"].replace(f" {value}", f" <{name}>")
    return body


def test_another_tenants_alias_cannot_be_made_on_our_agent(product: Deployed):
    ids = make_one_of_each(product)

    answer = product.other_tenant().call("PUT", "/agents/helper/aliases/live", {"routes": [{"version": 1}]})

    assert answer.status == 404
    assert product.admin.call("GET", f"/agents/helper/aliases/{ids['alias']}").body["routes"] == [
        {"version": "1", "weight": 100}
    ]


@pytest.mark.parametrize("tenant", ["globex", "acm", "acme-2", "ac"])
def test_another_tenant_finds_nothing_in_any_list(product: Deployed, tenant: str):
    make_one_of_each(product)
    stranger = Caller(tenant, SCOPES)

    lists = [stranger.call("GET", path) for path in ("/agents", "/runs", "/sessions", "/keys")]

    assert [answer.body for answer in lists] == [{"agents": []}, {"runs": []}, {"sessions": []}, {"keys": []}]


def test_equal_names_of_two_tenants_are_two_agents(product: Deployed):
    other = product.other_tenant()
    other.call("PUT", "/agents/helper", agent(instruction="Globex alone."))

    other.call("DELETE", "/agents/helper")

    assert product.admin.call("GET", "/agents/helper").body["agent"]["instruction"] == "Help."
    assert "Globex" not in json.dumps(product.admin.call("GET", "/agents").body)


def test_equal_session_ids_of_two_tenants_are_two_sessions(product: Deployed):
    other = product.other_tenant()
    other.call("PUT", "/agents/helper", agent())
    ours = product.start("ours", sessionId="s1")

    theirs = other.call("POST", "/agents/helper/runs", {"input": "theirs", "sessionId": "s1"})

    assert theirs.status == 202
    items = [caller.call("GET", "/sessions/s1/items").body["items"] for caller in (product.admin, other)]
    assert [[item["text"] for item in found] for found in items] == [["ours"], ["theirs"]]
    assert other.call("GET", "/sessions/s1/items", query={"runId": ours["runId"]}).status == 404


def test_another_tenants_erasure_erases_nothing_of_ours(product: Deployed):
    make_one_of_each(product)
    before = product.items("sessions")
    stranger = product.other_tenant()

    asked = ({"agent": "helper", "memoryId": "m1"}, {"principal": f"key:{product.admin.key_id}"})
    reports = [stranger.call("POST", "/erasures", body) for body in asked]

    assert [set(report.body["erased"].values()) for report in reports] == [{0}, {0}]
    assert product.items("sessions") == before
