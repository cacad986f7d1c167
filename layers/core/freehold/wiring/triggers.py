"""What begins runs by itself: where it is kept, and what goes off."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from .clients import client, now, setting

if TYPE_CHECKING:
    from ..adapters.triggers import DynamoTriggers
    from ..triggering import TriggerCollaborators


@cache
def triggers() -> DynamoTriggers:
    from ..adapters.triggers import DynamoTriggers
    from . import agents_table, contents

    return DynamoTriggers(agents_table(), contents())


@cache
def triggering() -> TriggerCollaborators:
    """For whoever sets triggers."""
    from ..adapters.event_rules import EventRules
    from ..adapters.schedules import Schedules
    from ..triggering import TriggerCollaborators

    queue, dead_letters = setting("INCOMING_EVENTS_ARN"), setting("DEAD_LETTERS_ARN")
    rules = EventRules(
        lambda: client("events"), bus=setting("EVENT_BUS"), target=queue, dead_letters=dead_letters
    )
    schedules = Schedules(
        lambda: client("scheduler"),
        group=setting("SCHEDULE_GROUP"),
        target=queue,
        dead_letters=dead_letters,
        role=setting("SCHEDULER_ROLE_ARN"),
        now=now,
    )
    return TriggerCollaborators(triggers(), rules, schedules, now)
