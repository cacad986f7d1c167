"""Everything that can go wrong, by name.

    FreeholdError
    ├── Invalid            the request breaks the contract; nothing was stored
    ├── NotFound           no such thing in this tenant
    │   └── RunErased      it was there, and is known by its idempotency key alone
    ├── Denied             the principal may not do this
    ├── Conflict           the thing changed, or is busy
    │   ├── SessionBusy    the session is answering another message
    │   ├── StaleWrite     somebody else wrote first; read again
    │   ├── PreconditionFailed    it is no longer what the caller has read
    │   ├── RequestInProgress     the first request with this idempotency key is still at work
    │   └── IdempotencyKeyReused  the key stands for another request
    ├── ModelThrottled     retried by the state machine
    ├── ModelUnavailable   retried by the state machine
    ├── ModelRejected      the model will never accept this request
    │   └── ContextTooLong the conversation does not fit the model; asked again with less of it
    ├── SummaryUnusable    the model summed nothing up; retried by the state machine
    ├── ToolThrottled      the tool did not run; retried by the state machine
    ├── ToolUnavailable    the tool may be called again; retried by the state machine
    ├── ToolFailed         the tool ran, or can never run, and has no answer
    ├── OutcomeUnknown     the tool may have run; never call it again
    ├── CallInProgress     another invocation is making this call; retried by the state machine
    ├── IssuerUnavailable  whether a token is good cannot be known now
    └── StoreUnavailable   a table or bucket did not answer; retried by the state machine

The class names are public API: `Retry` and `Catch` in the state machine match on them, and a test holds the two
together. Renaming one is a breaking change.
"""

from __future__ import annotations

from collections.abc import Sequence

from .value import Value


class FreeholdError(Exception):
    """Base of all errors that Freehold raises on purpose.

    `message` is in our own words. `words` are those of a model, a tool or a provider: content, which belongs in no log.
    `problems` are the places of a request that it is about, where there are several.
    """

    problems: tuple[Problem, ...] = ()

    def __init__(self, message: str = "", *, words: str = "") -> None:
        self.message, self.words = message, words
        super().__init__(f"{message}: {words}" if words else message)


class Problem(Value):
    """One thing wrong with a document: where (`actionGroups[0].apiSchema`), and what is allowed instead."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class Invalid(FreeholdError):
    """The request breaks the contract. Nothing was stored; mend every problem and send it again."""

    def __init__(self, problems: Sequence[Problem] | str, *, path: str = "") -> None:
        self.problems = (Problem(path, problems),) if isinstance(problems, str) else tuple(problems)
        super().__init__("; ".join(str(problem) for problem in self.problems))


class NotFound(FreeholdError):
    """No such thing in this tenant. The same answer is given for what belongs to another tenant."""


class RunErased(NotFound):
    """The run that this idempotency key began has been erased. The key begins no other one."""


class Denied(FreeholdError):
    """The principal lacks the scope that this call needs."""


class Conflict(FreeholdError):
    """The thing is in a state that does not allow this. Read it again before trying again."""


class SessionBusy(Conflict):
    """The session is answering another message. Wait for `run_id` to end, or enqueue.

    `awaiting`: that run waits for a decision. `asks_user`: what it waits for is the session's next message.
    """

    def __init__(self, run_id: str, *, awaiting: bool = False, asks_user: bool = False) -> None:
        self.run_id, self.awaiting, self.asks_user = run_id, awaiting, asks_user
        super().__init__(
            f"the session is busy with run {run_id}{', which awaits a decision' if awaiting else ''}"
        )


class StaleWrite(Conflict):
    """Somebody else wrote first. Read again and decide anew."""


class PreconditionFailed(Conflict):
    """It is no longer what the caller's `If-Match` names. Read it again and decide anew."""


class RequestInProgress(Conflict):
    """The first request with this idempotency key is still at work. Send the same one again in a moment."""


class IdempotencyKeyReused(Conflict):
    """The idempotency key stands for another request. Send this one under a key of its own."""


class ModelThrottled(FreeholdError):
    """The model asked us to slow down. Retry with backoff."""


class ModelUnavailable(FreeholdError):
    """The model could not be reached or failed on its side. Retry with backoff."""


class ModelRejected(FreeholdError):
    """The model will not accept this request, now or later. Do not retry."""


class ContextTooLong(ModelRejected):
    """The conversation does not fit the model's window. Ask again with less of it."""


class SummaryUnusable(FreeholdError):
    """The model's answer is no summary. Ask again; what was to be summed up is still there."""


class ToolThrottled(FreeholdError):
    """The tool asked us to slow down and did not run. Retry with backoff."""


class ToolUnavailable(FreeholdError):
    """The tool could not be reached, or may be called again safely. Retry with backoff."""


class ToolFailed(FreeholdError):
    """The tool ran and failed, or can never run. Tell the model; do not retry."""


class OutcomeUnknown(FreeholdError):
    """The call was made and its answer was lost. Never make it again; tell the model so."""


class CallInProgress(FreeholdError):
    """Another invocation has marked this call and may still be making it. Look again later."""


class IssuerUnavailable(FreeholdError):
    """The issuer's keys cannot be had, so nobody knows whether the token is good. Send it again later."""


class StoreUnavailable(FreeholdError):
    """A table or bucket refused or did not answer. The step wrote all or nothing: run it again."""
