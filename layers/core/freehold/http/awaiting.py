"""What a parked run waits for, as people are shown it before they decide."""

from __future__ import annotations

import json

from ..values.run import Lap, Pending, Run
from ..waiting import call_id
from .shapes import Json, iso


def awaiting_shape(run: Run, lap: Lap | None) -> list[Json]:
    """Each call of the lap that waits, its arguments as the model wrote them; nothing where the lap is gone."""
    return [_awaited(run, each, lap) for each in run.pending if lap is not None and lap.lap == each.lap]


def _awaited(run: Run, wanted: Pending, lap: Lap) -> Json:
    call = lap.calls[wanted.call]
    shape: Json = {
        "callId": call_id(run.key, wanted.lap, wanted.call),
        "kind": wanted.kind,
        "tool": call.name,
        "arguments": call.arguments,
        "argumentsDigest": wanted.digest,
        "reason": lap.text,
        "expiresAt": iso(run.waits_until),
    }
    if wanted.kind == "answer":
        # They fit the tool's schema, or the call would have been refused.
        shape["question"] = str(json.loads(call.arguments).get("question", ""))
    return shape
