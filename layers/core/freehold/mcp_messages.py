"""What MCP servers say: the definitions of their tools, and what a call came to.

Source: https://modelcontextprotocol.io/specification (server/tools)
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, cast

from .values.agent import Tool
from .values.text import well_formed
from .values.tool import Answer

# All of a definition that a model or a person may go by. Icons and a server's own `_meta` are not among it.
DEFINING = ("name", "title", "description", "inputSchema", "outputSchema", "annotations")


def definition(given: Mapping[str, Any]) -> dict[str, Any]:
    """What a tool is pinned by, of all that its server says about it."""
    return {key: given[key] for key in DEFINING if given.get(key) is not None}


def digest(given: Mapping[str, Any]) -> str:
    """SHA-256 (hex) of the definition: the same for the same JSON, in whatever order its names stand."""
    canonical = json.dumps(definition(given), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def arguments(tool: Tool, given: Mapping[str, Any]) -> dict[str, Any]:
    """By the names that the server gave them; a model may know one by another."""
    return {each.name: given[each.key] for each in tool.arguments if each.key in given}


def read_answer(result: Mapping[str, Any]) -> Answer:
    """The result of `tools/call`: its text, notes of what is none, and structured content if there is nothing else."""
    parts = [_told(part) for part in _objects(result.get("content"))]
    structured = result.get("structuredContent")
    if structured is not None and not any(parts):
        parts = [json.dumps(structured, ensure_ascii=False)]
    return Answer(not result.get("isError", False), well_formed("\n".join(filter(None, parts))))


def _told(part: Mapping[str, Any]) -> str:
    kind = str(part.get("type", ""))
    if kind == "text":
        return str(part.get("text", ""))
    if kind == "resource_link":
        return f"[a link to {part.get('name', 'a resource')}: {part.get('uri', '')}]"
    if kind == "resource":
        return _resource(_object(part.get("resource")))
    return f"[left out: {kind or 'something'}{_size(part.get('mimeType'), part.get('data'))}]"


def _resource(resource: Mapping[str, Any]) -> str:
    uri = resource.get("uri", "")
    if isinstance(text := resource.get("text"), str):
        return f"[the resource {uri}]\n{text}"
    return f"[left out: the resource {uri}{_size(resource.get('mimeType'), resource.get('blob'))}]"


def _size(media_type: object, base64: object) -> str:
    size = f", {len(base64) * 3 // 4:,} bytes" if isinstance(base64, str) else ""
    return f", {media_type}{size}" if media_type else size


def _object(value: object) -> dict[str, Any]:
    return cast(dict[str, Any], value) if isinstance(value, dict) else {}


def _objects(value: object) -> list[dict[str, Any]]:
    return [_object(each) for each in cast(list[object], value)] if isinstance(value, list) else []
