from __future__ import annotations

import json
import time
import uuid
from typing import Any

import boto3
import httpx
import pytest

from freehold.values.access import aws_principal
from freehold_cli.account import AwsAccount
from freehold_client import Freehold, InvalidRequest, Run, RunFinished, ToolStarted, Unauthorized, aws_token

from .conftest import Deployed

WEIGHT = "What is the weight of parcel P-7?"


def ask(api: Freehold, agent: str, text: str = WEIGHT, **more: Any) -> Run:
    return api.runs.wait(api.runs.start(agent, text, **more).run_id)


def kinds(api: Freehold, run: Run) -> list[str]:
    return [item.wire["kind"] for item in api.sessions.items(run.session_id, run_id=run.run_id)]


# -- the door


@pytest.mark.parametrize("header", [None, "Bearer nonsense", f"Bearer fh_e2e_{'0' * 12}_{'0' * 64}"])
def test_nobody_enters_without_a_key_that_works(deployed: Deployed, header: str | None):
    headers = {"Authorization": header} if header else {}

    answer = httpx.get(f"{deployed.url.removesuffix('/v1')}/v1/agents", headers=headers)

    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"]


def test_a_key_opens_what_its_scopes_allow(deployed: Deployed, agent: str):
    made = deployed.key("read")
    try:
        with Freehold(deployed.url, made.text) as reader:
            assert reader.agents.get(agent).agent_name == agent
            with pytest.raises(Unauthorized, match="scope"):
                reader.runs.start(agent, WEIGHT)
    finally:
        deployed.keys.revoke(made.key.tenant, made.key_id)


# -- runs


def test_a_run_calls_its_tool_and_answers(api: Freehold, agent: str):
    run = ask(api, agent)

    assert run.status == "COMPLETED", run
    assert "4.2" in (run.output or "")
    assert kinds(api, run) == ["user", "lap", "call", "lap"]
    _, lap, call, _ = api.sessions.items(run.session_id, run_id=run.run_id)
    assert [each["name"] for each in lap.wire["calls"]] == ["parcel_weight"]
    assert (call.wire["outcome"], call.wire["result"]) == ("success", "Parcel P-7 weighs 4.2 kg.")


def test_a_session_goes_on_with_what_was_said(api: Freehold, agent: str):
    first = ask(api, agent)
    second = ask(api, agent, "And of parcel P-8?", session_id=first.session_id)

    assert second.status == "COMPLETED", second
    asked = [
        item.wire["text"] for item in api.sessions.items(first.session_id) if item.wire["kind"] == "user"
    ]
    assert asked == [WEIGHT, "And of parcel P-8?"]


def test_the_same_request_twice_is_one_run(api: Freehold, agent: str):
    key, session = str(uuid.uuid4()), f"e2e-{uuid.uuid4().hex[:8]}"

    first, again = (api.runs.start(agent, WEIGHT, session_id=session, idempotency_key=key) for _ in range(2))
    api.runs.wait(first.run_id)

    assert again.run_id == first.run_id
    assert [run.run_id for run in api.runs.list(session_id=session)] == [first.run_id]


def test_a_run_that_waits_for_a_tool_is_cancelled_before_its_next_step(api: Freehold, agent: str):
    started = api.runs.start(agent, "Please wait until the courier has come.")

    api.runs.cancel(started.run_id)
    run = api.runs.wait(started.run_id)

    assert (run.status, run.stop_reason) == ("CANCELLED", "cancelRequested")


def test_a_message_that_waits_gets_its_turn(api: Freehold, agent: str):
    first = api.runs.start(agent, "Please wait until the courier has come.")
    second = api.runs.start(agent, WEIGHT, session_id=first.session_id, when_busy="enqueue")

    runs = [api.runs.wait(each.run_id) for each in (first, second)]

    assert [run.status for run in runs] == ["COMPLETED", "COMPLETED"]
    assert (runs[1].wire["startedAt"] or "") >= (runs[0].wire["finishedAt"] or "")


def test_an_agent_that_is_wrong_is_refused_with_the_place(api: Freehold):
    with pytest.raises(InvalidRequest, match="instrction"):
        api.agents.apply({"agentName": "e2e-wrong", "foundationModel": "rehearsal", "instrction": "?"})


# -- other ways in, and out

ONE_MODE = pytest.mark.parametrize("agent", ["durable"], indirect=True)


def run_of(api: Freehold, **wanted: str) -> Run:
    """The run that comes of what was sent, once it has ended."""
    until = time.monotonic() + 90
    while not (found := list(api.runs.list(**wanted))):
        assert time.monotonic() < until, f"no run of {wanted} has begun"
        time.sleep(0.5)
    return api.runs.wait(found[-1].run_id)


@ONE_MODE
def test_what_happens_in_a_run_is_told_as_it_happens(api: Freehold, agent: str):
    started = api.runs.start(agent, "Please wait until the courier has come.")
    meanwhile: list[str] = []

    for event in api.runs.stream(started.run_id):
        if isinstance(event, ToolStarted):
            meanwhile.append(api.runs.get(started.run_id).status)

    assert meanwhile == ["RUNNING"]
    assert isinstance(event, RunFinished)
    assert event.status == "COMPLETED"


@ONE_MODE
def test_a_message_begins_a_run(deployed: Deployed, api: Freehold, agent: str):
    group = f"e2e-{uuid.uuid4().hex[:8]}"
    with deployed.let_in("queue", deployed.outputs["RequestsArn"]):
        boto3.client("sqs").send_message(
            QueueUrl=deployed.outputs["Requests"],
            MessageBody=json.dumps({"agent": agent, "input": WEIGHT}),
            MessageGroupId=group,
            MessageDeduplicationId=group,
        )
        run = run_of(api, session_id=group)

    assert (run.status, run.wire["trigger"]) == ("COMPLETED", "sqs")


def test_an_event_begins_a_run(deployed: Deployed, api: Freehold, request: pytest.FixtureRequest):
    name = f"e2e-{uuid.uuid4().hex[:8]}"
    happened = {"EventBusName": deployed.outputs["Bus"], "Source": name, "DetailType": "?", "Detail": "{}"}
    with deployed.let_in("source", name):
        api.agents.apply(
            {
                "agentName": name,
                "foundationModel": request.config.getoption("--model"),
                "instruction": "Greet whoever writes to you, in one sentence.",
                "triggers": [{"eventPattern": {"source": [name]}, "input": "Good morning!"}],
            }
        )
        try:
            # EventBridge does not follow a new rule at once.
            until = time.monotonic() + 90
            while not any(api.runs.list(agent=name)) and time.monotonic() < until:
                boto3.client("events").put_events(Entries=[happened])
                time.sleep(2)
            run = run_of(api, agent=name)
        finally:
            api.agents.delete(name)

    assert (run.status, run.wire["trigger"], run.wire["input"]) == ("COMPLETED", "event", "Good morning!")


@ONE_MODE
def test_aws_credentials_begin_a_run(deployed: Deployed, agent: str):
    own = aws_principal(boto3.client("sts").get_caller_identity()["Arn"])
    assert own
    with deployed.let_in("iam", own, "run", "read"):
        token = aws_token(deployed.url, AwsAccount({}).sign)
        with Freehold(deployed.url, token.token) as client:
            run = ask(client, agent)

    assert run.status == "COMPLETED", run
    assert f"{run.principal.type}:{run.principal.id}" == token.principal


# -- what operators see


def test_each_step_of_a_run_logs_its_id(deployed: Deployed, api: Freehold, agent: str):
    # From where the search begins: a group may hold the lines of a year. The minute is for clocks that differ.
    started = int(time.time() - 60) * 1000
    run = ask(api, agent)
    search = boto3.client("logs").get_paginator("filter_log_events")
    groups = {
        name: group
        for name, group in deployed.resources("AWS::Logs::LogGroup").items()
        if name in ("InvokeModelLogs", "RunToolLogs", "FinishRunLogs")
    }
    assert len(groups) == 3

    def lines(group: str) -> int:
        pages = search.paginate(logGroupName=group, filterPattern=f'"{run.run_id}"', startTime=started)
        return sum(len(page["events"]) for page in pages)

    # CloudWatch takes some seconds.
    until = time.monotonic() + 90
    while not all(map(lines, groups.values())):
        assert time.monotonic() < until, {name: lines(group) for name, group in groups.items()}
        time.sleep(2)


def test_nothing_lies_in_the_dead_letters(deployed: Deployed):
    """Of the whole stack: what lies there was there before, or this suite has found something."""
    sqs, queues = boto3.client("sqs"), deployed.resources("AWS::SQS::Queue")
    name = "ApproximateNumberOfMessages"

    waiting = {
        logical: int(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name])
        for logical, url in queues.items()
    }

    assert queues
    assert {logical: count for logical, count in waiting.items() if count} == {}
