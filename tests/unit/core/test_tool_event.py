"""The Bedrock Agents event and answer, held against handlers written with Powertools' own resolvers."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from aws_lambda_powertools.event_handler import BedrockAgentFunctionResolver, BedrockAgentResolver

from freehold.configuration import compile_agent
from freehold.errors import ToolFailed
from freehold.tool_event import event, read_answer
from freehold.values.agent import Agent, Tool
from freehold.values.model import ModelEntry, Usage
from freehold.values.run import Call, Lap, Principal, Run

LIBRARY = {
    "openapi": "3.0.0",
    "info": {"title": "Library", "version": "1"},
    "paths": {
        "/shelves/{shelf}/books": {
            "parameters": [{"name": "shelf", "in": "path", "required": True, "schema": {"type": "integer"}}],
            "get": {
                "operationId": "listBooks",
                "description": "List books",
                "parameters": [
                    {"name": "tags", "in": "query", "schema": {"type": "array", "items": {"type": "string"}}},
                    {"name": "lent", "in": "query", "schema": {"type": "boolean"}},
                ],
                "responses": {"200": {"description": "ok"}},
            },
            "post": {
                "operationId": "addBook",
                "description": "Add a book",
                "requestBody": {
                    "content": {
                        "application/json": {
                            "schema": {
                                "type": "object",
                                "required": ["title"],
                                "properties": {
                                    "title": {"type": "string"},
                                    "shelf": {"type": "string"},
                                    "author": {"type": "object", "properties": {"name": {"type": "string"}}},
                                    "price": {"type": "number"},
                                },
                            }
                        }
                    }
                },
                "responses": {"200": {"description": "ok"}},
            },
        }
    },
}
CONTEXT = SimpleNamespace(
    aws_request_id="1", function_name="f", memory_limit_in_mb=1, invoked_function_arn="a"
)


def compiled(**group: Any) -> Agent:
    executor = {"lambda": "arn:aws:lambda:us-east-1:123456789012:function:tools"}
    document = {
        "agentName": "a",
        "foundationModel": "m",
        "instruction": "Do.",
        "actionGroups": [{"actionGroupName": "library", "actionGroupExecutor": executor} | group],
    }
    return compile_agent(
        document, name=None, schemas=Never(), known_model=lambda name: ModelEntry(name, "rehearsal")
    ).agent


class Never:
    def read(self, bucket: str, key: str) -> str:
        raise AssertionError("nothing lies in a bucket here")


@pytest.fixture
def library() -> Agent:
    return compiled(apiSchema={"payload": json.dumps(LIBRARY)})


def made(agent: Agent, name: str, arguments: dict[str, Any]) -> tuple[Tool, dict[str, Any]]:
    tool = agent.tool(name)
    assert tool is not None
    run = Run(
        "acme", "C1", 2, "s1", "a", "3", "d", "live", "durable", "RUNNING", Principal("key", "k1"), "http", "hello",
        0, 900, prompt_session_attributes={"today": "Monday"},
    )  # fmt: skip
    calls = (Call(name, json.dumps(arguments)),)
    lap = Lap(
        4,
        "id",
        0,
        "m",
        "",
        calls,
        Usage(),
        0,
        "tools",
        session_attributes={"tier": "gold"},
        prompt_session_attributes={"today": "Monday"},
    )
    return tool, event(tool, run, lap, 0, deadline=99)


def test_an_operation_is_sent_as_the_contract_says(library: Agent):
    _, sent = made(
        library, "addBook", {"shelf": 7, "title": "Ulysses", "author": {"name": "Joyce"}, "price": 9.5}
    )

    assert sent == {
        "messageVersion": "1.0",
        "agent": {"name": "a", "id": "a", "alias": "live", "version": "3"},
        "inputText": "hello",
        "sessionId": "s1",
        "actionGroup": "library",
        "apiPath": "/shelves/{shelf}/books",
        "httpMethod": "POST",
        "parameters": [{"name": "shelf", "type": "integer", "value": "7"}],
        "requestBody": {
            "content": {
                "application/json": {
                    "properties": [
                        {"name": "title", "type": "string", "value": "Ulysses"},
                        {"name": "author", "type": "object", "value": '{"name": "Joyce"}'},
                        {"name": "price", "type": "number", "value": "9.5"},
                    ]
                }
            }
        },
        "sessionAttributes": {"tier": "gold"},
        "promptSessionAttributes": {"today": "Monday"},
        "freehold": {
            "idempotencyKey": "C1-2-4-0",
            "runId": "C1-2",
            "tenant": "acme",
            "principal": "key:k1",
            "deadline": 99,
        },
    }


def test_a_body_property_with_a_parameters_name_reaches_the_tool_under_its_own(library: Agent):
    _, sent = made(library, "addBook", {"shelf": 7, "title": "Ulysses", "body_shelf": "upper"})

    properties = sent["requestBody"]["content"]["application/json"]["properties"]
    assert {"name": "shelf", "type": "string", "value": "upper"} in properties
    assert sent["parameters"] == [{"name": "shelf", "type": "integer", "value": "7"}]


def test_booleans_and_lists_are_json_text(library: Agent):
    _, sent = made(library, "listBooks", {"shelf": 7, "tags": ["new", "ä"], "lent": True})

    values = {given["name"]: given["value"] for given in sent["parameters"]}
    assert values == {"shelf": "7", "tags": '["new", "ä"]', "lent": "true"}
    assert "requestBody" not in sent


def test_a_handler_with_powertools_resolver_works_unchanged(library: Agent):
    app = BedrockAgentResolver()

    @app.get("/shelves/<shelf>/books", description="List books")
    def list_books(shelf: int) -> dict[str, Any]:
        return {"shelf": shelf, "lent": app.current_event.parameters[1].value}

    tool, sent = made(library, "listBooks", {"shelf": 7, "lent": True})
    answer = read_answer(tool, app.resolve(sent, CONTEXT))  # pyright: ignore[reportArgumentType]

    assert answer.ok
    assert json.loads(answer.content) == {"shelf": 7, "lent": "true"}
    assert answer.session_attributes in (None, {}, {"tier": "gold"})


def test_a_handler_with_powertools_function_resolver_works_unchanged():
    functions = [
        {
            "name": "lend",
            "description": "Lend",
            "parameters": {"days": {"type": "integer", "description": "d"}},
        }
    ]
    agent = compiled(functionSchema={"functions": functions})
    app = BedrockAgentFunctionResolver()

    @app.tool(name="lend", description="Lend")
    def lend(days: int) -> str:
        return f"lent for {days} days"

    tool, sent = made(agent, "lend", {"days": 14})

    # Powertools itself writes a text as JSON.
    answer = read_answer(tool, app.resolve(sent, CONTEXT))  # pyright: ignore[reportArgumentType]
    assert answer.content == '"lent for 14 days"'


def operation_answer(status: int, body: Any = "said", **more: Any) -> dict[str, Any]:
    contents = {"application/json": {"body": body}}
    return {"response": {"httpStatusCode": status, "responseBody": contents}} | more


@pytest.mark.parametrize(
    ("status", "ok", "content"),
    [
        (200, True, "said"),
        (404, True, "HTTP 404: said"),
        (500, False, "HTTP 500: said"),
        (503, False, "HTTP 503: said"),
    ],
)
def test_a_status_is_told_and_only_a_server_error_is_a_failure(
    library: Agent, status: int, ok: bool, content: str
):
    tool, _ = made(library, "listBooks", {"shelf": 1})

    answer = read_answer(tool, operation_answer(status))

    assert (answer.ok, answer.content) == (ok, content)


@pytest.mark.parametrize(("state", "ok"), [(None, True), ("REPROMPT", True), ("FAILURE", False)])
def test_reprompt_is_a_result_and_failure_is_a_failure(state: str | None, ok: bool):
    agent = compiled(functionSchema={"functions": [{"name": "lend", "description": "Lend"}]})
    tool, _ = made(agent, "lend", {})
    response = {"responseBody": {"TEXT": {"body": "try again"}}} | ({"responseState": state} if state else {})

    answer = read_answer(tool, {"response": {"functionResponse": response}})

    assert (answer.ok, answer.content) == (ok, "try again")


def test_attributes_of_the_answer_are_kept_as_text(library: Agent):
    tool, _ = made(library, "listBooks", {"shelf": 1})
    given = operation_answer(200, sessionAttributes={"n": 1, "s": "x"}, promptSessionAttributes="nonsense")

    answer = read_answer(tool, given)

    assert answer.session_attributes == {"n": "1", "s": "x"}
    assert answer.prompt_session_attributes is None


def test_a_body_that_is_no_text_is_told_as_json(library: Agent):
    tool, _ = made(library, "listBooks", {"shelf": 1})

    assert read_answer(tool, operation_answer(200, {"a": [1]})).content == '{"a": [1]}'


@pytest.mark.parametrize(
    "payload", [None, [], "text", {}, {"response": 1}, {"response": {"responseBody": 3}}]
)
def test_what_is_no_answer_is_said_to_be_none(library: Agent, payload: Any):
    tool, _ = made(library, "listBooks", {"shelf": 1})

    with pytest.raises(ToolFailed, match="no Bedrock Agents answer"):
        read_answer(tool, payload)
