"""The Bedrock Agents event and answer (messageVersion 1.0), to the letter.

Source: https://docs.aws.amazon.com/bedrock/latest/userguide/agents-lambda.html
"""

from __future__ import annotations

import json
from typing import Any, cast

from .errors import ToolFailed
from .values.agent import Argument, Tool
from .values.run import Lap, Run, RunKey
from .values.text import well_formed
from .values.tool import Answer

JSON = "application/json"
# As for attributes in a request.
LONGEST_NAME, LONGEST_ATTRIBUTE = 256, 16_384


def idempotency_key(key: RunKey, lap: int, call: int) -> str:
    """The same for every attempt at a call."""
    return f"{key.run_id}-{lap}-{call}"


def event(tool: Tool, run: Run, lap: Lap, call: int, *, deadline: int) -> dict[str, Any]:
    """The event for one call. `deadline` is epoch ms; `freehold` is ours, and ignored by existing handlers."""
    arguments = cast(dict[str, Any], json.loads(lap.calls[call].arguments))
    shared: dict[str, Any] = {
        "messageVersion": "1.0",
        "agent": {"name": run.agent, "id": run.agent, "alias": run.alias, "version": run.agent_version},
        "inputText": run.input,
        "sessionId": run.session_id,
        "actionGroup": tool.action_group,
        "sessionAttributes": lap.session_attributes,
        "promptSessionAttributes": lap.prompt_session_attributes,
        "freehold": {
            "idempotencyKey": idempotency_key(run.key, lap.lap, call),
            "runId": run.key.run_id,
            "tenant": run.tenant,
            "principal": f"{run.principal.type}:{run.principal.id}",
            "deadline": deadline,
        },
    }
    if tool.function is not None:
        return shared | {"function": tool.function, "parameters": _given(tool, arguments, "function")}
    places = ("path", "query", "header", "cookie")
    parameters = [given for place in places for given in _given(tool, arguments, place)]
    operation = {"apiPath": tool.api_path, "httpMethod": tool.http_method, "parameters": parameters}
    return shared | operation | _body(tool, arguments)


def _given(tool: Tool, arguments: dict[str, Any], place: str) -> list[dict[str, str]]:
    return [
        {"name": argument.name, "type": argument.type, "value": _text(arguments[argument.key])}
        for argument in tool.arguments
        if argument.place == place and argument.key in arguments
    ]


def _body(tool: Tool, arguments: dict[str, Any]) -> dict[str, Any]:
    if tool.body_content_type is None:
        return {}
    whole = [argument for argument in tool.arguments if argument.place == "wholeBody"]
    properties = _given(tool, arguments, "body") + [part for a in whole for part in _whole(a, arguments)]
    return {"requestBody": {"content": {tool.body_content_type: {"properties": properties}}}}


def _whole(argument: Argument, arguments: dict[str, Any]) -> list[dict[str, str]]:
    if argument.key not in arguments:
        return []
    return [{"name": argument.name, "type": argument.type, "value": _text(arguments[argument.key])}]


def _text(value: object) -> str:
    """Values are strings; objects and arrays are JSON text."""
    try:
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    except RecursionError as error:
        raise ToolFailed("the tool's Lambda gave an answer that is nested too deeply to be read") from error


def read_answer(tool: Tool, payload: object) -> Answer:
    """Read what the Lambda returned. Raises `ToolFailed` where it is no Bedrock Agents answer."""
    response = _object(_object(payload, "the answer").get("response"), "response")
    outer = cast(dict[str, Any], payload)
    ok, body = _function_body(response) if tool.function is not None else _operation_body(response)
    notes: list[str] = []
    session, prompt = (
        _attributes(outer, name, notes) for name in ("sessionAttributes", "promptSessionAttributes")
    )
    return Answer(ok, "\n".join([well_formed(body), *notes]), session, prompt)


def _operation_body(response: dict[str, Any]) -> tuple[bool, str]:
    status = response.get("httpStatusCode", 200)
    contents = _object(response.get("responseBody", {}), "response.responseBody")
    content = _first_body(contents, JSON)
    failed = not isinstance(status, int) or status >= 500
    prefix = "" if isinstance(status, int) and status < 400 else f"HTTP {status}: "
    return not failed, prefix + content


def _function_body(response: dict[str, Any]) -> tuple[bool, str]:
    answer = _object(response.get("functionResponse"), "response.functionResponse")
    contents = _object(answer.get("responseBody", {}), "response.functionResponse.responseBody")
    return answer.get("responseState") != "FAILURE", _first_body(contents, "TEXT")


def _first_body(contents: dict[str, Any], preferred: str) -> str:
    content: Any = contents.get(preferred, next(iter(contents.values()), {"body": ""}))
    return _text(_object(content, "response body").get("body", ""))


def _object(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        shown = json.dumps(value, default=str)[:200]
        raise ToolFailed(
            f"the tool's Lambda gave no Bedrock Agents answer: {where} is {shown}, not an object"
        )
    return cast(dict[str, Any], value)


def _attributes(answer: dict[str, Any], field: str, notes: list[str]) -> dict[str, str] | None:
    """Those that fit the limits of a request's own attributes; what does not is left out, with a note.

    The tool has run, so its answer counts all the same.
    """
    given = answer.get(field)
    if not isinstance(given, dict):
        return None
    kept: dict[str, str] = {}
    for key, value in cast(dict[str, Any], given).items():
        name, text = well_formed(key), well_formed(_text(value))
        if 0 < len(name) <= LONGEST_NAME and len(text) <= LONGEST_ATTRIBUTE:
            kept[name] = text
        else:
            notes.append(
                f"[{field}.{name[:40]} was not kept: it has {len(text):,} characters of {LONGEST_ATTRIBUTE:,}]"
            )
    return kept
