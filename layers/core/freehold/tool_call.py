"""State RunTool: make one call, once."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from . import built_in_tools, recorded, tool_event
from .built_in_tools import BuiltInCollaborators
from .errors import CallInProgress, OutcomeUnknown, StaleWrite, ToolFailed, ToolThrottled, ToolUnavailable
from .ports import Agents, HttpTools, McpTools, Sessions, Tools
from .state import run_of
from .tool_event import idempotency_key
from .value import Value, replace
from .values.agent import Server, Tool
from .values.decision import Decision
from .values.run import UNKNOWN, CallOutcome, Lap, LateResult, Marker, Result, Run, RunKey
from .values.tool import Answer
from .waiting import may_be_made

READ_AGAIN = 5
# What is kept of the Lambda's own time for the client's read margin and for writing the result.
TIMEOUT_MARGIN_SECONDS = 8


class ToolInvocation(Value):
    """What the state machine passes to RunTool. `remaining_ms` is what is left of this Lambda invocation."""

    key: RunKey
    execution: int
    lap: int
    call: int
    attempt: int
    remaining_ms: int

    @classmethod
    def of(cls, event: Mapping[str, Any], remaining_ms: int) -> ToolInvocation:
        """From `{run, lap, call, attempt}`, as the state machine sends it."""
        key, execution = run_of(event)
        return cls(key, execution, event["lap"], event["call"], event["attempt"], remaining_ms)


class ToolCollaborators(Value):
    sessions: Sessions
    agents: Agents
    tools: Tools
    http: Callable[[], HttpTools]
    mcp: Callable[[], McpTools]
    now: Callable[[], int]
    new_id: Callable[[], str]


def run_tool(invocation: ToolInvocation, using: ToolCollaborators) -> None:
    """Make the call and write what came of it, or go on from what is written. Safe to repeat and to overlap."""
    for _ in range(READ_AGAIN):
        run, lap, written = using.sessions.call(invocation.key, invocation.lap, invocation.call)
        if run is None or lap is None or isinstance(written, Result) or not _may_run(run, invocation):
            return
        agent = using.agents.snapshot(run.tenant, run.agent, run.agent_digest)
        tool = agent.tool(lap.calls[invocation.call].name)
        if tool is None:
            raise StaleWrite(f"the agent's snapshot has no tool {lap.calls[invocation.call].name}")
        agreed = _agreed(tool, invocation, using)
        if not may_be_made(tool, run, {decision.wait for decision in agreed}):
            return
        if isinstance(written, Marker):
            if using.now() < written.until:
                raise CallInProgress(f"call {invocation.call} of lap {invocation.lap} is being made")
            unknown = _result(invocation, written.tool, "unknown", UNKNOWN, written.at, using)
            if using.sessions.replace_marker(invocation.key, written, unknown):
                return
        elif _make(tool, run, lap, invocation, using, agreed):
            return
    raise StaleWrite(f"call {invocation.call} of lap {invocation.lap} changed at every look")


def _may_run(run: Run, invocation: ToolInvocation) -> bool:
    current = run.status == "RUNNING" and run.execution == invocation.execution
    return current and run.cancel_requested_at is None


def _agreed(tool: Tool, invocation: ToolInvocation, using: ToolCollaborators) -> list[Decision]:
    """Whose agreement the call has; nothing is read where nobody's is needed."""
    if not tool.guards:
        return []
    decisions = using.sessions.decisions(invocation.key, invocation.lap)
    return [each for each in decisions if each.call == invocation.call and each.verdict == "approve"]


def _make(
    tool: Tool,
    run: Run,
    lap: Lap,
    invocation: ToolInvocation,
    using: ToolCollaborators,
    agreed: list[Decision],
) -> bool:
    """False where somebody else marked the call first."""
    marker = None
    if not tool.idempotent and run.replays is None:
        now = using.now()
        until = now + invocation.remaining_ms + tool.timeout_seconds * 1000
        marker = Marker(invocation.lap, invocation.call, tool.name, using.new_id(), until, now)
        if not using.sessions.mark(invocation.key, marker):
            return False
    try:
        result = _ask(tool, run, lap, invocation, using, marked=marker is not None)
    except (ToolThrottled, ToolUnavailable) as error:
        if invocation.attempt + 1 < tool.max_attempts:
            if marker is not None:
                # It surely did not run, so the mark comes off before anyone tries again.
                using.sessions.unmark(invocation.key, marker)
            raise
        told = f"{error}. It was tried {invocation.attempt + 1} times."
        result = _result(invocation, tool.name, "error", told, using.now(), using)
    _write(_with_comments(result, agreed), marker, invocation, using)
    return True


def _with_comments(result: Result, agreed: list[Decision]) -> Result:
    """What those said who agreed to the call, for the model to read."""
    comments = [f"[Comment on the {each.wait}: {each.comment}]" for each in agreed if each.comment]
    return replace(result, content="\n".join([result.content, *comments])) if comments else result


def _ask(
    tool: Tool, run: Run, lap: Lap, invocation: ToolInvocation, using: ToolCollaborators, *, marked: bool
) -> Result:
    began = using.now()
    timeout = _timeout_seconds(tool, invocation)
    deadline = began + timeout * 1000
    try:
        answer = _answer(tool, run, lap, invocation, using, timeout=timeout, deadline=deadline)
    except OutcomeUnknown as error:
        if not marked:
            raise ToolUnavailable(error.message, words=error.words) from error
        return _result(invocation, tool.name, "unknown", f"{UNKNOWN} ({error})", began, using)
    except ToolFailed as error:
        return _result(invocation, tool.name, "error", str(error), began, using)
    return replace(
        _result(invocation, tool.name, "success" if answer.ok else "error", answer.content, began, using),
        session_attributes=answer.session_attributes,
        prompt_session_attributes=answer.prompt_session_attributes,
    )


def _answer(
    tool: Tool,
    run: Run,
    lap: Lap,
    invocation: ToolInvocation,
    using: ToolCollaborators,
    *,
    timeout: int,
    deadline: int,
) -> Answer:
    """What the tool says; in a replay, what it said then."""
    if tool.built_in is not None and not tool.waits:
        arguments = json.loads(lap.calls[invocation.call].arguments)
        return built_in_tools.answer(tool, arguments, _built_in(run, using))
    if run.replays is not None:
        return recorded.answer(run, lap, invocation.call, using.sessions)
    if tool.mcp is not None:
        return _from_mcp(tool, tool.mcp, run, lap, invocation, using, timeout=timeout)
    if tool.http is not None:
        return _from_http(tool, tool.http, run, lap, invocation, using, timeout=timeout)
    event = tool_event.event(tool, run, lap, invocation.call, deadline=deadline)
    payload = using.tools.invoke(tool.lambda_arn or tool.guarded_lambda, event, timeout_seconds=timeout)
    return tool_event.read_answer(tool, payload)


def _from_mcp(
    tool: Tool,
    server: Server,
    run: Run,
    lap: Lap,
    invocation: ToolInvocation,
    using: ToolCollaborators,
    *,
    timeout: int,
) -> Answer:
    # It takes time to load, and is for this kind of tool alone.
    from . import mcp_messages

    return using.mcp().call(
        server,
        tool.function or tool.name,
        tool.pin,
        mcp_messages.arguments(tool, json.loads(lap.calls[invocation.call].arguments)),
        tenant=run.tenant,
        idempotency_key=idempotency_key(run.key, lap.lap, invocation.call),
        timeout_seconds=timeout,
    )


def _from_http(
    tool: Tool,
    server: Server,
    run: Run,
    lap: Lap,
    invocation: ToolInvocation,
    using: ToolCollaborators,
    *,
    timeout: int,
) -> Answer:
    # As above.
    from . import http_request

    answer = using.http().call(
        server,
        http_request.request(tool, json.loads(lap.calls[invocation.call].arguments)),
        tenant=run.tenant,
        idempotency_key=idempotency_key(run.key, lap.lap, invocation.call),
        idempotent=tool.idempotent,
        timeout_seconds=timeout,
    )
    return http_request.read_answer(answer.status, answer.text)


def _built_in(run: Run, using: ToolCollaborators) -> BuiltInCollaborators:
    replayed = RunKey.parse(run.tenant, run.replays) if run.replays else None

    def read_result(turn: int, lap: int, call: int) -> str | None:
        """Of the same conversation, or in a replay of the one that it goes back to."""
        key = replace(replayed if replayed and turn < run.turn else run.key, turn=turn)
        _, _, written = using.sessions.call(key, lap, call)
        return written.content if isinstance(written, Result) else None

    def now() -> int:
        """In a replay the clock is set back: it is as late as it was then."""
        original = using.sessions.run(replayed) if replayed else None
        return using.now() - (run.created_at - original.created_at if original else 0)

    return BuiltInCollaborators(read_result, now)


def _timeout_seconds(tool: Tool, invocation: ToolInvocation) -> int:
    """Tool, client, Lambda: each ends before the one around it, so that a late answer is always told apart."""
    return max(1, min(tool.timeout_seconds, invocation.remaining_ms // 1000 - TIMEOUT_MARGIN_SECONDS))


def _result(
    invocation: ToolInvocation,
    tool: str,
    outcome: CallOutcome,
    content: str,
    began: int,
    using: ToolCollaborators,
) -> Result:
    now = using.now()
    spent = now - began
    return Result(invocation.lap, invocation.call, tool, outcome, content, now, spent, invocation.attempt)


def _write(
    result: Result, marker: Marker | None, invocation: ToolInvocation, using: ToolCollaborators
) -> None:
    """A result that finds another in its place is dropped, but a true one that comes after `unknown` is kept."""
    key = invocation.key
    if marker is None:
        using.sessions.add_result(key, result)
    elif not using.sessions.replace_marker(key, marker, result) and result.outcome != "unknown":
        late = LateResult(result.lap, result.call, result.content, result.at)
        using.sessions.add_late_result(key, late)
