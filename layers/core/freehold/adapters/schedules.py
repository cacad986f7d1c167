"""Schedules of EventBridge Scheduler, in the stack's group."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Protocol

from botocore.exceptions import ClientError

from ..triggering import mark_of, next_of_rate
from ..values.trigger import Trigger
from .alarm_errors import named_errors

# EventBridge Scheduler puts these in.
TIME, EXECUTION = "<aws.scheduler.scheduled-time>", "<aws.scheduler.execution-id>"
# For as long as AWS tries at most, as the rules' own.
RETRY_POLICY = {"MaximumEventAgeInSeconds": 86_400, "MaximumRetryAttempts": 185}


class Scheduler(Protocol):
    """What is used of boto3's client of EventBridge Scheduler."""

    def create_schedule(self, **request: Any) -> Any: ...

    def update_schedule(self, **request: Any) -> Any: ...

    def delete_schedule(self, **request: Any) -> Any: ...


class Schedules:
    """`Alarms` for schedules, each of which sends a message to the queue `target` when it comes due.

    What it cannot send goes to the queue `dead_letters`; both are ARNs. The client is made once it is needed.
    """

    def __init__(
        self,
        client: Callable[[], Scheduler],
        *,
        group: str,
        target: str,
        dead_letters: str,
        role: str,
        now: Callable[[], int],
    ) -> None:
        self._client, self._group, self._now = client, group, now
        self._target, self._dead_letters, self._role = target, dead_letters, role

    def mark(self, trigger: Trigger) -> str:
        return mark_of(self._schedule(trigger))

    def arm(self, trigger: Trigger) -> None:
        schedule, due = self._schedule(trigger), next_of_rate(trigger, self._now())
        if due is not None:
            # AWS would count from the last time that it was set.
            schedule |= {"StartDate": due // 1000}
        with named_errors(f"schedule {schedule['Name']}", path="schedule"):
            try:
                self._client().create_schedule(**schedule)
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") != "ConflictException":
                    raise
                self._client().update_schedule(**schedule)

    def disarm(self, trigger: Trigger) -> None:
        name = trigger.trigger_id
        with named_errors(f"schedule {name}", gone="ResourceNotFoundException"):
            self._client().delete_schedule(Name=name, GroupName=self._group)

    def _schedule(self, trigger: Trigger) -> dict[str, Any]:
        message = {
            "trigger": {"tenant": trigger.tenant, "id": trigger.trigger_id},
            "scheduledTime": TIME,
            "execution": EXECUTION,
        }
        return {
            # The group is the stack's own.
            "Name": trigger.trigger_id,
            "GroupName": self._group,
            "ScheduleExpression": trigger.schedule,
            "ScheduleExpressionTimezone": trigger.time_zone,
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "ActionAfterCompletion": "NONE" if trigger.once_at is None else "DELETE",
            "State": "ENABLED",
            "Target": {
                "Arn": self._target,
                "RoleArn": self._role,
                "Input": json.dumps(message),
                "RetryPolicy": RETRY_POLICY,
                "DeadLetterConfig": {"Arn": self._dead_letters},
            },
        }
