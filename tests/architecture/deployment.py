"""`template.yaml` and the state machine, read."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from samtranslator.yaml_helper import yaml_parse

from .asl import Surroundings

ROOT = Path(__file__).parents[2]
MACHINES = ("AgentLoop", "AgentLoopFast")


@cache
def template() -> dict[str, Any]:
    return yaml_parse((ROOT / "template.yaml").read_text())


def resources(kind: str) -> dict[str, dict[str, Any]]:
    """Properties of the resources of one type, by logical id."""
    found = {
        name: resource["Properties"]
        for name, resource in template()["Resources"].items()
        if resource["Type"] == kind
    }
    assert found, f"the template has no {kind}"
    return found


def functions() -> dict[str, dict[str, Any]]:
    """The functions with what `Globals` gives them all, by logical id."""
    shared = template()["Globals"]["Function"]
    own = resources("AWS::Serverless::Function")
    return {name: merged(shared, properties) for name, properties in own.items()}


def merged(shared: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """As SAM merges `Globals`: maps and lists are joined, other values replaced."""
    return shared | {key: _joined(shared.get(key), value) for key, value in own.items()}


def _joined(shared: Any, own: Any) -> Any:
    if isinstance(own, dict) and isinstance(shared, dict):
        return merged(shared, own)
    return shared + own if isinstance(own, list) and isinstance(shared, list) else own


def folder(function: dict[str, Any]) -> str:
    return Path(function["CodeUri"]).name


def value(given: Any) -> Any:
    """A value, or the default of the parameter that it refers to."""
    if isinstance(given, dict) and given.get("Ref") in template()["Parameters"]:
        return template()["Parameters"][given["Ref"]]["Default"]
    return given


@cache
def text_of_definition() -> str:
    paths = {resources("AWS::Serverless::StateMachine")[name]["DefinitionUri"] for name in MACHINES}
    assert len(paths) == 1
    return (ROOT / paths.pop()).read_text()


def definition() -> dict[str, Any]:
    """A fresh copy, for tests that change it."""
    # Through JSON: aliases of the YAML text would otherwise share one list.
    return json.loads(json.dumps(yaml.safe_load(text_of_definition())))


def surroundings(machine: str = "AgentLoop") -> Surroundings:
    given = resources("AWS::Serverless::StateMachine")[machine]["DefinitionSubstitutions"]
    seconds = {name: int(value(function["Timeout"])) for name, function in functions().items()}
    return Surroundings({name: str(value(told)) for name, told in given.items()}, seconds)
