"""What is wrong with a state machine, found by reading it. Each check takes a parsed definition and tells problems.

`asl` is short for Amazon States Language: https://states-language.net/spec.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jsonata import Jsonata

from freehold import errors

# Step Functions' and Lambda's own names, as both services document them.
AWS_ERRORS = frozenset(
    (
        "States.ALL",
        "States.Timeout",
        "Sandbox.Timedout",
        "Runtime.ExitError",
        "Lambda.ServiceException",
        "Lambda.AWSLambdaException",
        "Lambda.SdkClientException",
        "Lambda.ClientExecutionTimeoutException",
        "Lambda.TooManyRequestsException",
        "Lambda.Unknown",
    )
)
OUR_ERRORS = frozenset(
    name
    for name, value in vars(errors).items()
    if isinstance(value, type) and issubclass(value, errors.FreeholdError)
)
# What Lambda may do to any function, so every Task retries it.
LAMBDA_ERRORS = AWS_ERRORS - {"States.ALL"} | {"StoreUnavailable"}
TERMINAL = ("Succeed", "Fail")
EXPRESSION = re.compile(r"\{%(.*)%\}", re.DOTALL)
SUBSTITUTION = re.compile(r"\$\{(\w+)\}")
ONLY_IN_CATCH, ONLY_AFTER = "errorOutput", "result"
# Where a Task's Catch leads, if not to RunFailed: what fails there does not end the run, or it has ended already.
AWAY = {"RunTool": "ToolGivenUp", "CompactHistory": "InvokeModel", "SummarizeMemory": "LeftForLater"}


@dataclass(frozen=True)
class Surroundings:
    """What the template puts around a definition: values of substitutions, and each function's timeout."""

    substitutions: Mapping[str, str]
    function_seconds: Mapping[str, int]


def problems(definition: dict[str, Any], around: Surroundings) -> list[str]:
    """Everything that the checks find."""
    alone = [told for check in CHECKS for told in check(definition)]
    return [*alone, *substitutions(definition, around), *timeouts(definition, around)]


# -- walking


def machines(definition: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The definition and the machines inside its Maps."""
    yield definition
    for state in definition["States"].values():
        if "ItemProcessor" in state:
            yield from machines(state["ItemProcessor"])


def states(definition: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: state for machine in machines(definition) for name, state in machine["States"].items()}


def tasks(definition: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: state for name, state in states(definition).items() if state["Type"] == "Task"}


def texts(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every text with its place; a key that holds a substitution is told as a text too."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if "${" in key:
                yield f"{path}.{key} (key)", key
            yield from texts(inner, f"{path}.{key}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from texts(inner, f"{path}[{index}]")
    elif isinstance(value, str):
        yield path, value


def targets(state: dict[str, Any]) -> set[str]:
    """Where a state may lead."""
    rules = [*state.get("Choices", []), *state.get("Catch", [])]
    named = [state.get("Next"), state.get("Default"), *(rule.get("Next") for rule in rules)]
    return {name for name in named if name}


def retried(state: dict[str, Any]) -> list[str]:
    return [name for retrier in state.get("Retry", []) for name in retrier["ErrorEquals"]]


# -- checks of a definition alone


def flow(definition: dict[str, Any]) -> Iterator[str]:
    """Each target is there, each state can be reached, and none but an end leads nowhere."""
    for machine in machines(definition):
        own = machine["States"]
        wanted, reached = [machine["StartAt"]], set[str]()
        while wanted:
            name = wanted.pop()
            if name not in own:
                yield f"there is no state {name}"
            elif name not in reached:
                reached.add(name)
                wanted += targets(own[name])
        yield from (f"{name} is never reached" for name in set(own) - reached)
        for name, state in own.items():
            goes_on = bool({"Next", "End", "Default"} & set(state)) or state["Type"] in TERMINAL
            if not goes_on or ("Next" in state and "End" in state):
                yield f"{name} has no way on, or two"
            if state["Type"] == "Choice" and "Default" not in state:
                yield f"{name} has no Default"


def expressions(definition: dict[str, Any]) -> Iterator[str]:
    """Each JSONata expression parses and reads only what its place offers."""
    for path, text in texts(definition):
        found = EXPRESSION.fullmatch(text)
        if found is None:
            if "{%" in text or "%}" in text:
                yield f"{path} holds an expression beside other text"
            continue
        try:
            Jsonata(SUBSTITUTION.sub("1", found[1]))
        except Exception as error:
            yield f"{path} does not parse: {error}"
        for name in re.findall(r"\$states\.(\w+)", text):
            in_catch, after = ".Catch[" in path, path.endswith(".Output") or ".Output." in path
            offered = {"input", "context"} | ({"errorOutput"} if in_catch else {"result"} if after else set())
            if name not in offered:
                yield f"{path} reads $states.{name}, which is not there"


def error_names(definition: dict[str, Any]) -> Iterator[str]:
    """Every name that is matched on can be raised."""
    for name, state in states(definition).items():
        for rule in (*state.get("Retry", []), *state.get("Catch", [])):
            unknown = set(rule["ErrorEquals"]) - AWS_ERRORS - OUR_ERRORS
            yield from (f"{name} matches on {error}, which nobody raises" for error in sorted(unknown))


def retries(definition: dict[str, Any]) -> Iterator[str]:
    """What can pass by itself is tried again, what cannot is not."""
    for name, state in tasks(definition).items():
        missing = LAMBDA_ERRORS - set(retried(state))
        if missing:
            yield f"{name} does not retry {', '.join(sorted(missing))}"
        hopeless = set(retried(state)) & NEVER_RETRIED
        if hopeless:
            yield f"{name} retries {', '.join(sorted(hopeless))}, in vain"
        twice = {error for error in retried(state) if retried(state).count(error) > 1}
        if twice:
            yield f"{name} has two retriers for {', '.join(sorted(twice))}"
    raised_by = {
        "InvokeModel": ("Model",),
        "RunTool": ("Tool", "CallInProgress"),
        "CompactHistory": ("Model", "Summary"),
        "SummarizeMemory": ("Model", "Summary"),
    }
    for error in RETRIED_BY_US - {"StoreUnavailable"}:
        for name, prefixes in raised_by.items():
            if error.startswith(prefixes) and error not in retried(states(definition).get(name, {})):
                yield f"{name} does not retry {error}"


def tree(text: str) -> Iterator[tuple[str, str]]:
    """Names and remarks of the error tree in `freehold.errors`."""
    for line in text.splitlines():
        found = re.match(r"[\s│├└─]+([A-Z]\w+)\s{2,}(.+)", line)
        if found:
            yield found[1], found[2]


RETRIED_BY_US = {name for name, told in tree(errors.__doc__ or "") if "retried by the state machine" in told}
NEVER_RETRIED = OUR_ERRORS - RETRIED_BY_US - {"StaleWrite"} | {"States.ALL"}


def jitter(definition: dict[str, Any]) -> Iterator[str]:
    """Retries of what is overloaded spread out; those that wait for a mark to run out keep their times."""
    for name, state in states(definition).items():
        for retrier in state.get("Retry", []):
            waits = retrier["ErrorEquals"] == ["CallInProgress"]
            if (retrier.get("JitterStrategy") == "FULL") == waits:
                yield f"{name} has the wrong JitterStrategy for {', '.join(retrier['ErrorEquals'])}"
            if not {"IntervalSeconds", "BackoffRate", "MaxAttempts", "MaxDelaySeconds"} <= set(retrier):
                yield f"{name} leaves its retries' times to chance"


def deadlines_and_catches(definition: dict[str, Any]) -> Iterator[str]:
    """Each Task has a deadline, retries and a catch. RunFailed is where catches lead, so it has none."""
    for name, state in tasks(definition).items():
        yield from (f"{name} has no {field}" for field in ("TimeoutSeconds", "Retry") if not state.get(field))
        catches = [rule for rule in state.get("Catch", []) if rule["ErrorEquals"] == ["States.ALL"]]
        if name == "RunFailed":
            if "Catch" in state:
                yield "RunFailed catches, but there is nowhere left to go"
        elif len(catches) != 1 or len(state["Catch"]) != 1:
            yield f"{name} does not catch everything once"
        elif catches[0]["Next"] != AWAY.get(name, "RunFailed"):
            yield f"{name} leads its errors to {catches[0]['Next']}"
        handed_on = [str(rule.get("Output")) for rule in state.get("Catch", [])]
        if not all("run" in told or told == "{% $states.input %}" for told in handed_on):
            yield f"{name} loses its run in Catch"


def names(definition: dict[str, Any]) -> Iterator[str]:
    yield from (
        f"{name} is no PascalCase name"
        for name in states(definition)
        if not re.fullmatch(r"([A-Z][a-z]+)+", name)
    )


CHECKS: tuple[Callable[[dict[str, Any]], Iterator[str]], ...] = (
    flow,
    expressions,
    error_names,
    retries,
    jitter,
    deadlines_and_catches,
    names,
)


# -- checks of a definition in its template


def substitutions(definition: dict[str, Any], around: Surroundings) -> Iterator[str]:
    """Each substitution stands inside a text and is given by the template, and none is given for nothing."""
    used = set[str]()
    for path, text in texts(definition):
        if path.endswith("(key)"):
            yield f"{path} is no place for a substitution"
        used |= set(SUBSTITUTION.findall(text))
    given = set(around.substitutions)
    yield from (f"the template does not give ${{{name}}}" for name in sorted(used - given))
    yield from (f"the template gives {name} for nothing" for name in sorted(given - used))


def timeouts(definition: dict[str, Any], around: Surroundings) -> Iterator[str]:
    """A state waits longer than each of its functions may run, so that it is the function that gives up first."""
    for name, state in tasks(definition).items():
        called = SUBSTITUTION.findall(state["Arguments"]["FunctionName"])
        allowed = seconds(state.get("TimeoutSeconds"), around)
        if not called or set(called) - set(around.function_seconds):
            yield f"{name} calls no function of the template"
        elif allowed is None:
            yield f"{name} has a TimeoutSeconds that is no number: {state.get('TimeoutSeconds')}"
        else:
            yield from (
                f"{name} gives up after {allowed} s, before {function} does"
                for function in called
                if allowed <= around.function_seconds[function]
            )


def seconds(value: Any, around: Surroundings) -> int | None:
    """A number, or an expression that is one once its substitution is made. A plain text never becomes one."""
    if isinstance(value, int):
        return value
    found = EXPRESSION.fullmatch(str(value))
    text = (
        SUBSTITUTION.sub(lambda name: around.substitutions.get(name[1], ""), found[1]).strip()
        if found
        else ""
    )
    return int(text) if text.isdigit() else None
