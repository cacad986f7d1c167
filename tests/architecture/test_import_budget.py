"""What each function loads before its first request: import time is paid at every cold start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache

import pytest

from .source import ROOT, sources

FUNCTIONS = sorted(source.path.parent.name for source in sources("functions"))
LOAD = """
import json, runpy, sys
runpy.run_path(sys.argv[1], run_name="app")
print(json.dumps(sorted(sys.modules)))
"""
# Neither is ever needed where agents run.
NEVER = (
    "freehold_cli",
    "freehold_client",
    "httpx",
    "moto",
    "openai",
    "requests",
    "rich",
    "samtranslator",
    "typer",
)
# For the one call that stores an agent.
FOR_CONFIGURATION = (
    "freehold.configuration",
    "jsonschema_rs",
    "openapi_spec_validator",
    "referencing",
    "yaml",
)
FOR_THE_API = ("aws_lambda_powertools.event_handler", "freehold.http", "pydantic", "pydantic_core", "ulid")
# Loaded when a model is first chosen, a call first made or an execution first started.
LATER = (
    "freehold.adapters.argument_check",
    "freehold.adapters.catalog",
    "freehold.adapters.event_bus",
    "freehold.adapters.executions",
    "freehold.adapters.lambda_tools",
    "freehold.adapters.models",
    "freehold.adapters.openai_compatible",
    "freehold.adapters.rehearsal",
    "freehold.adapters.schema_buckets",
    "freehold.adapters.scripted",
)


@cache
def loaded(function: str) -> frozenset[str]:
    """Every module that a fresh interpreter has after importing the function."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    found = subprocess.run(
        [sys.executable, "-c", LOAD, str(ROOT / "functions" / function / "app.py")],
        env=kept | {"PYTHONPATH": str(ROOT / "layers" / "core")},
        check=True,
        capture_output=True,
        text=True,
    )
    return frozenset(json.loads(found.stdout))


def among(modules: frozenset[str], unwanted: tuple[str, ...]) -> list[str]:
    """Which of the unwanted packages are there."""
    return [
        name
        for name in unwanted
        if any(module == name or module.startswith(f"{name}.") for module in modules)
    ]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_loads_nothing_before_it_needs_it(function: str):
    modules = loaded(function)

    assert "boto3" in modules
    assert "freehold.wiring" in modules
    assert among(modules, NEVER + FOR_CONFIGURATION + LATER) == []


@pytest.mark.parametrize("function", [name for name in FUNCTIONS if name != "api"])
def test_what_http_needs_is_loaded_by_the_api_alone(function: str):
    assert among(loaded(function), FOR_THE_API) == []


def test_the_check_sees_what_is_loaded():
    assert among(loaded("api"), FOR_THE_API) == list(FOR_THE_API)
