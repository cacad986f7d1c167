"""Reads an OpenAPI document and checks it against the OpenAPI Initiative's own schema."""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.util import find_spec
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import jsonschema_rs

from freehold.configuration.faults import Harmless, problems_of
from freehold.configuration.paths import at, show
from freehold.configuration.reading import read_text
from freehold.configuration.references import refs_in
from freehold.errors import Invalid, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from freehold.configuration.references import Faults, References, Schema, Steps

METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
MOST_PROBLEMS = 20
MOST_ERRORS = 1_000


def read_openapi(text: str, path: str) -> Schema:
    """The document in `text`, as far as its version; raises `Invalid`."""
    document = read_text(text, path)
    _version(document, path)
    return document


def faults_in(document: Schema, references: References, path: str) -> tuple[Faults, list[Problem]]:
    """What is wrong with `document`, and what can be passed over, such as fields that no specification has.

    Faults stand by the operation or component that has them. Raises `Invalid` where there are too many.
    """
    faults: Faults = {}
    passed_over: list[Problem] = []
    errors = list(islice(_checker(_version(document, path)).iter_errors(document), MOST_ERRORS + 1))
    for error in errors:
        problems = problems_of(error, path)
        if all(isinstance(problem, Harmless) for problem in problems):
            passed_over += problems
        else:
            faults.setdefault(_place(error.instance_path), []).extend(problems)
    dead = list(islice(_dead_ends(document, references, path), MOST_ERRORS + 1))
    for place, problems in dead:
        faults.setdefault(place, []).extend(problems)
    if max(len(errors), len(dead)) > MOST_ERRORS:
        some = islice(chain(*faults.values(), passed_over), MOST_PROBLEMS)
        raise Invalid([*some, Problem(path, f"has more than {MOST_ERRORS:,} faults")])
    return faults, passed_over


def _dead_ends(
    document: Schema, references: References, path: str
) -> Iterator[tuple[Steps, Sequence[Problem]]]:
    """Every `$ref` that leads nowhere or elsewhere: its place, and what is wrong with it."""
    for ref, steps in refs_in(document):
        try:
            references.target(ref, at(path, *steps))
        except Invalid as error:
            yield _place(steps), error.problems


def _place(steps: Sequence[str | int]) -> Steps:
    """The operation, the path or the component that `steps` lead into."""
    match steps:
        case ["paths", _, method, *_] if method in METHODS:
            return tuple(steps[:3])
        case ["components", *_]:
            return tuple(steps[:3])
        case _:
            return tuple(steps[:2])


def _version(document: Any, path: str) -> str:
    if not isinstance(document, dict):
        raise Invalid(f"is {show(document)}, not an OpenAPI document", path=path)
    given = cast("Schema", document)
    if "swagger" in given:
        raise Invalid("is Swagger 2.0; convert it to OpenAPI 3.0 or 3.1", path=at(path, "swagger"))
    if "openapi" not in given:
        raise Invalid('is no OpenAPI document: the field openapi ("3.0.3" or "3.1.0") is missing', path=path)
    version = given["openapi"]
    for known in ("3.0", "3.1"):
        if isinstance(version, str) and version.startswith(f"{known}."):
            return known
    raise Invalid(f'is {show(version)}; must be text like "3.0.3" or "3.1.0"', path=at(path, "openapi"))


@lru_cache(maxsize=2)
def _checker(version: str) -> jsonschema_rs.Validator:
    """The published schema of OpenAPI `version`.

    It comes with openapi-spec-validator, whose own check takes 0.6 s to import and seconds for a large
    document; the same schema in jsonschema-rs takes milliseconds.
    """
    found = find_spec("openapi_spec_validator")
    places = (found and found.submodule_search_locations) or []
    schema = Path(next(iter(places))) / "resources" / "schemas" / f"v{version}" / "schema.json"
    return jsonschema_rs.validator_for(json.loads(schema.read_text(encoding="utf-8")), offline=True)
