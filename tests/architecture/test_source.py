"""Size, names and imports of what is ours."""

from __future__ import annotations

import ast
import re
import sys

import pytest

from .source import ROOT, Source, sources

Function = ast.FunctionDef | ast.AsyncFunctionDef

EVERYTHING = sources()
# An ASGI application, which the Lambda Web Adapter calls over HTTP.
APPLICATION = ROOT / "functions" / "live" / "app.py"
HANDLERS = [each for each in sources("functions") if each.path != APPLICATION]
DOMAIN = [
    source
    for source in sources("layers/core")
    if source.path.parent.name in ("freehold", "values")
    and source.path.stem not in ("admission", "observability", "wiring")
]
LONGEST = {"api": 120}


def name(source: Source) -> str:
    return source.name


@pytest.mark.parametrize("source", EVERYTHING, ids=name)
def test_a_module_is_at_most_300_lines_and_a_function_40(source: Source):
    long = [f"{each.name} has {length}" for each in source.functions() if (length := lines(each)) > 40]

    assert source.lines <= 300
    assert long == []


def lines(function: Function) -> int:
    """From the `def` to the end of the body, without what functions inside it have; they are counted by themselves."""
    inside = [node for node in ast.walk(function) if isinstance(node, Function) and node is not function]
    innermost = [
        node for node in inside if not any(node in ast.walk(other) for other in inside if other is not node)
    ]
    return span(function) - sum(span(node) for node in innermost)


def span(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def test_no_module_is_a_drawer_for_odds_and_ends():
    drawers = {
        "util",
        "utils",
        "helper",
        "helpers",
        "manager",
        "managers",
        "base",
        "common",
        "misc",
        "shared",
    }

    found = [
        source.name
        for source in EVERYTHING
        if drawers & {*source.path.stem.split("_"), source.path.parent.name}
    ]

    assert found == []


# -- handlers


@pytest.mark.parametrize("source", HANDLERS, ids=name)
def test_a_handler_is_short_says_what_it_does_and_catches_nothing(source: Source):
    folder = source.path.parent.name
    assert source.lines <= LONGEST.get(folder, 40)
    (handler,) = [each for each in source.functions() if each.name == "lambda_handler"]
    assert ast.get_docstring(handler) or folder == "api"
    assert not [node for node in ast.walk(source.tree) if isinstance(node, ast.Try | ast.TryStar)]
    assert any("handler" in ast.unparse(each) for each in handler.decorator_list)


@pytest.mark.parametrize("source", HANDLERS, ids=name)
def test_a_handler_reaches_aws_only_through_wiring(source: Source):
    ours = {module for module in source.imports() if module.split(".")[0] in ("freehold", "freehold_cli")}
    others = (
        {module.split(".")[0] for module in source.imports()} - set(sys.stdlib_module_names) - {"freehold"}
    )

    assert not [
        module for module in ours if module.startswith(("freehold.adapters", "freehold.configuration"))
    ]
    assert others <= {"aws_lambda_powertools"}


def test_the_application_of_live_events_reaches_aws_only_through_wiring_and_is_short():
    (source,) = [each for each in sources("functions") if each.path == APPLICATION]
    ours = {module for module in source.imports() if module.startswith("freehold")}
    others = (
        {module.split(".")[0] for module in source.imports()} - set(sys.stdlib_module_names) - {"freehold"}
    )

    assert source.lines <= 130
    assert not [
        module for module in ours if module.startswith(("freehold.adapters", "freehold.configuration"))
    ]
    assert others == {"anyio", "sse_starlette", "starlette"}


@pytest.mark.parametrize("source", HANDLERS, ids=name)
def test_a_function_is_one_folder_with_one_file_and_knows_no_other(source: Source):
    folders = {
        path.name for path in (ROOT / "functions").iterdir() if path.is_dir() and path.name != "__pycache__"
    }

    assert source.path.name == "app.py"
    assert [each for each in HANDLERS if each.path.parent == source.path.parent] == [source]
    assert not folders & {part for module in source.imports() for part in module.split(".")[:1]}


@pytest.mark.parametrize("source", [each for each in HANDLERS if each.path.parent.name != "api"], ids=name)
def test_the_event_handler_is_for_the_api_alone(source: Source):
    assert not [module for module in source.imports() if "event_handler" in module]


# -- the core and the client


@pytest.mark.parametrize("source", DOMAIN, ids=name)
def test_the_domain_imports_itself_and_the_standard_library(source: Source):
    allowed = set(sys.stdlib_module_names) | {"freehold", ""}
    if source.name == "layers/core/freehold/value.py":
        allowed.add("msgspec")

    assert {module.split(".")[0] for module in source.imports()} <= allowed


@pytest.mark.parametrize("source", DOMAIN, ids=name)
def test_the_domain_reads_no_clock_no_environment_and_no_file(source: Source):
    """They are arguments, or a test could not choose them."""
    outside = {
        "os",
        "time",
        "random",
        "uuid",
        "secrets",
        "logging",
        "pathlib",
        "socket",
        "subprocess",
    }

    assert not {module.lstrip(".").split(".")[0] for module in source.imports() if module[0] != "."} & outside
    # A time that is given may be written out as a date.
    assert not re.search(r"\b(datetime|date)\.(now|utcnow|today)\b", source.text)


@pytest.mark.parametrize("source", sources("client"), ids=name)
def test_the_client_imports_httpx_and_the_standard_library(source: Source):
    assert {module.split(".")[0] for module in source.imports()} <= set(sys.stdlib_module_names) | {
        "httpx",
        "freehold_client",
        "",
    }


def test_the_resource_interface_of_boto3_is_not_used():
    """It costs import time for nothing: clients do the same."""
    found = [source.name for source in EVERYTHING if ".resource(" in source.text and "boto3" in source.text]

    assert found == []


def test_every_port_has_an_adapter_that_the_composition_root_reaches():
    """Reaches: imports it, or imports what chooses it. That an adapter fits its port in types is basedpyright's."""
    adapters = {each.path.stem: each for each in sources("layers/core/freehold/adapters")}
    wiring = sources("layers/core/freehold/wiring")
    reached = adapters["models"].imports().union(*(each.imports() for each in wiring))
    classes = [
        each
        for source in adapters.values()
        for each in classes_of(source)
        if any(module.endswith(f".{source.path.stem}.{each.name}") for module in reached)
    ]

    by_name = {each.name: each for source in adapters.values() for each in classes_of(source)}

    def inherited(each: ast.ClassDef) -> set[str]:
        """Its methods, and those of the adapters that it is made of."""
        bases = [by_name[name] for base in each.bases if (name := ast.unparse(base)) in by_name]
        return methods(each).union(*map(inherited, bases))

    modules = sources("layers/core/freehold/ports")
    ports = [port for module in modules for port in classes_of(module) if is_protocol(port)]
    missing = [port.name for port in ports if not any(methods(port) <= inherited(each) for each in classes)]

    assert ports
    assert missing == []


def classes_of(source: Source) -> list[ast.ClassDef]:
    return [node for node in source.tree.body if isinstance(node, ast.ClassDef)]


def is_protocol(each: ast.ClassDef) -> bool:
    return any(ast.unparse(base) == "Protocol" for base in each.bases)


def methods(each: ast.ClassDef) -> set[str]:
    return {node.name for node in each.body if isinstance(node, ast.FunctionDef)}
