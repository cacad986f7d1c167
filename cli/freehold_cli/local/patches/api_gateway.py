"""REST APIs that are imported from the OpenAPI document that SAM writes."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from freehold_cli.local.patches.upstream import expect, wrap

_ANY = "x-amazon-apigateway-any-method"
_INTEGRATION = "x-amazon-apigateway-integration"
_RESPONSES = "x-amazon-apigateway-gateway-responses"


def import_any_methods() -> None:
    """An operation for any method is imported. MiniStack passes over it, and the path answers 403."""
    gateway = import_module("ministack.services.apigateway_v1")
    expect(_ANY not in gateway._OPENAPI_HTTP_METHODS, f"MiniStack imports {_ANY} by itself")

    def import_path(original: Any, api: str, path: str, item: Any, *security: Any) -> None:
        original(api, path, item, *security)
        operation: Any = item.get(_ANY)
        if operation:
            resources = gateway._resources.get(api, {})
            wanted = path.rstrip("/") or "/"
            resource = next(found for found, it in resources.items() if it.get("path") == wanted)
            gateway._import_operation(api, resource, "ANY", operation, *security)

    wrap(gateway, "_import_path_item", import_path, reads=("if method.lower() in _OPENAPI_HTTP_METHODS:",))


def import_mock_integrations() -> None:
    """An integration's templates and responses are imported. MiniStack drops them, and CORS with them."""
    gateway = import_module("ministack.services.apigateway_v1")
    no_fields: dict[str, Any] = {}

    def import_operation(
        original: Any, api: str, resource: str, method: str, operation: Any, *security: Any
    ) -> None:
        original(api, resource, method, operation, *security)
        described: dict[str, Any] = (operation or no_fields).get(_INTEGRATION) or no_fields
        stored = gateway._resources[api][resource]["resourceMethods"][method].get("methodIntegration")
        if stored and described.get("requestTemplates"):
            stored["requestTemplates"] = dict(described["requestTemplates"])
        responses: dict[str, dict[str, Any]] = described.get("responses") or no_fields
        for pattern, response in responses.items():
            selected = {**response, "selectionPattern": "" if pattern == "default" else pattern}
            status = str(response.get("statusCode", "200"))
            gateway._put_integration_response(api, resource, method, status, selected)

    wrap(
        gateway, "_import_operation", import_operation, reads=('"uri": integration.get("uri"),\n        })',)
    )


def import_gateway_responses() -> None:
    """The answers that API Gateway gives by itself (401, 403, 5xx) are imported. MiniStack keeps its own."""
    gateway = import_module("ministack.services.apigateway_v1")

    def import_api(original: Any, document: dict[str, Any], *details: Any) -> str:
        api: str = original(document, *details)
        responses: dict[str, Any] = document.get(_RESPONSES) or {}
        for kind, response in responses.items():
            gateway._put_gateway_response(api, kind, response)
        return api

    wrap(
        gateway,
        "_import_rest_api",
        import_api,
        reads=("scheme_map = _import_security_schemes(api_id, spec)",),
    )
