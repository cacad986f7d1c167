"""How new versions come to run, and how much of an account they may take."""

from __future__ import annotations

import json
from collections.abc import Iterator

from .reading import PASSING, Rule, Template, mentions, resources

CALLERS = (
    "AWS::ApiGateway::RestApi",
    "AWS::Events::Rule",
    "AWS::Lambda::EventSourceMapping",
    "AWS::StepFunctions::StateMachine",
)


def callers_know_the_alias(template: Template) -> Iterator[str]:
    """State machines, API, queues and schedules: a function itself may be a version that was never tried."""
    functions = resources(template, "AWS::Lambda::Function")
    aliases = resources(template, "AWS::Lambda::Alias").values()
    for name in functions:
        if not any(alias["FunctionName"] == f"freehold-{name}" for alias in aliases):
            yield f"{name} has no alias"
    for kind in CALLERS:
        for caller, given in resources(template, kind).items():
            text = mentions(given.get("DefinitionSubstitutions", given))
            for name in functions:
                if text.count(f"function:freehold-{name}") != text.count(f"function:freehold-{name}:live"):
                    yield f"{caller} calls {name} past its alias"


def running_executions_may_finish(template: Template) -> Iterator[str]:
    """Those that an earlier release began call the functions by their own ARNs, later ones by the alias."""
    allowed = mentions(template["Resources"]["AgentLoopRole"])
    machine = resources(template, "AWS::StepFunctions::StateMachine")["AgentLoop"]
    for arn in machine["DefinitionSubstitutions"].values():
        if ":function:" in str(arn) and not (
            f"'{arn}'" in allowed and f"'{arn.removesuffix(':live')}'" in allowed
        ):
            yield f"AgentLoopRole may not call {arn} in both ways"


def what_ran_until_now_stays(template: Template) -> Iterator[str]:
    """A version that is replaced, by other code or by another parameter, may be in the middle of a call."""
    for name, resource in template["Resources"].items():
        policies = {resource.get("DeletionPolicy"), resource.get("UpdateReplacePolicy")}
        if resource["Type"] == "AWS::Lambda::Version" and policies != {"Retain"}:
            yield f"{name} goes with the next one"


def what_new_versions_do_is_watched(template: Template) -> Iterator[str]:
    """Wherever traffic shifts, the function's own alarm stops it."""
    alarms = resources(template, "AWS::CloudWatch::Alarm")
    for name, group in resources(template, "AWS::CodeDeploy::DeploymentGroup").items():
        function = name.removesuffix("DeploymentGroup")
        watched = [
            alarm["Name"].removeprefix("freehold-")
            for alarm in group.get("AlarmConfiguration", {}).get("Alarms", [])
        ]
        if not any(f"'freehold-{function}:live'" in mentions(alarms.get(alarm)) for alarm in watched):
            yield f"{name} is not rolled back when {function} fails"
        if "DEPLOYMENT_STOP_ON_ALARM" not in group["AutoRollbackConfiguration"]["Events"]:
            yield f"{name} does not roll back on alarms"


def requests_are_limited(template: Template) -> Iterator[str]:
    for name, stage in resources(template, "AWS::ApiGateway::Stage").items():
        limited = [each for each in stage.get("MethodSettings", []) if each.get("ThrottlingRateLimit")]
        if not any(each["ResourcePath"] == "/*" and each["HttpMethod"] == "*" for each in limited):
            yield f"{name} takes as many requests as the account does"


def requests_go_to_this_region(template: Template) -> Iterator[str]:
    """Otherwise CloudFront stands before it, and bodies pass through wherever that is near to who asks."""
    for name, api in resources(template, "AWS::ApiGateway::RestApi").items():
        if api.get("EndpointConfiguration", {}).get("Types") != ["REGIONAL"]:
            yield f"{name} is reached through the edge"


def traffic_shifts_gradually(template: Template) -> Iterator[str]:
    shifted = {
        name.removesuffix("DeploymentGroup")
        for name in resources(template, "AWS::CodeDeploy::DeploymentGroup")
    }
    yield from (
        f"{name} gets all its traffic at once"
        for name in resources(template, "AWS::Lambda::Function")
        if name not in shifted
    )


def concurrency_is_reserved(template: Template) -> Iterator[str]:
    yield from (
        f"{name} has no concurrency reserved"
        for name, function in resources(template, "AWS::Lambda::Function").items()
        if not function.get("ReservedConcurrentExecutions")
    )


def requests_are_logged(template: Template) -> Iterator[str]:
    for name, stage in resources(template, "AWS::ApiGateway::Stage").items():
        setting = stage.get("AccessLogSetting", {})
        if "/freehold/" not in setting.get("DestinationArn", "") or "caller" not in json.loads(
            setting.get("Format", "{}")
        ):
            yield f"{name} logs no requests"


def tables_are_protected(template: Template) -> Iterator[str]:
    yield from (
        f"{name} can be deleted"
        for name, table in resources(template, "AWS::DynamoDB::Table").items()
        if table.get("DeletionProtectionEnabled") != "true" and name not in PASSING
    )


RULES: tuple[Rule, ...] = (
    callers_know_the_alias,
    running_executions_may_finish,
    what_ran_until_now_stays,
    what_new_versions_do_is_watched,
    requests_are_limited,
    requests_go_to_this_region,
)
PROD_RULES: tuple[Rule, ...] = (
    traffic_shifts_gradually,
    concurrency_is_reserved,
    requests_are_logged,
    tables_are_protected,
)
