"""Parameters that do not go together, which CloudFormation refuses before it touches anything."""

from __future__ import annotations

from typing import Any

import pytest

from rendering import configuration, source


def value(expression: Any, parameters: dict[str, str]) -> Any:
    """What CloudFormation makes of an expression of its `Rules`."""
    if not isinstance(expression, dict):
        return expression
    ((function, given),) = expression.items()
    if function == "Ref":
        return parameters[given]
    told = [value(each, parameters) for each in given]
    match function:
        case "Fn::Equals":
            return told[0] == told[1]
        case "Fn::Not":
            return not told[0]
        case "Fn::And":
            return all(told)
        case "Fn::Contains":
            return told[1] in told[0]
        case _:
            raise AssertionError(function)


def refused(**changes: str) -> list[str]:
    template = source()
    parameters = {
        name: str(each["Default"]) for name, each in template["Parameters"].items() if "Default" in each
    } | changes
    return [
        name
        for name, rule in template["Rules"].items()
        if value(rule["RuleCondition"], parameters)
        and not all(value(each["Assert"], parameters) for each in rule["Assertions"])
    ]


@pytest.mark.parametrize("environment", ["default", "dev", "prod"])
def test_what_an_environment_sets_goes_together(environment: str):
    assert refused(**configuration(environment)) == []


def test_an_issuer_needs_an_audience():
    issuer = "https://issuer.example.com"

    assert refused(OidcIssuer=issuer) == ["JwtsAreForUs"]
    assert refused(OidcIssuer=issuer, OidcAudience="freehold") == []


@pytest.mark.parametrize(
    ("loop", "ingest", "fits"),
    [("1", "2", False), ("3", "2", False), ("4", "2", True), ("19", "10", False), ("20", "10", True)],
)
def test_ingest_is_not_given_more_to_do_than_it_may(loop: str, ingest: str, fits: bool):
    assert (refused(LoopConcurrency=loop, IngestConcurrency=ingest) == []) is fits
