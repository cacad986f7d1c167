"""Action groups whose operations are asked of the API itself."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from freehold.adapters.http_exchange import CONNECT_SECONDS, LONGEST_ANSWER
from freehold.adapters.http_tools import MOST_REDIRECTS
from freehold.configuration.http_executor import HttpExecutor
from freehold.configuration.part import field_names
from freehold.configuration.server_auth import AuthDocument
from freehold.values.agent import Argument, Auth, Server, Tool

from .conftest import Workbench

BASE = "https://api.example.com/v2"
ANSWERS = {"200": {"description": "ok"}}
HTTP = "actionGroups[0].actionGroupExecutor.http"
PATHS = "actionGroups[0].apiSchema.paths['/orders/{id}']"
KEY = {"type": "apiKey", "secret": "shop", "name": "X-Api-Key"}
TOKEN = {"type": "oauth2", "secret": "crm", "tokenUrl": "https://login.example.com/token"}


def openapi(**operation: Any) -> dict[str, Any]:
    parameters = [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}]
    given = {"operationId": "getOrder", "parameters": parameters, "responses": ANSWERS} | operation
    return {
        "openapi": "3.0.3",
        "info": {"title": "Shop", "version": "1"},
        "servers": [{"url": "https://not-asked.example.net"}],
        "paths": {"/orders/{id}": {"post" if "requestBody" in operation else "get": given}},
    }


def agent(
    bench: Workbench, executor: dict[str, Any], document: dict[str, Any] | None = None, **schema: Any
) -> Any:
    payload = {"payload": json.dumps(document or openapi())} | schema
    return bench.document(
        actionGroups=[
            bench.group(apiSchema=payload, actionGroupExecutor={"http": {"baseUrl": BASE} | executor})
        ]
    )


def tool_of(bench: Workbench, executor: dict[str, Any], document: dict[str, Any] | None = None) -> Tool:
    (tool,) = bench.compile(agent(bench, executor, document)).agent.tools
    return tool


def parameter(name: str, place: str, **more: Any) -> dict[str, Any]:
    schema = {} if "content" in more else {"schema": {"type": "array", "items": {"type": "string"}}}
    return {"name": name, "in": place, **schema, **more}


# -- what runs it


def test_an_operation_is_asked_of_the_base_url_and_no_lambda(bench: Workbench):
    tool = tool_of(bench, {})

    assert tool.http == Server(BASE)
    assert (tool.lambda_arn, tool.guarded_lambda, tool.api_path) == ("", "", "/orders/{id}")


@pytest.mark.parametrize(
    ("given", "auth"),
    [
        (KEY, Auth("apiKey", "shop", "X-Api-Key")),
        (KEY | {"in": "query", "name": "key"}, Auth("apiKey", "shop", "key", "query")),
        (KEY | {"name": "Authorization"}, Auth("apiKey", "shop", "Authorization")),
        ({"type": "basic", "secret": "a"}, Auth("basic", "a")),
        ({"type": "bearer", "secret": "a"}, Auth("bearer", "a")),
        (
            TOKEN | {"scopes": ["read", "write"]},
            Auth("oauth2", "crm", token_url=TOKEN["tokenUrl"], scopes=("read", "write")),
        ),
    ],
)
def test_a_server_is_told_who_asks(bench: Workbench, given: dict[str, Any], auth: Auth):
    tool = tool_of(bench, {"auth": given, "allowedHosts": ["login.example.com"]})

    assert tool.http == Server(BASE, auth, ("login.example.com:443",))


def test_what_is_signed_for_follows_from_the_servers_name(bench: Workbench):
    url = "https://abc123.execute-api.eu-west-1.amazonaws.com/prod"

    tool = tool_of(bench, {"baseUrl": url, "auth": {"type": "sigv4"}})

    assert tool.http == Server(url, Auth("sigv4", service="execute-api", region="eu-west-1"))


def test_guards_and_options_hold_for_it_as_well(bench: Workbench):
    document = openapi(**{"x-requireApproval": "ENABLED", "x-idempotent": False, "x-maxAttempts": 1})

    tool = tool_of(bench, {}, document)

    assert (tool.guards, tool.idempotent, tool.max_attempts) == (("approval",), False, 1)
    assert tool.http == Server(BASE)


# -- arguments


@pytest.mark.parametrize(
    ("described", "style", "explode"),
    [
        (parameter("q", "query"), "", None),
        (parameter("q", "query", style="form", explode=True), "", None),
        (parameter("q", "query", explode=False), "", False),
        (parameter("q", "query", style="pipeDelimited"), "pipeDelimited", False),
        (parameter("q", "query", style="spaceDelimited", explode=True), "spaceDelimited", None),
        (parameter("q", "query", style="deepObject", explode=True), "deepObject", None),
        (parameter("q", "query", content={"application/json": {"schema": {"type": "object"}}}), "json", None),
        (parameter("q", "header", style="simple"), "", None),
        (parameter("q", "header", explode=True), "", True),
        (parameter("q", "cookie", explode=False), "", False),
        (parameter("id", "path", style="matrix", required=True), "matrix", None),
        (parameter("id", "path", style="label", explode=True, required=True), "label", True),
    ],
)
def test_an_argument_keeps_the_style_that_is_not_its_places_own(
    bench: Workbench, described: dict[str, Any], style: str, explode: bool | None
):
    tool = tool_of(bench, {}, openapi(parameters=[described]))

    (found,) = [one for one in tool.arguments if one.name == described["name"]]
    assert (found.style, found.explode) == (style, explode)


def test_a_field_of_a_form_keeps_its_style(bench: Workbench):
    properties = {"a": {"type": "object"}, "b": {"type": "string"}}
    form = {
        "schema": {"type": "object", "properties": properties},
        "encoding": {"a": {"style": "deepObject", "explode": True}},
    }
    body = {"content": {"application/x-www-form-urlencoded": form}}

    tool = tool_of(bench, {}, openapi(requestBody=body))

    assert [one for one in tool.arguments if one.place == "body"] == [
        Argument("a", "a", "object", "body", "deepObject"),
        Argument("b", "b", "string", "body"),
    ]


def test_neither_the_key_nor_what_the_executor_says_is_asked_of_the_model(bench: Workbench):
    names = ("x-api-key", "Host", "Idempotency-Key", "X-Request")
    document = openapi(parameters=[parameter(name, "header") for name in names])

    tool = tool_of(bench, {"auth": KEY}, document)

    assert [one.name for one in tool.arguments] == ["X-Request", "id"]


@pytest.mark.parametrize("kind", ["multipart/form-data", "application/xml", "text/csv", "application/yaml"])
def test_a_body_that_cannot_be_sent_makes_no_tool_and_is_named(bench: Workbench, kind: str):
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    document = openapi(requestBody={"required": True, "content": {kind: {"schema": schema}}})

    (problem,) = bench.problems(agent(bench, {}, document, operations=["getOrder"]))

    assert problem.path == f"{PATHS}.post"
    assert problem.message == f"can be no tool: its body is {kind}, which is not sent over HTTP"


@pytest.mark.parametrize("kind", ["application/json", "application/vnd.api+json", "text/plain"])
def test_of_several_bodies_one_that_can_be_sent_is_asked_for(bench: Workbench, kind: str):
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    content = {"application/xml": {"schema": schema}, "multipart/form-data": {"schema": schema}}

    tool = tool_of(bench, {}, openapi(requestBody={"content": content | {kind: {"schema": schema}}}))

    assert tool.body_content_type == kind


# -- an operation's own server


@pytest.mark.parametrize("place", ["operation", "path"])
def test_an_operation_may_name_a_server_that_the_group_allows(bench: Workbench, place: str):
    servers = [{"url": "https://{where}.example.com/up", "variables": {"where": {"default": "files"}}}]
    document = openapi(**({"servers": servers} if place == "operation" else {}))
    if place == "path":
        document["paths"]["/orders/{id}"]["servers"] = servers

    tool = tool_of(bench, {"auth": KEY, "allowedHosts": ["files.example.com"]}, document)

    assert tool.http is not None
    assert tool.http.url == "https://files.example.com/up"
    assert tool.http.hosts == ("api.example.com:443", "files.example.com:443")


@pytest.mark.parametrize(
    ("url", "told"),
    [
        (
            "https://files.example.com/up",
            "files.example.com:443, which is neither in baseUrl nor in allowedHosts",
        ),
        ("http://api.example.com/v2", "neither in baseUrl nor in allowedHosts"),
        ("https://api.example.com:8443/v2", "neither in baseUrl nor in allowedHosts"),
        ("/v3", "which is no address"),
        ("https://169.254.169.254/latest", "neither in baseUrl nor in allowedHosts"),
        ("file:///etc/passwd", "which begins with file:"),
    ],
)
def test_any_other_server_of_an_operation_is_refused(bench: Workbench, url: str, told: str):
    document = openapi(servers=[{"url": url}])

    (problem,) = bench.problems(agent(bench, {}, document, operations=["getOrder"]))

    assert problem.path == f"{PATHS}.get.servers[0].url"
    assert told in problem.message


def test_a_chosen_operation_keeps_its_server_when_it_is_stored(bench: Workbench):
    document = openapi(servers=[{"url": "https://files.example.com/up"}])
    bench.bucket.objects["b-1", "k"] = json.dumps(document)
    given = agent(bench, {"allowedHosts": ["files.example.com"]})
    given["actionGroups"][0]["apiSchema"] = {
        "s3": {"s3BucketName": "b-1", "s3ObjectKey": "k"},
        "operations": ["getOrder"],
    }

    first = bench.compile(given)
    again = bench.compile(first.source)

    assert first.agent == again.agent
    assert first.agent.tools[0].http == Server(
        "https://files.example.com/up", None, ("api.example.com:443", "files.example.com:443")
    )


def test_servers_of_an_operation_mean_nothing_to_a_lambda(bench: Workbench):
    document = openapi(servers=[{"url": "https://anywhere.example.net"}])

    (tool,) = bench.compile(bench.with_api(json.dumps(document))).agent.tools

    assert tool.http is None


# -- refused


@pytest.mark.parametrize(
    ("executor", "path", "told"),
    [
        ({"baseUrl": "http://api.example.com"}, "baseUrl", "must begin with https://"),
        ({"baseUrl": "file:///etc/passwd"}, "baseUrl", "begins with file:"),
        ({"baseUrl": "api.example.com"}, "baseUrl", "is no address of the form https://HOST/PATH"),
        ({"baseUrl": "https://api.example.com?a=b"}, "baseUrl", "must have no query"),
        ({"baseUrl": "https://api.example.com#a"}, "baseUrl", "must have no query and no fragment"),
        ({"baseUrl": "https://me:pw@api.example.com"}, "baseUrl", "names a user"),
        ({"baseUrl": "https://api.example.com/a/../b"}, "baseUrl", "no . or .."),
        ({"baseUrl": "https://db.internal"}, "baseUrl", "public Internet"),
        ({"baseUrl": "https://10.0.0.1/x"}, "baseUrl", "public Internet"),
        ({"baseUrl": "https://[::ffff:127.0.0.1]/"}, "baseUrl", "public Internet"),
        ({"baseUrl": "https://2130706433"}, "baseUrl", "unusual notation"),
        ({"allowedHosts": ["https://login.example.com"]}, "allowedHosts[0]", "is no HOST or HOST:PORT"),
        ({"auth": {"type": "apiKey"}}, "auth.secret", "is required with apiKey"),
        ({"auth": KEY | {"name": "a b"}}, "auth.name", "must be the name of a header"),
        ({"auth": KEY | {"name": "Host"}}, "auth.name", "must be another one"),
        ({"auth": KEY | {"secret": "other-tenant/shop"}}, "auth.secret", "without the tenant"),
        (
            {"auth": KEY | {"scopes": ["a"]}},
            "auth.scopes",
            "has no meaning with apiKey; it takes secret, name or in",
        ),
        ({"auth": {"type": "basic", "secret": "a", "in": "query"}}, "auth.in", "has no meaning with basic"),
        ({"auth": {"type": "password"}}, "auth.type", "must be apiKey, basic, bearer, oauth2 or sigv4"),
        (
            {"auth": TOKEN},
            "auth.tokenUrl",
            "login.example.com:443, which is not the server's own; list it in allowedHosts",
        ),
        (
            {"auth": TOKEN | {"tokenUrl": "http://login.example.com"}},
            "auth.tokenUrl",
            "must begin with https://",
        ),
        ({"auth": {"type": "sigv4"}}, "auth.type", "the server is not an API of API Gateway"),
        (
            {"auth": {"type": "sigv4", "secret": "a"}, "baseUrl": "https://a.lambda-url.us-east-1.on.aws"},
            "auth.secret",
            "it takes service or region",
        ),
        (
            {
                "auth": {"type": "sigv4", "region": "eu-west-1"},
                "baseUrl": "https://a.lambda-url.us-east-1.on.aws",
            },
            "auth.region",
            'is "eu-west-1"; the server\'s name says us-east-1',
        ),
        ({"baseUrls": BASE}, "baseUrls", "did you mean `baseUrl`?"),
    ],
)
def test_a_wrong_executor_is_refused_at_its_place(
    bench: Workbench, executor: dict[str, Any], path: str, told: str
):
    problems = bench.problems(agent(bench, executor))

    assert [problem.path for problem in problems][:1] == [f"{HTTP}.{path}"]
    assert told in problems[0].message


@pytest.mark.parametrize(
    "host",
    [
        "dynamodb.us-east-1.amazonaws.com",
        "s3.us-east-1.amazonaws.com",
        "execute-api.us-east-1.amazonaws.com",
        "abc.execute-api.us-east-1.amazonaws.com.example.net",
        "abc.execute-api.us-east-1.amazonaws.example.com",
        "a.b.execute-api.us-east-1.amazonaws.com",
        "abc.execute-api.us-east-1.amazonaws.com:8443",
        "lambda.us-east-1.amazonaws.com",
        "sts.amazonaws.com",
    ],
)
def test_nothing_is_signed_for_what_is_not_the_users_own(bench: Workbench, host: str):
    (problem,) = bench.problems(agent(bench, {"baseUrl": f"https://{host}", "auth": {"type": "sigv4"}}))

    assert problem.path == f"{HTTP}.auth.type"


def test_this_machine_may_be_named_for_a_local_run(bench: Workbench):
    tool = tool_of(bench, {"baseUrl": "http://127.0.0.1:9000/api"})

    assert tool.http == Server("http://127.0.0.1:9000/api")


def test_functions_cannot_be_asked_over_http(bench: Workbench):
    group = bench.group(
        functionSchema={"functions": [{"name": "f"}]}, actionGroupExecutor={"http": {"baseUrl": BASE}}
    )

    (problem,) = bench.problems(bench.document(actionGroups=[group]))

    assert problem.path == "actionGroups[0].functionSchema"
    assert "needs an apiSchema" in problem.message


# -- docs/http-tools.md

PAGE = (Path(__file__).parents[3] / "docs" / "http-tools.md").read_text()


def test_the_example_of_the_page_compiles(bench: Workbench):
    (example,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    group = json.loads(example)
    group["apiSchema"] = {"payload": json.dumps(openapi())}

    (tool,) = bench.compile(bench.document(actionGroups=[group])).agent.tools

    assert tool.http == Server(BASE, Auth("apiKey", "shop", "X-Api-Key"), ("files.example.com:443",))


@pytest.mark.parametrize("field", [*field_names(HttpExecutor), *field_names(AuthDocument)])
def test_every_field_is_on_the_page(field: str):
    assert f"`{field}`" in PAGE or f"`auth.{field}`" in PAGE


def test_the_page_knows_the_bounds():
    assert f"more than {LONGEST_ANSWER // 1024 // 1024} MB" in PAGE
    assert f"takes {CONNECT_SECONDS:g} seconds of it at most" in PAGE
    assert MOST_REDIRECTS == 5
    assert "up to five times" in PAGE
