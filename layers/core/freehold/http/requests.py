"""What comes in: bodies and query strings, checked before anything is done."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, TypeVar, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from .. import json_document
from ..errors import Invalid, Problem
from ..values.access import SCOPES, Scope
from ..values.ids import ID, ID_IN_WORDS, MAX_INPUT
from .images import MOST_IMAGES

SessionId = Annotated[str, Field(pattern=ID)]
MemoryId = Annotated[str, Field(pattern=ID)]
ALIAS = r"^[0-9a-zA-Z_-]{1,100}$"
AliasName = Annotated[str, Field(pattern=ALIAS)]
MOST_ROUTES = 10
# Weights are shares in a hundred.
WHOLE = 100
EPOCH = datetime.fromtimestamp(0, UTC)
IDEMPOTENCY_KEY = re.compile(r"[!-~]{1,255}")
Attributes = dict[
    Annotated[str, Field(min_length=1, max_length=256)], Annotated[str, Field(max_length=16_384)]
]
# As a run shows its calls, and names each with its arguments.
CALL_ID = r"^t[1-9][0-9]{0,5}-l[1-9][0-9]{0,3}-c(0|[1-8]?[0-9])$"
DIGEST = r"^[0-9a-f]{64}$"
UPLOAD_ID = r"^[0-9a-f]{32}$"
# As a run shows it: `key:0123456789ab`.
PRINCIPAL = r"^[a-z]{1,20}:[!-~]{1,256}$"
# Whom a message has answered, such as arn:aws:sqs:us-east-1:123456789012:answers.
TARGET = r"^arn:[a-z-]+:(sqs|events):[a-z0-9-]+:[0-9]{12}:[0-9a-zA-Z._/-]{1,300}$"
IN_WORDS = {
    ID: ID_IN_WORDS,
    ALIAS: "is not 1 to 100 of the letters a to z and A to Z, digits, '-' and '_'",
    PRINCIPAL: "is no type with an id, such as key:0123456789ab",
    CALL_ID: "is no id of a call, such as t1-l2-c0",
    DIGEST: "is not the argumentsDigest of a call: 64 of the characters 0 to 9 and a to f",
    TARGET: "is not the ARN of a queue of SQS or of an event bus",
    UPLOAD_ID: "is no id that POST …/uploads has given",
}
# pydantic's own words name its classes, and Python's.
KINDS_IN_WORDS = {
    "model_type": "must be a JSON object",
    "model_attributes_type": "must be a JSON object",
    "dict_type": "must be a JSON object",
    "list_type": "must be a list",
    "string_type": "must be text",
    "int_type": "must be a whole number",
}
Status = Literal["QUEUED", "RUNNING", "AWAITING", "COMPLETED", "FAILED", "CANCELLED", "STOPPED"]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class ImageBody(Body):
    """A PNG, JPEG, GIF or WebP image as base64."""

    data: Annotated[str, Field(min_length=1)]


class RunBody(Body):
    """`POST /agents/{name}/runs`."""

    input: Annotated[str, Field(min_length=1, max_length=MAX_INPUT)]
    images: Annotated[list[ImageBody], Field(max_length=MOST_IMAGES)] = Field(default_factory=list)
    sessionId: SessionId | None = None  # noqa: N815
    memoryId: MemoryId | None = None  # noqa: N815
    alias: AliasName | None = None
    sessionAttributes: Attributes = Field(default_factory=dict)  # noqa: N815
    promptSessionAttributes: Attributes = Field(default_factory=dict)  # noqa: N815
    whenBusy: Literal["reject", "enqueue"] = "reject"  # noqa: N815
    waitSeconds: Annotated[int, Field(ge=0, le=25)] = 0  # noqa: N815


def _number(given: object) -> object:
    """Answers hold version numbers as text, so that is taken back."""
    return int(given) if isinstance(given, str) and re.fullmatch(r"[0-9]{1,6}", given) else given


class Route(Body):
    """One version of an alias, as a number or as the text of one; `weight` is its share in a hundred."""

    version: Annotated[int, BeforeValidator(_number), Field(ge=1, le=999_999)]
    weight: Annotated[int, Field(ge=1, le=WHOLE)] = WHOLE


def _shared_out(routes: list[Route]) -> list[Route]:
    if len({route.version for route in routes}) < len(routes):
        raise PydanticCustomError("routes", "each version may be named once")
    total = sum(route.weight for route in routes)
    if total != WHOLE:
        raise PydanticCustomError(
            "routes", "the weights must sum up to 100, not to {total}", {"total": total}
        )
    return routes


class AliasBody(Body):
    """`PUT /agents/{name}/aliases/{alias}`."""

    routes: Annotated[list[Route], Field(min_length=1, max_length=MOST_ROUTES), AfterValidator(_shared_out)]


class KeyBody(Body):
    """`POST /keys`."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=len(SCOPES))]
    expiresInDays: Annotated[int, Field(ge=1, le=3650)] | None = None  # noqa: N815


class MemoryErasure(Body):
    """`POST /erasures`: everything of a memory."""

    agent: Annotated[str, Field(pattern=ID)]
    memoryId: MemoryId  # noqa: N815


class PrincipalErasure(Body):
    """`POST /erasures`: every session that a principal wrote to. `principal` is `type:id`."""

    principal: Annotated[str, Field(pattern=PRINCIPAL)]


def _moment(given: object) -> object:
    """pydantic's own reading would take any number for a time."""
    try:
        read = datetime.fromisoformat(given) if isinstance(given, str) and "T" in given else None
    except ValueError:
        read = None
    if read is None or read.tzinfo is None:
        raise PydanticCustomError(
            "moment", "is no time in ISO 8601 with its zone, such as 2026-01-31T12:00:00Z"
        )
    return read


Moment = Annotated[datetime, BeforeValidator(_moment)]


class RedriveBody(Body):
    """`POST /dead-letters/redrive`: some by id, or all that there are of the tenant, and were `before` a time."""

    ids: Annotated[list[Annotated[str, Field(pattern=ID)]], Field(min_length=1, max_length=100)] | None = None
    all: Literal[True] | None = None
    before: Moment | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> RedriveBody:
        if (self.ids is None) == (self.all is None):
            raise PydanticCustomError("redrive", "name `ids`, or say `all`: true, one of both")
        if self.before is not None and self.ids is not None:
            raise PydanticCustomError("redrive", "`before` goes with `all`, not with `ids`")
        return self


class Query(BaseModel):
    """Query string of a call; values come as text."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=100)] = 50
    nextToken: str | None = None  # noqa: N815
    sessionId: SessionId | None = None  # noqa: N815
    agent: str | None = None
    status: Status | None = None
    runId: str | None = None  # noqa: N815
    memoryId: MemoryId | None = None  # noqa: N815
    createdAfter: Moment | None = None  # noqa: N815
    createdBefore: Moment | None = None  # noqa: N815


B = TypeVar("B", bound=BaseModel)


def document(text: str | None) -> Any:
    """A JSON body. Raises `Invalid`."""
    return json_document.read(text or "", "the body")


def read(shape: type[B], given: Any) -> B:
    """Raises `Invalid` with every problem and its path."""
    try:
        return shape.model_validate(given)
    except ValidationError as error:
        raise Invalid([_problem(detail) for detail in error.errors()]) from error


def erasure(given: Any) -> MemoryErasure | PrincipalErasure:
    """What to erase. Raises `Invalid`."""
    named: set[Any] = set(cast("dict[Any, Any]", given)) if isinstance(given, dict) else set()
    if isinstance(given, dict) and not named & {"agent", "memoryId", "principal"}:
        raise Invalid("name a memory by `agent` and `memoryId`, or a `principal`")
    return read(PrincipalErasure if "principal" in named else MemoryErasure, given)


def read_list_query(given: Mapping[str, str] | None, *allowed: str) -> Query:
    """As `read_query`, of a list that comes in pages."""
    return read_query(given, "limit", "nextToken", *allowed)


def read_query(given: Mapping[str, str] | None, *allowed: str) -> Query:
    """The query string; a parameter that this call does not know is refused."""
    unknown = sorted(set(given or {}) - {*allowed})
    if unknown:
        known = ", ".join(allowed)
        raise Invalid([Problem(name, f"is no parameter here; allowed are {known}") for name in unknown])
    return read(Query, dict(given or {}))


def epoch_ms(given: datetime | None) -> int | None:
    return None if given is None else max(0, (given - EPOCH) // timedelta(milliseconds=1))


def alias_name(given: str) -> str:
    """Raises `Invalid`."""
    if not re.fullmatch(ALIAS, given):
        raise Invalid(IN_WORDS[ALIAS], path="alias")
    return given


def idempotency_key(given: str | None) -> str | None:
    """Raises `Invalid`."""
    if given is not None and not IDEMPOTENCY_KEY.fullmatch(given):
        raise Invalid("is 1 to 255 visible ASCII characters", path="Idempotency-Key")
    return given


def _problem(detail: Any) -> Problem:
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in detail["loc"]).lstrip(".")
    if detail["type"] == "extra_forbidden":
        return Problem(path, "is not a field of this request")
    if detail["type"] == "missing":
        return Problem(path, "is required")
    if detail["type"] == "string_pattern_mismatch":
        return Problem(path, f"{IN_WORDS[detail['ctx']['pattern']]}; found {ascii(detail['input'])[:80]}")
    if detail["type"] in KINDS_IN_WORDS:
        return Problem(path, f"{KINDS_IN_WORDS[detail['type']]}; found {_shown(detail['input'])}")
    shown = repr(detail["input"])
    return Problem(path, f"{detail['msg'][0].lower()}{detail['msg'][1:]}; found {shown[:80]}")


def _shown(given: object) -> str:
    """As JSON has it, since `None` and `{'a': 1}` are none of what was sent."""
    try:
        return json.dumps(given)[:80]
    except (TypeError, ValueError):
        return repr(given)[:80]
