"""The example's tools, imported as Lambda does (their folder is the import path), on moto's DynamoDB."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
import pytest
import yaml
from moto import mock_aws

EXAMPLE = Path(__file__).parents[3] / "examples" / "customer-support"
TOOLS = EXAMPLE / "support_tools"


@pytest.fixture(scope="module")
def tools() -> Iterator[dict[str, ModuleType]]:
    """The modules of the tools' folder by name, freshly imported; other folders have an `app` too."""
    names = [path.stem for path in TOOLS.glob("*.py")]
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        patch.syspath_prepend(str(TOOLS))
        patch.setenv("TABLE_NAME", "shop")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.delenv("AWS_ENDPOINT_URL", raising=False)
        for name in names:
            patch.delitem(sys.modules, name, raising=False)
        _create_table("shop")
        yield {name: importlib.import_module(name) for name in names}
        for name in names:
            sys.modules.pop(name, None)


@pytest.fixture
def desk(tools: dict[str, ModuleType]) -> Iterator[Desk]:
    """The tools on a table that they filled themselves; what a test adds to it goes with the test."""
    desk = Desk(tools["app"])
    yield desk
    shop = boto3.resource("dynamodb").Table("shop")
    for opened in desk.opened:
        shop.delete_item(Key={"pk": f"ORDER#{opened['orderId']}", "sk": f"RETURN#{opened['productId']}"})


@pytest.fixture
def filled(desk: Desk) -> Any:
    """The table behind `desk`, after its first call."""
    desk.get("/orders/{orderId}", orderId="ORD-10042")
    return boto3.resource("dynamodb").Table("shop")


@pytest.fixture
def table(tools: dict[str, ModuleType]) -> Iterator[Any]:
    """An empty table of its own."""
    empty = _create_table("empty-shop")
    yield empty
    empty.delete()


class Context:
    """What Lambda passes beside the event, as far as the logger reads it."""

    function_name = "support-tools"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:support-tools"
    aws_request_id = "a-request"


class Desk:
    """Calls the handler with Bedrock Agents events, as Freehold sends them."""

    def __init__(self, app: ModuleType) -> None:
        self._handler = app.lambda_handler
        self.opened: list[dict[str, Any]] = []

    def get(self, path: str, **parameters: object) -> tuple[int, Any]:
        return self.call("GET", path, parameters=[_given(*pair) for pair in parameters.items()])

    def post(self, path: str, *, key: str | None = "run-1-1-0", **properties: object) -> tuple[int, Any]:
        body = {"application/json": {"properties": [_given(*pair) for pair in properties.items()]}}
        extra: dict[str, Any] = {"freehold": {"idempotencyKey": key, "tenant": "default"}} if key else {}
        status, answer = self.call("POST", path, requestBody={"content": body}, **extra)
        if status == 201:
            self.opened.append(properties)
        return status, answer

    def call(self, method: str, path: str, **parts: Any) -> tuple[int, Any]:
        """The answer's status and its body, read; everything else of the answer is checked here."""
        event: dict[str, Any] = {
            "messageVersion": "1.0",
            "agent": {"name": "customer-support-agent", "id": "x", "alias": "DRAFT", "version": "DRAFT"},
            "inputText": "a question",
            "sessionId": "ses-1",
            "actionGroup": "order-lookup",
            "apiPath": path,
            "httpMethod": method,
            "parameters": [],
            "sessionAttributes": {},
            "promptSessionAttributes": {},
        }
        answer = json.loads(json.dumps(self._handler(event | parts, Context())))
        response = answer["response"]
        assert answer["messageVersion"] == "1.0"
        assert (response["actionGroup"], response["apiPath"], response["httpMethod"]) == (
            "order-lookup",
            path,
            method,
        )
        return response["httpStatusCode"], json.loads(response["responseBody"]["application/json"]["body"])


def _given(name: str, value: object) -> dict[str, str]:
    """A parameter as the event carries it: the value is always text."""
    kind = "number" if isinstance(value, (int, float)) else "string"
    return {"name": name, "type": kind, "value": str(value)}


def _create_table(name: str) -> Any:
    """Create the table as `template.yaml` declares it, so that a change there is tested here."""
    properties = template()["Resources"]["ShopTable"]["Properties"]
    kept = ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")
    chosen: dict[str, Any] = {part: properties[part] for part in kept}
    return boto3.resource("dynamodb").create_table(TableName=name, **chosen)


def template() -> dict[str, Any]:
    """The example's template; CloudFormation's short forms (`!Ref`) are read as their arguments."""

    class Short(yaml.SafeLoader):
        pass

    Short.add_multi_constructor("!", lambda loader, _suffix, node: loader.construct_scalar(node))
    return yaml.load((EXAMPLE / "template.yaml").read_text(), Loader=Short)
