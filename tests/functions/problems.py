"""The shape of an error."""

from __future__ import annotations

from .caller import Answer


def is_problem(answer: Answer) -> bool:
    """RFC 9457, as the contract has it."""
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert {"type", "title", "status", "detail", "path"} <= set(answer.body)
    assert answer.body["type"].startswith("urn:freehold:")
    assert answer.body["status"] == answer.status
    for problem in answer.body.get("problems", []):
        assert set(problem) == {"path", "message"}
    return True
