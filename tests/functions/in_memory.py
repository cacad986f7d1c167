"""A deployment whose AWS is in memory: fast enough for thousands of requests. Nothing of it checks roles."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.exceptions import ClientError

from freehold.wiring import clients
from memory_queues import MemoryQueues
from memory_table import MemoryTable

from .deployed import Deployed
from .lambdas import environment


class MemoryBucket:
    """A client of S3; all buckets are one."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def put_object(self, *, Key: str, Body: bytes, **_: Any) -> None:  # noqa: N803
        self.objects[Key] = Body

    def get_object(self, *, Key: str, **_: Any) -> dict[str, Any]:  # noqa: N803
        if Key not in self.objects:
            raise ClientError({"Error": {"Code": "NoSuchKey", "Message": ""}}, "GetObject")
        return {"Body": io.BytesIO(self.objects[Key])}

    def list_objects_v2(self, *, Prefix: str, **_: Any) -> dict[str, Any]:  # noqa: N803
        found = sorted(key for key in self.objects if key.startswith(Prefix))
        return {"Contents": [{"Key": key, "Size": len(self.objects[key])} for key in found]}

    def get_paginator(self, _: str) -> MemoryBucket:
        return self

    def paginate(self, **given: Any) -> list[dict[str, Any]]:
        return [self.list_objects_v2(**given)]

    def delete_objects(self, *, Delete: dict[str, Any], **_: Any) -> dict[str, Any]:  # noqa: N803
        for each in Delete["Objects"]:
            self.objects.pop(each["Key"], None)
        return {}

    def generate_presigned_url(self, _: str, *, Params: dict[str, Any], **more: Any) -> str:  # noqa: N803
        return f"https://content.s3.amazonaws.com/{Params['Key']}?X-Amz-Signature=0"


class Obliging:
    """A client of anything else: whatever it is asked is done. `asked` keeps the requests."""

    class exceptions:  # noqa: N801
        class ExecutionAlreadyExists(Exception):
            pass

        class ExecutionDoesNotExist(Exception):
            pass

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def __getattr__(self, operation: str) -> Any:
        def done(**given: Any) -> dict[str, Any]:
            self.asked.append((operation, given))
            return {"FailedEntryCount": 0, "FailedEntries": [], "Entries": [], "status": "RUNNING"}

        return done


class MemoryAws:
    """In the place of boto3's session. `asked` is what schedulers, buses and state machines were asked, in order."""

    def __init__(self, table: MemoryTable) -> None:
        self.table, self.bucket, self.queues, self.others = table, MemoryBucket(), MemoryQueues(), Obliging()

    def client(self, service: str, **_: Any) -> Any:
        named = {"dynamodb": self.table, "s3": self.bucket, "sqs": self.queues}
        return named.get(service, self.others)

    @property
    def asked(self) -> Sequence[tuple[str, dict[str, Any]]]:
        return self.others.asked


@contextmanager
def deployed_in_memory(
    table: MemoryTable | None = None, **changes: str
) -> Iterator[tuple[Deployed, MemoryAws]]:
    """`changes` are of the functions' environment variables."""
    aws: Any = MemoryAws(table or MemoryTable())
    before, boto3.DEFAULT_SESSION = boto3.DEFAULT_SESSION, aws
    clients.client.cache_clear()
    try:
        with environment(**changes):
            yield Deployed(aws.table, aws.bucket), aws
    finally:
        boto3.DEFAULT_SESSION = before
        clients.client.cache_clear()
