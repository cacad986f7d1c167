"""`ETag`, `If-Match` and `If-None-Match` (RFC 9110): writes that rest on what their caller has seen."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ..errors import Invalid
from ..values.precondition import Precondition

ANY = "*"
TAG = re.compile(r'\s*(W/)?"([!#-~]*)"\s*')


def etag(tag: str) -> dict[str, str]:
    """The header of an answer that shows this state."""
    return {"ETag": f'"{tag}"'}


def read(headers: Mapping[str, str]) -> Precondition:
    """Raises `Invalid`."""
    match, none_match = headers.get("If-Match"), headers.get("If-None-Match")
    if none_match is not None and none_match.strip() != ANY:
        raise Invalid("is * here: the request makes what is not there yet", path="If-None-Match")
    if match is None or match.strip() == ANY:
        return Precondition(there=match is not None, absent=none_match is not None)
    found = [TAG.fullmatch(each) for each in match.split(",")]
    if not all(found):
        raise Invalid('is * or what ETag was, in its quotation marks, such as "19a1b2c3d4e"', path="If-Match")
    # A weak tag says that something is much the same, which no write can rest on: it matches nothing.
    tags = tuple(("W/" if each[1] else "") + each[2] for each in found if each)
    return Precondition(tags=tags, absent=none_match is not None)
