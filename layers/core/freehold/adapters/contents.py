"""Content that is too large for a table item lies in S3, named by its digest."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from ..errors import StoreUnavailable

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

INLINE_BYTES = 32 * 1024
# A lap with its results is seldom more.
MOST_KEPT_BYTES = 16 * 1024 * 1024


class Contents:
    """Text by value up to 32 KB, by reference above. The same text always gets the same reference."""

    def __init__(self, s3: S3Client, bucket: str) -> None:
        self._s3, self._bucket = s3, bucket

    def put(self, folder: str, text: str, *, inline: Any = None) -> dict[str, Any]:
        """`{"body": …}`, or `{"body_ref": key}` once the text lies under `folder` in the bucket.

        `inline` is what stands in the item instead of the text: a map needs no quotes escaped.
        """
        data = text.encode()
        if len(data) <= INLINE_BYTES:
            return {"body": text if inline is None else inline}
        key = f"{folder}/{hashlib.sha256(data).hexdigest()}.json"
        return {"body_ref": self._put(key, data, "application/json")}

    def put_bytes(self, folder: str, data: bytes) -> str:
        """The key under which `data` lies. The same bytes always get the same one."""
        return self._put(f"{folder}/{hashlib.sha256(data).hexdigest()}", data, "application/octet-stream")

    def get_bytes(self, key: str) -> bytes:
        """What `put_bytes` stored."""
        try:
            return self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        except (ClientError, BotoCoreError) as error:
            raise StoreUnavailable(f"could not read {key}: {error}") from error

    def upload_url(self, key: str, *, size: int, seconds: int) -> str:
        """Where whoever has the URL may put exactly `size` bytes under `key`, for so many seconds."""
        put = {"Bucket": self._bucket, "Key": key, "ContentLength": size}
        return self._s3.generate_presigned_url("put_object", Params=put, ExpiresIn=seconds, HttpMethod="PUT")

    def size(self, key: str) -> int | None:
        """How many bytes lie under `key`; None where nothing does."""
        try:
            found = self._s3.list_objects_v2(Bucket=self._bucket, Prefix=key, MaxKeys=1).get("Contents", [])
        except (ClientError, BotoCoreError) as error:
            raise StoreUnavailable(f"could not look for {key}: {error}") from error
        return next((each.get("Size") for each in found if each.get("Key") == key), None)

    def _put(self, key: str, data: bytes, content_type: str) -> str:
        try:
            self._s3.put_object(Bucket=self._bucket, Key=key, Body=data, ContentType=content_type)
        except (ClientError, BotoCoreError) as error:
            raise StoreUnavailable(f"could not store {key}: {error}") from error
        return key

    def delete_all(self, folder: str) -> int:
        """Delete every object under `folder`; how many there were."""
        count = 0
        try:
            for page in self._s3.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=f"{folder}/"
            ):
                found = page.get("Contents", [])
                if found:
                    self._delete([each.get("Key", "") for each in found])
                count += len(found)
        except (ClientError, BotoCoreError) as error:
            raise StoreUnavailable(f"could not delete {folder}: {error}") from error
        return count

    def _delete(self, found: Sequence[str]) -> None:
        told = self._s3.delete_objects(
            Bucket=self._bucket, Delete={"Objects": [{"Key": key} for key in found], "Quiet": True}
        )
        for failure in told.get("Errors", []):
            raise StoreUnavailable(f"could not delete {failure.get('Key')}: {failure.get('Code')}")

    def get(self, stored: dict[str, object]) -> str:
        """The text that `put` stored."""
        if "body" in stored:
            return str(stored["body"])
        return self.get_bytes(str(stored["body_ref"])).decode()


class KeptContents(Contents):
    """`Contents` for whoever reads the same ones again and again: what lies under a digest never changes."""

    def __init__(self, s3: S3Client, bucket: str) -> None:
        super().__init__(s3, bucket)
        self._kept = OrderedDict[str, bytes]()

    def get_bytes(self, key: str) -> bytes:
        data = self._kept.pop(key, None)
        self._kept[key] = data = super().get_bytes(key) if data is None else data
        while sum(map(len, self._kept.values())) > MOST_KEPT_BYTES and len(self._kept) > 1:
            self._kept.popitem(last=False)
        return data
