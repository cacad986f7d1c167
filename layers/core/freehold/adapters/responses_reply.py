"""The answer to `POST /responses`, as a reply or as the error that it stands for."""

from __future__ import annotations

from collections.abc import Sequence

from freehold.errors import (
    ContextTooLong,
    FreeholdError,
    ModelRejected,
    ModelThrottled,
    ModelUnavailable,
)
from freehold.values.model import ModelReply, Stop, ToolUse, Usage

from .model_http import excerpt, fields, objects
from .openai_parts import too_long, usage
from .responses_reasoning import Item, kept

_STOPS: dict[object, Stop] = {"max_output_tokens": "length", "content_filter": "filtered"}
_PASSING: dict[object, type[FreeholdError]] = {
    "rate_limit_exceeded": ModelThrottled,
    "server_error": ModelUnavailable,
    "server_is_overloaded": ModelUnavailable,
    None: ModelUnavailable,
}


def read_response(response: Item, model: str, host: str, content: bytes) -> ModelReply:
    """Raises what the response itself failed with, and `ModelUnavailable` where it is none or not finished.

    `content` is what it came as.
    """
    status = response.get("status", "completed")
    if status == "failed":
        raise _failure(fields(response.get("error")), host)
    if status not in ("completed", "incomplete") or not isinstance(response.get("output"), list):
        raise ModelUnavailable(f"{host} answered with no finished response", words=excerpt(content))
    output = _whole(objects(response["output"]), cut_off=status == "incomplete")
    text, refused = _said(output)
    stop: Stop = "end"
    if status == "incomplete":
        stop = _STOPS.get(fields(response.get("incomplete_details")).get("reason"), "length")
    stop = "filtered" if refused else stop
    # What was filtered is not called either.
    calls = _calls(output, host) if stop != "filtered" else ()
    return ModelReply(
        text=text,
        calls=calls,
        usage=_usage(fields(response.get("usage"))),
        stop="tools" if calls and stop == "end" else stop,
        model=str(response.get("model") or model),
        reasoning=kept(output),
    )


def _failure(error: Item, host: str) -> FreeholdError:
    code, words = error.get("code"), str(error.get("message") or "(no reason given)")[:1000]
    kind = ContextTooLong if too_long(f"{code} {words}") else _PASSING.get(code, ModelRejected)
    return kind(f"{host} failed to answer ({code})", words=words)


def _whole(output: Sequence[Item], *, cut_off: bool) -> list[Item]:
    """Without a call that the limit cut off: it would run with half of its arguments, or with none."""
    states = [item.get("status") for item in output]
    if cut_off and states and states[-1] != "completed":
        states[-1] = "incomplete"
    return [
        item
        for item, state in zip(output, states, strict=True)
        if not (item.get("type") == "function_call" and state == "incomplete")
    ]


def _said(output: Sequence[Item]) -> tuple[str, bool]:
    """All text of the reply, and whether any of it is a refusal."""
    parts = [
        part
        for item in output
        if item.get("type") == "message"
        for part in objects(item.get("content"))
        if part.get("type") in ("output_text", "refusal")
    ]
    texts = [str(part.get("text") or part.get("refusal") or "") for part in parts]
    return "\n\n".join(text for text in texts if text), any(part["type"] == "refusal" for part in parts)


def _calls(output: Sequence[Item], host: str) -> tuple[ToolUse, ...]:
    calls = [item for item in output if item.get("type") == "function_call"]
    for call in calls:
        if not isinstance(call.get("name"), str) or not call["name"]:
            raise ModelUnavailable(f"{host} answered with a function call without a name")
    return tuple(
        ToolUse(str(call.get("call_id") or f"call_{i}"), call["name"], _arguments(call.get("arguments")))
        for i, call in enumerate(calls)
    )


def _arguments(value: object) -> str:
    """The model's own text; nothing at all stands for no arguments."""
    return value if isinstance(value, str) and value.strip() else "{}"


def _usage(counted: Item) -> Usage:
    return usage(
        counted.get("input_tokens"), counted.get("output_tokens"), counted.get("input_tokens_details")
    )
