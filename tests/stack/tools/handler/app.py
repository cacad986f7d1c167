"""What each function does is its name. Every invocation is written down before it does anything."""

from __future__ import annotations

import os
import time
import uuid
from pathlib import Path
from typing import Any

import boto3

table = boto3.client("dynamodb")


class Broken(Exception):
    """The tool's own failure."""


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    given = {each["name"]: each["value"] for each in event.get("parameters", [])}
    key = event["freehold"]["idempotencyKey"]
    effect = {
        "id": uuid.uuid4().hex,
        "key": key,
        "function": event["function"],
        "note": given.get("note", ""),
    }
    table.put_item(TableName=os.environ["EFFECTS"], Item={name: {"S": text} for name, text in effect.items()})
    return ACTS[event["function"]](event, given)


def echo(event: dict[str, Any], given: dict[str, str]) -> dict[str, Any]:
    return answer(event, given.get("note", "") * int(given.get("times", "1")))


def fail(event: dict[str, Any], given: dict[str, str]) -> dict[str, Any]:
    raise Broken(given.get("note", "broken"))


def hold(event: dict[str, Any], given: dict[str, str]) -> dict[str, Any]:
    """Answer only when the file named by `note` is there, or after 40 s."""
    until = time.monotonic() + 40
    while not Path(given["note"]).exists() and time.monotonic() < until:
        time.sleep(0.02)
    return answer(event, "released")


def slowly(event: dict[str, Any], given: dict[str, str]) -> dict[str, Any]:
    """Answer after `times` tenths of a second."""
    time.sleep(int(given["times"]) / 10)
    return answer(event, given["note"])


def remember(event: dict[str, Any], given: dict[str, str]) -> dict[str, Any]:
    return answer(event, "kept") | {"sessionAttributes": {"note": given["note"]}}


def answer(event: dict[str, Any], text: str) -> dict[str, Any]:
    body = {"responseBody": {"TEXT": {"body": text}}}
    function = {"actionGroup": event["actionGroup"], "function": event["function"], "functionResponse": body}
    return {"messageVersion": "1.0", "response": function}


ACTS = {
    "echo": echo,
    "pay": echo,
    "fail": fail,
    "hold": hold,
    "hold_once": hold,
    "remember": remember,
    "echo_slowly": slowly,
    "pay_slowly": slowly,
}
