"""Ports that are watched, with models, tools and stores passed in."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from decimal import Decimal
from typing import Any, cast

import pytest

from freehold.errors import (
    ContextTooLong,
    FreeholdError,
    ModelRejected,
    ModelThrottled,
    ModelUnavailable,
    OutcomeUnknown,
    StaleWrite,
    StoreUnavailable,
    ToolFailed,
    ToolThrottled,
    ToolUnavailable,
)
from freehold.observability.invocation import Telemetry
from freehold.observability.observed import (
    ObservedHttpTools,
    ObservedMcpTools,
    ObservedSessions,
    ObservedTools,
    ObservedWaits,
)
from freehold.observability.observed_models import ObservedLiveTexts, ObservedModels
from freehold.ports import Models, Sessions, Tell, Waits
from freehold.telling import Audience
from freehold.values.agent import ModelChoice, Server, Wait
from freehold.values.decision import EXPIRED, Decision, Refusal
from freehold.values.model import (
    AssistantMessage,
    ModelEntry,
    ModelReply,
    ModelRequest,
    Price,
    Usage,
    UserMessage,
)
from freehold.values.run import CallOutcome, Marker, Principal, Result, Run, RunKey, Status
from freehold.values.tool import Answer, HttpAnswer, HttpRequest

KEY = RunKey("acme", "01M84CY6FV8TPZ8VTAMGGSRG64", 1)
PRICE = Price(Decimal(2), Decimal(10), Decimal("0.5"), "a price list", "2026-11-01")
REPLY = ModelReply("hello", (), Usage(1000, 100, 400), "end", "gpt")
REQUEST = ModelRequest("gpt", "Help.", (UserMessage("first"), AssistantMessage("old"), UserMessage("newest")))
MARKER = Marker(1, 0, "pay", "somebody", 9, 1)


class Traces:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def segment(self, name: str, *, remote: bool = False) -> Any:
        self.told.append(name)
        return nullcontext()

    def annotate(self, **annotations: str | int) -> None:
        self.told.append(annotations)


class Scripted:
    """A model, or a tool, or a store: answers with what it is given or raises it."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)

    def reply(self, request: ModelRequest, tell: Tell | None = None) -> Any:
        return self._next()

    def invoke(self, arn: str, event: Any, *, timeout_seconds: int) -> Any:
        return self._next()

    def call(self, server: Server, *given: Any, **more: Any) -> Any:
        return self._next()

    def park(self, run: Run, **more: Any) -> Any:
        return self._next()

    def decide(self, decision: Decision, run: Run, **more: Any) -> Any:
        return self._next()

    def refuse(self, key: RunKey, refusal: Refusal) -> Any:
        return self._next()

    def replace_marker(self, key: RunKey, marker: Marker, result: Result) -> Any:
        return self._next()

    def add_result(self, key: RunKey, result: Result) -> Any:
        return self._next()

    def finish(self, run: Run, **more: Any) -> Any:
        return self._next()

    def end_queued(self, run: Run, *, before: Run) -> Any:
        return self._next()

    def run(self, key: RunKey) -> Any:
        return self._next()

    def open_runs(self, shard: int) -> Any:
        return self._next()

    def _next(self) -> Any:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


class Catalog:
    """`Models` that gives each choice the model of its name."""

    def __init__(self, **models: Scripted) -> None:
        self.models = models

    def choose(self, choice: ModelChoice) -> tuple[Any, ModelEntry]:
        listed = not choice.model.startswith("unlisted")
        return self.models[choice.model], ModelEntry(choice.model, "scripted", price=PRICE, listed=listed)


@pytest.fixture
def telemetry() -> Telemetry:
    return Telemetry("a-stack", Traces())


def counted(telemetry: Telemetry, capsys: pytest.CaptureFixture[str]) -> Counter[tuple[str, str]]:
    """By model and name what is printed at the end of the invocation; of latencies how many there are."""
    telemetry.flush()
    found: Counter[tuple[str, str]] = Counter()
    for line in map(json.loads, capsys.readouterr().out.splitlines()):
        for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]:
            values = line[metric["Name"]]
            figure = len(values) if metric["Unit"] == "Milliseconds" else sum(values)
            found[line.get("model", ""), metric["Name"]] += figure
    return found


def ask(telemetry: Telemetry, models: Models, *names: str) -> None:
    """As the loop does: one model after the other, until one replies."""
    watched = ObservedModels(models, telemetry)
    for name in names:
        model, _ = watched.choose(ModelChoice(name))
        try:
            model.reply(REQUEST)
        except FreeholdError:
            continue
        return


def test_a_reply_is_counted_with_its_tokens_and_cost(
    telemetry: Telemetry, capsys: pytest.CaptureFixture[str]
):
    ask(telemetry, Catalog(gpt=Scripted(REPLY)), "gpt")

    assert counted(telemetry, capsys) == {
        ("gpt", "ModelLatency"): 1,
        ("gpt", "InputTokens"): 1000,
        ("gpt", "OutputTokens"): 100,
        ("gpt", "CachedTokens"): 400,
        # 600 fresh at $2, 400 cached at $0.50 and 100 at $10 a million.
        ("gpt", "CostUsd"): pytest.approx(0.0024),
    }
    assert cast("Traces", telemetry.traces).told == [{"model_id": "gpt"}, "gpt", {"model": "gpt"}]


def test_models_that_only_agents_know_share_one_dimension_and_are_told_apart_by_a_property(
    telemetry: Telemetry, capsys: pytest.CaptureFixture[str]
):
    for name in ("unlisted_1", "unlisted_2"):
        ask(telemetry, Catalog(**{name: Scripted(REPLY)}), name)
        telemetry.flush()

    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["model"], line["model_id"]) for line in printed] == [
        ("other", "unlisted_1"),
        ("other", "unlisted_2"),
    ]


@pytest.mark.parametrize(
    ("error", "metric"),
    [
        (ModelThrottled("slow down"), "ModelThrottled"),
        (ModelUnavailable("gone"), "ModelUnavailable"),
        (ModelRejected("no"), "ModelRejected"),
        (ContextTooLong("too long"), "ModelRejected"),
    ],
)
def test_a_model_that_does_not_reply_is_counted_by_what_it_raised(
    telemetry: Telemetry, capsys: pytest.CaptureFixture[str], error: Exception, metric: str
):
    model, _ = ObservedModels(Catalog(gpt=Scripted(error)), telemetry).choose(ModelChoice("gpt"))

    with pytest.raises(type(error)):
        model.reply(REQUEST)

    assert counted(telemetry, capsys) == {("gpt", metric): 1}


def test_a_model_that_takes_over_is_a_fallback_and_counted_as_itself(
    telemetry: Telemetry, capsys: pytest.CaptureFixture[str]
):
    models = Catalog(gpt=Scripted(ModelThrottled("slow down"), REPLY), nova=Scripted(REPLY))

    ask(telemetry, models, "gpt", "nova")
    # The next invocation begins with the first model again.
    ask(telemetry, models, "gpt", "nova")

    counts = counted(telemetry, capsys)
    assert (counts["nova", "ModelFallbacks"], counts["gpt", "ModelFallbacks"]) == (1, 0)
    assert (
        counts["gpt", "ModelThrottled"],
        counts["gpt", "ModelLatency"],
        counts["nova", "ModelLatency"],
    ) == (1, 1, 1)


FAILURES = (
    (ToolThrottled("slow down"), {"ToolThrottles": 1}),
    (ToolUnavailable("gone"), {"ToolUnavailable": 1}),
    (OutcomeUnknown("lost"), {"ToolUnavailable": 1}),
    (ToolFailed("raised"), {"ToolLatency": 1}),
)


@pytest.mark.parametrize(("answer", "metrics"), [({"response": {}}, {"ToolLatency": 1}), *FAILURES])
def test_an_attempt_at_a_tool_is_counted_by_what_came_of_it(
    telemetry: Telemetry, capsys: pytest.CaptureFixture[str], answer: Any, metrics: dict[str, int]
):
    telemetry.note(tool="pay")
    tools = ObservedTools(Scripted(answer), telemetry)

    if isinstance(answer, Exception):
        with pytest.raises(type(answer)):
            tools.invoke("arn", {}, timeout_seconds=5)
    else:
        assert tools.invoke("arn", {}, timeout_seconds=5) == answer

    assert counted(telemetry, capsys) == {("", name): number for name, number in metrics.items()}
    assert cast("Traces", telemetry.traces).told[-2:] == ["tool call", {"tool": "pay"}]


def http_call(answer: Any, telemetry: Telemetry) -> Any:
    tools: Any = ObservedHttpTools(lambda: Scripted(answer), telemetry)
    return tools().call(Server("https://a.example"), HttpRequest("GET", "/orders"), tenant="acme")


def mcp_call(answer: Any, telemetry: Telemetry) -> Any:
    tools: Any = ObservedMcpTools(lambda: Scripted(answer), telemetry)
    return tools().call(Server("https://a.example"), "look_up", "pin", {}, tenant="acme")


@pytest.mark.parametrize("call", [http_call, mcp_call])
@pytest.mark.parametrize(("error", "metrics"), FAILURES)
def test_an_attempt_at_a_servers_tool_is_counted_as_one_at_a_lambda(
    telemetry: Telemetry,
    capsys: pytest.CaptureFixture[str],
    call: Callable[[Any, Telemetry], Any],
    error: Exception,
    metrics: dict[str, int],
):
    with pytest.raises(type(error)):
        call(error, telemetry)

    assert counted(telemetry, capsys) == {("", name): number for name, number in metrics.items()}


@pytest.mark.parametrize(
    ("call", "answer"), [(http_call, HttpAnswer(500, "no")), (mcp_call, Answer(ok=False, content="no"))]
)
def test_whatever_a_server_answers_its_time_is_counted(
    telemetry: Telemetry,
    capsys: pytest.CaptureFixture[str],
    call: Callable[[Any, Telemetry], Any],
    answer: Any,
):
    telemetry.note(tool="getOrders")

    assert call(answer, telemetry) == answer

    assert counted(telemetry, capsys) == {("", "ToolLatency"): 1}
    assert cast("Traces", telemetry.traces).told[-2:] == ["tool call", {"tool": "getOrders"}]


def test_what_asks_servers_is_not_made_before_it_is_needed(telemetry: Telemetry):
    def never() -> Any:
        raise AssertionError("nobody has called")

    assert callable(cast("Any", ObservedHttpTools(never, telemetry))())


def waits(telemetry: Telemetry, *answers: Any) -> Any:
    return ObservedWaits(cast("Waits", Scripted(*answers)), telemetry)


def decision(wait: Wait, by: str) -> Decision:
    return Decision(1, 0, wait, "deny", by, 5, "digest", "request")


@pytest.mark.parametrize(
    ("decided", "outcome", "metrics"),
    [
        (decision("approval", "key:b"), "denied", {"DecisionsMade": 1}),
        (decision("result", "key:b"), "success", {"DecisionsMade": 1}),
        (decision("result", "key:b"), "error", {"DecisionsMade": 1, "ToolErrors": 1}),
        # It was counted as unknown before anybody was asked.
        (decision("outcome", "key:b"), "unknown", {"DecisionsMade": 1}),
        (decision("approval", EXPIRED), "denied", {"DecisionsExpired": 1}),
        # The other run's end is counted.
        (decision("agent", "01M84CY6FV8TPZ8VTAMGGSRG64-1"), "success", {}),
    ],
)
def test_a_decision_is_counted_by_who_made_it_once_it_is_written(
    telemetry: Telemetry,
    capsys: pytest.CaptureFixture[str],
    decided: Decision,
    outcome: CallOutcome,
    metrics: dict[str, int],
):
    watched, given = waits(telemetry, StaleWrite("again"), None), {"result": result(outcome), "before": None}

    with pytest.raises(StaleWrite):
        watched.decide(decided, run("AWAITING"), **given)
    watched.decide(decided, run("AWAITING"), **given)

    assert counted(telemetry, capsys) == {("", name): number for name, number in metrics.items()}


def test_a_queued_message_that_answers_a_question_has_ended(
    telemetry: Telemetry, capsys: pytest.CaptureFixture[str]
):
    taken = run("CANCELLED", finished_at=4_500)

    waits(telemetry, None).decide(
        decision("answer", "key:k"), run("RUNNING"), result=result("success"), taken=taken
    )

    told = {"DecisionsMade": 1, "RunsCancelled": 1, "RunLatency": 1}
    assert counted(telemetry, capsys) == {("", name): number for name, number in told.items()}


def test_a_run_is_counted_as_parked_once_that_is_written(
    telemetry: Telemetry, capsys: pytest.CaptureFixture[str]
):
    watched = waits(telemetry, StaleWrite("again"), None)

    with pytest.raises(StaleWrite):
        watched.park(run("AWAITING"), before=None)
    watched.park(run("AWAITING"), before=None)

    assert counted(telemetry, capsys) == {("", "RunsParked"): 1}


def test_a_refused_decision_is_counted_each_time(telemetry: Telemetry, capsys: pytest.CaptureFixture[str]):
    refusal = Refusal("r", "t1-l1-c0", "approve", "key:x", 5, "approvers of agent helper are: scope:approve")
    watched = waits(telemetry, None, None)

    watched.refuse(KEY, refusal)
    watched.refuse(KEY, refusal)

    assert counted(telemetry, capsys) == {("", "DecisionsRefused"): 2}


def store(telemetry: Telemetry, *answers: Any) -> Any:
    return ObservedSessions(cast("Sessions", Scripted(*answers)), telemetry)


def result(outcome: CallOutcome) -> Result:
    return Result(1, 0, "pay", outcome, "words", 5)


@pytest.mark.parametrize(
    ("outcome", "metrics"),
    [
        ("success", {}),
        ("cancelled", {}),
        ("error", {"ToolErrors": 1}),
        ("unknown", {"ToolOutcomesUnknown": 1}),
    ],
)
def test_what_a_call_came_to_is_counted_where_it_is_written(
    telemetry: Telemetry, capsys: pytest.CaptureFixture[str], outcome: CallOutcome, metrics: dict[str, int]
):
    store(telemetry, None).add_result(KEY, result(outcome))

    assert counted(telemetry, capsys) == {("", name): number for name, number in metrics.items()}


def test_a_result_that_found_another_in_its_place_is_not_counted(
    telemetry: Telemetry, capsys: pytest.CaptureFixture[str]
):
    sessions = store(telemetry, False, True)

    assert [sessions.replace_marker(KEY, MARKER, result("unknown")) for _ in range(2)] == [False, True]

    assert counted(telemetry, capsys) == {("", "ToolOutcomesUnknown"): 1}


def run(status: Status, **more: Any) -> Run:
    who = Principal("key", "k")
    return Run(
        *("acme", KEY.conversation, 1, "s", "helper", "DRAFT", "digest", "live", "durable", status),
        *(who, "http", "hello", 1_000, 900),
        **more,
    )


@pytest.mark.parametrize(
    ("status", "metric"),
    [
        ("COMPLETED", "RunsCompleted"),
        ("FAILED", "RunsFailed"),
        ("STOPPED", "RunsStopped"),
        ("CANCELLED", "RunsCancelled"),
    ],
)
def test_an_end_is_counted_once_however_often_it_was_tried(
    telemetry: Telemetry, capsys: pytest.CaptureFixture[str], status: Status, metric: str
):
    ended = run(status, finished_at=4_500)
    sessions = store(telemetry, StaleWrite("again"), None, None)

    with pytest.raises(StaleWrite):
        sessions.finish(ended, results=(), before=ended)
    sessions.finish(ended, results=(result("unknown"), result("cancelled")), before=ended)
    sessions.end_queued(ended, before=ended)

    expected = {("", metric): 2, ("", "RunLatency"): 2, ("", "ToolOutcomesUnknown"): 1}
    assert counted(telemetry, capsys) == expected


def test_a_run_takes_from_when_it_was_asked_for_to_its_end(
    telemetry: Telemetry, capsys: pytest.CaptureFixture[str]
):
    store(telemetry, None).finish(run("COMPLETED", finished_at=4_500), results=())

    telemetry.flush()

    assert json.loads(capsys.readouterr().out)["RunLatency"] == [3_500]


def test_a_run_is_known_by_its_first_status_and_everything_else_is_handed_on(telemetry: Telemetry):
    sessions = store(telemetry, run("QUEUED"), run("RUNNING"), None, ["keys"])

    assert [sessions.run(KEY), sessions.run(KEY), sessions.run(KEY)] == [run("QUEUED"), run("RUNNING"), None]
    assert sessions.open_runs(3) == ["keys"]

    assert sessions.statuses == {KEY: "QUEUED"}


def test_facts_are_on_every_line_and_gone_with_the_invocation(
    telemetry: Telemetry, capsys: pytest.CaptureFixture[str]
):
    telemetry.note(run_id="R-1", tool="pay")
    telemetry.count("ToolErrors")
    telemetry.flush()
    telemetry.count("ToolErrors")
    telemetry.flush()

    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["service"], first["run_id"], first["tool"]) == ("a-stack", "R-1", "pay")
    assert first.keys() - second.keys() == {"run_id", "tool"}


@pytest.mark.parametrize(("name", "model"), [("ToolLatency", "gpt"), ("ModelLatency", ""), ("Nonsense", "")])
def test_a_metric_that_is_not_in_the_tables_is_refused(telemetry: Telemetry, name: str, model: str):
    with pytest.raises(KeyError, match=name):
        telemetry.count(name, model=model)


def test_a_text_that_cannot_be_told_is_one_line_and_counts_nothing(
    telemetry: Telemetry, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
):
    class Gone:
        def watched(self, key: RunKey, *, now: int) -> bool:
            raise StoreUnavailable("gone")

    live: Any = Gone()
    watched = ObservedLiveTexts(live, telemetry)
    telling = Audience(RunKey("t", "C1", 1), 1, watched, lambda: 1_000, lambda: "id1").attempt()

    telling.tell("word")
    telling.end()

    assert [record.message for record in caplog.records] == ["the reply is not told as it comes"]
    assert counted(telemetry, capsys) == {}
