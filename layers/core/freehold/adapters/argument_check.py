"""Judge the model's arguments against a tool's JSON Schema before anything is called."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

import jsonschema_rs

from ..values.agent import Tool

SHOWN_ERRORS = 5


def check_arguments(tool: Tool, arguments: str) -> str | None:
    """What is wrong, in words the model can act on; None where the tool may be called."""
    try:
        given = json.loads(arguments or "{}", parse_constant=_refuse)
    except ValueError as error:
        return f"The arguments of {tool.name} are no JSON ({error}). Send one JSON object."
    except RecursionError:
        return f"The arguments of {tool.name} are nested too deeply. Send one flat JSON object."
    if not isinstance(given, dict):
        return f"The arguments of {tool.name} must be one JSON object, not {type(given).__name__}."
    errors = [_told(error) for error in _validator(_schema_text(tool)).iter_errors(given)]
    if not errors:
        return None
    more = f" … and {len(errors) - SHOWN_ERRORS} more" if len(errors) > SHOWN_ERRORS else ""
    return f"The arguments of {tool.name} break its schema: {'; '.join(errors[:SHOWN_ERRORS])}{more}."


def _told(error: Any) -> str:
    path = ".".join(str(part) for part in error.instance_path)
    return f"{path}: {error.message}" if path else str(error.message)


def _schema_text(tool: Tool) -> str:
    return json.dumps(tool.input_schema, sort_keys=True)


@lru_cache(maxsize=512)
def _validator(schema: str) -> Any:
    return jsonschema_rs.validator_for(json.loads(schema))


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON number")
