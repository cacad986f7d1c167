"""What it costs to load a function: CPU and peak memory of a fresh interpreter, and the size of its package."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from freehold_cli.local.packaging import archive
from product_stack import ROOT

LOOP = ("invoke_model", "run_tool", "finish_run", "summarize_memory", "sweep")
FUNCTIONS = (*LOOP, "run_mcp_tool", "authorizer", "api", "ingest", "live")
ROUNDS = 15
SHARED_LAYERS = ("core", "deps")
OWN_LAYERS = {"run_mcp_tool": "mcp", "authorizer": "identity", "live": "live"}
RESOURCES = {
    "core": "CoreLayer",
    "deps": "DependencyLayer",
    "mcp": "McpLayer",
    "identity": "IdentityLayer",
    "live": "LiveLayer",
}
# As Lambda sets them: there is a daemon for traces.
LAMBDA = {"LAMBDA_TASK_ROOT": "/var/task", "AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1:2000"}
TRACES_OFF = LAMBDA | {"POWERTOOLS_TRACE_DISABLED": "true"}
# What the system counts for a child begins with the memory of its parent, so the child looks for itself.
TELL_PEAK = "\nprint(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
NOT_PASSED_ON = ("PYTHON", "POWERTOOLS_", "AWS_")


@dataclass(frozen=True, slots=True)
class Loading:
    """One function. `traced` and `untraced` are CPU over that of `import boto3`, each less a bare interpreter's.

    `package_bytes` are those of its code and of a layer that it alone has.
    """

    function: str
    traced: float
    untraced: float
    imported_megabytes: float
    package_bytes: int


@dataclass(frozen=True, slots=True)
class Loadings:
    functions: tuple[Loading, ...]
    boto3_milliseconds: float
    shared_layer_bytes: Mapping[str, int]

    def of(self, function: str) -> Loading:
        return next(each for each in self.functions if each.function == function)


def loadings(progress: Callable[[str], None], rounds: int = ROUNDS) -> Loadings:
    """Interpreters are started in rounds, so that whatever else this machine does falls on all of them alike."""
    cases = {"bare": ("pass", LAMBDA), "boto3": ("import boto3", LAMBDA)}
    for name in FUNCTIONS:
        code = f"import runpy; runpy.run_path({str(ROOT / 'functions' / name / 'app.py')!r}, run_name='app')"
        cases |= {name: (code, LAMBDA), f"{name} untraced": (code, TRACES_OFF)}
    seen: dict[str, list[tuple[float, float]]] = {name: [] for name in cases}
    # The first round writes bytecode and fills caches.
    for number in range(rounds + 1):
        progress(f"loading every function, round {number} of {rounds}")
        for name, (code, variables) in cases.items():
            seen[name].append(_interpreter(code, variables))
    cpu = {name: [spent for spent, _ in pairs[1:]] for name, pairs in seen.items()}
    peak = {name: max(held for _, held in pairs) for name, pairs in seen.items()}
    layers = _layer_bytes()
    found = [
        Loading(
            name,
            _ratio(cpu, name),
            _ratio(cpu, f"{name} untraced"),
            peak[name],
            _zipped(ROOT / "functions" / name) + sum(layers[each] for each in _own(name)),
        )
        for name in FUNCTIONS
    ]
    boto3 = statistics.median(a - b for a, b in zip(cpu["boto3"], cpu["bare"], strict=True))
    shared = {RESOURCES[name]: layers[name] for name in SHARED_LAYERS}
    return Loadings(tuple(found), boto3, shared)


def _own(function: str) -> list[str]:
    return [layer for name, layer in OWN_LAYERS.items() if name == function]


def _ratio(cpu: Mapping[str, list[float]], name: str) -> float:
    """Of the medians: a ratio of two noisy times is noisier than either."""
    bare, boto3, spent = (statistics.median(cpu[each]) for each in ("bare", "boto3", name))
    return (spent - bare) / (boto3 - bare)


def _interpreter(code: str, variables: Mapping[str, str]) -> tuple[float, float]:
    """Milliseconds of CPU, user and system, and megabytes at most of a fresh interpreter that runs `code`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(NOT_PASSED_ON)}
    path = f"{ROOT / 'layers' / 'core'}{os.pathsep}{sysconfig.get_path('purelib')}"
    # Without `site`: what an editable install loads at each start, Lambda does not, and boto3 would find it loaded.
    command = [sys.executable, "-S", "-c", f"{code}{TELL_PEAK}"]
    reading, writing = os.pipe()
    child = os.posix_spawn(
        sys.executable,
        command,
        kept | {"PYTHONPATH": path} | dict(variables),
        file_actions=[(os.POSIX_SPAWN_DUP2, writing, 1)],
    )
    os.close(writing)
    with open(reading, encoding="ascii") as output:  # noqa: PTH123 - a pipe has no path
        told = output.read()
    _, status, usage = os.wait4(child, 0)
    if status:
        raise ValueError(f"a fresh interpreter could not run: {code}")
    return (usage.ru_utime + usage.ru_stime) * 1000, int(told) / 1024


def _layer_bytes() -> dict[str, int]:
    """By the folder's name, as `sam build` makes them: wheels for Lambda's own Python, whatever this one is."""
    sizes: dict[str, int] = {}
    with tempfile.TemporaryDirectory(prefix="freehold-bench-") as folder:
        for source, resource in RESOURCES.items():
            target = Path(folder) / resource
            target.mkdir()
            given = f"ARTIFACTS_DIR={target}", f"PYTHON={sys.executable}"
            subprocess.run(
                [
                    "make",
                    "--silent",
                    "--directory",
                    str(ROOT / "layers" / source),
                    f"build-{resource}",
                    *given,
                ],
                env={name: value for name, value in os.environ.items() if not name.startswith("MAKE")},
                check=True,
            )
            sizes[source] = _zipped(target)
    return sizes


def _zipped(folder: Path) -> int:
    with tempfile.TemporaryDirectory(prefix="freehold-bench-") as build:
        return archive([folder], Path(build)).path.stat().st_size
