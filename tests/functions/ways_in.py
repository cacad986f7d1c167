"""All that Ingest and Live can do, for the check of what they may."""

from __future__ import annotations

import asyncio
from typing import Any

from freehold import wiring
from freehold.adapters import keys
from freehold.values.live import Piece
from freehold.values.run import Call, RunKey
from freehold.wiring.triggers import triggers

from . import people, queues
from .aws import REQUESTS, aws
from .caller import TENANT
from .deployed import Deployed, agent, desk, waiting
from .lambdas import environment, forget
from .queues import INCOMING, REPLY_TARGETS, RULE, deliver, record
from .test_api_triggers import PAID, grant
from .test_live_events import Watching, follow

LARGE = "x" * 40_000


def use_ingest(product: Deployed) -> None:
    """Requests of every form, to agents of both modes, in sessions that are free, busy, and in the hand of people."""
    product.admin.call("PUT", "/agents/helper", desk())
    product.admin.call("PUT", "/agents/fast", desk() | {"agentName": "fast", "executionMode": "fast"})
    queues.grant()
    queues.grant("rule", RULE)
    for name in ("helper", "fast"):
        asked = {"agent": name, "input": LARGE}
        assert deliver(record(asked, group=name), record(asked, group=name)) == []
    event = {"id": "e1", "source": "shop", "detail": {"agent": "helper", "input": "hi"}}
    assert deliver(record({"rule": RULE, "event": event}, queue=INCOMING), record("nonsense")) == []
    trigger(product)
    answer(product)
    people.at_work(product)
    for run in people.escalate(product):
        untell(product, run["runId"])
    for name in people.TOLD:
        assert deliver(record({"agent": name, "input": "Is anybody there?"}, group=name)) == []
    assert "Is anybody there?" in "".join(people.received())
    assert len(queues.waiting(queues.DEAD_LETTERS)) == 1


def answer(product: Deployed) -> None:
    """A question of an agent's, in the session that the message names; and what a second, quicker Ingest had done."""
    product.admin.call("PUT", "/agents/asking", waiting(agentName="asking"))
    run_id = product.park("ask_user", agent="asking", sessionId="asked")["runId"]
    assert deliver(record({"agent": "asking", "input": "Blue."}, group="asked")) == []
    assert product.admin.call("GET", f"/runs/{run_id}").body["status"] == "RUNNING"
    key = RunKey.parse(TENANT, run_id)
    run = wiring.sessions().run(key) if key else None
    assert run is not None
    REQUESTS.running.append("ingest")
    wiring.endings().waits.repeat(run, ("again", "0" * 64), now=wiring.now())
    REQUESTS.running.pop()


def untell(product: Deployed, run_id: str) -> None:
    """As where the function that parked the run died before it told anybody."""
    key = RunKey.parse(TENANT, run_id)
    assert key is not None
    (item,) = [item for item in product.items("sessions") if to_key(item) == keys.run(key)]
    untold = {"undelivered": {"BOOL": True}, "announced": {"BOOL": False}}
    product.client.put_item(TableName="sessions", Item=item | untold)


def unmark(product: Deployed) -> None:
    """As where the function that set triggers died before it wrote down that AWS has them."""
    for item in product.items("agents"):
        if "armed" in item:
            bare = {name: value for name, value in item.items() if name != "armed"}
            product.client.put_item(TableName="agents", Item=bare)


def to_key(item: dict[str, Any]) -> dict[str, str]:
    return {name: item[name]["S"] for name in ("pk", "sk")}


def trigger(product: Deployed) -> None:
    """An event that a trigger with a large input waits for."""
    grant("*")
    given = agent("triggered", triggers=[PAID | {"input": LARGE}])
    assert product.admin.call("PUT", "/agents/triggered", given).status == 200
    (made,) = triggers().of_agent(TENANT, "triggered")
    event = {"id": "e2", "source": "shop.orders", "detail-type": "Order Paid", "detail": {"orderId": "7"}}
    came = {"trigger": {"tenant": TENANT, "id": made.trigger_id}, "event": event}
    assert deliver(record(came, queue=INCOMING)) == []


def use_live(product: Deployed) -> None:
    """Somebody watches a run with large texts while its model writes, after its end, and as it waits for a person."""
    run_id = product.start(LARGE)["runId"]
    key = RunKey.parse(TENANT, run_id)
    assert key is not None
    now, live, client = wiring.now(), wiring.live_texts(), Watching("ment.")
    live.write(key, Piece(lap=1, began_at=now, attempt="a1", offset=0, text="One mo"), now=now)

    async def watched() -> None:
        """Until there was something new in a look that was not the first."""
        reading = asyncio.create_task(client.read(product.admin, run_id))
        while "One mo" not in client.text:
            await asyncio.sleep(0.01)
        live.write(key, Piece(lap=1, began_at=now, attempt="a1", offset=6, text="ment."), now=now)
        await reading

    REQUESTS.running.append("live")
    asyncio.run(watched())
    REQUESTS.running.pop()
    product.add_lap(run_id, LARGE, calls=(Call("look_up", "{}", "no such tool"),), stop="tools")
    product.finish(run_id)
    forget()
    assert "run.finished" in follow(product.admin, run_id).text
    product.admin.call("PUT", "/agents/helper", waiting())
    parked = product.park("confirm", sessionId="parked")
    assert "approval.requested" in follow(product.admin, parked["runId"]).text
    queued = product.start(sessionId="parked", whenBusy="enqueue")
    assert follow(product.admin, queued["runId"]).status_code == 204


def begun_by_messages(product: Deployed, *, queued: bool = False) -> list[str]:
    """The ids of runs whose answers are to go to each place that the stack lists; `queued` behind others."""
    if not aws("sqs").list_queues(QueueNamePrefix="nowhere").get("QueueUrls"):
        aws("sqs").create_queue(QueueName="nowhere")
    queues.grant()
    with environment(REPLY_TARGETS=",".join(REPLY_TARGETS)):
        for number, target in enumerate(REPLY_TARGETS):
            if queued:
                product.start(sessionId=f"answered-{number}")
            asked = {"agent": "helper", "input": "hi", "replyTo": target}
            assert deliver(record(asked, group=f"answered-{number}")) == []
    found = product.admin.call("GET", "/runs").body["runs"]
    answered = [run for run in found if run["sessionId"].startswith("answered-")]
    return [run["runId"] for run in answered if run["status"] == ("QUEUED" if queued else "RUNNING")]


def redrive(product: Deployed) -> None:
    """Dead letters of both queues go back to where they came from."""
    queues.grant()
    queues.grant("rule", RULE)
    detail = {"agent": "nobody", "input": "hi"}
    event = {"id": "e3", "source": "shop", "detail": detail}
    assert deliver(record({"rule": RULE, "event": event}, queue=INCOMING)) == []
    queues.move(detail)
    assert len(product.admin.call("GET", "/dead-letters").body["deadLetters"]) >= 2
    back = product.admin.call("POST", "/dead-letters/redrive", {"all": True}).body
    assert len(back["redriven"]) >= 2
