"""What holds for every command."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from freehold_cli.main import GROUPS, PANELS

from .conftest import Terminal

COMMANDS = [[name] for panel in PANELS.values() for name in panel] + [
    [group, name] for group, (_, _, commands) in GROUPS.items() for name in commands
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_an_example_in_its_help_and_json(terminal: Terminal, command: list[str]):
    result = terminal.run(*command, "--help")

    assert result.exit_code == 0
    assert f"Example: freehold {' '.join(command)}" in " ".join(result.stdout.split())
    assert "--json" in result.stdout


def test_help_names_every_command(terminal: Terminal):
    printed = terminal.run("--help").stdout

    assert all(name in printed for name in [*GROUPS, *(name for panel in PANELS.values() for name in panel)])


def test_the_page_has_every_command():
    page = (Path(__file__).parents[3] / "docs" / "cli.md").read_text()
    rows = [line.rpartition(" | ")[0] for line in page.splitlines() if line.startswith("| `freehold ")]
    told = [set(re.findall(r"[`\s]([a-z][a-z-]*)", row)) for row in rows]

    assert [command for command in COMMANDS if not any(told_of >= set(command) for told_of in told)] == []


def test_a_fault_of_ours_is_named_without_a_traceback():
    code = "from freehold_cli import main; main.app = lambda: 1 / 0; main.main()"

    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert ended.returncode == 1
    assert "ZeroDivisionError" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_reader_that_has_gone_is_no_error():
    command = f"{sys.executable} -c 'from freehold_cli.main import main; main()' --help"

    ended = subprocess.run(["sh", "-c", f"{command} | true"], capture_output=True, text=True, check=False)

    assert ended.stderr == ""


def test_help_loads_neither_boto3_nor_the_local_stack_nor_the_validator():
    code = "import sys, freehold_cli.main; print(*sys.modules)"

    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()

    assert not {
        "boto3",
        "botocore",
        "pydantic",
        "yaml",
        "freehold_cli.local.stack",
        "freehold.configuration",
    } & set(loaded)


def test_a_typed_line_can_be_edited():
    pytest.importorskip("readline")
    code = (
        "import sys; from freehold_cli.world import World; "
        "World().read_line(''); print('readline' in sys.modules)"
    )

    ended = subprocess.run(
        [sys.executable, "-c", code], input="hello\n", capture_output=True, text=True, check=True
    )

    assert ended.stdout == "True\n"
