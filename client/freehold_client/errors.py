"""What can go wrong between a program and a stack.

FreeholdClientError
├── Unreachable          no answer came: nothing listens there, or it broke off
└── FreeholdApiError     the stack answered with an error
    ├── InvalidRequest   400, 413, 422: `problems` names every path
    ├── Unauthorized     401, 403: the key is missing, unknown, expired or lacks a scope
    ├── NotFound         404
    ├── Conflict         409
    │   ├── SessionBusy  the session is answering another message, `run_id`
    │   └── PreconditionFailed  412: it is no longer what `if_match` names
    └── ServerError      5xx
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


class FreeholdClientError(Exception):
    """Base of everything that this package raises on purpose."""


class Unreachable(FreeholdClientError):
    """No answer came from `url`. Start the stack, or correct the address."""

    def __init__(self, url: str, reason: str) -> None:
        self.url = url
        self.reason = reason
        super().__init__(f"no answer from {url}: {reason}")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with what was sent: where, and what is allowed instead."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class FreeholdApiError(FreeholdClientError):
    """The stack refused or failed. `wire` is the answer's JSON as it came."""

    def __init__(
        self,
        status: int,
        title: str,
        detail: str = "",
        problems: Sequence[Problem] = (),
        *,
        wire: Mapping[str, Any] | None = None,
        request_id: str | None = None,
    ) -> None:
        self.status = status
        self.title = title
        self.detail = detail
        self.problems = tuple(problems)
        self.wire: dict[str, Any] = dict(wire or {"title": title, "status": status, "detail": detail})
        self.request_id = request_id
        super().__init__(f"{status} {title}: {detail}" if detail else f"{status} {title}")


class InvalidRequest(FreeholdApiError):
    """What was sent breaks the contract. Nothing was stored; mend every problem and send it again."""

    @classmethod
    def unsent(cls, path: str, message: str) -> InvalidRequest:
        """For what is found before it is sent."""
        problem = Problem(path, message)
        return cls(400, "The request is invalid", f"{problem}; nothing was sent", [problem])


class Unauthorized(FreeholdApiError):
    """The key is missing, unknown, expired or revoked (401), or lacks the scope for this call (403).

    `by_aws` says that it was no key: AWS credentials, or a token for them.
    """

    by_aws = False


class NotFound(FreeholdApiError):
    """No such thing in this tenant."""


class Conflict(FreeholdApiError):
    """The thing is in a state that does not allow this. Read it again before trying again."""


class SessionBusy(Conflict):
    """The session is answering another message. Wait for `run_id` to end, or give `when_busy="enqueue"`."""

    @property
    def run_id(self) -> str | None:
        run_id = self.wire.get("runId")
        return run_id if isinstance(run_id, str) else None

    @property
    def awaiting(self) -> bool:
        """That run waits for a decision."""
        return self.wire.get("awaiting") is True


class PreconditionFailed(Conflict):
    """It is no longer what `if_match` names, or is there already. Read it again and decide anew."""


class ServerError(FreeholdApiError):
    """The stack failed on its side. Quote `request_id` when asking why."""
