"""Errors as `application/problem+json` (RFC 9457), in one place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ..errors import (
    Conflict,
    Denied,
    FreeholdError,
    IdempotencyKeyReused,
    Invalid,
    NotFound,
    PreconditionFailed,
    Problem,
    RequestInProgress,
    SessionBusy,
    StaleWrite,
    StoreUnavailable,
)

PROBLEM_JSON = "application/problem+json"
# What AWS said names tables, keys and roles, which is for the log alone.
IN_PLACE_OF_DETAILS: dict[type[FreeholdError], str] = {
    StaleWrite: "It changed meanwhile. Read it again, and decide anew.",
    StoreUnavailable: "A part of the stack did not answer. Send the same request again.",
}
# The first match counts, so narrower classes come first.
STATUS: tuple[tuple[type[FreeholdError], int, str], ...] = (
    (Invalid, 400, "The request is invalid"),
    (Denied, 403, "Not allowed"),
    (NotFound, 404, "Not found"),
    (SessionBusy, 409, "The session is busy"),
    (PreconditionFailed, 412, "It has changed"),
    (IdempotencyKeyReused, 422, "The Idempotency-Key stands for another request"),
    (RequestInProgress, 409, "The first request is at work"),
    (StaleWrite, 409, "Somebody else was quicker"),
    (Conflict, 409, "Conflict"),
    (StoreUnavailable, 503, "Try again soon"),
)
# An answer of Lambda has 6 MB, and a request that is wrong may name as much.
MOST_PROBLEMS, LONGEST_TEXT = 100, 2_000
# The same request may succeed a little later.
WORTH_REPEATING = (RequestInProgress, StoreUnavailable)
RETRY_AFTER_SECONDS = 1


def headers(error: Exception) -> dict[str, str]:
    return {"Retry-After": str(RETRY_AFTER_SECONDS)} if isinstance(error, WORTH_REPEATING) else {}


def problem(error: Exception, *, path: str) -> tuple[int, dict[str, Any]]:
    """Status and document. What is not ours to explain is a 500 without details; the log has them."""
    for kind, status, title in STATUS:
        if isinstance(error, kind):
            detail = _cut(IN_PLACE_OF_DETAILS.get(kind, str(error)))
            return status, _document(type(error).__name__, title, status, detail, path) | _more(error)
    return 500, _document("InternalError", "Something went wrong", 500, "The log has the details.", path)


def _document(kind: str, title: str, status: int, detail: str, path: str) -> dict[str, Any]:
    return {"type": f"urn:freehold:{kind}", "title": title, "status": status, "detail": detail, "path": path}


def _more(error: FreeholdError) -> dict[str, Any]:
    if isinstance(error, SessionBusy):
        return {"runId": error.run_id} | ({"awaiting": True} if error.awaiting else {})
    if error.problems:
        return {"problems": [*_shown(error.problems)]}
    return {}


def _shown(problems: Sequence[Problem]) -> Iterator[dict[str, str]]:
    for each in problems[:MOST_PROBLEMS]:
        yield {"path": _cut(each.path), "message": _cut(each.message)}
    if more := len(problems[MOST_PROBLEMS:]):
        yield {"path": "", "message": f"and {more} more like these"}


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…"
