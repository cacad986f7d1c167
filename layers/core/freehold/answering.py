"""The answer to whoever asked by a message: what came of the run, sent where the message said."""

from __future__ import annotations

import json
from bisect import bisect_right

from .ports.arrivals import Replies
from .values.content import Usage
from .values.run import Run

# Bytes of JSON that an output may take: an event bus takes 256 KiB with all that is around it.
MOST_OUTPUT = 200_000


def send_reply(run: Run, output: str | None, replies: Replies) -> None:
    """Raises `StoreUnavailable`. A repeat is harmless: the answer names its run, and is the same."""
    if run.reply_to is not None:
        replies.send(run.reply_to, reply_of(run, output), group=run.session_id, reply_id=run.key.run_id)


def reply_of(run: Run, output: str | None) -> dict[str, object]:
    """As a run over HTTP shows the same. `outputLength` is there where the output was cut: in characters, whole."""
    usage = run.totals.usage if run.totals else Usage()
    cost = run.totals.cost_usd if run.totals else None
    fitting = _fitting(output) if output is not None else None
    cut = {"outputLength": len(output)} if output is not None and fitting != output else {}
    failed = {"error": {"type": run.error.type, "message": run.error.message}} if run.error else {}
    return {
        "tenant": run.tenant,
        "runId": run.key.run_id,
        "sessionId": run.session_id,
        "agent": run.agent,
        "requestId": run.request_id,
        "status": run.status,
        "stopReason": run.stop_reason,
        "output": fitting,
        **cut,
        **failed,
        "usage": {
            "inputTokens": usage.input_tokens,
            "outputTokens": usage.output_tokens,
            "cachedTokens": usage.cached_tokens,
            "cacheWrittenTokens": usage.cache_written_tokens,
        },
        "costUsd": None if cost is None else float(cost),
    }


def _fitting(text: str) -> str:
    """Its beginning, as much as fits."""
    if _size(text) <= MOST_OUTPUT:
        return text
    return text[: bisect_right(range(len(text)), MOST_OUTPUT, key=lambda length: _size(text[:length])) - 1]


def _size(text: str) -> int:
    return len(json.dumps(text))
