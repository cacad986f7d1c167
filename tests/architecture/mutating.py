"""Ways to change a template: each makes a function that does it to the one it is given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rendering import Template

Mutate = Callable[[Template], None]


def drop(resource: str, *path: str | int) -> Mutate:
    """Delete what lies at `path` in a resource: `drop("Key", "DeletionPolicy")`."""

    def mutate(template: Template) -> None:
        inner: Any = template["Resources"][resource]
        for key in path[:-1]:
            inner = inner[key]
        del inner[path[-1]]

    return mutate


def put(resource: str, *path: str | int, value: Any) -> Mutate:
    def mutate(template: Template) -> None:
        inner: Any = template["Resources"][resource]
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = value

    return mutate


def statement(role: str, sid: str, **changes: Any) -> Mutate:
    """Change one statement of a role, a policy or the key's own; None takes a field away."""

    def mutate(template: Template) -> None:
        properties = template["Resources"][role]["Properties"]
        found = [each for each in _with_effect(properties) if each.get("Sid") == sid]
        assert len(found) == 1, f"{role} has {len(found)} statements {sid}"
        for name, value in changes.items():
            if value is None:
                del found[0][name]
            else:
                found[0][name] = value

    return mutate


def _with_effect(value: Any) -> list[dict[str, Any]]:
    """Statements wherever they stand: SAM's template has them behind conditions."""
    if isinstance(value, list):
        return [each for inner in value for each in _with_effect(inner)]
    if not isinstance(value, dict):
        return []
    own = [value] if "Effect" in value else []
    return own + [each for inner in value.values() for each in _with_effect(inner)]


def without(resource: str) -> Mutate:
    def mutate(template: Template) -> None:
        del template["Resources"][resource]

    return mutate


def text(resource: str, old: str, new: str) -> Mutate:
    """Replace text in a dashboard's body."""

    def mutate(template: Template) -> None:
        body = template["Resources"][resource]["Properties"]["DashboardBody"]
        assert old in body["Fn::Sub"]
        body["Fn::Sub"] = body["Fn::Sub"].replace(old, new)

    return mutate


def forget_an_own_function(template: Template) -> None:
    denied = template["Resources"]["OwnFunctionsAreNoTools"]["Properties"]["PolicyDocument"]["Statement"][0]
    denied["Resource"] = [each for each in denied["Resource"] if "Sweep" not in repr(each)]


def forget_old_executions(template: Template) -> None:
    (steps,) = [
        each for each in _with_effect(template["Resources"]["AgentLoopRole"]) if each.get("Sid") == "Steps"
    ]
    steps["Resource"] = [each for each in steps["Resource"] if "Ref" in each]


def open_a_call(template: Template) -> None:
    del template["Resources"]["Api"]["Properties"]["DefinitionBody"]["paths"]["/keys"]["post"]["security"]


def remember_keys(template: Template) -> None:
    schemes = template["Resources"]["Api"]["Properties"]["DefinitionBody"]["components"]["securitySchemes"]
    schemes["bearer"]["x-amazon-apigateway-authorizer"]["authorizerResultTtlInSeconds"] = 3600


def name_another_metric(template: Template) -> None:
    template["Resources"]["ModelsAreDown"]["Properties"]["Metrics"][0]["Expression"] = {
        "Fn::Sub": 'SELECT SUM(ModelGone) FROM SCHEMA("Freehold", model, service) '
        "WHERE service = '${AWS::StackName}'"
    }


def forget_timeouts_of_fast_runs(template: Template) -> None:
    properties = template["Resources"]["LoopBroken"]["Properties"]
    properties["Metrics"] = [each for each in properties["Metrics"] if each["Id"] != "fast_timed_out"]


def share_a_role(template: Template) -> None:
    template["Resources"]["SweepFunction"]["Properties"]["Role"] = {"Fn::GetAtt": ["ApiRole", "Arn"]}


def keep(rule: str, end: str) -> Mutate:
    """Take the end from one of the bucket's rules."""

    def mutate(template: Template) -> None:
        rules = template["Resources"]["ContentBucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
        (found,) = [each for each in rules if each["Id"] == rule]
        del found[end]

    return mutate


def mail_alarms(template: Template) -> None:
    template["Parameters"]["AlarmEmail"]["Default"] = "ops@example.com"
    del template["Resources"]["AlarmMail"]["Properties"]["RedrivePolicy"]


def read_every_bucket(template: Template) -> None:
    template["Resources"]["ApiRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"].append(
        {"Sid": "Any", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::team-*/*"}
    )


def trust_everybody(template: Template) -> None:
    trust = template["Resources"]["InvokeModelRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    trust[0]["Principal"] = {"AWS": "*"}
