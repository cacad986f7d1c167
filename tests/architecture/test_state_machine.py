"""The one agent loop: what nobody would notice before it is deployed, or before something fails."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from statelint.config import Config
from statelint.linter import Linter
from statelint.problem import ProblemType

from freehold.configuration.document import FunctionSchema
from freehold.decide import MODEL_TIMEOUT_SECONDS
from freehold.tool_call import TIMEOUT_MARGIN_SECONDS
from freehold.wiring import READ_MARGIN_SECONDS

from .asl import RETRIED_BY_US, SUBSTITUTION, problems, states
from .deployment import MACHINES, definition, functions, resources, surroundings, text_of_definition, value

Definition = dict[str, Any]


@pytest.mark.parametrize("machine", MACHINES)
def test_nothing_is_wrong_with_the_loop(machine: str):
    assert problems(definition(), surroundings(machine)) == []


def test_the_tree_of_errors_says_which_are_retried():
    """Were the tree written in another way, the checks would silently ask for nothing."""
    assert {"ModelThrottled", "ToolUnavailable", "CallInProgress", "StoreUnavailable"} <= RETRIED_BY_US


def test_the_definition_is_whole_before_any_substitution():
    """`${…}` stands in texts alone, so that editors and linters can read the file."""
    for line in text_of_definition().splitlines():
        code = line.split(" #")[0]
        if "${" in code:
            assert not code.split("${")[0].strip().endswith("{")
            assert ": " in code.split("${")[0]


def test_standard_and_express_are_the_same_loop():
    standard, express = (resources("AWS::Serverless::StateMachine")[name] for name in MACHINES)
    differing = {key for key in standard | express if standard.get(key) != express.get(key)}

    assert differing == {"Name", "Type"}
    assert (standard["Type"], express["Type"]) == ("STANDARD", "EXPRESS")
    assert set(resources("AWS::Serverless::StateMachine")) == set(MACHINES)


def test_timeouts_nest_from_the_model_to_the_state():
    """Each gives up before the one around it, or its answer would be lost."""
    own = {name: int(value(function["Timeout"])) for name, function in functions().items()}
    loop = states(definition())

    assert MODEL_TIMEOUT_SECONDS < own["InvokeModelFunction"] < loop["InvokeModel"]["TimeoutSeconds"]
    for name in ("CompactHistory", "SummarizeMemory"):
        assert MODEL_TIMEOUT_SECONDS < own["SummarizeMemoryFunction"] < loop[name]["TimeoutSeconds"]
    assert READ_MARGIN_SECONDS < TIMEOUT_MARGIN_SECONDS
    assert own["FinishRunFunction"] < loop["FinishRun"]["TimeoutSeconds"]


def test_waiting_for_a_mark_outlasts_the_longest_one():
    """A mark holds for what is left of the Lambda's time and the tool's own longest time."""
    (retrier,) = [
        r for r in states(definition())["RunTool"]["Retry"] if r["ErrorEquals"] == ["CallInProgress"]
    ]
    waits = [
        min(retrier["IntervalSeconds"] * retrier["BackoffRate"] ** attempt, retrier["MaxDelaySeconds"])
        for attempt in range(retrier["MaxAttempts"])
    ]
    longest_tool = longest_timeout(FunctionSchema.model_json_schema())

    assert sum(waits) >= int(value(functions()["RunToolFunction"]["Timeout"])) + longest_tool


def longest_timeout(schema: dict[str, Any]) -> int:
    """The most that an agent may give a tool as `timeoutSeconds`."""
    found = {
        field["maximum"]
        for part in schema["$defs"].values()
        for name, field in part.get("properties", {}).items()
        if name == "timeoutSeconds"
    }
    assert len(found) == 1
    return found.pop()


# -- linters


def substituted() -> Definition:
    given = surroundings().substitutions | {"Partition": "aws"}
    text = json.dumps(definition())
    arn = "arn:aws:lambda:us-east-1:123456789012:function:any"
    return json.loads(
        SUBSTITUTION.sub(lambda name: given[name[1]] if given[name[1]].isalnum() else arn, text)
    )


def test_statelint_finds_nothing():
    # It wants 2.0 where the specification says "number", and knows no expression for MaxConcurrency.
    config = Config(ignored_problem_types={ProblemType.FLOAT}, evaluate_jsonata=True)

    found = Linter.validate(substituted(), config)

    assert [told for told in found if ".MaxConcurrency is " not in told] == []


def test_cfn_lint_finds_nothing():
    """It does not open `DefinitionUri`, so the definition is put into a resource."""
    from cfnlint.api import lint
    from cfnlint.config import ManualArgs

    properties = {"RoleArn": "arn:aws:iam::123456789012:role/loop", "Definition": substituted()}
    machine = {"Type": "AWS::StepFunctions::StateMachine", "Properties": properties}
    text = json.dumps({"AWSTemplateFormatVersion": "2010-09-09", "Resources": {"Loop": machine}})

    found = [match.message for match in lint(text, config=ManualArgs(regions=["us-east-1"]))]

    # Both fields take expressions: https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html
    known = {f"{text!r} is not of type 'number'" for text in ("{% 340 %}", "{% $states.input.concurrency %}")}
    assert set(found) <= known


# -- mutants: each is a mistake that someone could make tomorrow


def drop(state: str, field: str) -> Callable[[Definition], None]:
    def mutate(loop: Definition) -> None:
        del states(loop)[state][field]

    return mutate


def put(state: str, field: str, new: Any) -> Callable[[Definition], None]:
    def mutate(loop: Definition) -> None:
        states(loop)[state][field] = new

    return mutate


def unretry(state: str, error: str) -> Callable[[Definition], None]:
    def mutate(loop: Definition) -> None:
        for retrier in states(loop)[state]["Retry"]:
            retrier["ErrorEquals"] = [name for name in retrier["ErrorEquals"] if name != error]

    return mutate


def retry_too(state: str, error: str) -> Callable[[Definition], None]:
    def mutate(loop: Definition) -> None:
        states(loop)[state]["Retry"][0]["ErrorEquals"].append(error)

    return mutate


def catch(state: str, field: str, new: Any) -> Callable[[Definition], None]:
    def mutate(loop: Definition) -> None:
        states(loop)[state]["Catch"][0][field] = new

    return mutate


def payload(state: str, field: str, new: Any) -> Callable[[Definition], None]:
    def mutate(loop: Definition) -> None:
        states(loop)[state]["Arguments"]["Payload"][field] = new

    return mutate


def add_state(loop: Definition) -> None:
    loop["States"]["Forgotten"] = {"Type": "Succeed"}


def add_badly_named(loop: Definition) -> None:
    loop["States"]["run_again"] = {"Type": "Succeed"}


def unjitter(loop: Definition) -> None:
    del states(loop)["InvokeModel"]["Retry"][0]["JitterStrategy"]


def jitter_the_wait(loop: Definition) -> None:
    states(loop)["RunTool"]["Retry"][1]["JitterStrategy"] = "FULL"


def choose_wrongly(loop: Definition) -> None:
    states(loop)["WhatNext"]["Choices"][0]["Next"] = "RunTool"


def wait_and_go_on(loop: Definition) -> None:
    for choice in states(loop)["WhatNext"]["Choices"]:
        choice["Next"] = "InvokeModel" if choice["Next"] == "ParkRun" else choice["Next"]


def substitute_a_key(loop: Definition) -> None:
    states(loop)["FinishRun"]["Arguments"]["Payload"]["${Partition}"] = 1


MUTANTS: dict[str, tuple[Callable[[Definition], None], str]] = {
    "no Retry": (drop("RunTool", "Retry"), "RunTool has no Retry"),
    "no Catch": (drop("InvokeModel", "Catch"), "InvokeModel does not catch"),
    "no deadline": (drop("FinishRun", "TimeoutSeconds"), "FinishRun has no TimeoutSeconds"),
    "no Default": (drop("WhatNext", "Default"), "WhatNext has no"),
    "no End": (drop("ContinueRun", "End"), "ContinueRun has no way on"),
    "wrong Next": (put("RunTools", "Next", "InvokeModle"), "no state InvokeModle"),
    "wrong Choice": (choose_wrongly, "no state RunTool"),
    "wrong Default": (put("WhatNext", "Default", "InvokeModel"), "Superseded is never reached"),
    "a state that nothing leads to": (add_state, "Forgotten is never reached"),
    "an error that nobody raises": (retry_too("InvokeModel", "ModelThrotled"), "ModelThrotled"),
    "a retry of what will never work": (retry_too("InvokeModel", "ModelRejected"), "in vain"),
    "a retry of a payment": (retry_too("RunTool", "OutcomeUnknown"), "in vain"),
    "a throttle that is not retried": (unretry("RunTool", "ToolThrottled"), "retry ToolThrottled"),
    "a model that is not retried": (unretry("InvokeModel", "ModelUnavailable"), "retry ModelUnavailable"),
    "a summary that is not retried": (
        unretry("SummarizeMemory", "SummaryUnusable"),
        "SummarizeMemory does not retry SummaryUnusable",
    ),
    "a summary whose model is not retried": (
        unretry("CompactHistory", "ModelThrottled"),
        "CompactHistory does not retry ModelThrottled",
    ),
    "a compaction that fails the run": (
        catch("CompactHistory", "Next", "RunFailed"),
        "leads its errors to RunFailed",
    ),
    "a summary that fails a run that has ended": (
        catch("SummarizeMemory", "Next", "RunFailed"),
        "leads its errors to RunFailed",
    ),
    "a park that is not retried": (
        unretry("ParkRun", "StoreUnavailable"),
        "ParkRun does not retry StoreUnavailable",
    ),
    "a park that gives up first": (put("ParkRun", "TimeoutSeconds", 20), "before FinishRunFunction does"),
    "a park whose run is lost": (catch("ParkRun", "Output", {"error": "x"}), "loses its run"),
    "a run that waits and goes on": (wait_and_go_on, "ParkRun is never reached"),
    "a summary that gives up first": (
        put("SummarizeMemory", "TimeoutSeconds", 120),
        "before SummarizeMemoryFunction does",
    ),
    "a store that is not retried": (unretry("FinishRun", "StoreUnavailable"), "retry StoreUnavailable"),
    "a Lambda error that is not retried": (unretry("RunFailed", "Lambda.Unknown"), "retry Lambda.Unknown"),
    "bad JSONata": (payload("RunTool", "lap", "{% $states.input.lap( %}"), "does not parse"),
    "half an expression": (payload("RunTool", "lap", "lap {% $states.input.lap %}"), "beside other text"),
    "a result before there is one": (
        payload("RunTool", "lap", "{% $states.result.lap %}"),
        "which is not there",
    ),
    "a misspelt variable": (payload("RunTool", "lap", "{% $states.inputs.lap %}"), "which is not there"),
    "a Catch that leads elsewhere": (catch("RunTool", "Next", "RunTool"), "leads its errors to RunTool"),
    "a Catch of less than all": (
        catch("InvokeModel", "ErrorEquals", ["States.Timeout"]),
        "does not catch everything",
    ),
    "a Catch that forgets the run": (catch("InvokeModel", "Output", {"error": "x"}), "loses its run"),
    "a Catch where there is nowhere to go": (
        put("RunFailed", "Catch", [{"ErrorEquals": ["States.ALL"], "Next": "Superseded"}]),
        "nowhere left",
    ),
    "retries in step": (unjitter, "wrong JitterStrategy"),
    "a wait cut short by chance": (jitter_the_wait, "wrong JitterStrategy"),
    "a state that gives up first": (
        put("InvokeModel", "TimeoutSeconds", 120),
        "before InvokeModelFunction does",
    ),
    "a deadline that stays text": (put("RunTool", "TimeoutSeconds", "${RunToolTimeout}"), "no number"),
    "a state that gives up before one of its functions": (
        put("RunTool", "TimeoutSeconds", "{% 330 %}"),
        "before RunMcpToolFunction does",
    ),
    "a function that is not ours": (
        put("RunTool", "Arguments", {"FunctionName": "{% $states.input.mcp %}", "Payload": {}}),
        "RunTool calls no function of the template",
    ),
    "a substitution that is not given": (payload("FinishRun", "run", "${Run}"), "does not give ${Run}"),
    "a substitution in a key": (substitute_a_key, "no place for a substitution"),
    "a name in another style": (add_badly_named, "no PascalCase"),
}


@pytest.mark.parametrize("mistake", MUTANTS)
def test_a_mistake_is_found(mistake: str):
    mutate, told = MUTANTS[mistake]
    loop = definition()
    mutate(loop)

    found = problems(loop, surroundings())

    assert any(told in problem for problem in found), found


def test_a_substitution_that_nobody_uses_is_found():
    around = surroundings()
    more = type(around)({**around.substitutions, "Unused": "x"}, around.function_seconds)

    assert problems(definition(), more) == ["the template gives Unused for nothing"]
