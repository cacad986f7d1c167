"""What IAM judges a request to AWS by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from rendering import ACCOUNT, HERE, REGION

from .aws import Request
from .lambdas import ENVIRONMENT

# Of the functions that agents name as tools; others carry none.
TAGS = {f"arn:aws:lambda:{HERE}:function:desk": {"freehold:tool": "true"}}
KEY = f"arn:aws:kms:{HERE}:key/key"
WRITES = {
    "Put": "PutItem",
    "Delete": "DeleteItem",
    "Update": "UpdateItem",
    "ConditionCheck": "ConditionCheckItem",
}
KEY_USES = {"GetObject": "kms:Decrypt", "PutObject": "kms:GenerateDataKey"}
GEOGRAPHIES = ("us.", "eu.", "jp.", "au.", "in.", "global.")


@dataclass(frozen=True)
class Need:
    """One action on one resource, in the context that IAM judges it in."""

    action: str
    resource: str
    context: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)


def needed(request: Request) -> list[Need]:
    """What IAM judges the request by, the key of what is stored included."""
    given, operation = request.parameters, request.operation
    match request.service:
        case "dynamodb":
            return [*_table_needs(operation, given), _key("kms:Decrypt", "dynamodb")]
        case "s3":
            return list(_object_needs(operation, given))
        case "events" if "Entries" not in given:
            return list(_rule_needs(operation, given))
        case "scheduler":
            return list(_schedule_needs(operation, given))
        case "events":
            buses = {entry["EventBusName"] for entry in given["Entries"]}
            # An ARN where an answer goes there.
            names = (bus.rpartition("/")[2] for bus in buses)
            return [Need(f"events:{operation}", f"arn:aws:events:{HERE}:event-bus/{bus}") for bus in names]
        case "stepfunctions":
            return [Need(f"states:{operation}", given.get("stateMachineArn") or given["executionArn"])]
        case "secretsmanager":
            secret = f"arn:aws:secretsmanager:{HERE}:secret:{given['SecretId']}"
            return [Need(f"secretsmanager:{operation}", secret), _key("kms:Decrypt", "secretsmanager")]
        case "lambda":
            return [call_of(given["FunctionName"])]
        case "sns":
            return [Need(f"sns:{operation}", given["TopicArn"])]
        case "sqs":
            name = given.get("QueueName") or given["QueueUrl"].rpartition("/")[2]
            return [Need(f"sqs:{operation.removesuffix('Batch')}", f"arn:aws:sqs:{HERE}:{name}")]
        case "execute-api":
            return [Need("execute-api:Invoke", f"arn:aws:execute-api:{HERE}:{given['arn']}")]
        case "bedrock-runtime":
            return list(_model_needs(given["modelId"], operation))
        case "bedrock-mantle":
            project = f"arn:aws:bedrock-mantle:{HERE}:project/default"
            context = {"bedrock-mantle:Model": given["modelId"]}
            return [Need("bedrock-mantle:CreateInference", project, context)]
        case other:
            raise AssertionError(f"no function has business with {other}")


def _rule_needs(operation: str, given: Mapping[str, Any]) -> Iterator[Need]:
    name = given.get("Rule") or given["Name"]
    rule = f"arn:aws:events:{HERE}:rule/{given['EventBusName']}/{name}"
    for target in given.get("Targets") or [{}]:
        context = {"events:TargetArn": target["Arn"]} if target else {}
        yield Need(f"events:{operation}", rule, context)


def _schedule_needs(operation: str, given: Mapping[str, Any]) -> Iterator[Need]:
    schedule = f"arn:aws:scheduler:{HERE}:schedule/{given['GroupName']}/{given['Name']}"
    yield Need(f"scheduler:{operation}", schedule)
    if "Target" in given:
        service = {"iam:PassedToService": "scheduler.amazonaws.com"}
        yield Need("iam:PassRole", given["Target"]["RoleArn"], service)


def _object_needs(operation: str, given: Mapping[str, Any]) -> Iterator[Need]:
    bucket = f"arn:aws:s3:::{given['Bucket']}"
    match operation:
        case "ListObjectsV2":
            yield Need("s3:ListBucket", bucket, {"s3:prefix": given["Prefix"]})
        case "DeleteObjects":
            for each in given["Delete"]["Objects"]:
                yield Need("s3:DeleteObject", f"{bucket}/{each['Key']}")
        case _:
            yield Need(f"s3:{operation}", f"{bucket}/{given['Key']}")
    # Documents lie in buckets of the user's, whose keys are no matter of this stack.
    if operation in KEY_USES and given["Bucket"] == ENVIRONMENT["CONTENT_BUCKET"]:
        yield _key(KEY_USES[operation], "s3")


def call_of(arn: str, tags: Mapping[str, str] | None = None) -> Need:
    """Calling a tool whose function carries `tags`."""
    carried = TAGS.get(arn, {}) if tags is None else tags
    context = {f"aws:ResourceTag/{key}": value for key, value in carried.items()}
    return Need("lambda:InvokeFunction", arn, context)


def _key(action: str, service: str) -> Need:
    """The use of the key that a service makes of it in the caller's name."""
    return Need(action, KEY, {"kms:ViaService": f"{service}.{REGION}.amazonaws.com"})


def _model_needs(model: str, operation: str) -> Iterator[Need]:
    """https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-prereq.html, and for the Responses API
    https://docs.aws.amazon.com/bedrock/latest/userguide/inference-responses-api.html"""
    here = {"aws:RequestedRegion": REGION}
    streamed = operation.endswith("Stream")
    action = "bedrock:InvokeModelWithResponseStream" if streamed else "bedrock:InvokeModel"
    if operation.startswith("Responses"):
        yield Need(action, f"arn:aws:bedrock:{HERE}:project/default", here)
    if not model.startswith((*GEOGRAPHIES, "arn:")):
        yield Need(action, f"arn:aws:bedrock:{REGION}::foundation-model/{model}", here)
        return
    profile = model if model.startswith("arn:") else f"arn:aws:bedrock:{HERE}:inference-profile/{model}"
    yield Need(action, profile, here | {"aws:ResourceAccount": ACCOUNT})
    # An application's own profile says nothing of the model behind it; here it is a Claude.
    behind = "anthropic.claude-opus-5-5" if model.startswith("arn:") else model.split(".", 1)[1]
    elsewhere = {"aws:RequestedRegion": "us-west-2", "bedrock:InferenceProfileArn": profile}
    yield Need(action, f"arn:aws:bedrock:us-west-2::foundation-model/{behind}", elsewhere)


def _table_needs(operation: str, given: dict[str, Any]) -> Iterator[Need]:
    if operation == "TransactWriteItems":
        for entry in given["TransactItems"]:
            ((kind, write),) = entry.items()
            yield Need(f"dynamodb:{WRITES[kind]}", _table(write["TableName"]), _leading_key(write))
    elif operation in ("BatchGetItem", "BatchWriteItem"):
        for name in given["RequestItems"]:
            yield Need(f"dynamodb:{operation}", _table(name))
    else:
        index = f"/index/{given['IndexName']}" if "IndexName" in given else ""
        yield Need(f"dynamodb:{operation}", _table(given["TableName"]) + index, _leading_key(given))


def _leading_key(given: Mapping[str, Any]) -> dict[str, str]:
    """The partition as far as it says what is in it."""
    key = given.get("Key") or given.get("Item")
    return {"dynamodb:LeadingKeys": f"{key['pk']['S'].partition('#')[0]}#"} if key else {}


def _table(name: str) -> str:
    return f"arn:aws:dynamodb:{HERE}:table/{name}"
