"""Rules on the stack's event bus, which bring the events that triggers wait for."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ..errors import StoreUnavailable
from ..triggering import mark_of
from ..values.trigger import Trigger
from .alarm_errors import named_errors

if TYPE_CHECKING:
    from types_boto3_events import EventBridgeClient
    from types_boto3_events.type_defs import (
        PutTargetsResultEntryTypeDef,
        RemoveTargetsResultEntryTypeDef,
        RetryPolicyTypeDef,
        TargetTypeDef,
    )

# Beside them the stack's own rule is on its bus.
PREFIX = "trigger-"
TARGET = "incoming-events"
GONE = "ResourceNotFoundException"
# EventBridge puts the event here.
EVENT = "<aws.events.event.json>"
# For as long as AWS tries at most, as the stack's own rule.
RETRY_POLICY: RetryPolicyTypeDef = {"MaximumEventAgeInSeconds": 86_400, "MaximumRetryAttempts": 185}


class EventRules:
    """`Alarms` for patterns of events: a rule each, whose events go to the queue `target`.

    Those that do not get there go to the queue `dead_letters`; both are ARNs. The client is made once it is needed.
    """

    def __init__(
        self, client: Callable[[], EventBridgeClient], *, bus: str, target: str, dead_letters: str
    ) -> None:
        self._client, self._bus = client, bus
        self._target, self._dead_letters = target, dead_letters

    def mark(self, trigger: Trigger) -> str:
        return mark_of(_pattern(trigger), self._target_of(trigger))

    def arm(self, trigger: Trigger) -> None:
        name, client = _name(trigger), self._client()
        with named_errors(f"rule {name}", path="eventPattern"):
            client.put_rule(
                Name=name, EventBusName=self._bus, EventPattern=_pattern(trigger), State="ENABLED"
            )
            # A new rule brings nothing before it has a target.
            answer = client.put_targets(Rule=name, EventBusName=self._bus, Targets=[self._target_of(trigger)])
        _check(name, answer["FailedEntries"])

    def disarm(self, trigger: Trigger) -> None:
        name, client = _name(trigger), self._client()
        with named_errors(f"rule {name}", gone=GONE):
            answer = client.remove_targets(Rule=name, EventBusName=self._bus, Ids=[TARGET])
            _check(name, answer["FailedEntries"])
            client.delete_rule(Name=name, EventBusName=self._bus)

    def _target_of(self, trigger: Trigger) -> TargetTypeDef:
        named = json.dumps({"tenant": trigger.tenant, "id": trigger.trigger_id})
        return {
            "Id": TARGET,
            "Arn": self._target,
            "InputTransformer": {
                "InputPathsMap": {},
                "InputTemplate": f'{{"trigger": {named}, "event": {EVENT}}}',
            },
            "RetryPolicy": RETRY_POLICY,
            "DeadLetterConfig": {"Arn": self._dead_letters},
        }


def _name(trigger: Trigger) -> str:
    return PREFIX + trigger.trigger_id


def _pattern(trigger: Trigger) -> str:
    return json.dumps(trigger.event_pattern, ensure_ascii=False)


def _check(
    name: str, failed: Sequence[PutTargetsResultEntryTypeDef | RemoveTargetsResultEntryTypeDef]
) -> None:
    """A target that is not there to be removed is no failure."""
    if any(entry.get("ErrorCode") != GONE for entry in failed):
        raise StoreUnavailable(f"rule {name}: {failed}")
