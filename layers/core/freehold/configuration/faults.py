"""Says in plain words, and at the exact place, what a JSON Schema found wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from freehold.configuration.paths import at, choices, show
from freehold.errors import Problem

if TYPE_CHECKING:
    from jsonschema_rs import ValidationError


class Harmless(Problem):
    """Something wrong that changes no tool: reading goes on without it."""


# A message may quote the whole of what was found.
LONGEST = 300


def problems_of(error: ValidationError, path: str) -> list[Problem]:
    """The problems behind `error`, found below `path`; more than one where it has branches or names."""
    about: dict[str, Any] = error.kind.as_dict()
    where = at(path, *error.instance_path)
    match error.kind.name:
        # A branch without a fault fits: then the trouble is that several do, and no branch can say that.
        case "oneOf" | "anyOf" if all(about.get("context", [[]])):
            return _of_branches(error, about["context"], path)
        case "required":
            return [Problem(at(where, str(about["property"])), "is required")]
        case "additionalProperties" | "unevaluatedProperties":
            return [Harmless(at(where, str(name)), "is not allowed here") for name in about["unexpected"]]
        case "format":
            return [Harmless(where, f"is {show(error.instance)}; must be of format {about['format']}")]
        case "type":
            return [Problem(where, f"is {show(error.instance)}; must be of type {choices(about['types'])}")]
        case "enum":
            return [_choice(where, error, about["options"])]
        case _:
            return [Problem(where, error.message[:LONGEST])]


def _of_branches(error: ValidationError, branches: list[list[ValidationError]], path: str) -> list[Problem]:
    """Of what failed, the branch that was meant: no `$ref`, the right type, its telling field fits."""
    written_out = [branch for branch in branches if not any(map(_wants_ref, branch))] or branches
    kind = error.instance_path
    written_out = [
        branch for branch in written_out if not any(_is_other_kind(fault, kind) for fault in branch)
    ] or written_out
    fitting = [branch for branch in written_out if not any(map(_is_choice, branch))]
    if fitting:
        deepest = max(fitting, key=lambda branch: max(len(fault.instance_path) for fault in branch))
        return [problem for fault in deepest for problem in problems_of(fault, path)]
    choice = [fault for branch in written_out for fault in branch if _is_choice(fault)]
    if {tuple(fault.instance_path) for fault in choice} != {tuple(choice[0].instance_path)}:
        return [Problem(at(path, *error.instance_path), error.message[:LONGEST])]
    options = [option for fault in choice for option in fault.kind.as_dict()["options"]]
    return [_choice(at(path, *choice[0].instance_path), choice[0], options)]


def _wants_ref(fault: ValidationError) -> bool:
    return fault.kind.name == "required" and fault.kind.as_dict().get("property") == "$ref"


def _is_other_kind(fault: ValidationError, place: list[str | int]) -> bool:
    return fault.kind.name == "type" and fault.instance_path == place


def _is_choice(fault: ValidationError) -> bool:
    return fault.kind.name == "enum"


def _choice(where: str, error: ValidationError, options: list[Any]) -> Problem:
    return Problem(where, f"is {show(error.instance)}; must be {choices(options)}")
