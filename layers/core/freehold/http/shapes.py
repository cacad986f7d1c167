"""What goes out: runs, items, agents and keys as the contract's JSON (docs/http.md)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from ..adapters.api_keys import ApiKey
from ..adapters.drafts import Alias, Draft, Version
from ..adapters.records import Record
from ..value import asdict
from ..values.agent import Agent
from ..values.content import Usage
from ..values.conversation import Compaction, Erased
from ..values.decision import Decision, Message, Refusal
from ..values.memory import Summary
from ..values.run import (
    Discarded,
    Lap,
    LateResult,
    Marker,
    ParentCall,
    Principal,
    Result,
    Run,
    RunKey,
    Session,
)
from ..waiting import call_id

Json = dict[str, Any]


def iso(epoch_ms: int | None) -> str | None:
    if epoch_ms is None:
        return None
    return (
        datetime.fromtimestamp(epoch_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )


def run_shape(run: Run, *, output: str | None = None) -> Json:
    """Figures are there once the run has ended; a `costUsd` of null means that a price is not known."""
    shape: Json = {
        "runId": run.key.run_id,
        "sessionId": run.session_id,
        "memoryId": run.memory_id,
        "replays": run.replays,
        "agent": run.agent,
        "agentVersion": run.agent_version,
        "alias": run.alias,
        "executionMode": run.mode,
        "status": run.status,
        "stopReason": run.stop_reason,
        "cancelledBy": run.cancelled_by,
        "error": {"type": run.error.type, "message": run.error.message} if run.error else None,
        "input": run.input,
        "output": output,
        "createdAt": iso(run.created_at),
        "startedAt": iso(run.started_at),
        "finishedAt": iso(run.finished_at),
        "principal": principal_shape(run.principal),
        "trigger": run.trigger,
        "waitsUntil": iso(run.waits_until or None),
        "children": list(run.children) or None,
        "parent": _parent(run.tenant, run.parent) if run.parent else None,
    }
    present = {name: value for name, value in shape.items() if value is not None}
    if run.totals is None:
        return present
    totals = run.totals
    figures = {"laps": totals.laps, "calls": totals.calls, "usage": _usage(totals.usage)}
    return present | figures | {"costUsd": _cost(totals.cost_usd)}


def _parent(tenant: str, call: ParentCall) -> Json:
    key = RunKey.parse(tenant, call.run_id)
    return {"runId": call.run_id, "callId": call_id(key, call.lap, call.call) if key else None}


def item_shape(key: RunKey, record: Record) -> Json | None:
    """One step of a run; None for what is not a step."""
    of_run = {"runId": key.run_id, "turn": key.turn}
    match record:
        case Run():
            told: Json = {"text": record.input, "principal": principal_shape(record.principal)}
            if record.images:
                told["images"] = [image.format for image in record.images]
            return {"kind": "user", **of_run, "at": iso(record.created_at), **told}
        case Lap():
            return {"kind": "lap", **of_run, **_lap(record)}
        case Discarded():
            figures = _usage(record.usage) | {"costUsd": _cost(record.cost_usd)}
            named = {"at": iso(record.at), "lap": record.lap, "model": record.model}
            return {"kind": "discarded", **of_run, **named, **figures}
        case Marker():
            return {"kind": "call", **of_run, **_call(record), "outcome": "started"}
        case Result():
            figures = {"result": record.content, "durationMs": record.duration_ms, "attempt": record.attempt}
            by = {"decidedBy": record.decided_by} if record.decided_by else {}
            return {"kind": "call", **of_run, **_call(record), "outcome": record.outcome, **figures, **by}
        case LateResult():
            named = {"at": iso(record.at), "lap": record.lap, "call": record.call, "result": record.content}
            return {"kind": "late", **of_run, **named}
        case Compaction():
            return {"kind": "compaction", **of_run, **_compaction(record)}
        case Decision() | Refusal() | Message():
            return {**of_run, **_waiting(key, record)}
        case _:
            return None


def _waiting(key: RunKey, record: Decision | Refusal | Message) -> Json:
    """What was written while the run waited."""
    told: Json = {"at": iso(record.at), "by": record.by}
    match record:
        case Decision():
            named = {"lap": record.lap, "call": record.call, "callId": call_id(key, record.lap, record.call)}
            comment = {"comment": record.comment} if record.comment else {}
            made = {"waitedFor": record.wait, "decision": record.verdict, **comment}
            return {"kind": "decision", **told, **named, **made}
        case Refusal():
            refused = {"callId": record.call, "decision": record.verdict, "reason": record.reason}
            return {"kind": "refusal", **told, **refused}
        case Message():
            return {"kind": "message", **told, "text": record.text}


def _lap(lap: Lap) -> Json:
    calls = [
        {"call": i, "name": call.name, "arguments": call.arguments}
        | ({"refused": call.refused} if call.refused is not None else {})
        for i, call in enumerate(lap.calls)
    ]
    fallback = (
        {"fallback": {"after": lap.fallback.after, "error": lap.fallback.error}} if lap.fallback else {}
    )
    return {
        **fallback,
        "at": iso(lap.at),
        "lap": lap.lap,
        "model": lap.model,
        "text": lap.text,
        "calls": calls,
        **_usage(lap.usage),
        "costUsd": _cost(lap.cost_usd),
        "durationMs": lap.duration_ms,
        "attempt": lap.attempt,
        "stop": lap.stop,
    }


def _call(record: Marker | Result) -> Json:
    return {"at": iso(record.at), "lap": record.lap, "call": record.call, "tool": record.tool}


def _compaction(compaction: Compaction) -> Json:
    return {
        "at": iso(compaction.at),
        "lap": compaction.lap,
        "model": compaction.model,
        "text": compaction.text,
        "begins": {"turn": compaction.begins.turn, "laps": compaction.begins.laps},
        **_usage(compaction.usage),
        "costUsd": _cost(compaction.cost_usd),
        "durationMs": compaction.duration_ms,
        "attempt": compaction.attempt,
    }


def _usage(usage: Usage) -> Json:
    return {
        "inputTokens": usage.input_tokens,
        "outputTokens": usage.output_tokens,
        "cachedTokens": usage.cached_tokens,
        "cacheWrittenTokens": usage.cache_written_tokens,
    }


def _cost(cost: Decimal | None) -> float | None:
    return None if cost is None else float(cost)


def principal_shape(principal: Principal) -> Json:
    return {"type": principal.type, "id": principal.id}


def _by(name: str, principal: Principal | None) -> Json:
    """Who wrote it, where that is known."""
    return {name: principal_shape(principal)} if principal else {}


def session_shape(session: Session) -> Json:
    """`turns` counts the messages so far, queued ones too."""
    active = session.active_turn
    shape: Json = {
        "sessionId": session.session_id,
        "agent": session.agent,
        "agentVersion": session.agent_version,
        "alias": session.alias,
        "memoryId": session.memory_id,
        "createdAt": iso(session.created_at),
        "expiresAt": iso(session.expires_at * 1000),
        "endedAt": iso(session.ended_at),
        # That of a replay never took a message.
        "replay": session.ended_at == session.created_at or None,
        "turns": session.next_turn - 1,
        "activeRunId": RunKey(session.tenant, session.conversation, active).run_id if active else None,
        "escalation": _escalation(session),
        "sessionAttributes": session.session_attributes,
    }
    return {name: value for name, value in shape.items() if value is not None}


def _escalation(session: Session) -> Json | None:
    found = session.escalation
    if found is None:
        return None
    run_id = RunKey(session.tenant, session.conversation, found.turn).run_id
    return {"reason": found.reason, "summary": found.summary, "since": iso(found.at), "runId": run_id}


def summary_shape(summary: Summary) -> Json:
    """One session of a memory; the notes are a model's, and data alone."""
    return {
        "sessionId": summary.session_id,
        "agentVersion": summary.agent_version,
        "startedAt": iso(summary.started_at),
        "updatedAt": iso(summary.updated_at),
        "expiresAt": iso(summary.expires_at * 1000),
        "turns": summary.through_turn,
        "topics": list(summary.notes.topics),
        "openPoints": list(summary.notes.open_points),
        "preferences": list(summary.notes.preferences),
        "usage": _usage(summary.spent.usage),
        "costUsd": _cost(summary.spent.cost_usd),
    }


def erasure_shape(erased: Erased, *, busy: Sequence[str] = (), complete: bool = True) -> Json:
    """What was erased; `busy` are runs at work that keep their sessions from it."""
    return {"erased": asdict(erased), "busy": list(busy), "complete": complete}


def page(content: Json, token: str | None) -> Json:
    """A page of a list; without a token it is the last."""
    return content if token is None else content | {"nextToken": token}


def agent_shape(draft: Draft, agent: Agent) -> Json:
    tools = [
        {
            "name": tool.name,
            "description": tool.description,
            "actionGroup": tool.action_group,
            "executor": tool.executor,
            "waitsFor": list(tool.waits),
            # Of a tool of an MCP server: what it is pinned by.
            **({"definition": tool.pin} if tool.pin else {}),
        }
        for tool in agent.tools
        if tool.enabled
    ]
    return {
        "agentName": draft.name,
        "digest": draft.digest,
        "updatedAt": iso(draft.updated_at),
        **_by("updatedBy", draft.updated_by),
        "tools": tools,
        "warnings": list(draft.warnings),
        "agent": draft.source,
    }


def version_shape(version: Version) -> Json:
    return {
        "version": str(version.version),
        "digest": version.digest,
        "createdAt": iso(version.created_at),
        **_by("createdBy", version.created_by),
    }


def alias_shape(alias: Alias) -> Json:
    routes = [{"version": version, "weight": weight} for version, weight in alias.routes]
    return {"alias": alias.alias, "routes": routes, **_by("updatedBy", alias.updated_by)}


def key_shape(key: ApiKey) -> Json:
    shape: Json = {"keyId": key.key_id, "name": key.name, "scopes": list(key.scopes)}
    shape |= {"createdAt": iso(key.created_at * 1000), **_by("createdBy", key.created_by)}
    return shape if key.expires_at is None else shape | {"expiresAt": iso(key.expires_at * 1000)}
