"""Dead letters over HTTP: messages of the tenant that began no run."""

from __future__ import annotations

from functools import cache

from .. import wiring
from ..adapters.letters import Letter
from ..errors import NotFound
from ..ways_in import tenant_of_event
from ..wiring.arrivals import all_dead_letters, incoming_events
from . import requests
from .caller import Caller
from .shapes import Json, iso

# Of one request: what is put back takes a moment each.
MOST_REDRIVEN = 100


def listed(caller: Caller, query: dict[str, str] | None) -> Json:
    """Oldest first, without what they say. A queue has no pages: `complete` is False where there may be more."""
    tenant = caller.needs("admin").tenant
    asked = requests.read_query(query, "limit")
    found, complete = all_dead_letters().listed(_Owned(tenant).has, most=asked.limit)
    return {"deadLetters": [shape(each) for each in found], "complete": complete}


def get(caller: Caller, letter_id: str) -> Json:
    tenant = caller.needs("admin").tenant
    found = all_dead_letters().find(letter_id, _Owned(tenant).has)
    if found is None:
        raise NotFound(
            f"no dead letter {letter_id}, or others look at it; they see it for half a minute at most"
        )
    return shape(found) | {"body": found.body}


def redrive(caller: Caller, body: str | None) -> Json:
    """Put them back where they came from. `missing` are ids that were not found, `failed` could not be put there."""
    owned = _Owned(caller.needs("admin").tenant)
    asked = requests.read(requests.RedriveBody, requests.document(body))
    before = requests.epoch_ms(asked.before)

    def is_wanted(letter: Letter) -> bool:
        return (before is None or letter.at < before) and owned.has(letter)

    most = MOST_REDRIVEN if asked.ids is None else len(asked.ids)
    done = all_dead_letters().redrive(
        is_wanted,
        most=most,
        new_id=wiring.new_id,
        ids=asked.ids,
        may_return=owned.may_return,
        redriver=caller.principal.name,
    )
    back, failed = [each.id for each in done.back], [each.id for each in done.failed]
    missing = sorted({*(asked.ids or ())} - {*back, *failed})
    # One that is missing may be hidden by another look, for a while.
    complete = done.complete and not missing
    return {"redriven": back, "missing": missing, "failed": failed, "complete": complete}


def once_complete(told: Json) -> Json | None:
    """The same request goes on where this one has left something that it may do."""
    return told if told["complete"] else None


def shape(letter: Letter) -> Json:
    told = {
        "id": letter.id,
        "at": iso(letter.at),
        "source": letter.source,
        "sender": letter.sender or None,
        "error": letter.error,
        "reason": letter.reason,
        "group": letter.group,
        "deduplicationId": letter.deduplication,
        "bytes": len(letter.body.encode()),
    }
    return {name: value for name, value in told.items() if value is not None}


class _Owned:
    """Whose letters are, as a tenant is concerned. Each access entry is read once."""

    def __init__(self, tenant: str) -> None:
        self._tenant, self._find, self._incoming = tenant, cache(wiring.access().find), incoming_events()

    def has(self, letter: Letter) -> bool:
        if letter.tenant is not None:
            return letter.tenant == self._tenant
        if letter.source is None:
            return False
        if letter.source != self._incoming:
            return self._leads_here(letter.source)
        # Nobody has judged one that SQS moved from there, so it is for the account's administrators.
        return self._is_own_event(letter)

    def may_return(self, letter: Letter) -> bool:
        """By now, too: what led to a tenant when a letter was written may lead to another one."""
        if letter.source == self._incoming:
            return self._is_own_event(letter)
        return letter.source is not None and self._leads_here(letter.source)

    def _is_own_event(self, letter: Letter) -> bool:
        return not letter.moved and tenant_of_event(letter.body, self._find) == self._tenant

    def _leads_here(self, queue: str) -> bool:
        entry = self._find("queue", queue)
        return entry is not None and entry.tenant == self._tenant
