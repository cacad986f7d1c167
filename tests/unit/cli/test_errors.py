"""What goes wrong is told in words, with the exit code that it means."""

from __future__ import annotations

import json

import httpx
import pytest
from typer.testing import CliRunner

from freehold_cli.main import app
from freehold_cli.world import World

from .conftest import URL, Terminal
from .fake_api import KEY, problem


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, 2), (401, 2), (403, 2), (404, 2), (409, 2), (422, 2), (418, 2), (500, 3), (503, 3)],
)
def test_each_refusal_has_its_exit_code(terminal: Terminal, status: int, code: int):
    terminal.api.refusal = (status, problem(status, "Title", "what went wrong"))

    result = terminal.run("agents")

    assert result.exit_code == code
    assert "what went wrong" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("command", "path", "told"),
    [
        (("schedule", "show", "zzz"), "/v1/schedules/zzz", "`freehold schedule list`"),
        (("dlq", "show", "nope"), "/v1/dead-letters/nope", "`freehold dlq list`"),
        (("keys", "revoke", "nope"), "/v1/keys/nope", "`freehold keys list`"),
        (("show", "nope"), "/v1/runs/nope", "`freehold runs`"),
    ],
)
def test_what_is_not_there_is_looked_for_in_its_own_list(
    terminal: Terminal, command: tuple[str, ...], path: str, told: str
):
    terminal.api.refusal = (404, problem(404, "NotFound", "no such thing") | {"path": path})

    result = terminal.run(*command)

    assert result.exit_code == 2
    assert f"{told}" in result.stderr


def test_problems_are_listed_with_their_paths(terminal: Terminal):
    problems = [{"path": "limits.maxLaps", "message": "is 0; at least 1 is allowed"}]
    terminal.api.refusal = (400, problem(400, "Invalid", "broken", problems=problems))

    assert "  limits.maxLaps: is 0; at least 1 is allowed\n" in terminal.run("agents").stderr


def test_an_error_as_json_is_the_problem_as_the_api_tells_it(terminal: Terminal):
    told = problem(404, "NotFound", "no agent x")
    terminal.api.refusal = (404, told)

    result = terminal.run("agents", "x", "--json")

    assert json.loads(result.stdout) == told
    assert "no agent x" in result.stderr


def test_a_stack_that_cannot_be_reached_is_exit_code_3(terminal: Terminal):
    def refuse(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("connection refused")

    environ = {"FREEHOLD_URL": URL, "FREEHOLD_KEY": KEY}
    world = World(environ=environ, transport=httpx.MockTransport(refuse), sleep=lambda _: None)
    result = CliRunner().invoke(app, ["agents"], obj=world)

    assert result.exit_code == 3
    assert f"no answer from {URL}/v1: connection refused" in result.stderr


def test_a_local_stack_that_is_not_running_is_exit_code_3(terminal: Terminal):
    result = terminal.locally().run("agents")

    assert result.exit_code == 3
    assert "freehold up" in result.stderr


def test_a_folder_without_a_stack_is_told_where_one_could_be(terminal: Terminal):
    terminal.environ = {}

    result = terminal.run("agents")

    assert result.exit_code == 2
    assert "FREEHOLD_URL" in result.stderr


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({"FREEHOLD_URL": URL}, "FREEHOLD_KEY is not"),
        ({"FREEHOLD_URL": "stack.example", "FREEHOLD_KEY": KEY}, "http://"),
    ],
)
def test_settings_that_cannot_work_are_refused(terminal: Terminal, environ: dict[str, str], told: str):
    terminal.environ = environ

    result = terminal.run("agents")

    assert result.exit_code == 2
    assert told in result.stderr


def test_a_key_that_is_not_accepted_is_exit_code_2_with_a_hint(terminal: Terminal):
    terminal.environ["FREEHOLD_KEY"] = "fh_other"

    result = terminal.run("agents")

    assert result.exit_code == 2
    assert "FREEHOLD_KEY" in result.stderr


def test_the_end_of_a_line_is_no_part_of_a_key(terminal: Terminal):
    terminal.environ["FREEHOLD_KEY"] = f"{KEY}\n"

    assert terminal.run("agents").exit_code == 0


@pytest.mark.parametrize("key", [" ", "fh_\nsecret", "fh_“secret”"])
def test_a_key_that_cannot_be_sent_is_exit_code_2_and_not_printed(terminal: Terminal, key: str):
    terminal.environ["FREEHOLD_KEY"] = key

    for flags in ((), ("--json",)):
        result = terminal.run("agents", *flags)
        assert result.exit_code == 2
        assert "Authorization: is no valid header" in result.stderr
        assert "secret" not in result.stdout + result.stderr
    assert terminal.api.seen == []


def test_an_error_cannot_act_on_the_terminal(terminal: Terminal):
    problems = [{"path": "\x1b[2J", "message": "\x1b]0;owned\x07[red]x"}]
    terminal.api.refusal = (400, problem(400, "\x1b[31mInvalid", "no", problems=problems))

    for flags in ((), ("--json",)):
        result = terminal.run("agents", *flags)
        assert not {"\x1b", "\x07"} & set(result.stdout + result.stderr)
        assert "[red]x" in result.stderr


def test_a_file_that_cannot_be_used_is_named(terminal: Terminal):
    terminal.locally()
    terminal.home("stack.json").mkdir()

    result = terminal.run("agents")

    assert result.exit_code == 2
    assert f"cannot use {terminal.home('stack.json')}: Is a directory" in result.stderr


@pytest.mark.parametrize("wrong", [["ask"], ["nonsense"], ["runs", "--limit", "0"], ["keys", "create"]])
def test_wrong_use_is_exit_code_2(terminal: Terminal, wrong: list[str]):
    assert terminal.run(*wrong).exit_code == 2


def test_white_space_around_the_settings_does_not_count(terminal: Terminal):
    terminal.environ = {"FREEHOLD_URL": f" {URL}\n", "FREEHOLD_KEY": f"{KEY}\n"}

    assert terminal.run("agents").exit_code == 0
