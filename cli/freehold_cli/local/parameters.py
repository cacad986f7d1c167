"""Values for a template's parameters, checked as CloudFormation does before it changes anything."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from freehold_cli.local.failures import TemplateInvalid

LIST = "CommaDelimitedList"


def check(declared: Mapping[str, Any], given: Mapping[str, str]) -> None:
    """Raises `TemplateInvalid` with every value that the template does not allow."""
    problems = [problem for name, value in given.items() for problem in _problems(declared, name, value)]
    if problems:
        raise TemplateInvalid("\n  ".join(("the template does not allow this:", *problems)))


def _problems(declared: Mapping[str, Any], name: str, value: str) -> Iterator[str]:
    if name not in declared:
        yield f"{name} is none of its parameters: {', '.join(sorted(declared))}"
        return
    rules: Mapping[str, Any] = declared[name]
    fault = _fault(rules, value)
    if fault is not None:
        yield f"{name} {rules.get('ConstraintDescription') or fault}; found {value[:80]!r}"


def _fault(rules: Mapping[str, Any], value: str) -> str | None:
    each = [one.strip() for one in value.split(",")] if rules["Type"] == LIST else [value]
    allowed = [str(one) for one in rules.get("AllowedValues", ())]
    pattern = str(rules.get("AllowedPattern", ".*"))
    if allowed and not {*each} <= {*allowed}:
        return f"must be one of {', '.join(allowed)}"
    if not all(re.fullmatch(pattern, one, re.DOTALL) for one in each):
        return f"must match {pattern}"
    if not rules.get("MinLength", 0) <= len(value) <= rules.get("MaxLength", len(value)):
        return (
            f"must have {rules.get('MinLength', 0)} to {rules.get('MaxLength', 'any number of')} characters"
        )
    return _number_fault(rules, value) if rules["Type"] == "Number" else None


def _number_fault(rules: Mapping[str, Any], value: str) -> str | None:
    if not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value):
        return "must be a number"
    least, most = rules.get("MinValue"), rules.get("MaxValue")
    if least is not None and float(value) < least:
        return f"must be at least {least}"
    if most is not None and float(value) > most:
        return f"must be at most {most}"
    return None
