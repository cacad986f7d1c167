"""Writes to agents and aliases that rest on what their caller has seen."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from freehold import wiring
from freehold.values.precondition import Precondition

from .aws import meddling
from .caller import TENANT, Answer
from .deployed import Deployed, agent

AGENT, ALIAS = "/agents/helper", "/agents/helper/aliases/live"
ROUTES = {"routes": [{"version": "1"}]}
CHANGED: dict[str, Any] = {AGENT: agent(instruction="Changed."), ALIAS: {"routes": [{"version": "2"}]}}
BODIES: dict[str, Any] = {AGENT: agent(), ALIAS: ROUTES}


@pytest.fixture(name="product")
def _product(product: Deployed) -> Deployed:
    """With two versions, and an alias of the first."""
    for _ in range(2):
        product.admin.call("POST", f"{AGENT}/versions")
    assert product.admin.call("PUT", ALIAS, ROUTES).status == 200
    return product


def etag(product: Deployed, path: str) -> str:
    return product.admin.call("GET", path).headers["ETag"]


def put(product: Deployed, path: str, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return product.admin.call("PUT", path, CHANGED[path], headers=named)


def failed(answer: Answer) -> bool:
    return answer.status == 412 and answer.body["type"] == "urn:freehold:PreconditionFailed"


@pytest.mark.parametrize("path", [AGENT, ALIAS])
def test_what_nobody_has_changed_is_written_and_has_another_etag(product: Deployed, path: str):
    seen = etag(product, path)

    answer = put(product, path, If_Match=seen)

    assert answer.status == 200
    assert answer.headers["ETag"] == etag(product, path) != seen


@pytest.mark.parametrize("path", [AGENT, ALIAS])
def test_what_somebody_has_changed_is_left_as_it_is(product: Deployed, path: str):
    seen = etag(product, path)
    theirs = product.admin.call("PUT", path, BODIES[path])

    answer = put(product, path, If_Match=seen)

    assert failed(answer)
    assert product.admin.call("GET", path).body == theirs.body
    assert theirs.headers["ETag"].strip('"') in answer.body["detail"]


@pytest.mark.parametrize("path", [AGENT, ALIAS])
@pytest.mark.parametrize(
    ("given", "status"),
    [
        ("*", 200),
        ('"nonsense", {etag}', 200),
        ('"nonsense"', 412),
        ("W/{etag}", 412),
        ("nonsense", 400),
        ("", 400),
        ('"a" "b"', 400),
    ],
)
def test_if_match_is_read_as_http_has_it(product: Deployed, path: str, given: str, status: int):
    answer = put(product, path, If_Match=given.format(etag=etag(product, path)))

    assert answer.status == status
    if status == 400:
        assert [problem["path"] for problem in answer.body["problems"]] == ["If-Match"]


@pytest.mark.parametrize("path", [AGENT, ALIAS])
def test_nothing_takes_the_place_of_what_is_there_where_only_new_things_are_wanted(
    product: Deployed, path: str
):
    assert failed(put(product, path, If_None_Match="*"))
    assert put(product, path, If_None_Match='"a"').status == 400


@pytest.mark.parametrize("path", ["/agents/other", "/agents/helper/aliases/other"])
def test_what_is_not_there_is_made_and_does_not_match(product: Deployed, path: str):
    body = agent("other") if path == "/agents/other" else ROUTES

    def sent(**headers: str) -> Answer:
        return product.admin.call(
            "PUT", path, body, headers={name.replace("_", "-"): value for name, value in headers.items()}
        )

    assert failed(sent(If_Match="*"))
    assert failed(sent(If_Match='"a"'))
    assert product.admin.call("GET", path).status == 404
    assert sent(If_None_Match="*").status == 200
    assert failed(sent(If_None_Match="*"))


def test_a_frozen_version_is_no_change_of_the_draft(product: Deployed):
    seen = etag(product, AGENT)
    product.admin.call("POST", f"{AGENT}/versions")

    assert put(product, AGENT, If_Match=seen).status == 200


def test_an_agent_is_deleted_as_it_was_seen_or_not_at_all(product: Deployed):
    seen = etag(product, AGENT)
    product.admin.call("PUT", AGENT, agent(instruction="Changed."))

    refused = product.admin.call("DELETE", AGENT, headers={"If-Match": seen})

    assert failed(refused)
    assert product.admin.call("GET", ALIAS).status == 200
    assert product.admin.call("DELETE", AGENT, headers={"If-Match": etag(product, AGENT)}).status == 204
    assert product.admin.call("DELETE", AGENT, headers={"If-Match": "*"}).status == 404


def test_an_agent_that_comes_back_is_not_the_one_that_was_seen(product: Deployed):
    seen = {path: etag(product, path) for path in (AGENT, ALIAS)}
    product.admin.call("DELETE", AGENT)
    product.admin.call("PUT", AGENT, agent())
    product.admin.call("POST", f"{AGENT}/versions")
    routes = {"routes": [{"version": "3"}]}
    product.admin.call("PUT", ALIAS, routes)

    answers = [
        product.admin.call("PUT", path, body, headers={"If-Match": seen[path]})
        for path, body in ((AGENT, agent()), (ALIAS, routes))
    ]

    assert [failed(answer) for answer in answers] == [True, True]


@pytest.mark.parametrize("path", [AGENT, ALIAS])
def test_of_two_that_have_seen_the_same_one_writes(product: Deployed, path: str):
    """The second comes between the first one's look and its write."""
    seen = etag(product, path)
    second: list[Answer] = []

    def meanwhile(request: Any, **_: Any) -> None:
        named = b'"alias"' if path == ALIAS else b'"draft"'
        if not second and named in request.body:
            second.append(Answer(0, {}, ""))
            second[0] = product.admin.call("PUT", path, BODIES[path], headers={"If-Match": seen})

    with meddling(wiring.client("dynamodb"), "before-send.dynamodb.PutItem", meanwhile):
        first = put(product, path, If_Match=seen)

    assert (second[0].status, failed(first)) == (200, True)
    assert product.admin.call("GET", path).body == second[0].body


def test_a_delete_between_look_and_write_lets_nothing_be_written(product: Deployed):
    seen = etag(product, AGENT)
    gone: list[int] = []

    def meanwhile(request: Any, **_: Any) -> None:
        if not gone and b'"draft"' in request.body:
            gone.append(0)
            gone[0] = product.admin.call("DELETE", AGENT).status

    with meddling(wiring.client("dynamodb"), "before-send.dynamodb.PutItem", meanwhile):
        answer = put(product, AGENT, If_Match=seen)

    assert (gone, failed(answer)) == ([204], True)
    assert product.admin.call("GET", AGENT).status == 404


def test_an_agent_that_is_deleted_and_made_anew_at_once_keeps_what_is_made_of_the_new_one(product: Deployed):
    """The other request comes once the delete is on its way through versions and aliases."""
    begun: list[bool] = []
    made: list[Answer] = []

    def meanwhile(**_: Any) -> None:
        if not begun:
            begun.append(True)
            made.append(product.admin.call("PUT", AGENT, agent()))
            made.append(product.admin.call("POST", f"{AGENT}/versions"))
            made.append(product.admin.call("PUT", ALIAS, {"routes": [{"version": "3"}]}))

    with meddling(wiring.client("dynamodb"), "before-send.dynamodb.DeleteItem", meanwhile):
        deleted = product.admin.call("DELETE", AGENT, headers={"If-Match": etag(product, AGENT)})

    assert (deleted.status, [each.status for each in made]) == (204, [200, 201, 200])
    versions = product.admin.call("GET", f"{AGENT}/versions").body["versions"]
    assert [each["version"] for each in versions] == ["3"]
    assert product.admin.call("GET", ALIAS).body["routes"] == [{"version": "3", "weight": 100}]


def test_a_delete_that_is_refused_takes_nothing_away(product: Deployed):
    """Somebody changes the agent whenever the delete is about to write."""

    def meanwhile(request: Any, **_: Any) -> None:
        if b'"deleted"' in request.body:
            product.admin.call("PUT", AGENT, agent())

    with meddling(wiring.client("dynamodb"), "before-send.dynamodb.PutItem", meanwhile):
        refused = product.admin.call("DELETE", AGENT)

    assert refused.status == 409
    assert len(product.admin.call("GET", f"{AGENT}/versions").body["versions"]) == 2
    assert product.admin.call("GET", ALIAS).status == 200


@pytest.mark.parametrize("then", ["DELETE", "PUT"])
def test_a_delete_that_died_half_way_is_finished_by_whoever_comes_next(product: Deployed, then: str):
    def dies(**_: Any) -> None:
        raise EndpointConnectionError(endpoint_url="https://dynamodb")

    with meddling(wiring.client("dynamodb"), "before-send.dynamodb.DeleteItem", dies):
        died = product.admin.call("DELETE", AGENT)
    left = product.admin.call("GET", f"{AGENT}/versions/1").status

    answer = product.admin.call(then, AGENT, agent() if then == "PUT" else None)

    assert (died.status, left) == (503, 200)
    assert answer.status == (200 if then == "PUT" else 404)
    gone = [f"{AGENT}/versions/1", f"{AGENT}/versions/2", ALIAS]
    assert [product.admin.call("GET", path).status for path in gone] == [404, 404, 404]
    if then == "PUT":
        assert product.admin.call("POST", f"{AGENT}/versions").body["version"] == "3"


def test_an_alias_that_an_earlier_release_wrote_has_an_etag_too(product: Deployed):
    where = {"pk": {"S": f"AGENT#{TENANT}#helper"}, "sk": {"S": "ALIAS#old"}}
    old = {"schema": {"N": "1"}, "kind": {"S": "alias"}, "alias": {"S": "old"}, "version": {"N": "1"}}
    product.client.put_item(TableName="agents", Item=where | old | {"updated_at": {"N": "1700000000000"}})
    path = "/agents/helper/aliases/old"

    seen = product.admin.call("GET", path).headers["ETag"]

    assert product.admin.call("PUT", path, ROUTES, headers={"If-Match": seen}).status == 200
    assert failed(product.admin.call("PUT", path, ROUTES, headers={"If-Match": seen}))


def test_two_changes_within_a_millisecond_have_two_etags(product: Deployed):
    """And so have those of a clock that went back."""
    agents = wiring.agents()
    tags = [
        agents.put_alias(TENANT, "helper", "quick", [("1", 100)], now=at).tag for at in (5_000, 5_000, 4_000)
    ]

    assert len(set(tags)) == 3
    last = Precondition(tags=(tags[-1],))
    agents.put_alias(TENANT, "helper", "quick", [("2", 100)], now=5_000, expected=last)
