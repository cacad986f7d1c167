"""State ParkRun and what follows from it: runs that wait for people or other agents, and what is counted of them."""

from __future__ import annotations

import io
import json
from collections import Counter
from typing import Any

import pytest

from freehold import wiring
from freehold.values.run import Call
from freehold.waiting import call_id, digest
from model_server import ask, say

from . import people
from .aws import REQUESTS
from .caller import TENANT, Caller
from .deployed import Deployed, desk
from .lambdas import invoke
from .loop import Loop
from .pages import key_of
from .state_machine import output, payload
from .test_sweep import NOTHING, SCHEDULE

BOSS = Caller(key_id="b0b0b0b0b0b0", scopes=("approve",))
USER = Caller(key_id="111111111111", scopes=("run",))


@pytest.fixture
def loop(loop: Loop) -> Loop:
    """Its agent has `pay` approved."""
    agent = desk()
    pay = {"name": "pay", "description": "Pay", "requireApproval": True}
    agent["actionGroups"][0]["functionSchema"]["functions"] = [pay]
    assert loop.product.admin.call("PUT", "/agents/helper", agent).status == 200
    return loop


def park(state: dict[str, Any]) -> dict[str, Any]:
    """ParkRun; what comes is the input of the next state."""
    return output("ParkRun", state, invoke("finish_run", payload("ParkRun", state)))


def decide(run: dict[str, Any], verdict: str = "approve", *, by: Caller = BOSS, **more: Any) -> int:
    """The status of a decision about the first call that waits."""
    named = {name: run["awaiting"][0][name] for name in ("callId", "argumentsDigest")}
    body = [{**named, "decision": verdict, **more}]
    return by.call("POST", f"/runs/{run['runId']}/decisions", body).status


def test_a_run_that_waits_is_parked_and_its_execution_ends_there(loop: Loop):
    asked = loop.step(loop.start(ask(("pay", {})), say("paid")))
    assert (asked["step"], asked["calls"]) == ("wait", [])

    parked = park(asked)

    assert parked == {"run": asked["run"], "events": asked["events"], "failed": [], "compact": True} | {
        "step": "parked"
    }
    run = loop.run(asked)
    assert (run["status"], run["awaiting"][0]["kind"]) == ("AWAITING", "approval")
    assert loop.product.started() == [f"{run['runId']}-1"]


def test_a_decision_starts_the_next_execution_which_makes_the_call(loop: Loop):
    asked = loop.step(loop.start(ask(("pay", {})), say("paid")))
    park(asked)

    assert decide(loop.run(asked)) == 200

    run_id = asked["run"]["id"]
    assert loop.product.started() == [f"{run_id}-1", f"{run_id}-2"]
    going_on = {"run": asked["run"] | {"execution": 2}}
    after = loop.step(going_on)
    assert (after["step"], after["calls"]) == ("tools", [0])
    loop.tool(after, 0)
    loop.finish(loop.step(going_on | {"events": after["events"], "failed": []}))
    assert (loop.run(asked)["output"], len(REQUESTS.tool_events)) == ("paid", 1)


def test_a_run_about_which_was_decided_meanwhile_goes_on_at_once(loop: Loop):
    asked = loop.step(loop.start(ask(("pay", {})), say("paid")))

    assert decide(not_parked_yet(asked["run"]["id"])) == 200
    parked = park(asked)

    assert parked["step"] == "again"
    assert loop.run(asked)["status"] == "RUNNING"
    assert loop.step(parked)["calls"] == [0]


def not_parked_yet(run_id: str) -> dict[str, Any]:
    """A run with its first call, as it will be shown once it is parked."""
    key = key_of(run_id)
    lap = wiring.sessions().lap(key, 1)
    assert lap is not None
    shown = {"callId": call_id(key, 1, 0), "argumentsDigest": digest(key, lap, 0, "approval")}
    return {"runId": run_id, "awaiting": [shown]}


def test_a_park_that_is_repeated_tells_nobody_twice(product: Deployed):
    people.at_work(product)
    (run, _) = people.escalate(product)

    people.park_again(product, run["runId"])

    assert [json.loads(text)["kind"] for text in people.received()] == ["escalation"]


def test_a_park_of_an_older_execution_changes_nothing(product: Deployed):
    product.admin.call("PUT", "/agents/helper", desk())
    run_id = product.start()["runId"]
    product.add_lap(run_id, "", calls=(Call("look_up", "{}"),), stop="tools")
    before = product.items("sessions")

    run = {"tenant": TENANT, "id": run_id, "execution": 0}
    assert invoke("finish_run", {"run": run, "step": "park"}) == {"step": "parked"}

    assert product.items("sessions") == before


def test_a_person_is_told_by_queue_what_the_conversation_is_about(product: Deployed):
    people.at_work(product)
    (run, _) = people.escalate(product)
    product.start("Is anybody there?", agent="by-queue", sessionId="by-queue")

    opened, message = (json.loads(text) for text in people.received())

    assert {name: opened[name] for name in ("kind", "reason", "summary", "runId", "sessionId", "tenant")} == {
        "kind": "escalation",
        "reason": "a dispute",
        "summary": "refund of 900",
        "runId": run["runId"],
        "sessionId": "by-queue",
        "tenant": TENANT,
    }
    assert (message["kind"], message["text"]) == ("message", "Is anybody there?")
    assert len({opened["id"], message["id"]}) == 2


def test_another_agents_run_answers_the_one_that_asked(product: Deployed):
    people.at_work(product)
    parent, child = people.delegate(product, "delegated")
    assert f"{child}-1" in product.started()

    product.finish(child, text="It is 42.")

    run = product.admin.call("GET", f"/runs/{parent}").body
    assert (run["status"], f"{parent}-2" in product.started()) == ("RUNNING", True)
    items = product.admin.call("GET", "/sessions/delegated/items").body["items"]
    assert [item["result"] for item in items if item["kind"] == "call"] == ["It is 42."]


# -- what is counted


def counted(capsys: pytest.CaptureFixture[str]) -> Counter[str]:
    found = Counter[str]()
    for line in capsys.readouterr().out.splitlines():
        told = json.loads(line) if line.startswith('{"_aws"') else {}
        for metric in told["_aws"]["CloudWatchMetrics"][0]["Metrics"] if told else ():
            found[metric["Name"]] += sum(told[metric["Name"]])
    return found


def test_a_run_that_parks_is_counted_and_so_is_what_is_decided(
    product: Deployed, capsys: pytest.CaptureFixture[str]
):
    people.at_work(product)
    capsys.readouterr()
    run = product.park("approve", "return", agent="by-queue")
    assert counted(capsys) == {"RunsParked": 1}

    assert decide(run) == 200
    assert counted(capsys) == {"DecisionsMade": 1}
    failed = {"result": {"body": "no ruler", "state": "failure"}}
    given = {"runId": run["runId"], "awaiting": run["awaiting"][1:]}
    assert decide(given, "result", by=product.admin, **failed) == 200
    assert counted(capsys) == {"DecisionsMade": 1, "ToolErrors": 1}


def test_a_decision_that_is_refused_is_counted_and_logged_by_who_tried(
    product: Deployed, capsys: pytest.CaptureFixture[str], log: io.StringIO
):
    people.at_work(product)
    run = product.park("approve", agent="by-queue")
    capsys.readouterr()

    assert [decide(run, by=USER), decide(run, by=USER)] == [403, 403]

    assert counted(capsys) == {"DecisionsRefused": 2}
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    refused = [line for line in lines if line["message"] == "decision refused"]
    assert len(refused) == 2
    assert {line["principal"] for line in refused} == {"key:111111111111"}
    assert {(line["run_id"], line["level"]) for line in refused} == {(run["runId"], "WARNING")}
    assert "approvers of agent by-queue" in refused[0]["reason"]


def test_what_expires_is_counted_by_the_sweeper_and_what_waits_as_well(
    product: Deployed, capsys: pytest.CaptureFixture[str]
):
    people.at_work(product)
    product.park("approve", agent="by-queue")
    product.park("approve", agent="by-queue")
    capsys.readouterr()

    assert invoke("sweep", SCHEDULE) == NOTHING | {"seen": 0, "awaiting": 2}
    assert counted(capsys)["RunsAwaiting"] == 2

    people.expire_one(product)
    swept = invoke("sweep", SCHEDULE)

    assert (swept["awaiting"], swept["expired"]) == (2, 1)
    counts = counted(capsys)
    assert (counts["RunsAwaiting"], counts["DecisionsExpired"]) == (2, 1)
    assert "DecisionsMade" not in counts
