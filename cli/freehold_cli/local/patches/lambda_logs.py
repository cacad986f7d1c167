"""How the server learns that an invocation has written its last log line."""

from __future__ import annotations

import queue
import time
from importlib import import_module
from typing import Any

from freehold_cli.local.patches.upstream import edit_worker_script, wrap

_LONGEST_WAIT = 0.25
_MARK = "\x02end of log "
_ANSWERED = "        _real_stdout.flush()\n\nrun()"
_LOG_ENDED = f"""        sys.stderr.write("\\n" + {_MARK!r} + _ms_ctx.get("request_id", "") + "\\n")
        sys.stderr.flush()
"""


def end_each_log_with_a_mark() -> None:
    """The worker marks the end of each invocation's log, so that the server need not wait for more.

    MiniStack waits 50 ms after each answer to see whether the handler has printed something.
    """
    edit_worker_script(_ANSWERED, _LOG_ENDED + _ANSWERED)

    def invoke(original: Any, worker: Any, event: Any, request_id: str, **context: Any) -> Any:
        worker.freehold_mark = _MARK + request_id
        return original(worker, event, request_id, **context)

    def drain(original: Any, worker: Any, **waits: float) -> str:
        if not str(worker.config.get("Runtime", "")).startswith("python"):
            return original(worker, **waits)
        return _lines_until(worker.freehold_mark, worker._stderr_queue)

    runtime = import_module("ministack.core.lambda_runtime")
    wrap(runtime.Worker, "invoke", invoke, reads=('response["log"] = self._drain_stderr_bounded()',))
    wrap(runtime.Worker, "_drain_stderr_bounded", drain, reads=("first_line_wait: float = 0.050",))


def _lines_until(mark: str, lines: queue.Queue[str]) -> str:
    """A handler that died never writes its mark: then what came within `_LONGEST_WAIT` has to do."""
    taken: list[str] = []
    end = time.monotonic() + _LONGEST_WAIT
    while (left := end - time.monotonic()) > 0:
        try:
            line = lines.get(timeout=left)
        except queue.Empty:
            break
        if line == mark:
            break
        if line and not line.startswith(_MARK):
            taken.append(line)
    return "\n".join(taken)
