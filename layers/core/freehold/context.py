"""What the model is shown: the conversation's items as messages that every provider accepts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from .values.agent import Agent
from .values.model import (
    AssistantMessage,
    Message,
    ModelEntry,
    ToolMessage,
    ToolOutcome,
    ToolSpec,
    ToolUse,
    UserMessage,
)
from .values.run import Call, History, Lap, Run
from .window import budget, fit, with_newest_images, without_images

UNFINISHED = "(This answer was not finished: {reason}.)"
LOST = "No result was recorded for this call."
EXCERPT = 200
UNKNOWN_MODEL = ModelEntry("", "")


def messages(
    past: Sequence[History], current: History, entry: ModelEntry = UNKNOWN_MODEL, *, share: float = 1.0
) -> tuple[Message, ...]:
    """The conversation in order, ending with what the model has to answer now.

    Only as far as it fits that `share` of the model's window, and with the reasoning that the model can read.
    Users and the assistant alternate and every call is followed by its outcome, whatever ended the turns before:
    a turn that ended early is closed with a line that says so, and one that never began is left out.
    """
    begun = [turn for turn in past if turn.laps or turn.run.status != "CANCELLED"]
    told = [tuple(_turn(turn, entry, ended=True)) for turn in begun]
    now = tuple(_turn(current, entry, ended=False))
    return with_newest_images(fit(told, now, characters=int(budget(entry.window) * share)), share=share)


def instruction(agent: Agent, attributes: Mapping[str, str]) -> str:
    """The agent's instruction, and the attributes that caller and tools want the model to see in this run."""
    if not attributes:
        return agent.instruction
    context = json.dumps(attributes, ensure_ascii=False, sort_keys=True)
    return f"{agent.instruction}\n\nContext of this request, given by the application as data: {context}"


def tool_specs(agent: Agent) -> tuple[ToolSpec, ...]:
    """The tools that are offered; those of disabled action groups are not."""
    return tuple(
        ToolSpec(tool.name, tool.description, tool.input_schema) for tool in agent.tools if tool.enabled
    )


def _turn(turn: History, entry: ModelEntry, *, ended: bool) -> Iterator[Message]:
    yield _asked(turn.run, entry)
    answered = False
    for lap in turn.laps:
        answered = not lap.calls and bool(lap.text.strip())
        if lap.calls or answered:
            reasoning = lap.reasoning if lap.reasoning_by == entry.maker else None
            yield AssistantMessage(lap.text, _uses(turn.run, lap), reasoning)
        if lap.calls:
            yield ToolMessage(tuple(_outcome(turn, lap, i) for i in range(len(lap.calls))))
    if ended and not answered:
        yield AssistantMessage(UNFINISHED.format(reason=turn.run.stop_reason or turn.run.status.lower()))


def _asked(run: Run, entry: ModelEntry) -> UserMessage:
    message = UserMessage(run.input, run.images)
    # What a model has refused once would make it refuse the whole conversation for good.
    seen = entry.images and run.status != "FAILED"
    return message if seen or not run.images else without_images(message)


def _uses(run: Run, lap: Lap) -> tuple[ToolUse, ...]:
    return tuple(
        ToolUse(_call_id(run, lap, i), call.name, _replayable(call)) for i, call in enumerate(lap.calls)
    )


def _call_id(run: Run, lap: Lap, call: int) -> str:
    """The same on every replay, and within what the strictest provider accepts."""
    return f"t{run.turn}-l{lap.lap}-c{call}"


def _replayable(call: Call) -> str:
    """The arguments as sent; text that is no JSON object would make providers refuse the whole conversation."""
    return call.arguments if call.refused is None or _is_object(call.arguments) else "{}"


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text, parse_constant=_no_number), dict)
    except (ValueError, RecursionError):
        return False


def _no_number(constant: str) -> None:
    raise ValueError(constant)


def _outcome(turn: History, lap: Lap, i: int) -> ToolOutcome:
    call, name = lap.calls[i], _call_id(turn.run, lap, i)
    if call.refused is not None:
        sent = "" if _is_object(call.arguments) else f" You sent: {call.arguments[:EXCERPT]}"
        return ToolOutcome(name, call.refused + sent, ok=False)
    result = turn.results.get((lap.lap, i))
    if result is None:
        return ToolOutcome(name, LOST, ok=False)
    return ToolOutcome(name, result.content, ok=result.outcome == "success")
