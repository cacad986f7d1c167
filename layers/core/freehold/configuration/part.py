"""One JSON object of the configuration, and what its fields have in common."""

from __future__ import annotations

import re
from typing import Annotated, Any, cast

from pydantic import AfterValidator, BaseModel, ConfigDict, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

Json = dict[str, Any]

_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")


def refused(message: str) -> PydanticCustomError:
    """The error that a validator raises; `message` says what is allowed."""
    # pydantic fills {braces} in from the context, so the message itself travels as one.
    return PydanticCustomError("freehold", "{message}", {"message": message})


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise refused("must be 1 to 100 of letters, digits, - and _")
    return value


Name = Annotated[str, AfterValidator(_name)]


class Part(BaseModel):
    """A JSON object of the configuration: camelCase names, no unknown ones, no silent conversions."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, alias_generator=to_camel, allow_inf_nan=False
    )

    @model_validator(mode="before")
    @classmethod
    def _null_is_not_given(cls, data: object) -> object:
        if not isinstance(data, dict):
            return data
        given = cast("dict[object, object]", data)
        known = field_names(cls)
        return {key: value for key, value in given.items() if value is not None or key not in known}


def field_names(part: type[BaseModel]) -> list[str]:
    """The fields of `part` as they are written in JSON."""
    return [field.alias or name for name, field in part.model_fields.items()]
