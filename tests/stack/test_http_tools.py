"""An operation of an HTTP API as a tool, whole: from the agent's file over the real function to a real server."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from https_server import HttpsServer, echo, reply
from model_server import ask, say
from product_stack import TENANT, Product

pytestmark = pytest.mark.stack

ANSWERS = {"200": {"description": "ok"}}


def group(url: str, secret: str) -> dict[str, Any]:
    """`getOrder` and `cancelOrder` of that server, with a key of the tenant's."""
    order = [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}]
    item = {
        "get": {"operationId": "getOrder", "parameters": order, "responses": ANSWERS},
        "delete": {"operationId": "cancelOrder", "parameters": order, "responses": ANSWERS},
    }
    document = {
        "openapi": "3.0.3",
        "info": {"title": "Shop", "version": "1"},
        "paths": {"/orders/{id}": item},
    }
    auth = {"type": "apiKey", "secret": secret, "name": "X-Api-Key"}
    return {
        "actionGroupName": "shop",
        "apiSchema": {"payload": json.dumps(document)},
        "actionGroupExecutor": {"http": {"baseUrl": f"{url}/v2", "auth": auth}},
    }


def results(product: Product, run_id: str) -> list[tuple[str, str]]:
    found = [item for item in product.items_of(run_id) if item["kind"] == "result"]
    return [(item["outcome"], item["body"]["content"]) for item in found]


def test_an_operation_is_called_with_the_tenants_key_and_nobody_sees_it(product: Product):
    secret = f"shop-{uuid.uuid4().hex[:8]}"
    product.aws("secretsmanager").create_secret(
        Name=f"freehold/tools/{TENANT}/{secret}", SecretString="k-5ecret"
    )
    with HttpsServer(tls=False) as server:
        server.script([echo, reply(503, b"down")])
        agent = product.agent(actionGroups=[group(f"http://127.0.0.1:{server.port}", secret)])
        asked = [("getOrder", {"id": "7/8"}), ("cancelOrder", {"id": "9"})]
        product.model.script([*(ask(each) for each in asked), say("done")])

        run = product.ask(agent)

    assert run.status == "COMPLETED"
    came = server.received
    assert [(each.method, each.path) for each in came] == [
        ("GET", "/v2/orders/7%2F8"),
        ("DELETE", "/v2/orders/9"),
    ]
    assert {each.headers["x-api-key"] for each in came} == {"k-5ecret"}
    assert [each.headers["idempotency-key"] for each in came] == [f"{run.run_id}-1-0", f"{run.run_id}-2-0"]
    echoed, failed = results(product, run.run_id)
    assert json.loads(echoed[1])["headers"]["x-api-key"] == "[redacted]"
    # It may have run, so that it was not called again.
    assert failed == ("error", "HTTP 503: down")
    assert "k-5ecret" not in repr(product.items_of(run.run_id)) + repr(product.model.requests[-1])
