"""Functions that behave badly, or tell how they are run, on request."""

import json
import os
import time
from pathlib import Path


class ToolThrottled(Exception):
    pass


def _count_while_starting() -> int:
    """How many processes were starting at once with this one, counted in a folder that they share."""
    folder = Path(os.environ["STARTS"])
    folder.mkdir(parents=True, exist_ok=True)
    mine = folder / str(os.getpid())
    mine.touch()
    time.sleep(0.3)
    together = len(list(folder.iterdir()))
    time.sleep(0.3)
    mine.unlink()
    return together


if "DIES" in os.environ:
    os._exit(1)
STARTING_TOGETHER = _count_while_starting() if "STARTS" in os.environ else 0


def probe(event, context):
    match event.get("do"):
        case "raise":
            raise ToolThrottled("slow down")
        case "print":
            print("the last word", end="")  # noqa: T201 - a handler's log
        case "die":
            os._exit(1)
        case "words":
            import words

            return words.__file__
        case "sleep":
            time.sleep(event["seconds"])
    return {"process": os.getpid(), "starting": STARTING_TOGETHER, "given": event}


def fail_poison(event, context):
    """Keep what came, and report each record whose key begins with `poison` as failed."""
    import boto3

    deliveries = boto3.client("s3")
    keys = [record["dynamodb"]["Keys"]["pk"]["S"] for record in event["Records"]]
    for key in keys:
        name = f"{os.environ['PREFIX']}{time.time_ns()}-{key}"
        deliveries.put_object(Bucket=os.environ["DELIVERIES"], Key=name, Body=b"")
    numbers = [record["dynamodb"]["SequenceNumber"] for record in event["Records"]]
    failed = [number for number, key in zip(numbers, keys, strict=True) if key.startswith("poison")]
    return {"batchItemFailures": [{"itemIdentifier": number} for number in failed[:1]]}


def authorize(event, context):
    if event["authorizationToken"] != "Bearer good":
        raise Exception("Unauthorized")  # noqa: TRY002 - the gateway knows this text alone
    api = event["methodArn"].split("/")[0]
    statement = {"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": f"{api}/*"}
    return {
        "principalId": "someone",
        "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
        "context": {"tenant": "acme", "asked": time.time_ns()},
    }


def echo(event, context):
    return {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": json.dumps(event)}
