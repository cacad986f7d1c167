"""Whether a request that arrived is signed as AWS would have it: the signature is made anew with botocore."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

SIGNED = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<scope>\S+), SignedHeaders=(?P<names>\S+), Signature=(?P<signature>\w+)"
)


def wrongly_signed(
    path: str, headers: Mapping[str, str], body: bytes, *, keys: Credentials, service: str, region: str
) -> str | None:
    """The canonical request where its signature is another, as AWS quotes it; None where all is well."""
    given = SIGNED.fullmatch(headers.get("authorization", ""))
    if given is None:
        return "(unsigned)"
    signed = {name: headers.get(name, "") for name in given["names"].split(";")}
    anew = AWSRequest("POST", f"http://{headers['host']}{path}", signed, body)
    anew.context["timestamp"] = headers["x-amz-date"]
    signer = SigV4Auth(keys, service, region)
    canonical = signer.canonical_request(anew)
    hashed = hashlib.sha256(body).hexdigest()
    right = (
        given["scope"] == signer.scope(anew)
        and {"host", "x-amz-date", "content-type"} <= set(signed)
        and signed.get("x-amz-security-token") == keys.token
        and headers.get("x-amz-content-sha256", hashed) == hashed
        and given["signature"] == signer.signature(signer.string_to_sign(anew, canonical), anew)
    )
    return None if right else canonical
