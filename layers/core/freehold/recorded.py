"""A replay's tools: they answer what they answered in the run that is replayed, and nothing is called."""

from __future__ import annotations

import json
from collections.abc import Iterator

from .ports import Sessions
from .values.history import History
from .values.run import Call, Lap, Result, Run, RunKey
from .values.tool import Answer

NOT_RECORDED = (
    "There is no record of this call: a replay makes no calls, and the run that is replayed did not make it."
)
RECORDED = " It called {tool} with: {arguments}."
GONE = "The run that is replayed is not there any more."
MOST_SHOWN, EXCERPT = 10, 500


def answer(run: Run, lap: Lap, call: int, sessions: Sessions) -> Answer:
    """Of the same call, by name and arguments; where it was made several times, of the one that is as manieth.

    Session attributes come with it, as they did then.
    """
    key = RunKey.parse(run.tenant, run.replays or "")
    record = sessions.history(key) if key else None
    if record is None:
        return Answer(False, GONE, None, None)
    asked = lap.calls[call]
    same = [result for made, result in _made(record) if _same(made) == _same(asked)]
    if not same:
        return Answer(False, NOT_RECORDED + _recorded(record, asked.name), None, None)
    here = sessions.history(run.key)
    before = _earlier(here, lap.lap, call, asked) if here else 0
    result = same[min(before, len(same) - 1)]
    ok = result.outcome == "success"
    return Answer(ok, result.content, result.session_attributes, result.prompt_session_attributes)


def _made(record: History) -> Iterator[tuple[Call, Result]]:
    """The calls in order, but for those that the end of the run forestalled."""
    for lap in record.laps:
        for i, call in enumerate(lap.calls):
            result = record.results.get((lap.lap, i))
            if result is not None and result.outcome != "cancelled":
                yield call, result


def _earlier(history: History, lap: int, call: int, asked: Call) -> int:
    """How often the replay has asked for the same before this call."""
    calls = ((each.lap, i, made) for each in history.laps for i, made in enumerate(each.calls))
    return sum((number, i) < (lap, call) and _same(made) == _same(asked) for number, i, made in calls)


def _same(call: Call) -> tuple[str, str]:
    try:
        return call.name, json.dumps(json.loads(call.arguments), sort_keys=True)
    except (ValueError, RecursionError):
        return call.name, call.arguments


def _recorded(record: History, tool: str) -> str:
    """What may help the model to ask for what there is."""
    known = list(dict.fromkeys(call.arguments for call, _ in _made(record) if call.name == tool))
    shown = "; ".join(arguments[:EXCERPT] for arguments in known[:MOST_SHOWN])
    return RECORDED.format(tool=tool, arguments=shown) if known else ""
