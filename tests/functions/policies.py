"""What `template.yaml` lets each function do, and what a request to AWS needs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from samtranslator.yaml_helper import yaml_parse

from .aws import Request
from .lambdas import ENVIRONMENT

ROOT = Path(__file__).parents[2]
HERE = "us-east-1:123456789012"
# What the template's own references come to in `deployed`.
PLACES = {
    "SessionsTable.Arn": f"arn:aws:dynamodb:{HERE}:table/{ENVIRONMENT['SESSIONS_TABLE']}",
    "AgentsTable.Arn": f"arn:aws:dynamodb:{HERE}:table/{ENVIRONMENT['AGENTS_TABLE']}",
    "ContentBucket.Arn": f"arn:aws:s3:::{ENVIRONMENT['CONTENT_BUCKET']}",
    "Bus.Arn": f"arn:aws:events:{HERE}:event-bus/{ENVIRONMENT['EVENT_BUS']}",
    "ModelKey": f"arn:aws:secretsmanager:{HERE}:secret:{ENVIRONMENT['MODEL_KEY_SECRET']}",
    "AWS::Partition": "aws",
    "AWS::Region": "us-east-1",
    "AWS::AccountId": "123456789012",
    "AWS::StackName": "freehold",
}
WRITES = {
    "Put": "PutItem",
    "Delete": "DeleteItem",
    "Update": "UpdateItem",
    "ConditionCheck": "ConditionCheckItem",
}


@dataclass(frozen=True)
class Permission:
    """One action on one resource; both may hold `*`."""

    action: str
    resource: str

    def covers(self, action: str, resource: str) -> bool:
        return fnmatchcase(action, self.action) and fnmatchcase(resource, self.resource)


@cache
def template() -> dict[str, Any]:
    return yaml_parse((ROOT / "template.yaml").read_text())


@cache
def functions() -> dict[str, dict[str, Any]]:
    """Properties by the name of the function's folder."""
    found = {
        Path(resource["Properties"]["CodeUri"]).name: resource["Properties"]
        for resource in template()["Resources"].values()
        if resource["Type"] == "AWS::Serverless::Function"
    }
    assert found
    return found


@cache
def permissions(function: str, effect: str = "Allow") -> tuple[Permission, ...]:
    statements = list(_statements(functions()[function].get("Policies", [])))
    return tuple(
        Permission(action, resource)
        for statement in statements
        if statement["Effect"] == effect
        for action in _listed(statement["Action"])
        for resource in _resources(statement["Resource"])
    )


def _statements(policies: Any) -> Iterator[dict[str, Any]]:
    for policy in _listed(policies):
        if "Fn::If" in policy:
            yield from _statements(policy["Fn::If"][1])
        else:
            yield from _listed(policy["Statement"])


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _resources(value: Any) -> list[str]:
    if isinstance(value, dict) and "Fn::Split" in value:
        # The schema buckets: one ARN for each that the parameter lists.
        return [f"arn:aws:s3:::{ENVIRONMENT['SCHEMA_BUCKETS']}/*"]
    return [text for each in _listed(value) for text in [_text(each)]]


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if "Ref" in value:
        return PLACES[value["Ref"]]
    if "Fn::GetAtt" in value:
        name = value["Fn::GetAtt"]
        return PLACES[name if isinstance(name, str) else ".".join(name)]
    return re.sub(r"\$\{([^}]+)\}", lambda found: PLACES[found[1]], value["Fn::Sub"])


def needed(request: Request) -> list[tuple[str, str]]:
    """The actions and resources that IAM judges the request by."""
    given, operation = request.parameters, request.operation
    match request.service:
        case "dynamodb":
            return list(_table_actions(operation, given))
        case "s3":
            return [(f"s3:{operation}", f"arn:aws:s3:::{given['Bucket']}/{given['Key']}")]
        case "events":
            buses = {entry["EventBusName"] for entry in given["Entries"]}
            return [(f"events:{operation}", f"arn:aws:events:{HERE}:event-bus/{bus}") for bus in buses]
        case "stepfunctions":
            return [(f"states:{operation}", given.get("stateMachineArn") or given["executionArn"])]
        case "secretsmanager":
            return [
                (f"secretsmanager:{operation}", f"arn:aws:secretsmanager:{HERE}:secret:{given['SecretId']}")
            ]
        case "lambda":
            return [("lambda:InvokeFunction", given["FunctionName"])]
        case other:
            raise AssertionError(f"no function has business with {other}")


def _table_actions(operation: str, given: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if operation == "TransactWriteItems":
        for entry in given["TransactItems"]:
            ((kind, write),) = entry.items()
            yield f"dynamodb:{WRITES[kind]}", _table(write["TableName"])
    elif operation == "BatchGetItem":
        for name in given["RequestItems"]:
            yield f"dynamodb:{operation}", _table(name)
    else:
        index = f"/index/{given['IndexName']}" if "IndexName" in given else ""
        yield f"dynamodb:{operation}", _table(given["TableName"]) + index


def _table(name: str) -> str:
    return f"arn:aws:dynamodb:{HERE}:table/{name}"


def refused(request: Request) -> list[str]:
    """What of the request the function's role does not allow."""
    return [
        f"{request.function} may not {action} on {resource}"
        for action, resource in needed(request)
        if not any(each.covers(action, resource) for each in permissions(request.function))
        or any(each.covers(action, resource) for each in permissions(request.function, "Deny"))
    ]


def rule_broken(operation: str, given: dict[str, Any]) -> str | None:
    """Reads of a table are consistent, those of an index cannot be; each write carries a condition."""
    match operation:
        case "GetItem":
            fine = given.get("ConsistentRead") is True
        case "Query":
            fine = given.get("ConsistentRead") is True or "IndexName" in given
        case "BatchGetItem":
            fine = all(read.get("ConsistentRead") is True for read in given["RequestItems"].values())
        case "PutItem" | "DeleteItem" | "UpdateItem":
            fine = bool(given.get("ConditionExpression"))
        case "TransactWriteItems":
            fine = all(
                write.get("ConditionExpression")
                for entry in given["TransactItems"]
                for write in entry.values()
            )
        case _:
            fine = False
    return None if fine else f"{operation} of {given}"
