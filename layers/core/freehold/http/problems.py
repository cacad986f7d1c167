"""Errors as `application/problem+json` (RFC 9457), in one place."""

from __future__ import annotations

from typing import Any

from ..errors import (
    Conflict,
    Denied,
    FreeholdError,
    IdempotencyKeyReused,
    Invalid,
    NotFound,
    PreconditionFailed,
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
# The same request may succeed a little later.
WORTH_REPEATING = (RequestInProgress, StoreUnavailable)
RETRY_AFTER_SECONDS = 1


def headers(error: Exception) -> dict[str, str]:
    return {"Retry-After": str(RETRY_AFTER_SECONDS)} if isinstance(error, WORTH_REPEATING) else {}


def problem(error: Exception, *, path: str) -> tuple[int, dict[str, Any]]:
    """Status and document. What is not ours to explain is a 500 without details; the log has them."""
    for kind, status, title in STATUS:
        if isinstance(error, kind):
            detail = IN_PLACE_OF_DETAILS.get(kind, str(error))
            return status, _document(type(error).__name__, title, status, detail, path) | _more(error)
    return 500, _document("InternalError", "Something went wrong", 500, "The log has the details.", path)


def _document(kind: str, title: str, status: int, detail: str, path: str) -> dict[str, Any]:
    return {"type": f"urn:freehold:{kind}", "title": title, "status": status, "detail": detail, "path": path}


def _more(error: FreeholdError) -> dict[str, Any]:
    if isinstance(error, SessionBusy):
        return {"runId": error.run_id} | ({"awaiting": True} if error.awaiting else {})
    if error.problems:
        return {"problems": [{"path": each.path, "message": each.message} for each in error.problems]}
    return {}
