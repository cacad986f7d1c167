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
FOR_THE_API = (
    "aws_lambda_powertools.event_handler",
    "freehold.adapters.lists",
    "freehold.http",
    "pydantic",
    "pydantic_core",
    "ulid",
)
# Of these, what others need: ingest checks what messages say as HTTP checks bodies, and live answers over HTTP itself.
SHARED = {"ingest": ["freehold.http", "pydantic", "pydantic_core"], "live": ["freehold.http"]}
# Each step's module is loaded by its own function. A sweep may end a run, and ending knows what a call is told.
STEPS = {
    "freehold.turn": {"invoke_model"},
    "freehold.tool_call": {"run_tool", "run_mcp_tool", "finish_run", "sweep", "api", "ingest"},
    "freehold.mcp_listing": {"run_mcp_tool"},
    "freehold.ending": {"finish_run", "sweep", "api", "ingest"},
    "freehold.sweeping": {"sweep"},
    # FinishRun loads them once a run waits, or has an answer for one that does.
    "freehold.deciding": {"sweep", "api", "ingest"},
    "freehold.collaborating": {"sweep", "api", "ingest"},
    "freehold.parking": {"sweep", "api", "ingest"},
    "freehold.receiving": {"api", "ingest"},
    "freehold.arriving": {"ingest"},
    "freehold.summarizing": {"summarize_memory"},
    "freehold.erasing": {"sweep", "api"},
    "freehold.adapters.api_keys": {"authorizer", "api", "live"},
    "freehold.adapters.aws_tokens": {"authorizer"},
}
TRACED = {"AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1:2000", "LAMBDA_TASK_ROOT": "/var/task"}
SWITCHED_OFF = TRACED | {"POWERTOOLS_TRACE_DISABLED": "true"}
# Loaded when a model is first chosen, a call first made or an execution first started.
LATER = (
    "freehold.adapters.argument_check",
    "freehold.adapters.catalog",
    "freehold.adapters.egress",
    "freehold.adapters.event_bus",
    "freehold.adapters.executions",
    "freehold.adapters.http_exchange",
    "freehold.adapters.http_tools",
    "freehold.adapters.issuer_keys",
    "freehold.adapters.lambda_tools",
    "freehold.adapters.mcp_tools",
    "freehold.adapters.mcp_wire",
    "freehold.adapters.models",
    "freehold.adapters.notices",
    "freehold.adapters.oauth_tokens",
    "freehold.adapters.oidc",
    "freehold.adapters.openai_compatible",
    "freehold.adapters.rehearsal",
    "freehold.adapters.schema_buckets",
    "freehold.adapters.scripted",
    "freehold.adapters.tool_auth",
    "freehold.adapters.tool_secrets",
    "freehold.adapters.waits",
    "freehold.http_request",
    "freehold.web_address",
    # In layers that one function each has.
    "cryptography",
    "httpx2",
    "jwt",
    "mcp",
)


@cache
def loaded(function: str, *settings: tuple[str, str]) -> frozenset[str]:
    """Every module that a fresh interpreter has after importing the function."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "POWERTOOLS_"))
    }
    found = subprocess.run(
        [sys.executable, "-c", LOAD, str(ROOT / "functions" / function / "app.py")],
        env=kept | {"PYTHONPATH": str(ROOT / "layers" / "core")} | dict(settings),
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
    assert among(loaded(function), FOR_THE_API) == SHARED.get(function, [])


@pytest.mark.parametrize("step", STEPS)
def test_a_step_is_loaded_by_the_functions_that_take_it(step: str):
    assert {name for name in FUNCTIONS if name not in STEPS[step] and among(loaded(name), (step,))} == set()


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(("settings", "traced"), [({}, []), (SWITCHED_OFF, []), (TRACED, ["aws_xray_sdk"])])
def test_the_x_ray_sdk_is_loaded_only_where_traces_are_sent(
    function: str, settings: dict[str, str], traced: list[str]
):
    assert among(loaded(function, *settings.items()), ("aws_xray_sdk",)) == traced


def test_the_check_sees_what_is_loaded():
    assert among(loaded("api"), FOR_THE_API) == list(FOR_THE_API)
