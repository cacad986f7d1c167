"""An agent's triggers over HTTP: the rules that go off for them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from freehold import wiring
from freehold.values.access import AccessEntry
from freehold.values.precondition import Precondition

from .aws import aws, meddling
from .caller import TENANT
from .deployed import Deployed, agent

PAID = {
    "eventPattern": {"source": ["shop.orders"], "detail-type": ["Order Paid"]},
    "input": "Thank for order {{detail.orderId}}.",
    "sessionId": "order-{{detail.orderId}}",
}
DAILY = {"schedule": "rate(1 day)", "input": "Report."}


def grant(source: str, tenant: str = TENANT) -> None:
    wiring.access().grant(AccessEntry("source", source, tenant, 0))


def applied(product: Deployed, *triggers: dict[str, Any], **more: Any) -> Any:
    return product.admin.call("PUT", "/agents/helper", agent(triggers=[*triggers]), **more)


def rules() -> dict[str, Any]:
    """Patterns and targets of the stack's rules, by name."""
    found = aws("events").list_rules(EventBusName="freehold")["Rules"]
    return {
        each["Name"]: (
            json.loads(each["EventPattern"]),
            aws("events").list_targets_by_rule(EventBusName="freehold", Rule=each["Name"])["Targets"],
        )
        for each in found
    }


def records(product: Deployed) -> list[dict[str, Any]]:
    return [item for item in product.items("agents") if item["kind"]["S"] == "trigger"]


def test_a_rule_brings_the_events_of_a_trigger_to_the_queue(product: Deployed):
    grant("shop.*")

    assert applied(product, PAID).status == 200

    ((name, (pattern, (target,))),) = rules().items()
    (record,) = records(product)
    assert name == f"trigger-{record['sk']['S']}"
    # Whatever the stack is called.
    assert len(name) <= 64
    assert pattern == PAID["eventPattern"]
    assert target["Arn"].endswith(":freehold-incoming-events")
    assert target["DeadLetterConfig"]["Arn"].endswith(":freehold-dead-letters")
    template = target["InputTransformer"]["InputTemplate"].replace("<aws.events.event.json>", '{"id": "e1"}')
    assert json.loads(template) == {
        "trigger": {"tenant": TENANT, "id": record["sk"]["S"]},
        "event": {"id": "e1"},
    }


def test_a_source_that_the_tenant_was_not_granted_is_refused(product: Deployed):
    grant("shop.*", tenant="globex")
    grant("shop.returns")

    refused = applied(product, PAID, PAID | {"eventPattern": {"source": [{"prefix": "shop.returns"}]}})

    assert refused.status == 400
    assert [each["path"] for each in refused.body["problems"]] == [
        "triggers[0].eventPattern.source[0]",
        "triggers[1].eventPattern.source[0]",
    ]
    assert "granted are shop.returns" in refused.body["detail"]
    assert (rules(), records(product)) == ({}, [])


def test_a_trigger_whose_input_changes_stays_the_same_one(product: Deployed):
    grant("*")
    applied(product, PAID)
    before = rules()

    assert applied(product, PAID | {"input": "Say hello."}).status == 200

    assert rules() == before
    (record,) = records(product)
    assert record["body"]["S"] == "Say hello."


def test_what_a_configuration_holds_no_more_goes_off_no_more(product: Deployed):
    grant("*")
    applied(product, PAID, DAILY)

    assert applied(product, DAILY).status == 200
    assert rules() == {}
    assert product.admin.call("DELETE", "/agents/helper").status == 204
    assert records(product) == []
    assert aws("scheduler").list_schedules(GroupName="freehold")["Schedules"] == []


def test_the_same_request_mends_what_died_on_the_way(product: Deployed):
    grant("*")

    def fail(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "ThrottlingException"}}, "PutTargets")

    with meddling(wiring.client("events"), "before-call.events.PutTargets", fail):
        failed = applied(product, PAID)
    assert failed.status == 503
    # The record is there before anything goes off.
    assert len(records(product)) == 1

    assert applied(product, PAID).status == 200
    ((_, targets),) = rules().values()
    assert len(targets) == 1


def test_a_deletion_that_died_is_mended_by_the_same_request(product: Deployed):
    grant("*")
    applied(product, PAID)

    def fail(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "ThrottlingException"}}, "DeleteRule")

    with meddling(wiring.client("events"), "before-call.events.DeleteRule", fail):
        failed = product.admin.call("DELETE", "/agents/helper")
    assert failed.status == 503

    assert product.admin.call("DELETE", "/agents/helper").status == 404
    assert (rules(), records(product)) == ({}, [])


@pytest.mark.parametrize(
    ("code", "status", "told"),
    [
        ("InvalidEventPatternException", 400, "Event pattern is not valid"),
        ("LimitExceededException", 409, "a quota of the AWS account is used up"),
    ],
)
@pytest.mark.parametrize("operation", ["PutRule", "PutTargets"])
def test_a_rule_that_aws_does_not_take_is_refused_and_leaves_nothing(
    product: Deployed, operation: str, code: str, status: int, told: str
):
    grant("*")

    def refuse(**_: Any) -> None:
        error = {"Code": code, "Message": "Event pattern is not valid."}
        raise ClientError({"Error": error}, operation)

    with meddling(wiring.client("events"), f"before-call.events.{operation}", refuse):
        refused = applied(product, PAID)

    assert (refused.status, told in refused.body["detail"]) == (status, True)
    assert (records(product), rules()) == ([], {})


def test_a_request_of_ours_that_aws_does_not_take_is_no_fault_of_the_pattern(product: Deployed):
    grant("*")

    def refuse(**_: Any) -> None:
        told = "1 validation error detected: Value at 'name' failed to satisfy constraint: regular expression"
        raise ClientError({"Error": {"Code": "ValidationException", "Message": told}}, "PutRule")

    with meddling(wiring.client("events"), "before-call.events.PutRule", refuse):
        assert applied(product, PAID).status == 503


def test_what_has_not_changed_is_not_set_again(product: Deployed):
    grant("*")
    applied(product, PAID, DAILY)
    before = records(product)
    sent: list[str] = []

    def count(model: Any, **_: Any) -> None:
        sent.append(model.name)

    clients = wiring.client("events"), wiring.client("scheduler")
    with (
        meddling(clients[0], "before-call.events", count),
        meddling(clients[1], "before-call.scheduler", count),
    ):
        assert applied(product, PAID, DAILY).status == 200

    assert (sent, records(product)) == ([], before)


def test_the_triggers_left_are_those_of_the_draft_that_was_stored_last(product: Deployed):
    grant("*")

    def forestall(**_: Any) -> None:
        if not raced:
            raced.append(True)
            draft = wiring.agents().draft(TENANT, "helper")
            made = wiring.agents().snapshot(TENANT, "helper", draft.digest)
            source = agent(triggers=[DAILY])
            wiring.agents().apply(TENANT, made, source, (), now=wiring.now(), expected=Precondition())

    raced: list[bool] = []
    with meddling(wiring.client("events"), "before-call.events.PutRule", forestall):
        assert applied(product, PAID).status == 200

    assert rules() == {}
    (record,) = records(product)
    assert record["schedule"]["S"] == "rate(1 day)"


def test_a_draft_that_has_changed_meanwhile_keeps_its_triggers(product: Deployed):
    grant("*")
    applied(product, DAILY)

    refused = applied(product, PAID, headers={"If-Match": '"0"'})

    assert refused.status == 412
    assert rules() == {}
    assert len(records(product)) == 1
