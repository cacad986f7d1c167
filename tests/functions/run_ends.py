"""All that FinishRun and Sweep can do, for the check of what they may."""

from __future__ import annotations

from typing import Any

from freehold import wiring
from freehold.adapters import keys
from freehold.ports import SHARDS

from . import people
from .aws import aws
from .caller import TENANT
from .deployed import Deployed, desk
from .lambdas import forget, invoke
from .models_and_tools import LARGE, run_of, watch
from .test_sweep import SCHEDULE
from .ways_in import begun_by_messages


def use_finish_run(product: Deployed) -> None:
    product.admin.call("PUT", "/agents/fast", desk() | {"agentName": "fast", "executionMode": "fast"})
    for name in ("helper", "fast"):
        first = product.start(LARGE, agent=name, sessionId=name)["runId"]
        product.start(LARGE, agent=name, sessionId=name, whenBusy="enqueue")
        forget()
        invoke("finish_run", {"run": {"tenant": TENANT, "id": first, "execution": 1}, "step": "continue"})
        done = {"status": "STOPPED", "reason": "maxLaps"}
        invoke("finish_run", {"run": {"tenant": TENANT, "id": first, "execution": 2}, "outcome": done})
    for run_id in begun_by_messages(product):
        product.finish(run_id)
    people.at_work(product)
    people.escalate(product)
    parent, child = people.delegate(product, "delegated")
    product.finish(child)
    assert product.admin.call("GET", f"/runs/{parent}").body["status"] == "RUNNING"


def use_sweep(product: Deployed) -> None:
    product.admin.call("PUT", "/agents/fast", desk() | {"agentName": "fast", "executionMode": "fast"})
    stopped = product.start(LARGE)["runId"]
    product.start(LARGE, sessionId="s", agent="fast")
    product.start(LARGE, sessionId="s", agent="fast", whenBusy="enqueue")
    product.start(LARGE)
    for item in [
        item for item in product.items("sessions") if item["kind"]["S"] == "run" and "started_at" in item
    ]:
        for name in ("created_at", "started_at"):
            item[name] = {"N": str(int(item[name]["N"]) - 3_600_000)}
        product.client.put_item(TableName="sessions", Item=item)
    execution = f"arn:aws:states:us-east-1:123456789012:execution:freehold-agent-loop:{stopped}-1"
    aws("stepfunctions").stop_execution(executionArn=execution)
    forget()
    assert invoke("sweep", SCHEDULE)["restarted"] == 2
    answer_late(product)
    tell_again(product)
    retire(product)


def answer_late(product: Deployed) -> None:
    """Runs that have ended and whose end is not announced."""
    for run_id in begun_by_messages(product):
        product.finish(run_id)
        (item,) = [item for item in product.items("sessions") if run_of(item) == run_id]
        untold = {
            "undelivered": {"BOOL": True},
            "open_shard": {"S": keys.open_shard(keys.run_of(item["pk"]["S"], item["sk"]["S"]))},
            "announced": {"BOOL": False},
            "finished_at": {"N": str(wiring.now() - 60_000)},
        }
        product.client.put_item(TableName="sessions", Item=item | untold)
    assert invoke("sweep", SCHEDULE)["delivered"] == 3


def tell_again(product: Deployed) -> None:
    """Runs that were parked and not announced; and one whose time is over, with another agent's that it waits for."""
    people.at_work(product)
    people.escalate(product)
    people.delegate(product, "delegated")
    for item in parked(product):
        shard = {"open_shard": {"S": keys.open_shard(keys.run_of(item["pk"]["S"], item["sk"]["S"]))}}
        earlier = {"N": str(wiring.now() - 60_000)}
        untold = {
            "undelivered": {"BOOL": True},
            "announced": {"BOOL": False},
            "parked_at": earlier,
            "children": {"L": []},
        }
        product.client.put_item(TableName="sessions", Item=item | shard | untold)
    assert invoke("sweep", SCHEDULE)["delivered"] == 3
    for item in product.items("sessions"):
        if item["kind"]["S"] == "parked":
            due = {"due_at": {"N": "1"}, "listed_at": {"S": keys.listed_at(1, "x")}}
            product.client.put_item(TableName="sessions", Item=item | due)
    for item in parked(product):
        product.client.put_item(TableName="sessions", Item=item | {"waits_until": {"N": "1"}})
    assert invoke("sweep", SCHEDULE)["expired"] == 3


def parked(product: Deployed) -> list[dict[str, Any]]:
    return [item for item in product.items("sessions") if item.get("status") == {"S": "AWAITING"}]


def retire(product: Deployed) -> None:
    """A session expires, and the sweeper comes to the shard in which its lease lies."""
    run_id = product.start(LARGE, sessionId="expired")["runId"]
    watch(run_id)
    product.finish(run_id)
    items = product.items("sessions")
    (session,) = [
        item for item in items if item.get("session_id", {}).get("S") == "expired" and is_session(item)
    ]
    (lease,) = [item for item in items if is_lease_of(session, item)]
    product.client.put_item(TableName="sessions", Item=session | {"expires_at": {"N": "1"}})
    for _ in range(2):
        # Again where the minute has turned meanwhile.
        if come_due(product, lease)["retired"]:
            break
    else:
        raise AssertionError("nothing was retired")
    # Whoever asks for an erasure wants its replays looked for once more.
    erased = lease | {"erased_at": {"N": "1"}, "on_request": {"BOOL": True}}
    for _ in range(2):
        come_due(product, erased)


def come_due(product: Deployed, lease: dict[str, Any]) -> Any:
    """The lease, in the shard that the sweeper comes to now."""
    shard = {"open_shard": {"S": keys.leases(wiring.now() // 60_000 % SHARDS)}}
    due = {"due_at": {"N": "1"}, "listed_at": {"S": keys.listed_at(1, "x")}}
    product.client.put_item(TableName="sessions", Item=lease | shard | due)
    return invoke("sweep", SCHEDULE)


def is_session(item: dict[str, Any]) -> bool:
    return item["kind"]["S"] == "session"


def is_lease_of(session: dict[str, Any], item: dict[str, Any]) -> bool:
    return item["kind"]["S"] == "lease" and item["conversation"] == session["conversation"]
