"""Triggers in the agents table."""

from __future__ import annotations

import json
from typing import Any

from ..errors import StaleWrite
from ..triggering import agent_mark
from ..values.run import Principal
from ..values.trigger import Trigger
from . import keys
from .contents import Contents
from .pages import page
from .table import Item, Table

KIND = "kind = :kind"
OURS = {":kind": "trigger"}
# A message of a one-time schedule may come late; until then it must be known whose it is.
KEPT_SECONDS = 14 * 86_400


class DynamoTriggers:
    """Each is found by its id; those of an agent lie side by side, because their ids begin alike."""

    def __init__(self, table: Table, contents: Contents) -> None:
        self._table, self._contents = table, contents

    def find(self, tenant: str, trigger_id: str) -> Trigger | None:
        item = self._table.get(_key(tenant, trigger_id))
        return self._whole(tenant, item) if item else None

    def of_agent(self, tenant: str, agent: str) -> list[Trigger]:
        """Those of its configuration, and those that were added one by one."""
        items = self._table.query(keys.triggers_of(tenant), prefix=agent_mark(tenant, agent))
        return [self._whole(tenant, item) for item in items if item["agent"] == agent]

    def page(self, tenant: str, *, limit: int, token: str | None) -> tuple[list[Trigger], str | None]:
        """In order of id, without their inputs; and the token of the next page."""
        items, following = page(self._table, keys.triggers_of(tenant), limit=limit, token=token)
        return [_read(tenant, item, "") for item in items], following

    def put(self, trigger: Trigger) -> None:
        condition = f"attribute_not_exists(pk) OR {KIND}"
        # Longer than an item may be, in some alphabets.
        text = self._contents.put(_folder(trigger), trigger.input)
        self._table.put(_item(trigger) | text, condition=condition, values=OURS)

    def put_again(self, trigger: Trigger) -> bool:
        """Whether it was still there."""
        text = self._contents.put(_folder(trigger), trigger.input)
        try:
            self._table.put(_item(trigger) | text, condition=KIND, values=OURS)
        except StaleWrite:
            return False
        return True

    def delete(self, trigger: Trigger) -> Trigger | None:
        """None once it is gone. Where it was armed meanwhile, or disarmed, it stays: as it is there by now."""
        armed = "attribute_not_exists(armed)" if trigger.armed is None else "armed = :armed"
        values = OURS if trigger.armed is None else OURS | {":armed": trigger.armed}
        try:
            self._table.delete(
                _key(trigger.tenant, trigger.trigger_id), condition=f"{KIND} AND {armed}", values=values
            )
        except StaleWrite:
            return self.find(trigger.tenant, trigger.trigger_id)
        return None

    def _whole(self, tenant: str, item: Item) -> Trigger:
        return _read(tenant, item, self._contents.get(item))


def _key(tenant: str, trigger_id: str) -> keys.Key:
    return {"pk": keys.triggers_of(tenant), "sk": keys.quoted(trigger_id)}


def _item(trigger: Trigger) -> Item:
    once = trigger.once_at
    pattern = trigger.event_pattern
    return _key(trigger.tenant, trigger.trigger_id) | {
        "schema": 1,
        "kind": "trigger",
        "agent": trigger.agent,
        "set_by": trigger.set_by,
        "created_by": trigger.created_by.name,
        "created_at": trigger.created_at,
        "schedule": trigger.schedule,
        "time_zone": trigger.time_zone,
        # As text: numbers come back as they were written.
        "event_pattern": None if pattern is None else json.dumps(pattern, ensure_ascii=False),
        "alias": trigger.alias,
        "session_id": trigger.session_id,
        "memory_id": trigger.memory_id,
        "once_at": once,
        "armed": trigger.armed,
        "expires_at": None if once is None else once // 1000 + KEPT_SECONDS,
    }


def _folder(trigger: Trigger) -> str:
    return f"agents/{keys.quoted(trigger.tenant)}/{keys.quoted(trigger.agent)}"


def _read(tenant: str, item: Item, text: str) -> Trigger:
    pattern: str | None = item.get("event_pattern")
    kind, _, who = item["created_by"].partition(":")
    optional: dict[str, Any] = {
        name: item.get(name) for name in ("schedule", "alias", "session_id", "memory_id", "once_at", "armed")
    }
    return Trigger(
        tenant,
        item["sk"],
        item["agent"],
        text,
        item["set_by"],
        Principal(kind, who),
        item["created_at"],
        time_zone=item["time_zone"],
        event_pattern=None if pattern is None else json.loads(pattern),
        **optional,
    )
