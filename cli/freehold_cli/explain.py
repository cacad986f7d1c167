"""Errors as a person reads them: what, where, what is allowed. And the exit code of each.

0 done   1 the run failed, stopped or was cancelled; not all was erased,
put back or saved
2 wrong use or invalid input   3 no stack can be reached   4 the run waits for somebody to decide
"""

from __future__ import annotations

from collections.abc import Iterable

from rich.text import Text

from freehold.errors import FreeholdError, Invalid
from freehold_client import (
    FreeholdApiError,
    FreeholdClientError,
    NotFound,
    ServerError,
    SessionBusy,
    Unauthorized,
    Unreachable,
)

from .local.failures import (
    DeploymentFailed,
    LocalStackError,
    PortTaken,
    RunsAlready,
    StateLost,
    TemplateInvalid,
)
from .printable import one_line, printable
from .screen import Screen
from .settings import Down, WrongUse

RUN_FAILED = NOT_DONE = 1
WRONG_USE, UNREACHABLE, AWAITS = 2, 3, 4
EXPECTED = (FreeholdClientError, FreeholdError, LocalStackError, WrongUse, Down, OSError)
# By the paths of the API's calls.
LISTS = {
    "schedules": "freehold schedule list",
    "dead-letters": "freehold dlq list",
    "keys": "freehold keys list",
}
OURS_TO_MEND = (DeploymentFailed, PortTaken, RunsAlready, TemplateInvalid)


def explain(error: Exception, screen: Screen) -> int:
    """Print an `EXPECTED` error and return the exit code that it means."""
    code = _code(error)
    screen.err.print(Text.assemble(("error: ", "bold red"), _what(error)))
    for path, message in _problems(error):
        line = Text("  ").append(one_line(path), "bold").append(": " if path else "")
        screen.err.print(line.append(printable(message)))
    hint = "\n".join(getattr(error, "__notes__", ())) or _hint(error)
    if hint:
        screen.err.print(Text(printable(hint), "dim"))
    if screen.json:
        screen.write_json(_wire(error, code))
    return code


def _code(error: Exception) -> int:
    if isinstance(error, StateLost):
        return NOT_DONE
    if isinstance(error, LocalStackError):
        return WRONG_USE if isinstance(error, OURS_TO_MEND) else UNREACHABLE
    return UNREACHABLE if isinstance(error, Unreachable | ServerError | Down) else WRONG_USE


def _what(error: Exception) -> str:
    if isinstance(error, FreeholdApiError):
        return one_line(error.title if error.problems else error.detail or error.title)
    if isinstance(error, Invalid):
        return "this breaks the contract; nothing was stored"
    if isinstance(error, OSError) and error.filename:
        return printable(f"cannot use {error.filename}: {error.strerror}")
    return printable(str(error))


def _problems(error: Exception) -> Iterable[tuple[str, str]]:
    if not isinstance(error, FreeholdApiError | Invalid):
        return []
    return [(problem.path, problem.message) for problem in error.problems]


def _hint(error: Exception) -> str:
    match error:
        case WrongUse() | Down():
            return error.hint
        case Unreachable():
            return "Is it running? `freehold status` tells, `freehold up` starts the local stack."
        case Unauthorized(status=401, by_aws=True):
            return "The token was not accepted: it has ended, or its access has. `freehold auth token` gives another."
        case Unauthorized(status=401):
            return "The key was not accepted. Set FREEHOLD_KEY; for the local stack `freehold up` makes one."
        case Unauthorized() if _is_somebody_elses(error):
            return ""
        case Unauthorized(by_aws=True):
            return (
                "An administrator of the stack's account lets AWS credentials in, and says with which scopes:"
                " `freehold access grant iam`."
            )
        case Unauthorized():
            return (
                "The key was not accepted, or lacks the scope for this. `freehold keys create` makes others."
            )
        case SessionBusy(run_id=run_id, awaiting=True):
            return f"`freehold show {run_id}` tells what it waits for, `freehold cancel {run_id}` ends it."
        case SessionBusy(run_id=run_id):
            return (
                f"`freehold show {run_id}` tells what it is doing, `freehold cancel {run_id}` ends it,"
                " `freehold ask … --enqueue` waits its turn."
            )
        case NotFound():
            return _list_of(error)
        case ServerError(request_id=str(request_id)):
            return f"The stack failed on its side (request {request_id})."
        case _:
            return ""


def _list_of(error: NotFound) -> str:
    """Which list has what was looked for."""
    path = str(error.wire.get("path", ""))
    for part, command in LISTS.items():
        if f"/{part}/" in path:
            return f"`{command}` tells what there is."
    return "`freehold agents`, `freehold runs` and `freehold sessions list` tell what there is."


def _is_somebody_elses(error: Unauthorized) -> bool:
    """Whether the key is good for the call, and the decision another's."""
    return error.wire.get("type") == "urn:freehold:Denied" and "scope" not in error.detail


def _wire(error: Exception, code: int) -> dict[str, object]:
    """The problem as the API tells it, or one of our own making in the same shape."""
    if isinstance(error, FreeholdApiError):
        return dict(error.wire)
    problems = [{"path": path, "message": message} for path, message in _problems(error)]
    told: dict[str, object] = {
        "type": type(error).__name__,
        "title": type(error).__name__,
        "detail": str(error),
        "exitCode": code,
    }
    return {**told, "problems": problems} if problems else told
