"""What each patch of the local AWS is for, on two servers: MiniStack as it comes, and patched.

A test that fails on `as_it_comes` says that MiniStack has mended it: delete that patch.
"""

from __future__ import annotations

import base64
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from freehold_cli.local.deployment import deploy
from freehold_cli.local.failures import DeploymentFailed
from local_server import Server, eventually

pytestmark = pytest.mark.stack

APPLICATION = Path(__file__).parent / "local_aws"
SERVER = "import sys; sys.argv = ['ministack']; from ministack.app import main; main()"


def serve(home: Path, command: list[str]) -> Iterator[Server]:
    server = Server(home, command)
    try:
        server.start()
        parameters = {"Starts": str(home / "starts")}
        server.outputs = deploy(
            APPLICATION / "template.yaml", "probe", server.aws, parameters, home / "build"
        )
        yield server
    finally:
        server.end(signal.SIGKILL)


@pytest.fixture(scope="session")
def patched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    command = [sys.executable, "-m", "freehold_cli.local.ministack_server"]
    yield from serve(tmp_path_factory.mktemp("patched"), command)


@pytest.fixture(scope="session")
def as_it_comes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from serve(tmp_path_factory.mktemp("as_it_comes"), [sys.executable, "-c", SERVER])


# ------------------------------------------------------------------------------------- functions


def test_an_exception_arrives_under_its_class_name(patched: Server, as_it_comes: Server):
    failed = patched.call("Probe", {"do": "raise"})

    assert failed["FunctionError"] == "Unhandled"
    assert failed["Payload"]["errorType"] == "ToolThrottled"
    assert failed["Payload"]["errorMessage"] == "slow down"
    assert as_it_comes.call("Probe", {"do": "raise"})["Payload"]["errorType"] == "Runtime.HandlerError"


def test_an_exception_does_not_end_the_process(patched: Server, as_it_comes: Server):
    def same_process(server: Server) -> bool:
        first = server.call("Probe", {})["Payload"]["process"]
        server.call("Probe", {"do": "raise"})
        return server.call("Probe", {})["Payload"]["process"] == first

    assert same_process(patched)
    assert not same_process(as_it_comes)


def test_a_process_that_dies_is_an_exit_error(patched: Server, as_it_comes: Server):
    assert patched.call("Probe", {"do": "die"})["Payload"]["errorType"] == "Runtime.ExitError"
    assert as_it_comes.call("Probe", {"do": "die"})["Payload"]["errorType"] == "Runtime.HandlerError"


def test_a_process_that_dies_while_it_starts_is_an_exit_error(patched: Server, as_it_comes: Server):
    assert patched.call("DiesWhileStarting", {})["Payload"]["errorType"] == "Runtime.ExitError"
    assert as_it_comes.call("DiesWhileStarting", {})["Payload"]["errorType"] != "Runtime.ExitError"


def test_a_log_ends_where_the_invocation_does(patched: Server, as_it_comes: Server):
    """The mark that ends a log also ends its last line; MiniStack waits 50 ms and then misses that line."""
    kept = patched.call("Probe", {"do": "print"}, LogType="Tail")

    assert base64.b64decode(kept["LogResult"]).decode() == "the last word"
    assert "LogResult" not in as_it_comes.call("Probe", {"do": "print"}, LogType="Tail")


def test_functions_share_one_copy_of_a_layer(patched: Server, as_it_comes: Server):
    def copies(server: Server) -> int:
        return len({server.call(name, {"do": "words"})["Payload"] for name in ("Probe", "OtherProbe")})

    assert copies(patched) == 1
    assert copies(as_it_comes) == 2


def test_a_burst_of_calls_is_served_by_few_processes(patched: Server, as_it_comes: Server):
    def processes(server: Server) -> int:
        calls = server.call_at_once("Probe", {"do": "sleep", "seconds": 1.5}, 8)
        return len({call["process"] for call in calls})

    # Four, and one more where a slow machine lets a call wait for five seconds.
    assert processes(patched) <= 5
    assert processes(as_it_comes) > 5


def test_two_processes_start_at_once(patched: Server, as_it_comes: Server):
    def together(server: Server) -> int:
        return max(call["starting"] for call in server.call_at_once("SlowToStart", {}, 4))

    assert together(patched) <= 2
    assert together(as_it_comes) > 2


# ------------------------------------------------------------------------------------- state machines


def test_branches_do_not_see_each_others_variables(patched: Server, as_it_comes: Server):
    assert json.loads(patched.run("Branches", {})["output"]) == ["left", "right"]
    assert json.loads(as_it_comes.run("Branches", {})["output"]) != ["left", "right"]


def test_a_timeout_may_be_an_expression(patched: Server, as_it_comes: Server):
    assert patched.run("Timeouts", {"seconds": 20})["status"] == "SUCCEEDED"
    assert as_it_comes.run("Timeouts", {"seconds": 20})["status"] == "FAILED"


def test_a_map_retries_and_catches_by_class_name(patched: Server):
    ended = patched.run("Machine", {"items": ["one", "raise", "two"], "atOnce": 2})

    assert json.loads(ended["output"]) == ["one", "ToolThrottled", "two"]


def test_a_map_over_nothing_and_over_one_is_a_list(patched: Server):
    assert json.loads(patched.run("Machine", {"items": [], "atOnce": 2})["output"]) == []
    assert json.loads(patched.run("Machine", {"items": ["one"], "atOnce": 2})["output"]) == ["one"]


# ------------------------------------------------------------------------------------- tables


def test_a_table_keeps_its_time_to_live(patched: Server, as_it_comes: Server):
    def status(server: Server) -> str:
        client = server.aws.client("dynamodb")
        found = client.describe_time_to_live(TableName=server.outputs["Table"])
        return found["TimeToLiveDescription"]["TimeToLiveStatus"]

    assert status(patched) == "ENABLED"
    assert status(as_it_comes) == "DISABLED"


# ------------------------------------------------------------------------------------- queues


def test_a_queue_is_read_with_a_concurrency_that_a_parameter_gives(
    patched: Server, as_it_comes: Server, tmp_path: Path
):
    mapping = {
        "FunctionName": {"Ref": "Reader"},
        "EventSourceArn": {"Fn::GetAtt": ["Queue", "Arn"]},
        "ScalingConfig": {"MaximumConcurrency": {"Ref": "AtOnce"}},
    }
    template = {
        "Parameters": {"AtOnce": {"Type": "Number", "Default": 2}, "Reader": {"Type": "String"}},
        "Resources": {
            "Queue": {"Type": "AWS::SQS::Queue"},
            "Mapping": {"Type": "AWS::Lambda::EventSourceMapping", "Properties": mapping},
        },
        "Outputs": {"Queue": {"Value": {"Ref": "Queue"}}},
    }
    (tmp_path / "template.yaml").write_text(json.dumps(template))

    def left(server: Server, queue: str) -> bool:
        """Whether the one message still waits to be read."""
        name = "ApproximateNumberOfMessages"
        asked = server.aws.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=[name])
        return asked["Attributes"][name] != "0"

    queues = {}
    for server in (patched, as_it_comes):
        reader = {"Reader": server.outputs["Probe"]}
        made = deploy(tmp_path / "template.yaml", "queued", server.aws, reader, tmp_path / "build")
        queues[server.port] = made["Queue"].replace("localhost", "127.0.0.1")
        server.aws.client("sqs").send_message(QueueUrl=queues[server.port], MessageBody="{}")

    assert eventually(lambda: not left(patched, queues[patched.port]))
    assert eventually(lambda: "ESM SQS poller error" in (as_it_comes.home / "log").read_text())
    assert left(as_it_comes, queues[as_it_comes.port])


def test_a_schedule_says_which_time_it_is_at(patched: Server, as_it_comes: Server):
    told = {"time": "<aws.scheduler.scheduled-time>", "execution": "<aws.scheduler.execution-id>"}

    def received(server: Server) -> dict[str, str]:
        sqs = server.aws.client("sqs")
        queue = f"{server.aws.url}/000000000000/scheduled"
        sqs.create_queue(QueueName="scheduled")
        server.aws.client("scheduler").create_schedule(
            Name="once",
            ScheduleExpression="at(2026-01-01T00:00:00)",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={
                "Arn": "arn:aws:sqs:us-east-1:000000000000:scheduled",
                "RoleArn": "arn:aws:iam::000000000000:role/scheduler",
                "Input": json.dumps(told),
            },
        )
        (message,) = eventually(lambda: sqs.receive_message(QueueUrl=queue).get("Messages"))
        return json.loads(message["Body"])

    came = received(patched)
    assert datetime.fromisoformat(came["time"]).tzinfo is not None
    assert "<" not in came["execution"]
    assert received(as_it_comes) == told


def test_a_one_time_schedule_comes_due_in_its_zone(patched: Server, as_it_comes: Server):
    now = datetime.now(ZoneInfo("Asia/Tokyo"))

    def added(server: Server) -> str:
        server.aws.client("sqs").create_queue(QueueName="zoned")
        server.aws.client("scheduler").create_schedule(
            Name="zoned",
            ScheduleExpression=f"at({now:%Y-%m-%dT%H:%M:%S})",
            ScheduleExpressionTimezone="Asia/Tokyo",
            FlexibleTimeWindow={"Mode": "OFF"},
            ActionAfterCompletion="DELETE",
            Target={
                "Arn": "arn:aws:sqs:us-east-1:000000000000:zoned",
                "RoleArn": "arn:aws:iam::000000000000:role/scheduler",
                "Input": "{}",
            },
        )
        return f"{server.aws.url}/000000000000/zoned"

    def came(server: Server, queue: str) -> bool:
        return bool(server.aws.client("sqs").receive_message(QueueUrl=queue).get("Messages"))

    late, in_time = added(as_it_comes), added(patched)
    assert eventually(lambda: came(patched, in_time))
    assert not came(as_it_comes, late)


def test_after_a_restart_a_schedule_at_a_rate_comes_due_when_it_would_have_anyway():
    """Each day, one since a day and an hour ago, the other from now on in two seconds."""
    script = """
import time
from ministack.services import scheduler
from freehold_cli.local import patches
if PATCHED:
    patches.apply_all()
arn, now = "arn:aws:sqs:us-east-1:000000000000:none", time.time()
daily = {
    "ScheduleExpression": "rate(1 day)",
    "FlexibleTimeWindow": {"Mode": "OFF"},
    "Target": {"Arn": arn, "RoleArn": arn},
}
scheduler._create_schedule("old", daily)
scheduler._create_schedule("new", daily | {"StartDate": now + 2})
old, new = scheduler._schedules._data
scheduler._schedules._data[old]["CreationDate"] -= 25 * 3600
scheduler._tick_schedules()
time.sleep(2.1)
scheduler._tick_schedules()
print([round((scheduler._schedule_last_fired[key] - now) / 60) for key in (old, new)])
"""

    def last(*, patched: bool) -> list[int]:
        command = [sys.executable, "-c", script.replace("PATCHED", str(patched))]
        told = subprocess.run(command, env={}, capture_output=True, text=True, check=True)
        return json.loads(told.stdout)

    assert last(patched=True) == [-60, 0]
    assert last(patched=False)[0] == 0


# ------------------------------------------------------------------------------------- what is kept


def test_of_executions_that_have_ended_the_last_ones_are_kept(patched: Server, as_it_comes: Server):
    def kept(server: Server) -> int:
        client, machine = server.aws.client("stepfunctions"), server.outputs["Branches"]

        def listed(**wanted: str) -> list[Any]:
            return client.list_executions(stateMachineArn=machine, **wanted)["executions"]

        for _ in range(22):
            client.start_execution(stateMachineArn=machine, input="{}")
        eventually(lambda: not listed(statusFilter="RUNNING"))
        return len(listed())

    assert kept(patched) <= 20
    assert kept(as_it_comes) >= 22


def test_of_a_functions_logs_the_last_ones_are_kept(patched: Server, as_it_comes: Server):
    def streams(server: Server) -> int:
        client, name = server.aws.client("lambda"), server.outputs["Probe"]
        for _ in range(22):
            client.invoke(FunctionName=name)
        found = server.aws.client("logs").describe_log_streams(logGroupName=f"/aws/lambda/{name}")
        return len(found["logStreams"])

    assert streams(patched) == 20
    assert streams(as_it_comes) >= 22


def test_events_and_transactions_are_not_kept_for_ever():
    """Nobody can ask for them, but they take memory."""
    script = """
from ministack.services import dynamodb, eventbridge
event = {"Entries": [{"Source": "a", "DetailType": "b", "Detail": "{}"}]}
from freehold_cli.local import patches
if PATCHED:
    patches.apply_all()
for _ in range(22):
    eventbridge._put_events(event)
print(len(eventbridge._events_log_list()), dynamodb._TXN_TOKEN_TTL)
"""

    def kept(*, patched: bool) -> list[str]:
        command = [sys.executable, "-c", script.replace("PATCHED", str(patched))]
        told = subprocess.run(
            command, env={"FREEHOLD_KEPT": "20"}, capture_output=True, text=True, check=True
        )
        return told.stdout.split()

    assert kept(patched=True) == ["20", "60"]
    assert kept(patched=False) == ["22", "600"]


# ------------------------------------------------------------------------------------- alarms


def test_an_alarm_that_calculates_is_made(patched: Server, as_it_comes: Server, tmp_path: Path):
    stat = {"Metric": {"Namespace": "AWS/Lambda", "MetricName": "Errors"}, "Stat": "Sum", "Period": 60}
    metrics = [{"Id": "share", "Expression": "errors"}, {"Id": "errors", "MetricStat": stat}]
    properties = {
        "Metrics": metrics,
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": 5,
        "EvaluationPeriods": 1,
    }
    resources = {"Alarm": {"Type": "AWS::CloudWatch::Alarm", "Properties": properties}}
    (tmp_path / "template.yaml").write_text(json.dumps({"Resources": resources}))

    deploy(tmp_path / "template.yaml", "alarmed", patched.aws, {}, tmp_path / "build")
    with pytest.raises(DeploymentFailed, match="metric math"):
        deploy(tmp_path / "template.yaml", "alarmed", as_it_comes.aws, {}, tmp_path / "build")

    (alarm,) = patched.aws.client("cloudwatch").describe_alarms(AlarmNamePrefix="alarmed-")["MetricAlarms"]
    assert (alarm["MetricName"], alarm["Threshold"]) == ("Errors", 5)


# ------------------------------------------------------------------------------------- streams


def test_a_failed_record_is_delivered_again_and_then_passed_over(patched: Server, as_it_comes: Server):
    for server in (patched, as_it_comes):
        server.put("good", "poison", "better")
        eventually(lambda seen=server: "better" in seen.delivered())
        server.put("last")
        eventually(lambda seen=server: "last" in seen.delivered())

    assert patched.delivered().count("good") == 1
    assert patched.delivered().count("poison") > 1
    assert as_it_comes.delivered().count("poison") == 1


def test_a_cancelled_transaction_names_its_reasons_and_writes_nothing(patched: Server):
    client, table = patched.aws.client("dynamodb"), patched.outputs["Table"]
    client.put_item(TableName=table, Item={"pk": {"S": "there"}})
    fresh = {"TableName": table, "ConditionExpression": "attribute_not_exists(pk)"}
    puts = [{"Put": {**fresh, "Item": {"pk": {"S": key}}}} for key in ("not there", "there")]

    with pytest.raises(client.exceptions.TransactionCanceledException) as caught:
        client.transact_write_items(TransactItems=puts)

    reasons = caught.value.response["CancellationReasons"]
    assert [reason["Code"] for reason in reasons] == ["None", "ConditionalCheckFailed"]
    assert "Item" not in client.get_item(TableName=table, Key={"pk": {"S": "not there"}}, ConsistentRead=True)


# ------------------------------------------------------------------------------------- HTTP


def test_a_path_for_any_method_is_served(patched: Server, as_it_comes: Server):
    event = patched.request("PUT", "/any/thing/else", Authorization="Bearer good").json()

    assert (event["httpMethod"], event["pathParameters"]) == ("PUT", {"proxy": "thing/else"})
    assert as_it_comes.request("PUT", "/any/thing/else", Authorization="Bearer good").status_code == 403


def test_a_preflight_is_answered_with_cors_headers(patched: Server, as_it_comes: Server):
    header = "Access-Control-Allow-Origin"

    assert patched.request("OPTIONS", "/one").headers[header] == "https://console.example"
    assert header not in as_it_comes.request("OPTIONS", "/one").headers


def test_the_gateways_own_answers_are_those_of_the_template(patched: Server, as_it_comes: Server):
    refused = patched.request("GET", "/one")

    assert (refused.status_code, refused.json()["title"]) == (401, "Unauthorized")
    assert refused.headers["content-type"] == "application/problem+json"
    assert "title" not in as_it_comes.request("GET", "/one").json()


def test_an_authorizers_context_reaches_the_function_and_is_cached(patched: Server):
    first, second = (
        patched.request(method, path, Authorization="Bearer good").json()["requestContext"]["authorizer"]
        for method, path in (("GET", "/one"), ("DELETE", "/any/thing"))
    )

    assert first["tenant"] == "acme"
    assert first == second
    assert patched.request("GET", "/one", Authorization="Bearer bad").status_code == 401


# ------------------------------------------------------------------------------------- state on disk


def test_what_did_not_change_is_not_written_again(patched: Server, as_it_comes: Server):
    def written(server: Server, service: str) -> int:
        file = server.home / "state" / f"{service}.json"
        return file.stat().st_mtime_ns if file.exists() else 0

    eventually(lambda: written(patched, "s3"))
    before = [written(patched, name) for name in ("dynamodb", "s3")]
    patched.aws.client("dynamodb").put_item(TableName=patched.outputs["Table"], Item={"pk": {"S": "new"}})
    eventually(lambda: written(patched, "dynamodb") != before[0])

    assert written(patched, "s3") == before[1]
    assert not written(as_it_comes, "dynamodb"), "MiniStack saves while it runs"


@pytest.fixture(scope="session")
def restarted(patched: Server, as_it_comes: Server) -> tuple[Server, Server]:
    """Both servers again, after the patched one was killed and the other one was ended and has saved."""
    marks = [{"pk": {"S": "kept"}}, {"pk": {"S": "kept too"}}]
    for server in (patched, as_it_comes):
        client = server.aws.client("dynamodb")
        for mark in marks:
            client.put_item(TableName=server.outputs["Table"], Item=mark)
        eventually(lambda seen=server: "kept too" in seen.delivered())
    state = patched.home / "state" / "dynamodb.json"
    eventually(lambda: "kept too" in state.read_text())
    patched.end(signal.SIGKILL)
    as_it_comes.end(signal.SIGTERM)
    patched.start()
    as_it_comes.start()
    return patched, as_it_comes


def test_a_killed_server_has_its_items_again(restarted: tuple[Server, Server]):
    client, table = restarted[0].aws.client("dynamodb"), restarted[0].outputs["Table"]

    found = client.get_item(TableName=table, Key={"pk": {"S": "kept"}}, ConsistentRead=True)

    assert found["Item"] == {"pk": {"S": "kept"}}


def test_layers_are_saved_beside_the_functions(restarted: tuple[Server, Server]):
    def inline(server: Server) -> bool:
        return '_zip_data": {"__bytes__' in (server.home / "state" / "lambda.json").read_text()

    assert restarted[0].call("Probe", {"do": "words"})["Payload"].endswith("words/__init__.py")
    assert not inline(restarted[0])
    assert inline(restarted[1])


def test_a_trigger_delivers_after_a_restart(restarted: tuple[Server, Server]):
    """MiniStack waits for as many new records as there were before, and never delivers those."""
    for server in restarted:
        server.put("after the restart")
        server.put(*(f"more {number}" for number in range(24)))

    eventually(lambda: "after the restart" in restarted[0].delivered())
    eventually(lambda: "more 23" in restarted[1].delivered())
    assert "after the restart" not in restarted[1].delivered()
