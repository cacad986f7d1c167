"""What the model is told of a call that was decided about."""

from __future__ import annotations

import json
from typing import Any

from .approving import Asked, Decider
from .ports import Waits
from .values.agent import Wait
from .values.decision import EXPIRED, Pending
from .values.run import UNKNOWN, CallOutcome, Run

# Characters of what the user wrote while a person had the conversation.
MOST_TOLD = 20_000
CUT = " [cut here]"
LEFT_OUT = "[earlier messages are left out]"
# Where there is no result.
DENIED: dict[Wait, str] = {
    "confirmation": "The user did not confirm this call, so it was not made.",
    "approval": "This call was not approved, so it was not made.",
    "result": "This call was declined by whoever was to make it, so it was not made.",
    "answer": "The user does not want to answer.",
    "outcome": UNKNOWN,
}
TOO_LATE: dict[Wait, str] = {
    "confirmation": "Nobody confirmed this call in time, so it was not made.",
    "approval": "Nobody approved this call in time, so it was not made.",
    "result": "Nobody sent a result of this call in time. It may or may not have been made.",
    "answer": "The user has not answered in time.",
    "handback": "No person has handed the conversation back in time. The user may still wait for help.",
    "agent": "The other agent has not answered in time.",
    "outcome": UNKNOWN,
}


def told(run: Run, wanted: Pending, asked: Asked, by: Decider, waits: Waits) -> tuple[CallOutcome, str]:
    """What the call comes to by a decision that approves nothing."""
    if asked.verdict == "result":
        handed = wanted.kind == "handback"
        content = _handed_back(run, wanted.lap, asked.content, waits) if handed else asked.content
        return "success" if asked.ok else "error", content
    texts = TOO_LATE if by.name == EXPIRED else DENIED
    comment = f" Comment: {asked.comment}" if asked.comment else ""
    outcomes: dict[Wait, CallOutcome] = {"outcome": "unknown", "agent": "error", "handback": "error"}
    return outcomes.get(wanted.kind, "denied"), texts.get(wanted.kind, TOO_LATE[wanted.kind]) + comment


def _handed_back(run: Run, lap: int, note: str, waits: Waits) -> str:
    """The note, and what the user wrote since `lap`: the newest of it, as much as the model is told."""
    wrote, room = list[str](), MOST_TOLD
    for message in waits.messages(run.key):
        if message.lap != lap:
            break
        if room <= 0:
            wrote.append(LEFT_OUT)
            break
        wrote.append(message.text if len(message.text) <= room else message.text[:room] + CUT)
        room -= len(message.text)
    heard: dict[str, Any] = {"handedBackWith": note}
    return json.dumps(heard | ({"userWroteMeanwhile": wrote[::-1]} if wrote else {}), ensure_ascii=False)
