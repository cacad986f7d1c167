"""What breaks the contract is refused, with every place and what is allowed there, and nothing is stored."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from .aws import REQUESTS
from .deployed import Deployed, agent, deployed
from .lambdas import invoke
from .problems import is_problem


@pytest.fixture(scope="module")
def standing() -> Iterator[Deployed]:
    """One deployment for all, because none of these tests may change it."""
    with deployed() as made:
        made.admin.call("PUT", "/agents/helper", agent())
        made.admin.call("POST", "/agents/helper/versions")
        yield made


@pytest.fixture
def product(standing: Deployed) -> Iterator[Deployed]:
    REQUESTS.forget()
    yield standing
    writes = {
        "PutItem",
        "DeleteItem",
        "UpdateItem",
        "TransactWriteItems",
        "PutObject",
        "StartExecution",
        "PutEvents",
    }
    assert [request for request in REQUESTS.made if request.operation in writes] == []


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "input"),
        ({"input": ""}, "input"),
        ({"input": "x" * 200_001}, "input"),
        ({"input": 5}, "input"),
        ({"input": None}, "input"),
        ({"input": "\ud800"}, "input"),
        ({"input": "hi", "sesionId": "s"}, "sesionId"),
        ({"input": "hi", "sessionId": "a/b"}, "sessionId"),
        ({"input": "hi", "sessionId": "a b"}, "sessionId"),
        ({"input": "hi", "sessionId": "s\n"}, "sessionId"),
        ({"input": "hi", "sessionId": "ä"}, "sessionId"),
        ({"input": "hi", "sessionId": "s" * 101}, "sessionId"),
        ({"input": "hi", "sessionId": ""}, "sessionId"),
        ({"input": "hi", "sessionId": "\u0430"}, "sessionId"),
        ({"input": "hi", "sessionId": "a#b"}, "sessionId"),
        ({"input": "hi", "sessionId": "a\x00b"}, "sessionId"),
        ({"input": "hi", "sessionId": "s" * 10_000}, "sessionId"),
        ({"input": "hi", "sessionId": "."}, "sessionId"),
        ({"input": "hi", "sessionId": ".."}, "sessionId"),
        ({"input": "hi", "memoryId": "."}, "memoryId"),
        ({"input": "hi", "memoryId": ".."}, "memoryId"),
        ({"input": "hi", "alias": ".."}, "alias"),
        ({"input": "hi", "memoryId": "\u0430"}, "memoryId"),
        ({"input": "hi", "memoryId": "a#b"}, "memoryId"),
        ({"input": "hi", "memoryId": "a/b"}, "memoryId"),
        ({"input": "hi", "memoryId": "m\n"}, "memoryId"),
        ({"input": "hi", "memoryId": "\x1b"}, "memoryId"),
        ({"input": "hi", "memoryId": "m" * 101}, "memoryId"),
        ({"input": "hi", "memoryId": "m" * 10_000}, "memoryId"),
        ({"input": "hi", "memoryId": ""}, "memoryId"),
        ({"input": "hi", "memoryId": 7}, "memoryId"),
        ({"input": "x" * 1_000_000}, "input"),
        ({"input": "😀" * 200_001}, "input"),
        ({"input": "\udc00 the wrong half first \ud800"}, "input"),
        ({"input": "hi", "sessionAttributes": {"a": "\ud800"}}, "sessionAttributes.a"),
        ({"input": "hi", "alias": "a b"}, "alias"),
        ({"input": "hi", "whenBusy": "wait"}, "whenBusy"),
        ({"input": "hi", "waitSeconds": 26}, "waitSeconds"),
        ({"input": "hi", "waitSeconds": -1}, "waitSeconds"),
        ({"input": "hi", "waitSeconds": "5"}, "waitSeconds"),
        ({"input": "hi", "waitSeconds": True}, "waitSeconds"),
        ({"input": "hi", "sessionAttributes": {"a": 1}}, "sessionAttributes.a"),
        ({"input": "hi", "sessionAttributes": {"a": "x" * 16_385}}, "sessionAttributes.a"),
        ({"input": "hi", "promptSessionAttributes": ["a"]}, "promptSessionAttributes"),
    ],
)
def test_what_breaks_the_contract_is_told_with_its_path(product: Deployed, body: Any, path: str):
    answer = product.admin.call("POST", "/agents/helper/runs", body)

    assert answer.status == 400
    assert path in [problem["path"] for problem in answer.body["problems"]]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("[]", "must be a JSON object; found []"),
        ('"hi"', 'must be a JSON object; found "hi"'),
        ('{"input": {"a": null}}', 'must be text; found {"a": null}'),
        ('{"input": "hi", "sessionAttributes": []}', "must be a JSON object; found []"),
        ('{"input": "hi", "input": "ho"}', "the body has 'input' more than once in one object"),
        ('{"input": "hi", "sessionAttributes": {"a": "1", "a": "1"}}', "the body has 'a' more than once"),
        ("[" * 100_000, "the body is nested too deeply"),
    ],
)
def test_what_is_wrong_with_a_body_is_told_in_the_words_of_json(product: Deployed, body: str, told: str):
    answer = product.admin.call("POST", "/agents/helper/runs", body)

    assert answer.status == 400
    assert told in answer.body["detail"]


def test_a_parameter_of_the_query_is_given_once(product: Deployed):
    request = product.admin.event("GET", "/runs", query={"limit": "1"})
    request["multiValueQueryStringParameters"] = {"limit": ["2", "1"]}

    answer = invoke("api", request)

    assert answer["statusCode"] == 400
    (problem,) = json.loads(answer["body"])["problems"]
    assert problem == {"path": "limit", "message": "is given more than once"}


def test_a_memory_of_an_agent_without_one_is_refused(product: Deployed):
    answer = product.admin.call("POST", "/agents/helper/runs", {"input": "hi", "memoryId": "m1"})

    assert answer.status == 400
    assert [problem["path"] for problem in answer.body["problems"]] == ["memoryId"]
    assert "memoryConfiguration" in answer.body["detail"]


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        ({}, [""]),
        ([], [""]),
        ({"agent": "helper"}, ["memoryId"]),
        ({"memoryId": "m1"}, ["agent"]),
        ({"agent": "helper", "memoryId": "a#b"}, ["memoryId"]),
        ({"agent": "helper", "memoryId": "m" * 10_000}, ["memoryId"]),
        ({"agent": "helper", "memoryId": ".."}, ["memoryId"]),
        ({"agent": "..", "memoryId": "m1"}, ["agent"]),
        ({"agent": "\u0430", "memoryId": "m1"}, ["agent"]),
        ({"agent": "helper", "memoryId": "m1", "principal": "key:k"}, ["agent", "memoryId"]),
        ({"agent": "helper", "memoryId": "m1", "sessionId": "s"}, ["sessionId"]),
        ({"principal": "k"}, ["principal"]),
        ({"principal": "key:"}, ["principal"]),
        ({"principal": "key:a b"}, ["principal"]),
        ({"principal": "\u043aey:a"}, ["principal"]),
        ({"principal": "key:\x00"}, ["principal"]),
        ({"principal": "key:" + "k" * 10_000}, ["principal"]),
        ({"principal": {"type": "key", "id": "k"}}, ["principal"]),
    ],
)
def test_an_erasure_that_names_nothing_to_erase_is_told_by_path(
    product: Deployed, body: Any, paths: list[str]
):
    answer = product.admin.call("POST", "/erasures", body)

    assert answer.status == 400
    assert sorted(problem["path"] for problem in answer.body["problems"]) == paths


@pytest.mark.parametrize("field", ["sessionId", "memoryId"])
def test_a_letter_that_looks_like_another_is_told_from_it(product: Deployed, field: str):
    in_body = product.admin.call("POST", "/agents/helper/runs", {"input": "hi", field: "c\u0430t"})
    in_path = product.admin.call("GET", "/sessions/c\u0430t")

    for answer in (in_body, in_path):
        assert "'c\\u0430t'" in answer.body["problems"][0]["message"]
        assert "the letters a to z" in answer.body["problems"][0]["message"]


@pytest.mark.parametrize("key", ["", "k" * 256, "ké", "two words"])
def test_a_malformed_idempotency_key_is_refused(product: Deployed, key: str):
    answer = product.admin.call(
        "POST", "/agents/helper/runs", {"input": "hi"}, headers={"Idempotency-Key": key}
    )

    assert answer.status == 400
    assert answer.body["problems"][0]["path"] == "Idempotency-Key"


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"scopes": ["run"]}, "name"),
        ({"name": "", "scopes": ["run"]}, "name"),
        ({"name": "n" * 101, "scopes": ["run"]}, "name"),
        ({"name": "n"}, "scopes"),
        ({"name": "n", "scopes": []}, "scopes"),
        ({"name": "n", "scopes": ["root"]}, "scopes[0]"),
        ({"name": "n", "scopes": "run"}, "scopes"),
        ({"name": "n", "scopes": ["run"] * 6}, "scopes"),
        ({"name": "n", "scopes": ["run", "run"]}, "scopes"),
        ({"name": "n", "scopes": ["run"], "expiresInDays": 0}, "expiresInDays"),
        ({"name": "n", "scopes": ["run"], "expiresInDays": 3651}, "expiresInDays"),
        ({"name": "n", "scopes": ["run"], "expiresInDays": 1.5}, "expiresInDays"),
        ({"name": "n", "scopes": ["run"], "tenant": "globex"}, "tenant"),
        ([], ""),
        ("null", ""),
    ],
)
def test_a_key_that_cannot_be_made_is_told_by_path(product: Deployed, body: Any, path: str):
    answer = product.admin.call("POST", "/keys", body)

    assert answer.status == 400
    assert [problem["path"] for problem in answer.body["problems"]] == [path]


@pytest.mark.parametrize(
    ("routes", "path"),
    [
        ([], "routes"),
        ([{"version": 1, "weight": 50}, {"version": 1, "weight": 50}], "routes"),
        ([{"version": 1}, {"version": 2}], "routes"),
        ([{"version": 1, "weight": 90}], "routes"),
        ([{"version": 1, "weight": 90}, {"version": 2, "weight": 9}], "routes"),
        ([{"version": n + 1, "weight": 10} for n in range(11)], "routes"),
        ([{"version": 1, "weight": 0}, {"version": 2, "weight": 100}], "routes[0].weight"),
        ([{"version": 1, "weight": 101}], "routes[0].weight"),
        ([{"version": 1, "weight": "100"}], "routes[0].weight"),
        ([{"version": 1, "weight": 99.5}], "routes[0].weight"),
        ([{"version": 0}], "routes[0].version"),
        ([{"version": True}], "routes[0].version"),
        ([{"version": 1.0}], "routes[0].version"),
        ([{"version": "one"}], "routes[0].version"),
        ([{}], "routes[0].version"),
        ([{"version": 1, "share": 3}], "routes[0].share"),
        ("live", "routes"),
    ],
)
def test_a_route_that_is_none_is_told_with_its_path(product: Deployed, routes: object, path: str):
    answer = product.admin.call("PUT", "/agents/helper/aliases/live", {"routes": routes})

    assert answer.status == 400
    assert [problem["path"] for problem in answer.body["problems"]] == [path]


@pytest.mark.parametrize("alias", ["DRAFT", "with.dot", "a" * 101])
def test_a_name_that_no_alias_may_have_is_refused(product: Deployed, alias: str):
    answer = product.admin.call("PUT", f"/agents/helper/aliases/{alias}", {"routes": [{"version": 1}]})

    assert answer.status == 400


@pytest.mark.parametrize("number", ["9", "0", "1.0", "٣", "01x", "-1", "9999999"])
def test_an_unknown_version_is_not_found(product: Deployed, number: str):
    assert product.admin.call("GET", f"/agents/helper/versions/{number}").status in (400, 404)


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "101"}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"status": "running"}, "status"),
        ({"sessionId": "a b"}, "sessionId"),
        ({"runId": "r"}, "runId"),
        ({"sesion": "s"}, "sesion"),
    ],
)
def test_a_wrong_query_is_told_by_its_parameter(product: Deployed, query: dict[str, str], path: str):
    answer = product.admin.call("GET", "/runs", query=query)

    assert answer.status == 400
    assert [problem["path"] for problem in answer.body["problems"]] == [path]


@pytest.mark.parametrize(
    ("method", "path", "query"),
    [
        ("GET", "/sessions", {"memoryId": "a#b"}),
        ("GET", "/sessions", {"sessionId": "s"}),
        ("GET", "/sessions/s1/items", {"agent": "helper"}),
        ("GET", "/agents/helper/memories", {"memoryId": "m"}),
        ("DELETE", "/agents/helper/memories/m1", {"sessionId": "\u0430"}),
        ("DELETE", "/agents/helper/memories/m1", {"sessionId": ".."}),
        ("GET", "/sessions", {"memoryId": "."}),
        ("DELETE", "/agents/helper/memories/m1", {"limit": "1"}),
        ("DELETE", "/agents/helper/memories/m1", {"session": "s1"}),
    ],
)
def test_a_parameter_that_a_call_does_not_take_is_refused(
    product: Deployed, method: str, path: str, query: dict[str, str]
):
    answer = product.admin.call(method, path, query=query)

    assert answer.status == 400
    assert [problem["path"] for problem in answer.body["problems"]] == list(query)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/nope"),
        ("PATCH", "/agents/helper"),
        ("POST", "/agents"),
        ("DELETE", "/runs"),
        ("HEAD", "/runs"),
        ("GET", "/agents/helper/runs"),
        ("GET", "/agents/helper/versions/1/more"),
        ("PUT", "/runs/a-1"),
        ("TRACE", "/keys"),
    ],
)
def test_an_unknown_call_is_not_found(product: Deployed, method: str, path: str):
    answer = product.admin.call(method, path)

    assert answer.status == 404
    assert is_problem(answer)
    assert f"{method} {path}" in answer.body["detail"]


@pytest.mark.parametrize(
    "path",
    [
        "/agents/a b",
        "/agents/a\nb",
        "/agents/helper\n",
        "/agents/%2e%2e",
        "/agents/😀",
        "/agents/" + "a" * 101,
        "/agents/helper/versions/" + "1" * 3000,
        "/agents/helper/aliases/a#b",
        "/runs/" + "a" * 5000 + "-1",
        "/sessions/" + "ü" * 700 + "/items",
        "/keys/" + "0" * 2000,
        "/sessions/\u0430",
        "/sessions/a#b",
        "/sessions/a\x1b",
        "/sessions/" + "s" * 10_000,
        "/agents/..",
        "/agents/.",
        "/agents/helper/aliases/..",
        "/agents/helper/versions/.",
        "/agents/helper/memories/..",
        "/agents/helper/memories/.",
        "/agents/../memories/m1",
        "/sessions/..",
        "/sessions/./items",
        "/runs/..",
        "/keys/..",
        "/agents/helper/memories/\u0430",
        "/agents/helper/memories/a#b",
        "/agents/helper/memories/\x00",
        "/agents/helper/memories/" + "m" * 10_000,
    ],
)
def test_what_can_be_no_id_is_refused_before_any_table_is_asked(product: Deployed, path: str):
    for method in ("GET", "DELETE"):
        answer = product.admin.call(method, path)

        assert answer.status == 400
        assert is_problem(answer)
        assert answer.body["problems"][0]["path"] == "path"
    assert REQUESTS.made == []


@pytest.mark.parametrize(
    "path",
    [
        "/agents/%2e%2e",
        "/agents/helper/memories/%2E.",
        "/agents/helper/memories/%2e",
        "/agents/helper%2Fmemories%2Fm1",
        "/sessions/front%2fitems",
        "/runs/%252e%252e",
    ],
)
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_percent_signs_hide_no_other_place(product: Deployed, method: str, path: str):
    told = invoke("api", product.admin.event(method, "/") | {"path": path})

    assert told["statusCode"] == 400
    assert json.loads(told["body"])["problems"][0]["path"] == "path"
    assert REQUESTS.made == []


@pytest.mark.parametrize("name", ["...", ".a", "..a", "a.", "a..", "-", "s" * 100, "." + "s" * 99, "." * 100])
def test_an_id_may_hold_dots_beside_others(product: Deployed, name: str):
    assert product.admin.call("GET", f"/sessions/{name}").status == 404
    assert product.admin.call("GET", "/sessions", query={"memoryId": name}).status == 200


@pytest.mark.parametrize(
    "text",
    [
        *(None, "", " ", "{", "[", '{"input": }', "{'input': 'hi'}", "input=hi", '{"input": "hi"} more'),
        *('{"input": NaN}', '{"input": "hi", "waitSeconds": 1' + "0" * 5000 + "}", "\ufeff{}", "\x00"),
        *("[" * 100_000, '{"a":' * 100_000),
    ],
)
def test_a_body_that_is_no_json_is_refused(product: Deployed, text: str | None):
    for method, path in (("POST", "/agents/helper/runs"), ("PUT", "/agents/helper"), ("POST", "/keys")):
        answer = product.admin.call(method, path, text)

        assert answer.status == 400
        assert is_problem(answer)
        assert "the body" in answer.body["detail"]


@pytest.mark.parametrize("depth", [10, 100, 300, 600, 900, 960, 990])
def test_a_deeply_nested_body_is_refused(product: Deployed, depth: int):
    nested = "[" * depth + "]" * depth
    for method, path, body in (
        ("POST", "/agents/helper/runs", f'{{"input": {nested}}}'),
        ("POST", "/agents/helper/runs", nested),
        ("PUT", "/agents/helper", f'{{"agentName": "helper", "tags": {nested}}}'),
        ("POST", "/keys", f'{{"name": "n", "scopes": {nested}}}'),
    ):
        assert product.admin.call(method, path, body).status == 400
