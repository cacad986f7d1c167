"""replay: step by step from the records, and side by side with another model."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from freehold_cli.comparison import Recorded, side_by_side
from freehold_cli.screen import Screen
from freehold_client import Run
from freehold_client.items import read_item

from .conftest import Terminal
from .fake_api import RUN_ID, FakeApi, asks, at, call, compaction, lap, problem, run, user

REPLAY_ID, REPLAY_SESSION = "01JZREPL-1", "s-replay"
PROMPT = "Enter: the next step"


class ReplayApi(FakeApi):
    """A stack on which `RUN_ID` has ended, and whose replay of it ends as `replayed` once it was begun."""

    def __init__(self, *items: dict[str, Any], **changes: Any) -> None:
        said = "I look it up."
        super().__init__(steps=([user(), lap(1, said, (asks(),)), call(), lap(2, "It was shipped.")],))
        self.items = list(items)
        self.replayed = run(runId=REPLAY_ID, sessionId=REPLAY_SESSION, replays=RUN_ID) | changes

    def _route(
        self, method: str, path: list[str], body: dict[str, Any], query: Mapping[str, str]
    ) -> tuple[int, dict[str, Any] | None]:
        match method, path:
            case "POST", ["runs", run_id, "replays"] if run_id == RUN_ID:
                ids = {"runId": REPLAY_ID, "sessionId": REPLAY_SESSION}
                return 202, {**ids, "status": "RUNNING", "replays": RUN_ID}
            case "GET", ["runs", run_id] if run_id == REPLAY_ID:
                return 200, self.replayed
            case "POST", ["runs", run_id, "cancel"] if run_id == REPLAY_ID:
                return 202, self.replayed
            case "GET", ["sessions", session_id, "items"] if session_id == REPLAY_SESSION:
                return 200, {"items": self.items}
            case _:
                return super()._route(method, path, body, query)


@pytest.fixture
def recorded(terminal: Terminal) -> Terminal:
    terminal.api = ReplayApi(user(), lap(1, "It was shipped.", model="b-model"))
    return terminal


def replay(terminal: Terminal, *items: dict[str, Any], **changes: Any) -> list[str]:
    """The rows of the comparison with a replay that has these items."""
    terminal.api = ReplayApi(user(), *items, **changes)
    return terminal.run("replay", RUN_ID, "--model", "b").stdout.splitlines()


def test_without_a_terminal_all_steps_are_printed_at_once(recorded: Terminal):
    result = recorded.run("replay", RUN_ID)

    assert result.exit_code == 0
    assert [line.split()[0] for line in result.stdout.splitlines()[:1]] == ["run"]
    order = ["you    Where is order 1042?", '→ getOrder {"orderId": "1042"}', "getOrder ✓", "COMPLETED"]
    assert sorted(order, key=result.stdout.index) == order
    assert PROMPT not in result.stdout


def test_on_a_terminal_each_step_waits_for_enter(recorded: Terminal):
    recorded.typed = ["", "", ""]

    result = recorded.run("replay", RUN_ID)

    assert recorded.typed == []
    assert "COMPLETED" in result.stdout


@pytest.mark.parametrize("enough", [["", "q"], ["", " Q "], [""]])
def test_on_a_terminal_q_or_ctrl_d_is_enough(recorded: Terminal, enough: list[str | BaseException]):
    recorded.typed = enough

    result = recorded.run("replay", RUN_ID)

    assert "I look it up." in result.stdout
    assert "getOrder ✓" not in result.stdout
    assert result.exit_code == 0


def test_a_compaction_is_shown_where_it_was_made(recorded: Terminal):
    recorded.api.steps = ([*recorded.api.steps[0], compaction(lap=1)],)

    shown = recorded.run("replay", RUN_ID).stdout

    assert shown.index("getOrder ✓") < shown.index("They asked for an order.") < shown.index("lap 2")


def test_the_steps_as_json_are_those_of_show(recorded: Terminal):
    recorded.typed = []

    told = recorded.run("replay", RUN_ID, "--json").stdout

    assert json.loads(told) == json.loads(recorded.run("show", RUN_ID, "--json").stdout)


def test_long_results_are_cut_unless_they_are_asked_for_in_full(recorded: Terminal):
    recorded.api.steps = ([user(), call(result="x" * 500)],)

    assert "x" * 500 not in recorded.run("replay", RUN_ID).stdout
    assert "x" * 500 in recorded.run("replay", RUN_ID, "--full").stdout


def test_another_model_is_asked_and_both_runs_stand_side_by_side(recorded: Terminal):
    result = recorded.run("replay", RUN_ID, "--model", "b", "--api", "converse")

    asked = ("POST", f"runs/{RUN_ID}/replays", {"model": {"model": "b", "api": "converse"}})
    assert asked in recorded.api.seen
    assert result.exit_code == 0
    original, replayed, head, models, *_ = result.stdout.splitlines()
    assert (original.split(), replayed.split()) == (["run", RUN_ID], ["replay", REPLAY_ID])
    assert head.split() == ["run", "replay", "differs"]
    assert models.split() == ["model", "a-model", "b-model"]


def test_a_model_of_the_catalog_is_sent_by_its_name_alone(recorded: Terminal):
    recorded.run("replay", RUN_ID, "--model", "b")

    assert ("POST", f"runs/{RUN_ID}/replays", {"model": "b"}) in recorded.api.seen


def row(lines: list[str], name: str) -> str:
    (found,) = [line for line in lines if line.startswith(name + " ")]
    return found


def test_laps_that_are_alike_bear_no_mark(terminal: Terminal):
    same = asks(arguments='{ "orderId" :"1042" }')
    lines = replay(terminal, lap(1, "I look it up.", (same,)), call(), lap(2, "It was shipped."))

    assert "≠" not in "\n".join(lines)
    assert row(lines, "lap 2").count("It was shipped.") == 2
    assert sum(line.count('→ getOrder {"orderId": "1042"} ✓') for line in lines) == 2


def test_what_differs_is_named_once(terminal: Terminal):
    other = asks(arguments='{"orderId": "7"}')
    answered = call("error", "There is no record of this call.")
    lines = replay(terminal, lap(1, "Let me see.", (other,)), answered, lap(2, "It was shipped."))

    assert row(lines, "lap 1").endswith("≠ text, → getOrder")
    assert any('→ getOrder {"orderId": "7"} ✗ failed' in line for line in lines)
    assert any('→ getOrder {"orderId": "1042"} ✓' in line for line in lines)
    assert "\n".join(lines).count("≠") == 1


def test_a_call_that_is_asked_for_more_often_is_named_once(terminal: Terminal):
    lines = replay(terminal, lap(1, "I look it up.", (asks(), asks(call=1))), lap(2, "It was shipped."))

    assert row(lines, "lap 1").endswith("≠ → getOrder")
    assert "\n".join(lines).count("≠") == 1


def test_on_a_narrow_terminal_ids_and_marks_are_not_broken():
    long = "01JZK3V9F0Q4T8ABCDEFGHJKMN-123"
    made = [Recorded(Run.read(run(runId=f"{long}{n}")), (read_item(lap(1, "word " * 90)),)) for n in (1, 2)]
    file = io.StringIO()
    console = Console(file=file, width=80, force_terminal=True, color_system=None)

    Screen(out=console).show(*side_by_side(made[0], replace(made[1], items=()), full=False))

    printed = file.getvalue()
    assert all(f"{long}{n}\n" in printed for n in (1, 2))
    assert "≠ the run only" in printed
    assert max(map(len, printed.splitlines())) <= 80


def test_a_lap_of_one_run_alone_says_whose(terminal: Terminal):
    fewer = replay(terminal, lap(1, "I look it up.", (asks(),)))
    more = replay(terminal, *(lap(number, "Hm.") for number in (1, 2, 3)))

    assert row(fewer, "lap 2").endswith("≠ the run only")
    assert row(more, "lap 3").endswith("≠ the replay only")


def test_totals_stand_below_with_the_cached_share(terminal: Terminal):
    usage = {"inputTokens": 1000, "outputTokens": 5, "cachedTokens": 500}
    changes: dict[str, Any] = {"usage": usage, "costUsd": None, "laps": 1, "finishedAt": at(2000)}
    lines = replay(terminal, lap(1, "Shipped."), **changes)

    assert row(lines, "status").split() == ["status", "COMPLETED", "COMPLETED"]
    assert row(lines, "laps").split() == ["laps", "2", "1", "≠"]
    assert row(lines, "calls").split() == ["calls", "1", "1"]
    assert "1,652 tokens in (6% cached), 60 out" in row(lines, "tokens")
    assert "1,000 tokens in (50% cached), 5 out" in row(lines, "tokens")
    assert row(lines, "cost").split() == ["cost", "$0.0042", "unknown", "price"]
    assert row(lines, "took").split() == ["took", "312", "ms", "2.0", "s"]


def test_a_replay_that_failed_says_why_and_the_exit_code_is_1(terminal: Terminal):
    error = {"type": "ModelRejected", "message": "b refuses\ttemperature"}
    terminal.api = ReplayApi(user(), status="FAILED", error=error)

    result = terminal.run("replay", RUN_ID, "--model", "b")

    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert row(lines, "status").split() == ["status", "COMPLETED", "FAILED", "(ModelRejected)", "≠"]
    assert "b refuses temperature" in row(lines, "error")
    assert "no model answered" in row(lines, "model")


def test_both_runs_as_json_are_the_apis_own(recorded: Terminal):
    told = json.loads(recorded.run("replay", RUN_ID, "--model", "b", "--json").stdout)

    assert isinstance(recorded.api, ReplayApi)
    assert told == {
        "original": {"run": run(), "items": recorded.api.steps[0]},
        "replay": {"run": recorded.api.replayed, "items": recorded.api.items},
    }


def test_text_of_models_and_tools_cannot_steer_the_terminal(terminal: Terminal):
    forged = asks(name="get\x1b[2J", arguments='{"a": "\x1b]0;x\x07"}')
    lines = replay(terminal, lap(1, "\x1b[31mred", (forged,), model="m\x1b[2J"))

    assert "\x1b" not in "\n".join(lines)
    assert "\x07" not in "\n".join(lines)


def test_ctrl_c_cancels_the_replay(terminal: Terminal):
    terminal.api = ReplayApi(user(), status="RUNNING")

    def interrupt() -> None:
        raise KeyboardInterrupt

    terminal.on_sleep = interrupt

    result = terminal.run("replay", RUN_ID, "--model", "b")

    assert ("POST", f"runs/{REPLAY_ID}/cancel", {}) in terminal.api.seen
    assert result.exit_code == 130


def test_an_api_without_a_model_is_wrong_use(recorded: Terminal):
    result = recorded.run("replay", RUN_ID, "--api", "converse")

    assert result.exit_code == 2
    assert "--model" in result.stderr
    assert recorded.api.seen == []


def test_a_model_that_nobody_knows_leads_to_the_option_that_names_its_api(recorded: Terminal):
    problems = [{"path": "model", "message": 'Name its API: {"model": …, "api": …}'}]
    recorded.api.refusal = (400, problem(400, "Invalid", "unknown", problems=problems))

    result = recorded.run("replay", RUN_ID, "--model", "other")

    assert result.exit_code == 2
    assert f"`freehold replay {RUN_ID} --model other --api API`" in result.stderr


def test_a_refusal_is_explained(recorded: Terminal):
    recorded.api.refusal = (409, problem(409, "Conflict", "run has not ended"))

    result = recorded.run("replay", RUN_ID, "--model", "b")

    assert result.exit_code == 2
    assert "has not ended" in result.stderr
