"""Lists, read page by page."""

from __future__ import annotations

from typing import Any

from freehold.values.run import RunKey

from .caller import TENANT, Caller


def pages(caller: Caller, path: str, name: str, **query: str) -> list[list[dict[str, Any]]]:
    """Every page of a list."""
    found: list[list[dict[str, Any]]] = []
    token = None
    while len(found) < 50:
        answer = caller.call("GET", path, query=query | ({"nextToken": token} if token else {}))
        assert answer.status == 200, answer.text
        found.append(answer.body[name])
        token = answer.body.get("nextToken")
        if token is None:
            return found
    raise AssertionError("the list does not end")


def flat(found: list[list[Any]]) -> list[Any]:
    return [entry for page in found for entry in page]


def key_of(run_id: str) -> RunKey:
    key = RunKey.parse(TENANT, run_id)
    assert key is not None
    return key
