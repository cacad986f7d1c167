"""The same request twice: done once, and answered as the first time (docs/adr/0020)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable

from .. import wiring
from ..adapters.claims import Claim, Kept
from ..errors import FreeholdError, StaleWrite, StoreUnavailable
from ..wiring.idempotency import claims
from . import requests
from .call import Answer, Call
from .caller import Caller
from .shapes import Json


def _whole(body: Json) -> Json:
    return body


def once(
    caller: Caller,
    call: Call,
    name: str,
    act: Callable[[Claim], Answer],
    *,
    keep: Callable[[Json], Json | None] = _whole,
    retell: Callable[[Json], Json] = _whole,
) -> Answer:
    """Do what the call `name` asks, unless a request with its Idempotency-Key has: then that one's answer.

    `act` must be safe to repeat with the same claim. `keep` says what of its answer is kept for a day (None: nothing,
    and the same request goes on where this one has stopped), and `retell` makes an answer of that again.
    """
    key = requests.idempotency_key(call.idempotency_key)
    if key is None:
        return act(Claim(wiring.new_id()))
    store = claims()
    claim = store.take(caller.tenant, key, request_digest(name, call), wiring.new_id(), now=wiring.now())
    if isinstance(claim, Kept):
        return Answer(retell(claim.body), claim.status)
    try:
        answer = act(claim)
        kept = keep(answer.body or {})
        if kept is None:
            store.leave(claim, now=wiring.now())
        else:
            store.keep(claim, Kept(answer.status, kept), now=wiring.now())
    except (StaleWrite, StoreUnavailable):
        store.leave(claim, now=wiring.now())
        raise
    except FreeholdError:
        store.give_back(claim)
        raise
    return answer


def request_digest(name: str, call: Call) -> str:
    """Tells a repeat from another request under the same key."""
    told = json.dumps([name, sorted(call.ids.items()), _read(call.body)], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()


def _read(body: str | None) -> object:
    """A body that is no JSON stands for itself, and is refused by what reads it."""
    try:
        return json.loads(body or "null")
    except (ValueError, RecursionError):
        return {"text": body}
