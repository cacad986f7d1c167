"""What `template.yaml` lets each function do, and whether a request is among it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from architecture.rules.reading import listed, resources, statements
from rendering import HERE, configuration, rendered, source, transformed

from .aws import Request
from .lambdas import ENVIRONMENT
from .needs import Need, needed
from .people import QUEUE, TOPIC
from .queues import REPLY_TARGETS, REQUESTS

LISTED_TOOL = f"arn:aws:lambda:{HERE}:function:listed"
# What the resources are called in `deployed`.
NAMES = {
    "SessionsTable": ENVIRONMENT["SESSIONS_TABLE"],
    "AgentsTable": ENVIRONMENT["AGENTS_TABLE"],
    "EventsTable": ENVIRONMENT["EVENTS_TABLE"],
    "ContentBucket": ENVIRONMENT["CONTENT_BUCKET"],
    "ModelKey": ENVIRONMENT["MODEL_KEY_SECRET"],
    "DeadLetters": ENVIRONMENT["DEAD_LETTERS"].rpartition("/")[2],
    "IncomingEvents": ENVIRONMENT["INCOMING_EVENTS_ARN"].rpartition(":")[2],
    "Requests": REQUESTS.rpartition(":")[2],
    "RequestsDeadLetters": ENVIRONMENT["REQUESTS_DEAD_LETTERS"].rpartition("/")[2],
    "Key": "key",
}
SIGNED_API = f"arn:aws:execute-api:{HERE}:abc123/prod/*"
PARAMETERS = {
    "EscalationTargets": f"{QUEUE},{TOPIC}",
    "ReplyTargets": ",".join(REPLY_TARGETS),
    "SchemaBuckets": ENVIRONMENT["SCHEMA_BUCKETS"],
    "SignedApis": SIGNED_API,
    "ToolFunctions": LISTED_TOOL,
}
# Not asked for by our code: Lambda writes logs and traces, reads queues and hands failed invocations over, with the
# function's role. Nor does our code see what SQS asks of the key in its name.
BY_LAMBDA = {"Logs", "Traces", "DeadLetters", "KeyOfDeadLetters", "Queues", "MoreQueues", "KeyOfQueues"}
# Lists of those who are told hold all three, and an action of one means nothing to another.
TOLD = {"events", "sns", "sqs"}


@dataclass(frozen=True)
class Permission:
    """What one statement says of one action and one resource; both may hold `*`."""

    action: str
    resource: str
    condition: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Any], hash=False)

    def covers(self, need: Need) -> bool:
        return (
            fnmatchcase(need.action, self.action)
            and fnmatchcase(need.resource, self.resource)
            and all(self._met(operator, keys, need.context) for operator, keys in self.condition.items())
        )

    def _met(self, operator: str, keys: Mapping[str, Any], context: Mapping[str, str]) -> bool:
        # No key of ours has more than one value.
        matches = OPERATORS[operator.removesuffix("IfExists").removeprefix("ForAnyValue:")]
        return all(
            operator.endswith("IfExists")
            if key not in context
            else any(matches(context[key], value) for value in listed(values))
            for key, values in keys.items()
        )


OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": str.__eq__,
    "StringLike": fnmatchcase,
    "ArnLike": fnmatchcase,
    "ArnEquals": fnmatchcase,
}


@cache
def functions() -> dict[str, dict[str, Any]]:
    """Properties by the name of the function's folder."""
    made = transformed(source(), configuration("prod"))["Resources"]
    return {
        Path(given["Properties"]["CodeUri"]).name: made[name]["Properties"]
        for name, given in source()["Resources"].items()
        if given["Type"] == "AWS::Serverless::Function"
    }


@cache
def permissions(function: str, effect: str = "Allow") -> tuple[Permission, ...]:
    return tuple(
        Permission(action, resource, statement.given.get("Condition", {}))
        for statement in statements(_template())
        if statement.where in _policies(function)
        and statement.given["Effect"] == effect
        and statement.given["Sid"] not in BY_LAMBDA
        for action in statement.actions
        for resource in statement.resources
        if not _is_of_another(action, resource)
    )


def _is_of_another(action: str, resource: str) -> bool:
    services = {action.split(":")[0], *resource.split(":")[2:3]}
    return len(services) == 2 and services <= TOLD


@cache
def _template() -> dict[str, Any]:
    return rendered(source(), PARAMETERS, NAMES)


def _policies(function: str) -> set[str]:
    """The function's role, and policies that are attached to it."""
    role = functions()[function]["Role"]["Fn::GetAtt"][0]
    attached = resources(_template(), "AWS::IAM::Policy").items()
    return {role} | {name for name, policy in attached if f"freehold-{role}" in policy["Roles"]}


def allowed(function: str, need: Need) -> bool:
    return any(each.covers(need) for each in permissions(function)) and not any(
        each.covers(need) for each in permissions(function, "Deny")
    )


def refused(request: Request) -> list[str]:
    """What of the request the function's role does not allow."""
    return [
        f"{request.function} may not {need.action} on {need.resource} ({dict(need.context)})"
        for need in needed(request)
        if not allowed(request.function, need)
    ]


def rule_broken(operation: str, given: dict[str, Any]) -> str | None:
    """Reads of a table are consistent, those of an index cannot be; each write carries a condition, but erasure."""
    match operation:
        case "GetItem":
            fine = given.get("ConsistentRead") is True
        case "Query":
            fine = given.get("ConsistentRead") is True or "IndexName" in given
        case "BatchGetItem":
            fine = all(read.get("ConsistentRead") is True for read in given["RequestItems"].values())
        case "BatchWriteItem":
            writes = [each for asked in given["RequestItems"].values() for each in asked]
            fine = all(set(write) == {"DeleteRequest"} for write in writes)
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
