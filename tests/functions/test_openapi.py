"""`openapi.yaml` says what the code does. Each answer that any test here gets is held to it as well (caller.py)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from openapi_spec_validator import OpenAPIV30SpecValidator
from pydantic import BaseModel

from freehold.configuration.document import AgentDocument
from freehold.configuration.triggers import ScheduleRequest
from freehold.http import auth, decisions, replays, requests, sessions, uploads
from freehold.http.routes import ROUTES

from .calls import CALLS, make_one_of_each, shape
from .deployed import Deployed
from .description import Json, Operation, document, faults, misfits, operations, resolved
from .lambdas import ROOT

FOLLOWED = "GET /runs/{}/events"
SIGNED = "createToken"
BODIES: dict[str, type[BaseModel]] = {
    "putAlias": requests.AliasBody,
    "startRun": requests.RunBody,
    "replayRun": replays.ReplayBody,
    "decide": decisions.DecisionsBody,
    "createUpload": uploads.UploadBody,
    "handBack": sessions.HandBackBody,
    "createKey": requests.KeyBody,
    "createToken": auth.TokenBody,
    "createSchedule": ScheduleRequest,
    "redrive": requests.RedriveBody,
}
ERASURES = {"MemoryErasure": requests.MemoryErasure, "PrincipalErasure": requests.PrincipalErasure}
EVERY = operations()


def name(operation: Operation) -> str:
    return operation.described["operationId"]


def test_it_is_openapi_3_0():
    """But for the path that stands for any, which API Gateway marks with a plus."""
    paths = {path.replace("+", ""): methods for path, methods in document()["paths"].items()}
    validator = OpenAPIV30SpecValidator(document() | {"paths": paths})

    assert [error.message for error in validator.iter_errors()] == []


def test_its_calls_are_those_of_the_code():
    served = {shape(f"{route.method} {route.path}") for route in ROUTES}

    assert {shape(each.name) for each in EVERY} == served | {FOLLOWED}
    assert len({name(each) for each in EVERY}) == len(EVERY)


def test_it_names_the_scopes_of_a_call():
    told = {shape(each.name): set(each.described.get("x-freehold-scopes", [])) | {"admin"} for each in EVERY}

    assert {shape(call.name): set(call.scopes) for call in CALLS}.items() <= told.items()


# -- what comes in


def test_bodies_are_described_where_there_are_any():
    described = {name(each) for each in EVERY if each.body}

    # An agent's is judged by `configuration`, an erasure's is one of two.
    assert described == BODIES.keys() | {"putAgent", "erase"}


@pytest.mark.parametrize("operation", [each for each in EVERY if name(each) in BODIES], ids=name)
def test_a_body_is_described_as_it_is_read(operation: Operation):
    assert operation.body is not None
    read = BODIES[name(operation)].model_json_schema(by_alias=True)

    assert plain(operation.body) == plain(read, read)


@pytest.mark.parametrize("kind", ERASURES)
def test_each_erasure_is_described_as_it_is_read(kind: str):
    read = ERASURES[kind].model_json_schema()

    assert plain(document()["components"]["schemas"][kind]) == plain(read, read)


def test_an_agent_has_the_fields_that_are_read_and_their_bounds():
    """What stands within them is for docs/agent.md to say."""
    described = document()["components"]["schemas"]["AgentConfiguration"]
    read = AgentDocument.model_json_schema()

    assert described["required"] == read["required"]
    assert bounded(described) == bounded(read)


def bounded(schema: Json) -> Json:
    """What bounds each property, without its type: most may be null as well."""
    return {
        name: {key: value for key, value in _or_null(each).items() if key in LIMITS}
        for name, each in schema["properties"].items()
    }


LIMITS = {"maximum", "maxItems", "maxLength", "minimum", "minItems", "minLength", "pattern"}
BOUNDS = {"ge": "minimum", "le": "maximum"}
# Words, and what is left to them: the form of a time.
SAID = {"title", "description", "default", "format", "propertyNames"}


def plain(schema: Any, of: Json | None = None) -> Any:
    """A schema without words, and without references: those of pydantic lead into `of`."""
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        inner = of["$defs"][schema["$ref"].rsplit("/", 1)[1]] if of else resolved(schema)
        return plain(inner, of)
    kinds = schema.get("anyOf", [])
    if {"type": "null"} in kinds:
        (other,) = [each for each in kinds if each != {"type": "null"}]
        return _or_null(plain(other, of))
    made = {BOUNDS.get(key, key): value for key, value in schema.items() if key not in SAID | {"$defs"}}
    for key in ("items", "additionalProperties"):
        if key in made:
            made[key] = plain(made[key], of)
    if "anyOf" in made:
        made["anyOf"] = sorted((plain(each, of) for each in kinds), key=repr)
    if "properties" in made:
        made["properties"] = {key: _property(key, each, of) for key, each in made["properties"].items()}
    made["required"] = sorted(made.get("required", []))
    return made


def _or_null(schema: Json) -> Json:
    """As the document has it: without a type, and with a pattern in place of a list of texts."""
    texts = schema.get("enum")
    made = {key: value for key, value in schema.items() if key not in ("type", "enum", "const")}
    return made | ({"pattern": f"^({'|'.join(texts)})$"} if texts else {})


def _property(key: str, schema: Any, of: Json | None) -> Any:
    """`version` takes the text of a number as well, and `model` a name: the models of pydantic do not show it."""
    read = plain(schema, of)
    taken = read.get("anyOf", []) if isinstance(read, dict) and of is None else []
    if key == "version":
        return next((each for each in taken if each.get("type") == "integer"), read)
    if key == "model":
        return next((each for each in taken if each.get("type") == "object"), read)
    return read


def test_a_call_reads_the_parameters_that_are_described(product: Deployed):
    """Each call that reads a query string names them all where it refuses another one."""
    ids = make_one_of_each(product)
    for each in EVERY:
        if each.method in ("GET", "DELETE") and shape(each.name) != FOLLOWED:
            path = re.sub(r"\{\w+\}", lambda found: ids.get(found[0][1:-1], "x1"), each.path)
            answer = product.admin.call(each.method, path, query={"nonsense": "1"})
            told = answer.body["problems"][0]["message"] if answer.status == 400 else "allowed are "
            read = set(told.split("allowed are ")[1].split(", ")) - {""}
            assert read == each.takes("query"), each.name


def test_a_call_that_makes_something_takes_an_idempotency_key(product: Deployed):
    ids = make_one_of_each(product)
    for call in CALLS:
        if call.method == "POST":
            (each,) = [each for each in EVERY if shape(each.name) == shape(call.name)]
            filled = call.path.format(**{"schedule": "x1", "letter": "x1", "deadLetter": "x1", **ids})
            body = _filled(call.body, ids)
            answer = product.admin.call("POST", filled, body, headers={"Idempotency-Key": "no\x7f"})
            refused = answer.status == 400 and answer.body["problems"][0]["path"] == "Idempotency-Key"
            assert refused == ("Idempotency-Key" in each.takes("header")), f"{call.name}: {answer.text}"


def _filled(body: Any, ids: dict[str, str]) -> Any:
    from .calls import _filled as filled

    return filled(body, ids)


# -- what goes out


@pytest.mark.parametrize("operation", EVERY, ids=name)
def test_each_call_says_what_may_go_wrong_with_any(operation: Operation):
    expected = {"400", "403", "429", "500", "502", "503"}
    expected |= {"401"} if name(operation) != SIGNED else set()
    expected |= {"413"} if operation.body else set()
    # What is put is there then.
    expected |= {"404"} if len(operation.takes("path")) > (operation.method == "PUT") else set()
    expected |= {"412"} if operation.takes("header") & {"If-Match"} else set()
    expected |= {"409", "422"} if operation.takes("header") & {"Idempotency-Key"} else set()

    assert expected <= operation.described["responses"].keys()
    for status, told in operation.described["responses"].items():
        assert "x-request-id" in told["headers"], status
        if int(status) >= 400:
            assert list(told["content"]) == ["application/problem+json"]


def test_an_answer_that_is_not_described_is_seen():
    headers = {"Content-Type": "application/json", "x-request-id": "1"}
    key = '{"keyId": "k", "name": "n", "scopes": ["run"], "createdAt": "2026-01-01T00:00:00.000Z"%s}'

    def found(path: str, status: int, text: str, **more: str) -> list[str]:
        return [*faults("POST", path, status, headers | more, text)]

    assert found("/keys", 201, key % "") == []
    assert found("/keys", 418, "{}") == ["status 418 is not in the document"]
    assert "secret" in str(found("/keys", 201, key % ', "secret": "s"'))
    assert found("/keys", 201, key % "", etag='"1"') == ["the header etag is not in the document"]
    assert misfits("POST", "/keys", '{"name": ""}') != []


# -- what API Gateway makes of it


def test_it_is_written_as_cloudformation_includes_it():
    """Without anchors, tags and with long names of functions: it knows no others in what it includes."""
    tokens = list(yaml.scan((ROOT / "openapi.yaml").read_text(encoding="utf-8")))

    assert not [
        each for each in tokens if isinstance(each, yaml.AnchorToken | yaml.AliasToken | yaml.TagToken)
    ]


def test_api_gateway_takes_it():
    """https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html"""
    schemas = document()["components"]["schemas"]
    siblings: dict[str, set[str]] = {}
    for path in document()["paths"]:
        before, _, last = path.rpartition("/")
        assert re.fullmatch(r"[A-Za-z0-9._,:-]+|\{\w+\+?\}", last)
        if last.startswith("{") and last != "{proxy+}":
            siblings.setdefault(before, set()).add(last)

    assert all(len(names) == 1 for names in siblings.values()), "two names for the same place"
    assert [each for each in schemas if not each.isalnum()] == []
    for each in EVERY:
        assert not [told for told in each.described["responses"].values() if "$ref" in told]
    for schema in schemas.values():
        assert set(words(schema)) <= WORDS


# What it refuses, such as `nullable`, `example` or `discriminator`, is not among them.
WORDS = {"anyOf", "enum", "items", "type", "additionalProperties", "properties", "required", "description"}
WORDS |= {"pattern", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems"}


def words(schema: Any) -> Iterator[str]:
    """The keywords of a schema and of those within it; what it refers to has its own turn."""
    if "$ref" in schema:
        assert set(schema) == {"$ref"}
        return
    yield from schema
    yield from (word for each in schema.get("properties", {}).values() for word in words(each))
    for each in [*schema.get("anyOf", []), schema.get("items"), schema.get("additionalProperties")]:
        yield from words(each) if isinstance(each, dict) else ()


@pytest.mark.parametrize("operation", EVERY, ids=name)
def test_each_call_leads_to_its_function_by_the_alias(operation: Operation):
    integration = operation.described["x-amazon-apigateway-integration"]
    uri = integration["uri"]["Fn::Sub"]

    assert (integration["type"], integration["httpMethod"]) == ("aws_proxy", "POST")
    if shape(operation.name) == FOLLOWED:
        assert "${LiveFunction.Arn}:live/response-streaming-invocations" in uri
        assert integration["responseTransferMode"] == "STREAM"
    else:
        assert "${ApiFunction.Arn}:live/invocations" in uri
    expected = "awsSignature" if name(operation) == SIGNED else "bearer"
    assert operation.described["security"] == [{expected: []}]


def test_a_missing_parameter_costs_no_call_and_a_body_is_judged_by_the_call():
    name = document()["x-amazon-apigateway-request-validator"]

    assert document()["x-amazon-apigateway-request-validators"] == {
        name: {"validateRequestBody": False, "validateRequestParameters": True}
    }
    assert not [each for each in EVERY if "x-amazon-apigateway-request-validator" in each.described]


def test_what_api_gateway_answers_by_itself_is_a_problem():
    for kind, told in document()["x-amazon-apigateway-gateway-responses"].items():
        template = told["responseTemplates"]["application/json"]
        filled = template.replace("$context.error.messageString", '"words"')
        problem = yaml.safe_load(re.sub(r"\$context\.error\.\w+", "words", filled))
        assert problem.keys() >= {"type", "title", "detail"}, kind
        # Those of every other kind have a status that nobody knows before.
        assert problem.get("status") == (None if kind.startswith("DEFAULT_") else int(told["statusCode"])), (
            kind
        )
        sent = told["responseParameters"]
        assert sent["gatewayresponse.header.Content-Type"] == "'application/problem+json'"
        assert sent["gatewayresponse.header.x-request-id"] == "context.requestId"
        # It puts this between no quotes of its own, and escapes none of those in it.
        assert "validationErrorString" not in template, kind


def test_what_may_pass_by_itself_says_when_to_ask_again():
    """Lambda's throttling is one of them, and API Gateway makes of it what it makes of any failure."""
    told = document()["x-amazon-apigateway-gateway-responses"]

    assert told["INTEGRATION_FAILURE"]["statusCode"] == "503"
    assert {
        kind
        for kind, each in told.items()
        if "gatewayresponse.header.Retry-After" in each["responseParameters"]
    } == {
        "THROTTLED",
        "DEFAULT_5XX",
        "AUTHORIZER_FAILURE",
        "AUTHORIZER_CONFIGURATION_ERROR",
        "INTEGRATION_FAILURE",
        "INTEGRATION_TIMEOUT",
    }
