"""The sweeper, called as its schedule calls it."""

from __future__ import annotations

import pytest

from freehold.sweeping import Swept

from .aws import aws
from .deployed import Deployed
from .lambdas import invoke

SCHEDULE = {
    "version": "0",
    "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa",
    "detail-type": "Scheduled Event",
    "source": "aws.events",
    "account": "123456789012",
    "time": "2026-11-08T16:53:06Z",
    "region": "us-east-1",
    "resources": ["arn:aws:events:us-east-1:123456789012:rule/freehold-sweep"],
    "detail": {},
}
NOTHING = dict.fromkeys(Swept.__slots__, 0)


def test_a_sweep_of_nothing_does_nothing(product: Deployed):
    assert invoke("sweep", SCHEDULE) == NOTHING


def test_a_run_at_work_is_left_alone(product: Deployed):
    product.start()

    assert invoke("sweep", SCHEDULE) == NOTHING | {"seen": 1}


@pytest.mark.parametrize(("stopped", "did"), [(False, "restarted"), (True, "cancelled")])
def test_a_run_whose_execution_is_gone_is_picked_up(
    product: Deployed, stopped: bool, did: str, capsys: pytest.CaptureFixture[str]
):
    run_id = product.start()["runId"]
    age(product, run_id)
    if stopped:
        machine = "arn:aws:states:us-east-1:123456789012:execution:freehold-agent-loop"
        aws("stepfunctions").stop_execution(executionArn=f"{machine}:{run_id}-1")

    swept = invoke("sweep", SCHEDULE)

    assert swept == NOTHING | {"seen": 1, did: 1}
    assert f'"Runs{did.title()}"' in capsys.readouterr().out
    status = product.admin.call("GET", f"/runs/{run_id}").body["status"]
    assert status == ("CANCELLED" if stopped else "RUNNING")


def age(product: Deployed, run_id: str) -> None:
    """Make the run look as if nothing had happened to it for an hour."""
    item = next(item for item in product.items("sessions") if item["kind"]["S"] == "run")
    for name in ("created_at", "started_at"):
        item[name] = {"N": str(int(item[name]["N"]) - 3_600_000)}
    product.client.put_item(TableName="sessions", Item=item)
