"""Turns pydantic's findings into problems that a person can act on: where, what, and what is allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from freehold.configuration.part import Part, field_names
from freehold.configuration.paths import at, choices, close_to, show
from freehold.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pydantic_core import ErrorDetails

P = TypeVar("P", bound=Part)

_MUST_BE = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "finite_number": "a finite number",
}


def parse(
    part: type[P], value: object, path: str, problems: list[Problem], *, also_known: Sequence[str] = ()
) -> P | None:
    """`value` as `part`, or None with everything that is wrong added to `problems`.

    `also_known` are names that were taken out before and are good suggestions for a misspelt one.
    """
    try:
        return part.model_validate(value)
    except ValidationError as error:
        problems += _problems(error.errors(include_url=False), part, path, also_known)
        return None


def _problems(
    details: list[ErrorDetails], part: type[BaseModel], path: str, also_known: Sequence[str]
) -> list[Problem]:
    found: list[Problem] = []
    meant: set[str] = set()
    for detail in details:
        if detail["type"] == "extra_forbidden":
            *inside, name = detail["loc"]
            known = field_names(_part_at(part, inside))
            close = close_to(str(name), [*known, *(() if inside else also_known)])
            if close:
                meant.add(at(path, *inside, close))
            hint = f"did you mean `{close}`?" if close else f"allowed: {choices(known)}"
            found.append(Problem(at(path, *inside, str(name)), f"is no field of this object; {hint}"))
    for detail in details:
        where = at(path, *_written(detail["loc"]))
        # A required field that was misspelt is one mistake, not two.
        if detail["type"] != "extra_forbidden" and where not in meant:
            found.append(Problem(where, _message(detail)))
    return found


def _message(detail: ErrorDetails) -> str:
    kind = detail["type"]
    limits: dict[str, Any] = detail.get("ctx", {})
    given: Any = detail["input"]
    if kind == "missing":
        return "is required"
    if kind == "freehold":
        message = str(limits["message"])
        return f"is {show(given)}; {message}" if isinstance(given, str) else message
    if kind == "literal_error":
        return _choice(given, detail)
    if kind in _MUST_BE:
        return f"is {show(given)}; must be {_MUST_BE[kind]}"
    return _limit(kind, limits, given) or f"is {show(given)}; {detail['msg']}"


def _choice(given: object, detail: ErrorDetails) -> str:
    expected = str(detail.get("ctx", {}).get("expected", ""))
    options = [option.strip("' ") for option in expected.replace(" or ", ", ").split(", ")]
    close = close_to(given, options) if isinstance(given, str) else None
    hint = f" (did you mean `{close}`?)" if close else ""
    return f"is {show(given)}; must be {choices(options)}{hint}"


def _limit(kind: str, limits: dict[str, Any], given: Any) -> str | None:
    match kind:
        case "string_too_short":
            return (
                "must not be empty" if not given else f"must have at least {limits['min_length']} characters"
            )
        case "string_too_long":
            return f"has {len(given):,} characters; at most {limits['max_length']:,} are allowed"
        case "too_short":
            return f"has {len(given)} entries; at least {limits['min_length']} must be there"
        case "too_long":
            return f"has {len(given)} entries; at most {limits['max_length']} are allowed"
        case "greater_than_equal":
            return f"is {show(given)}; must be at least {limits['ge']:,}"
        case "greater_than":
            return f"is {show(given)}; must be more than {limits['gt']:,}"
        case "less_than_equal":
            return f"is {show(given)}; must be at most {limits['le']:,}"
        case _:
            return None


def _written(loc: tuple[int | str, ...]) -> Iterator[int | str]:
    # pydantic marks a fault in a mapping's key by "[key]" after the key.
    return (step for step in loc if step != "[key]")


def _part_at(part: type[BaseModel], steps: Sequence[int | str]) -> type[BaseModel]:
    """The model of the object that `steps` lead to."""
    for step in steps:
        for field in part.model_fields.values():
            if field.alias == step:
                part = next(_parts_in(field.annotation), part)
    return part


def _parts_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _parts_in(inner)
