"""What the real `sam build` makes: it is for Lambda whatever Python builds it, and holds what it should alone."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
from email.parser import HeaderParser
from functools import cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.tags import Tag, compatible_tags, cpython_tags, parse_tag
from packaging.utils import canonicalize_name
from samtranslator.yaml_helper import yaml_parse

from .source import ROOT, sources

SAM = ROOT / ".venv-sam" / "bin" / "sam"
# All that a build may need of the machine. There is no Python among them: it is given as PYTHON.
TOOLS = ("cp", "find", "make", "mkdir", "rm", "sh")
PYTHON, PLATFORMS = (3, 13), [f"manylinux_2_{glibc}_aarch64" for glibc in range(34, 16, -1)]
AARCH64 = 183
OF_BOTO3 = ("boto3", "botocore", "s3transfer")


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `sam build` filled, once for all processes of a parallel run."""
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    with (shared / "sam-build.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        target = shared / "sam-build"
        if not (target / "template.yaml").exists():
            _sam_build(ROOT, target, shared / "sam-tools")
    return target


def _sam_build(root: Path, target: Path, tools: Path) -> None:
    assert SAM.exists(), "`make sam` installs it"
    tools.mkdir(exist_ok=True)
    for name in TOOLS:
        found = shutil.which(name)
        assert found, f"{name} is not on the path"
        (tools / name).unlink(missing_ok=True)
        (tools / name).symlink_to(found)
    given = {"PATH": str(tools), "PYTHON": sys.executable, "SAM_CLI_TELEMETRY": "0"}
    done = subprocess.run(
        [SAM, "build", "--no-cached", "--build-dir", target],
        cwd=root,
        env=os.environ | given,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


# Layers of pinned libraries, by the folder that pins them; with the most bytes that each may have.
LAYERS = {"deps": "DependencyLayer", "mcp": "McpLayer", "identity": "IdentityLayer", "live": "LiveLayer"}
MOST_BYTES = {"deps": 30_000_000, "mcp": 25_000_000, "identity": 18_000_000, "live": 5_000_000}
# Those that one function each has, beside what all have.
OWN = [name for name in LAYERS if name != "deps"]
MAIN = {"deps": {*OF_BOTO3}, "mcp": {"mcp"}, "identity": {"pyjwt"}, "live": {"starlette", "uvicorn"}}


@pytest.fixture(params=LAYERS)
def layer(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def libraries(built: Path, layer: str) -> Path:
    return built / LAYERS[layer] / "python"


def names(folder: Path) -> set[str]:
    """The files below, by their path from here."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def distributions(libraries: Path) -> dict[str, Path]:
    """The `.dist-info` folders by `name==version`."""
    found: dict[str, Path] = {}
    for folder in libraries.glob("*.dist-info"):
        told = HeaderParser().parsestr((folder / "METADATA").read_text())
        found[f"{canonicalize_name(told['Name'])}=={told['Version']}"] = folder
    return found


def tags_of(distribution: Path) -> set[Tag]:
    told = HeaderParser().parsestr((distribution / "WHEEL").read_text())
    return {tag for text in told.get_all("Tag", []) for tag in parse_tag(text)}


@cache
def tags_of_lambda() -> frozenset[Tag]:
    """Those that Python 3.13 on arm64 with glibc 2.34 (Amazon Linux 2023) takes."""
    compiled = cpython_tags(PYTHON, platforms=PLATFORMS)
    return frozenset((*compiled, *compatible_tags(PYTHON, "cp313", PLATFORMS)))


def test_every_library_is_a_wheel_that_lambda_can_load(libraries: Path, layer: str):
    found = {name: tags_of(folder) for name, folder in distributions(libraries).items()}

    assert [name for name, tags in found.items() if not tags & tags_of_lambda()] == []
    compiled = {name for name, tags in found.items() if "any" not in {tag.platform for tag in tags}}
    # What streams events is Python alone.
    assert compiled or layer == "live"
    assert {tag.platform.rpartition("_")[2] for name in compiled for tag in found[name]} <= {"aarch64"}


def machines(folder: Path) -> list[int]:
    """For which processor each compiled file is."""
    heads = [path.read_bytes()[:20] for path in folder.rglob("*") if ".so" in path.suffixes]
    assert {head[:6] for head in heads} == {b"\x7fELF\x02\x01"}
    return [int.from_bytes(head[18:20], "little") for head in heads]


def test_every_compiled_file_is_for_arm64(built: Path):
    found = machines(built)

    assert len(found) >= 5
    assert set(found) == {AARCH64}


def pins(folder: str) -> dict[str, str]:
    """What lands in a layer on Lambda: each library's version."""
    lines = (ROOT / folder / "requirements.txt").read_text().splitlines()
    given = [Requirement(line.rstrip(" \\")) for line in lines if line[:1].isalnum()]
    there = {"python_version": "3.13", "python_full_version": "3.13.0", "sys_platform": "linux"}
    return {
        canonicalize_name(pin.name): str(pin.specifier)
        for pin in given
        if pin.marker is None or pin.marker.evaluate(there)
    }


def test_what_is_pinned_is_there_and_nothing_else(libraries: Path, layer: str):
    wanted = {f"{name}{version}" for name, version in pins(f"layers/{layer}").items()}

    assert set(distributions(libraries)) == wanted
    assert {name.partition("==")[0] for name in wanted} >= MAIN[layer]


@pytest.mark.parametrize("layer", OWN)
def test_no_library_lies_in_two_layers_of_a_function(layer: str):
    assert pins("layers/deps").keys() & pins(f"layers/{layer}").keys() == set()


def test_every_library_has_all_that_it_needs_in_its_layer_or_beside_it(built: Path):
    found = {
        name: path
        for folder in LAYERS.values()
        for name, path in distributions(built / folder / "python").items()
    }
    there = {name.partition("==")[0] for name in found}
    needed = [
        Requirement(text)
        for path in found.values()
        for text in HeaderParser().parsestr((path / "METADATA").read_text()).get_all("Requires-Dist", [])
    ]
    on_lambda = {"python_version": "3.13", "sys_platform": "linux", "extra": ""}
    missing = {
        canonicalize_name(each.name)
        for each in needed
        if each.marker is None or each.marker.evaluate(on_lambda)
    } - there

    assert missing == set()


def test_tests_and_layers_have_the_same_versions():
    tested = pins_of_tests()

    for ours in (pins(f"layers/{layer}") for layer in LAYERS):
        assert {name: tested.get(name) for name in ours} == ours


def pins_of_tests() -> dict[str, str]:
    lines = (ROOT / "requirements-dev.txt").read_text().splitlines()
    given = [Requirement(line.rstrip(" \\")) for line in lines if line[:1].isalnum()]
    return {canonicalize_name(pin.name): str(pin.specifier) for pin in given}


def test_the_libraries_without_boto3_stay_small(libraries: Path, layer: str):
    sizes = {name: (libraries / name).stat().st_size for name in names(libraries)}
    counted = {name: size for name, size in sizes.items() if not name.startswith(OF_BOTO3)}

    assert len(sizes) >= len(counted) > 50
    total, largest = sum(counted.values()), sorted(counted.items(), key=lambda each: -each[1])[:10]
    assert total < MOST_BYTES[layer], f"{total:,} bytes, most of them in {largest}"


def test_every_client_that_the_code_makes_is_known_to_the_boto3_of_the_layer(built: Path):
    libraries = built / "DependencyLayer" / "python"
    code = "\n".join(source.text for source in sources("layers/core"))
    services = set(re.findall(r"\bclient\(\s*\"([a-z0-9-]+)\"", code))

    assert services >= {"dynamodb", "lambda", "s3", "stepfunctions"}
    assert [name for name in sorted(services) if not (libraries / "botocore" / "data" / name).is_dir()] == []


def test_the_package_lies_in_its_layer_once_and_whole(built: Path):
    package = ROOT / "layers" / "core" / "freehold"
    wanted = {f"python/freehold/{name}" for name in names(package) if "__pycache__" not in name}

    assert names(built / "CoreLayer") == wanted
    assert {"python/freehold/wiring/__init__.py", "python/freehold/models.yaml"} <= wanted


def test_nothing_of_the_tests_or_of_the_command_line_is_deployed(built: Path):
    landed = {
        name.removeprefix("python/")
        for layer in ("CoreLayer", *LAYERS.values())
        for name in names(built / layer)
    }
    unwanted = re.compile(
        r"freehold_cli|freehold_client|moto/|samtranslator|(^|/)(tests?|__pycache__|bin)/|\.pyc$"
    )

    assert [name for name in sorted(landed) if unwanted.search(name)] == []


def test_a_function_is_its_handler_alone(built: Path):
    resources = yaml_parse((built / "template.yaml").read_text())["Resources"]
    functions = {
        name: each for name, each in resources.items() if each["Type"] == "AWS::Serverless::Function"
    }
    held = {
        name: {path.name for path in (built / each["Properties"]["CodeUri"]).resolve().iterdir()}
        for name, each in functions.items()
    }

    assert len(held) >= 6
    # The application of live events is started by a script, in a server with settings of its own.
    more = {"LiveFunction": {"run.sh", "uvicorn.json"}}
    wanted = {name: {"app.py"} | more.get(name, set()) for name in held}
    assert {name: files - {"__pycache__"} for name, files in held.items()} == wanted


def test_the_tools_of_the_example_are_built_for_lambda_as_well(tmp_path: Path):
    _sam_build(ROOT / "examples" / "customer-support", tmp_path / "built", tmp_path / "tools")

    function = tmp_path / "built" / "SupportToolsFunction"
    assert set(machines(function)) == {AARCH64}
    assert [
        name for name, each in distributions(function).items() if not tags_of(each) & tags_of_lambda()
    ] == []
    assert (function / "app.py").is_file()
