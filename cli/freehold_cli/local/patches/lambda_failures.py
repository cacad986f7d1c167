"""How a function's failure reaches its caller."""

from __future__ import annotations

import errno
import inspect
import os
from importlib import import_module
from typing import Any

from freehold_cli.local.patches.upstream import edit_worker_script, expect, wrap

_FAILURE = "freehold:failure"
_LOST = ("Worker process died", "Worker returned no response")
_LOST_WHILE_STARTING = "Worker process exited immediately"
# The process died after MiniStack had found it alive and before it was sent the event.
_LOST_JUST_NOW = f"[Errno {errno.EPIPE}] {os.strerror(errno.EPIPE)}"

_ANSWERS_ERROR = (
    '            _real_stdout.write(json.dumps({"status": "error", "error": str(e), '
    '"trace": traceback.format_exc()}) + "\\n")\n'
)
_ANSWERS_FAILURE = f"""
            traceback.print_exc()
            _real_stdout.write(json.dumps({{"status": "ok", "result": {{"{_FAILURE}": {{
                "errorMessage": str(e),
                "errorType": type(e).__name__,
                "requestId": _ms_ctx.get("request_id", ""),
                "stackTrace": traceback.format_tb(e.__traceback__),
            }}}}}}) + "\\n")
"""


def report_exceptions_by_class_name() -> None:
    """A handler's exception arrives under its class name and its environment lives on, as on AWS.

    MiniStack names every exception `Runtime.HandlerError`, so that no `Retry` or `Catch` matches, and ends
    the worker when it says "error"; a marked result under "ok" keeps it.
    """
    edit_worker_script(_ANSWERS_ERROR, _ANSWERS_FAILURE.removeprefix("\n"))

    def execute(original: Any, *args: Any) -> dict[str, Any]:
        answer: dict[str, Any] = original(*args)
        body: Any = answer.get("body")
        if not isinstance(body, dict) or _FAILURE not in body:
            return answer
        return {"body": body[_FAILURE], "error": True, "log": answer.get("log", "")}

    service = import_module("ministack.services.lambda_svc")
    wrap(service, "_execute_function_warm", execute, reads=('error_type = "Runtime.HandlerError"',))


def report_a_lost_process_as_exit_error() -> None:
    """A process that dies during a call, or while it starts for one, ends it with `Runtime.ExitError`, as on AWS."""

    def invoke(original: Any, worker: Any, event: Any, request_id: str, **context: Any) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = original(worker, event, request_id, **context)
        except (RuntimeError, BrokenPipeError) as error:
            if not str(error).startswith((_LOST_WHILE_STARTING, _LOST_JUST_NOW)):
                raise
            answer = {"status": "error", "error": _LOST_JUST_NOW, "cold_start": True, "log": str(error)}
        if answer.get("status") == "error" and answer.get("error") in (*_LOST, _LOST_JUST_NOW):
            failure = {
                "errorType": "Runtime.ExitError",
                "errorMessage": f"RequestId: {request_id} Error: Runtime exited without providing a reason",
            }
            return {**answer, "status": "ok", "result": {_FAILURE: failure}}
        return answer

    worker = import_module("ministack.core.lambda_runtime").Worker
    starts = inspect.getsource(worker._spawn)
    expect(_LOST_WHILE_STARTING in starts, f"Worker._spawn no longer reads {_LOST_WHILE_STARTING!r}")
    wrap(worker, "invoke", invoke, reads=_LOST)
