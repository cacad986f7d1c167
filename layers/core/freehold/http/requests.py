"""What comes in: bodies and query strings, checked before anything is done."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, NoReturn, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from ..adapters.api_keys import SCOPES
from ..errors import Invalid, Problem
from .images import MOST_IMAGES

MAX_INPUT = 200_000
# Classic's own pattern. It holds no "/", which API Gateway could not pass on inside a path.
SessionId = Annotated[str, Field(pattern=r"^[0-9a-zA-Z._:-]{1,100}$")]
ALIAS = r"^[0-9a-zA-Z_-]{1,100}$"
AliasName = Annotated[str, Field(pattern=ALIAS)]
PATH_PART = re.compile(r"[0-9a-zA-Z._:-]{1,100}")
IDEMPOTENCY_KEY = re.compile(r"[!-~]{1,255}")
Attributes = dict[
    Annotated[str, Field(min_length=1, max_length=256)], Annotated[str, Field(max_length=16_384)]
]
Scope = Literal["run", "read", "approve", "admin", "gateway"]
Status = Literal["QUEUED", "RUNNING", "COMPLETED", "FAILED", "CANCELLED", "STOPPED"]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


def _not_yet(given: object) -> None:
    raise PydanticCustomError("not_yet", "is not supported in this version")


class ImageBody(Body):
    """A PNG, JPEG, GIF or WebP image as base64."""

    data: Annotated[str, Field(min_length=1)]


class RunBody(Body):
    """`POST /agents/{name}/runs`."""

    input: Annotated[str, Field(min_length=1, max_length=MAX_INPUT)]
    images: Annotated[list[ImageBody], Field(max_length=MOST_IMAGES)] = Field(default_factory=list)
    sessionId: SessionId | None = None  # noqa: N815
    memoryId: Annotated[None, BeforeValidator(_not_yet)] = None  # noqa: N815
    alias: AliasName | None = None
    sessionAttributes: Attributes = Field(default_factory=dict)  # noqa: N815
    promptSessionAttributes: Attributes = Field(default_factory=dict)  # noqa: N815
    whenBusy: Literal["reject", "enqueue"] = "reject"  # noqa: N815
    waitSeconds: Annotated[int, Field(ge=0, le=25)] = 0  # noqa: N815


def _number(given: object) -> object:
    """Answers hold version numbers as text, so that is taken back."""
    return int(given) if isinstance(given, str) and re.fullmatch(r"[0-9]{1,6}", given) else given


class Route(Body):
    """One version of an alias, as a number or as the text of one."""

    version: Annotated[int, BeforeValidator(_number), Field(ge=1, le=999_999)]
    weight: Literal[100] = 100


class AliasBody(Body):
    """`PUT /agents/{name}/aliases/{alias}`. This release routes to one version."""

    routes: Annotated[list[Route], Field(min_length=1, max_length=1)]


class KeyBody(Body):
    """`POST /keys`."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=len(SCOPES))]
    expiresInDays: Annotated[int, Field(ge=1, le=3650)] | None = None  # noqa: N815


class ListQuery(BaseModel):
    """Query string of the lists; values come as text."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=100)] = 50
    nextToken: str | None = None  # noqa: N815
    sessionId: SessionId | None = None  # noqa: N815
    agent: str | None = None
    status: Status | None = None
    runId: str | None = None  # noqa: N815


B = TypeVar("B", bound=BaseModel)


def document(text: str | None) -> Any:
    """A JSON body. Raises `Invalid`, with the place where the text stops being JSON."""

    def refuse(name: str) -> NoReturn:
        raise Invalid(f"the body is no JSON: {name} is no number")

    try:
        return json.loads(text or "", parse_constant=refuse)
    except json.JSONDecodeError as error:
        raise Invalid(f"the body is no JSON: {error}") from error
    except ValueError as error:
        raise Invalid("the body holds a number with too many digits") from error
    except RecursionError as error:
        raise Invalid("the body is nested too deeply") from error


def check_path(path: str) -> None:
    """Raises `Invalid` where a part of the path could be nobody's id: some would be too long for a key."""
    for part in path.split("/"):
        if part and not PATH_PART.fullmatch(part):
            raise Invalid(
                f"{part[:40]!r} is not 1 to 100 of letters, digits, '.', '_', ':' and '-'", path="path"
            )


def read(shape: type[B], given: Any) -> B:
    """Raises `Invalid` with every problem and its path."""
    try:
        return shape.model_validate(given)
    except ValidationError as error:
        raise Invalid([_problem(detail) for detail in error.errors()]) from error


def read_query(given: Mapping[str, str] | None, *allowed: str) -> ListQuery:
    """The list's query string; a parameter that this list does not know is refused."""
    unknown = sorted(set(given or {}) - {"limit", "nextToken", *allowed})
    if unknown:
        known = ", ".join(("limit", "nextToken", *allowed))
        raise Invalid([Problem(name, f"is no parameter here; allowed are {known}") for name in unknown])
    return read(ListQuery, dict(given or {}))


def alias_name(given: str) -> str:
    """Raises `Invalid`."""
    if not re.fullmatch(ALIAS, given):
        raise Invalid("is 1 to 100 of letters, digits, - and _", path="alias")
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
    shown = repr(detail["input"])
    return Problem(path, f"{detail['msg'][0].lower()}{detail['msg'][1:]}; found {shown[:80]}")
