"""What the functions log, count and trace, in a process of their own that has Lambda's surroundings."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from freehold.observability.metrics import MODEL_METRICS, SERVICE_METRICS

from .watched_runs import ARGUMENT, CANARIES, NEVER, OF_A_LIBRARY, OF_PYTHON

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "observability.md"
STACK = "acme-stack"
TRACE = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
# Words of the query language; names that begin with @ are CloudWatch's own.
INSIGHTS = {
    *(
        "fields",
        "filter",
        "stats",
        "sort",
        "limit",
        "by",
        "as",
        "desc",
        "asc",
        "and",
        "or",
        "not",
        "like",
        "in",
    ),
    *("sum", "avg", "pct", "max", "min", "count", "bin", "ispresent"),
}


@dataclass(frozen=True)
class Told:
    """All that a process said: its output, and the segments that it sent to X-Ray's daemon."""

    output: str
    segments: tuple[dict[str, Any], ...]

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.output.splitlines()]

    @property
    def metrics(self) -> list[dict[str, Any]]:
        return [line for line in self.lines if "_aws" in line]

    @property
    def everything(self) -> str:
        return self.output + json.dumps(self.segments)


@cache
def watched(**settings: str) -> Told:
    """What the runs of `watched_runs` tell with these environment variables."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("POWERTOOLS_")}
    with daemon() as (address, segments):
        lambdas = {
            "LAMBDA_TASK_ROOT": "/var/task",
            "POWERTOOLS_SERVICE_NAME": STACK,
            "AWS_XRAY_DAEMON_ADDRESS": address,
            "_X_AMZN_TRACE_ID": TRACE,
        }
        command = [
            sys.executable,
            "-W",
            "always::DeprecationWarning:functions",
            "-m",
            "functions.watched_runs",
        ]
        ran = subprocess.run(
            command,
            cwd=ROOT / "tests",
            env=kept | lambdas | settings,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    assert ran.returncode == 0, ran.stdout[-3000:]
    return Told(ran.stdout, tuple(segments))


@contextmanager
def daemon() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """X-Ray's, as far as it takes segments: its address, and what has come once the block is left."""
    segments: list[dict[str, Any]] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
        ear.bind(("127.0.0.1", 0))

        def listen() -> None:
            while (datagram := ear.recv(65_536)) != b"enough":
                segments.append(json.loads(datagram.partition(b"\n")[2]))

        listener = threading.Thread(target=listen, daemon=True)
        listener.start()
        yield f"127.0.0.1:{ear.getsockname()[1]}", segments
        ear.sendto(b"enough", ear.getsockname())
        listener.join()


def parts(segment: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield segment
    for part in segment.get("subsegments", ()):
        yield from parts(part)


def test_nothing_that_users_models_or_tools_said_is_logged_or_traced():
    told = watched()

    assert [words for words in (*CANARIES, *NEVER) if words in told.everything] == []
    # Errors that quote them were logged all the same.
    kinds = {line["exception_name"] for line in told.lines if "exception_name" in line}
    assert kinds > {"ModelRejected", "ModelThrottled", "ModelUnavailable", "ToolThrottled"}
    assert all("Traceback" in line["exception"] for line in told.lines if "exception_name" in line)


def test_what_was_said_is_logged_where_it_is_asked_for():
    told = watched(LOG_CONTENT="full")

    assert [words for words in CANARIES if words not in told.output] == []
    assert [words for words in NEVER if words in told.everything] == []
    texts = {line["message"] for line in told.lines if "message" in line}
    assert texts >= {"model request", "model reply", "tool event", "tool answer"}
    assert [words for words in CANARIES if words in json.dumps(told.segments)] == []


def test_every_line_of_a_step_names_its_run():
    told = watched()

    # Neither the sweeper, the API, its authorizer nor Ingest takes a step.
    of_others = {
        "RunsRunning",
        "DecisionsRefused",
        "MessagesRefused",
        "queue",
        "token_id",
        "CredentialsRefused",
    }
    others = [line for line in told.lines if line.keys() & of_others]
    about_one_run = {"run could not be tended", "decision refused"}
    steps = [
        line
        for line in told.lines
        if line not in others
        and line.get("message") not in about_one_run | {"request refused", "request done"}
    ]
    assert len(steps) > 10
    assert [line for line in steps if not {"run_id", "tenant", "execution", "service"} <= set(line)] == []
    told_of = [line for line in told.lines if line.get("message") in about_one_run]
    assert [line for line in told_of if not {"run_id", "tenant"} <= set(line)] == []
    assert {line["message"] for line in told_of} == about_one_run


@pytest.mark.parametrize("words", [OF_A_LIBRARY, OF_PYTHON])
def test_lines_of_libraries_name_the_run_as_well(words: str):
    (line,) = [line for line in watched().lines if words in str(line.get("message"))]

    assert (line["level"], line["tenant"], line["tool"]) == ("WARNING", "acme", "pay")
    assert line["run_id"]


def test_a_metric_has_one_line_for_each_set_of_dimensions():
    for line in watched().metrics:
        (directive,) = line["_aws"]["CloudWatchMetrics"]
        (dimensions,) = directive["Dimensions"]
        known = MODEL_METRICS if "model" in dimensions else SERVICE_METRICS
        assert directive["Namespace"] == "Freehold"
        assert {name: line[name] for name in dimensions} in (
            {"service": STACK},
            {"service": STACK, "model": "other"},
        )
        assert {metric["Name"]: metric["Unit"] for metric in directive["Metrics"]}.items() <= known.items()


def test_what_happened_is_counted():
    counts: Counter[str] = Counter()
    for line in watched().metrics:
        for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]:
            counts[metric["Name"]] += int(sum(line[metric["Name"]]))

    # Three replies of 10 and 5 tokens; the server's price is not known.
    assert (counts["InputTokens"], counts["OutputTokens"], counts["CostUsd"]) == (30, 15, 0)
    assert (counts["ModelRejected"], counts["ModelThrottled"], counts["ModelUnavailable"]) == (1, 1, 1)
    assert (counts["ToolErrors"], counts["ToolThrottles"], counts["RunsCompleted"]) == (2, 1, 1)
    assert counts["CredentialsRefused"] == 1
    # Of two open runs the sweeper could not read one.
    assert (counts["RunsFailed"], counts["RunsRunning"], counts["RunsUntended"]) == (3, 1, 1)


def test_what_becomes_of_a_message_is_told_with_its_queue_and_counted_where_it_is_no_run():
    lines = [line for line in watched().lines if "queue" in line]

    about = ("message", "level", "tenant", "principal")
    assert [tuple(line.get(name) for name in about) for line in lines] == [
        ("message taken", "INFO", "acme", "sqs:AROA1:ann"),
        *[("message refused", "ERROR", "acme", "sqs:AROA1:ann")] * 3,
        ("message has to come again", "ERROR", None, None),
    ]
    assert {line["queue"] for line in lines} == {"freehold-requests.fifo"}
    (counted,) = [line for line in watched().metrics if "MessagesRefused" in line]
    assert sum(counted["MessagesRefused"]) == 3


def test_a_metric_of_a_tool_is_found_by_the_tools_name():
    tools = {line["tool"] for line in watched().metrics if "ToolLatency" in line}

    assert tools == {"look_up", "pay"}


def test_a_trace_is_found_by_run_agent_model_and_tool():
    all_parts = [part for segment in watched().segments for part in parts(segment)]
    annotations = [part["annotations"] for part in all_parts if part.get("annotations")]
    by_name = {part["name"]: part for part in all_parts}

    found = {
        name: {told[name] for told in annotations if name in told} for name in ("agent", "model", "tool")
    }
    assert found == {"agent": {"helper"}, "model": {"scripted"}, "tool": {"look_up", "pay"}}
    assert len({told["run_id"] for told in annotations if "run_id" in told}) == 6
    assert by_name["scripted"]["namespace"] == "remote"
    assert {"tool call", "dynamodb", "lambda"} <= set(by_name)


def test_tracing_can_be_switched_off():
    told = watched(POWERTOOLS_TRACE_DISABLED="true")

    assert told.segments == ()
    assert len(told.metrics) == len(watched().metrics)


@cache
def queries() -> tuple[str, ...]:
    return tuple(re.findall(r"```text\n(fields .*?|stats .*?|filter .*?)```", PAGE.read_text(), re.DOTALL))


def flattened(value: Any, name: str = "") -> Iterator[str]:
    """Names as Logs Insights finds them: of what lies in a list by its position."""
    held = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in held:
        yield from flattened(inner, f"{name}.{key}" if name else str(key))
    yield name


def asked_for(query: str) -> set[str]:
    """The fields that a query needs: words that are not of the language, no texts, and no names of its own."""
    words = re.sub(r'"[^"]*"|/[^/\n]*/', " ", query)
    made = set(re.findall(r"\bas (\w+)", words))
    return {word for word in re.findall(r"(?<![\w@])[A-Za-z_][\w.]*", words) if word not in INSIGHTS | made}


def test_the_pages_queries_ask_for_fields_that_there_are():
    known = {
        name for line in [*watched().lines, *watched(LOG_CONTENT="full").lines] for name in flattened(line)
    }

    assert len(queries()) >= 4
    assert {query: asked_for(query) - known for query in queries() if asked_for(query) - known} == {}


def test_the_page_lists_every_metric_and_no_other():
    rows = re.findall(r"^\| `(\w+)` \|", PAGE.read_text(), re.MULTILINE)

    assert [name for name in (*MODEL_METRICS, *SERVICE_METRICS) if name not in rows] == []
    assert [name for name in rows if name[0].isupper() and name not in MODEL_METRICS | SERVICE_METRICS] == []


def test_the_check_of_queries_sees_a_field_that_is_not_there():
    assert asked_for('fields @timestamp, nonsense.0 | filter run_id = "x" and tool like /a b/ | limit 5') == {
        "nonsense.0",
        "run_id",
        "tool",
    }
    assert ARGUMENT not in asked_for(f'filter tool = "{ARGUMENT}"')
