"""Agents that hand over to people, or to one another, and what people are told by."""

from __future__ import annotations

from typing import Any

from freehold.adapters import keys
from rendering import HERE

from .aws import aws
from .caller import TENANT
from .deployed import Deployed, agent, waiting
from .lambdas import invoke

QUEUE, TOPIC = f"arn:aws:sqs:{HERE}:people", f"arn:aws:sns:{HERE}:people"
# Sessions that a person has in hand, by what tells that person.
TOLD = {"by-queue": QUEUE, "by-topic": TOPIC}


def at_work(product: Deployed) -> None:
    """There is a queue, a topic, and an agent for each of them."""
    aws("sqs").create_queue(QueueName="people")
    aws("sns").create_topic(Name="people")
    for name, target in TOLD.items():
        given = waiting(agentName=name, escalation={"enabled": True, "target": target})
        assert product.admin.call("PUT", f"/agents/{name}", given).status == 200
    for name, asks in (
        ("expert", []),
        ("chief", [{"agent": "expert", "collaborationInstruction": "Knows."}]),
    ):
        given = agent(name, agentCollaborators=asks)
        assert product.admin.call("PUT", f"/agents/{name}", given).status == 200


def escalate(product: Deployed) -> list[dict[str, Any]]:
    """A parked run of each agent, in a session of its name."""
    return [product.park("escalate_to_human", agent=name, sessionId=name) for name in TOLD]


def delegate(product: Deployed, session_id: str) -> tuple[str, str]:
    """The ids of a run that waits for another agent's, and of that."""
    run = product.park("expert", agent="chief", sessionId=session_id)
    (child,) = run["children"]
    return run["runId"], child


def park_again(product: Deployed, run_id: str) -> None:
    """The state repeats, as it does where nothing was told."""
    invoke("finish_run", {"run": {"tenant": TENANT, "id": run_id, "execution": 1}, "step": "park"})


def expire_one(product: Deployed) -> None:
    """The time of one parked run is over."""
    items = product.items("sessions")
    listed = next(item for item in items if item["kind"]["S"] == "parked")
    run = next(
        item for item in items if item.get("status") == {"S": "AWAITING"} and item["pk"] == listed["pk"]
    )
    due = {"due_at": {"N": "1"}, "listed_at": {"S": keys.listed_at(1, "x")}}
    product.client.put_item(TableName="sessions", Item=listed | due)
    product.client.put_item(TableName="sessions", Item=run | {"waits_until": {"N": "1"}})


def received() -> list[str]:
    """What lies in the queue, as JSON texts."""
    url = aws("sqs").get_queue_url(QueueName="people")["QueueUrl"]
    found = aws("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    return [message["Body"] for message in found]
