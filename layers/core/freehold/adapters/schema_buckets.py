"""OpenAPI documents in S3, from the buckets that the stack lists and no others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from ..configuration.reading import MAX_BYTES, decode
from ..errors import Invalid, StoreUnavailable

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


class SchemaBuckets:
    """`Schemas` over S3."""

    def __init__(self, s3: S3Client, allowed: frozenset[str]) -> None:
        self._s3, self._allowed = s3, allowed

    def read(self, bucket: str, key: str) -> str:
        """Raises `Invalid` for a bucket that is not listed or a document that cannot be had."""
        where = f"s3://{bucket}/{key}"
        if bucket not in self._allowed:
            listed = ", ".join(sorted(self._allowed)) or "none"
            raise Invalid(f"{where} is not in one of the stack's SchemaBuckets ({listed})")
        try:
            found = self._s3.get_object(Bucket=bucket, Key=key)
            if found["ContentLength"] > MAX_BYTES:
                raise Invalid(
                    f"{where} has {found['ContentLength']:,} bytes; at most {MAX_BYTES:,} are allowed"
                )
            return decode(found["Body"].read(), where)
        except ClientError as error:
            if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500) >= 500:
                raise StoreUnavailable(f"could not read {where}: {error}") from error
            code = error.response.get("Error", {}).get("Code", "")
            raise Invalid(f"{where} could not be read ({code})") from error
        except BotoCoreError as error:
            raise StoreUnavailable(f"could not read {where}: {error}") from error
