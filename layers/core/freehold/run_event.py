"""What the stack's bus is told of a run: ids and totals, and who asked by which way; never what was said."""

from __future__ import annotations

from .values.run import Run, Status

ENDS: dict[Status, str] = {
    "COMPLETED": "Agent Run Completed",
    "FAILED": "Agent Run Failed",
    "STOPPED": "Agent Run Stopped",
    "CANCELLED": "Agent Run Cancelled",
}
AWAITING, ESCALATED = "Agent Run Awaiting Decision", "Agent Escalated"


def of_end(run: Run) -> dict[str, object]:
    totals = run.totals
    # Who acts on the end of a run can tell one that only went through it again.
    replayed: dict[str, object] = {"replays": run.replays} if run.replays else {}
    asked = run.cancelled_by if run.status == "CANCELLED" else None
    cancelled: dict[str, object] = {"cancelledBy": asked} if asked else {}
    ended = {
        "stopReason": run.stop_reason,
        "errorType": run.error.type if run.error else None,
        "laps": totals.laps if totals else 0,
        "inputTokens": totals.usage.input_tokens if totals else 0,
        "outputTokens": totals.usage.output_tokens if totals else 0,
        "costUsd": None if totals is None or totals.cost_usd is None else float(totals.cost_usd),
    }
    return _of_any(run) | ended | replayed | cancelled


def of_wait(run: Run) -> dict[str, object]:
    return _of_any(run) | {"waitsUntil": run.waits_until}


def _of_any(run: Run) -> dict[str, object]:
    return {
        "tenant": run.tenant,
        "runId": run.key.run_id,
        "sessionId": run.session_id,
        "agent": run.agent,
        "agentVersion": run.agent_version,
        "principal": run.principal.name,
        "trigger": run.trigger,
        "hops": run.hops,
        "status": run.status,
    }
