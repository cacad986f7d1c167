"""Schedules over HTTP, and what goes off for them."""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import ClientError

from freehold import wiring
from freehold.value import replace
from freehold.wiring.triggers import triggers

from .aws import aws, meddling
from .caller import TENANT
from .deployed import Deployed, agent

WEEKLY = {
    "agent": "helper",
    "schedule": "cron(0 8 ? * MON *)",
    "timeZone": "Europe/Berlin",
    "input": "Report on the week to {{scheduledTime}}.",
}


def scheduled() -> dict[str, Any]:
    """What EventBridge Scheduler holds, by name."""
    found = aws("scheduler").list_schedules(GroupName="freehold")["Schedules"]
    return {
        each["Name"]: aws("scheduler").get_schedule(Name=each["Name"], GroupName="freehold") for each in found
    }


def test_a_schedule_is_added_shown_and_removed(product: Deployed):
    added = product.admin.call("POST", "/schedules", WEEKLY)

    assert added.status == 201, added.text
    schedule_id = added.body["scheduleId"]
    assert added.body["createdBy"] == {"type": "key", "id": product.admin.key_id}
    assert (added.body["setBy"], added.body["armed"]) == ("api", True)
    assert product.admin.call("GET", f"/schedules/{schedule_id}").body == added.body
    listed = product.admin.call("GET", "/schedules").body["schedules"]
    assert listed == [{name: value for name, value in added.body.items() if name != "input"}]

    assert product.admin.call("DELETE", f"/schedules/{schedule_id}").status == 204
    assert product.admin.call("GET", f"/schedules/{schedule_id}").status == 404
    assert product.admin.call("DELETE", f"/schedules/{schedule_id}").status == 404
    assert scheduled() == {}


def test_the_scheduler_sends_the_schedules_name_and_its_time_to_the_queue(product: Deployed):
    schedule_id = product.admin.call("POST", "/schedules", WEEKLY).body["scheduleId"]

    (made,) = scheduled().values()

    assert made["Name"] == schedule_id
    assert made["ScheduleExpression"] == WEEKLY["schedule"]
    assert made["ScheduleExpressionTimezone"] == "Europe/Berlin"
    assert made["ActionAfterCompletion"] == "NONE"
    assert made["Target"]["Arn"].endswith(":freehold-incoming-events")
    assert made["Target"]["DeadLetterConfig"]["Arn"].endswith(":freehold-dead-letters")
    assert made["Target"]["RetryPolicy"] == {"MaximumEventAgeInSeconds": 86_400, "MaximumRetryAttempts": 185}
    assert json.loads(made["Target"]["Input"]) == {
        "trigger": {"tenant": "acme", "id": schedule_id},
        "scheduledTime": "<aws.scheduler.scheduled-time>",
        "execution": "<aws.scheduler.execution-id>",
    }


def test_a_one_time_schedule_goes_by_itself(product: Deployed):
    once = WEEKLY | {"schedule": "at(2099-01-31T08:00:00)"}

    assert product.admin.call("POST", "/schedules", once).status == 201

    (made,) = scheduled().values()
    assert made["ActionAfterCompletion"] == "DELETE"
    (item,) = [item for item in product.items("agents") if item["kind"]["S"] == "trigger"]
    due = int(item["once_at"]["N"]) // 1000
    assert int(item["expires_at"]["N"]) > due


def test_the_same_request_makes_one_schedule(product: Deployed):
    headers = {"Idempotency-Key": "weekly"}
    first, second = (product.admin.call("POST", "/schedules", WEEKLY, headers=headers) for _ in range(2))

    assert (first.status, second.body) == (201, first.body)
    assert len(scheduled()) == 1


def test_what_the_scheduler_did_not_take_is_made_by_the_same_request(product: Deployed):
    def fail(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "ThrottlingException"}}, "CreateSchedule")

    headers = {"Idempotency-Key": "weekly"}
    with meddling(wiring.client("scheduler"), "before-call.scheduler.CreateSchedule", fail):
        failed = product.admin.call("POST", "/schedules", WEEKLY, headers=headers)
    (left,) = product.admin.call("GET", "/schedules").body["schedules"]
    again = product.admin.call("POST", "/schedules", WEEKLY, headers=headers)

    assert (failed.status, left["armed"], again.status) == (503, False, 201)
    assert [*scheduled()] == [left["scheduleId"]]
    (made,) = product.admin.call("GET", "/schedules").body["schedules"]
    assert made == left | {"armed": True}


def test_a_schedule_does_not_outlive_its_agent_that_is_deleted_meanwhile(product: Deployed):
    def forestall(**_: Any) -> None:
        if not raced:
            raced.append(True)
            assert product.admin.call("DELETE", "/agents/helper").status == 204

    raced: list[bool] = []
    with meddling(wiring.client("scheduler"), "before-call.scheduler.CreateSchedule", forestall):
        answer = product.admin.call("POST", "/schedules", WEEKLY)

    assert answer.status == 404
    assert scheduled() == {}
    assert product.admin.call("GET", "/schedules").body["schedules"] == []


def test_a_schedule_that_is_armed_while_it_is_deleted_does_not_stay(product: Deployed):
    """As one that was left unarmed, and that whoever applies the agent at this moment has armed."""

    def forestall(**_: Any) -> None:
        if not raced:
            raced.append(True)
            assert product.admin.call("PUT", "/agents/helper", agent()).status == 200
            assert [*scheduled()] == [made["scheduleId"]]

    raced: list[bool] = []
    made = product.admin.call("POST", "/schedules", WEEKLY).body
    (record,) = triggers().of_agent(TENANT, "helper")
    triggers().put(replace(record, armed=None))
    with meddling(wiring.client("scheduler"), "after-call.scheduler.DeleteSchedule", forestall):
        answer = product.admin.call("DELETE", f"/schedules/{made['scheduleId']}")

    assert (answer.status, raced) == (204, [True])
    assert scheduled() == {}
    assert product.admin.call("GET", "/schedules").body["schedules"] == []


def test_a_rate_goes_on_where_it_is_set_anew(product: Deployed):
    """AWS would count it from the last time that it was set."""
    trigger = {"schedule": "rate(7 days)", "input": "Report."}
    product.admin.call("PUT", "/agents/helper", agent(triggers=[trigger]))
    (record,) = triggers().of_agent(TENANT, "helper")
    days_ago = record.created_at - 3 * 86_400_000
    triggers().put(replace(record, created_at=days_ago, armed=None))

    assert product.admin.call("PUT", "/agents/helper", agent(triggers=[trigger])).status == 200

    (made,) = scheduled().values()
    assert made["StartDate"].timestamp() == (days_ago + 7 * 86_400_000) // 1000


def test_a_schedule_of_what_is_not_there_is_refused(product: Deployed):
    nobody = product.admin.call("POST", "/schedules", WEEKLY | {"agent": "nobody"})
    nowhere = product.admin.call("POST", "/schedules", WEEKLY | {"alias": "nowhere"})
    past = product.admin.call("POST", "/schedules", WEEKLY | {"schedule": "at(2020-01-31T08:00:00)"})

    assert (nobody.status, nowhere.status, past.status) == (404, 404, 400)
    assert past.body["problems"][0]["path"] == "schedule"
    assert scheduled() == {}


def test_every_fault_of_a_schedule_is_named(product: Deployed):
    wrong = {"agent": "helper", "schedule": "rate(1 minutes)", "timeZone": "Berlin", "input": "{{detail.id}}"}

    refused = product.admin.call("POST", "/schedules", wrong)

    assert refused.status == 400
    assert [each["path"] for each in refused.body["problems"]] == ["schedule", "timeZone", "input"]


def test_a_schedule_of_an_agents_configuration_goes_with_it_alone(product: Deployed):
    trigger = {"schedule": "rate(1 day)", "input": "Report."}
    assert product.admin.call("PUT", "/agents/helper", agent(triggers=[trigger])).status == 200
    (listed,) = product.admin.call("GET", "/schedules").body["schedules"]

    assert listed["setBy"] == "agent"
    assert product.admin.call("DELETE", f"/schedules/{listed['scheduleId']}").status == 409
    assert product.admin.call("PUT", "/agents/helper", agent()).status == 200
    assert product.admin.call("GET", "/schedules").body["schedules"] == []
    assert scheduled() == {}


def test_schedules_go_with_their_agent(product: Deployed):
    assert product.admin.call("POST", "/schedules", WEEKLY).status == 201

    assert product.admin.call("DELETE", "/agents/helper").status == 204

    assert product.admin.call("GET", "/schedules").body["schedules"] == []
    assert scheduled() == {}
