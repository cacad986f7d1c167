"""ask, chat, runs, show and cancel."""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import UTC, datetime
from pathlib import Path

import pytest

from .conftest import Terminal
from .fake_api import asks, call, discarded, lap, problem, run, user


def test_ask_prints_each_step_and_what_it_took(terminal: Terminal):
    result = terminal.run("ask", "support", "Where is order 1042?")

    for told in (
        "you    Where is order 1042?",
        "a-model, lap 1 · 41 ms · 812 tokens in, 24 out · $0.0021",
        '→ getOrder {"orderId": "1042"}',
        "getOrder ✓  36 ms",
        '{"status": "shipped"}',
        "COMPLETED  312 ms · 2 laps · 1 tool call · 1,652 tokens in (6% cached), 60 out · $0.0042",
        "session s-1",
    ):
        assert told in result.stdout
    assert result.exit_code == 0


def test_ask_tells_the_answer_once(terminal: Terminal):
    assert terminal.run("ask", "support", "hi").stdout.count("It was shipped.") == 1


def test_ask_without_steps_prints_the_answer_and_nothing_else(terminal: Terminal):
    result = terminal.run("ask", "support", "hi", "--no-stream")

    assert (result.stdout, result.exit_code) == ("It was shipped.\n", 0)


def test_ask_as_json_prints_the_run_and_nothing_else(terminal: Terminal):
    result = terminal.run("ask", "support", "hi", "--json")

    assert json.loads(result.stdout) == run()


def test_ask_sends_session_and_alias(terminal: Terminal):
    terminal.run("ask", "support", "hi", "--session", "s-7", "--alias", "live")

    assert (
        "POST",
        "agents/support/runs",
        {"input": "hi", "sessionId": "s-7", "alias": "live"},
    ) in terminal.api.seen


def test_ask_can_wait_its_turn(terminal: Terminal):
    terminal.run("ask", "support", "hi", "--session", "s-7", "--enqueue")

    sent = {"input": "hi", "sessionId": "s-7", "whenBusy": "enqueue"}
    assert ("POST", "agents/support/runs", sent) in terminal.api.seen


def test_ask_sends_images_as_they_are_in_their_files(terminal: Terminal, tmp_path: Path):
    for name in ("a.png", "b.jpg"):
        (tmp_path / name).write_bytes(name.encode())
    files = [option for name in ("a.png", "b.jpg") for option in ("--image", str(tmp_path / name))]

    terminal.run("ask", "support", "hi", *files)

    images = [{"data": b64encode(name.encode()).decode()} for name in ("a.png", "b.jpg")]
    assert ("POST", "agents/support/runs", {"input": "hi", "images": images}) in terminal.api.seen


def test_an_image_that_cannot_be_read_is_wrong_use_and_sends_nothing(terminal: Terminal, tmp_path: Path):
    result = terminal.run("ask", "support", "hi", "--image", str(tmp_path / "none.png"))

    assert result.exit_code == 2
    assert "none.png" in result.stderr
    assert terminal.api.seen == []


def test_an_image_that_is_too_large_is_wrong_use_and_sends_nothing(terminal: Terminal, tmp_path: Path):
    (tmp_path / "big.png").write_bytes(b"x" * 3_750_001)

    result = terminal.run("ask", "support", "hi", "--image", str(tmp_path / "big.png"))

    assert (result.exit_code, terminal.api.seen) == (2, [])
    assert "3,750,000" in result.stderr


def test_a_model_that_took_over_says_from_which_and_why(terminal: Terminal):
    taken_over = lap(1, "Hello.", fallback={"after": "first-model", "error": "ModelThrottled"})
    terminal.api.steps = ([user() | {"images": ["png", "gif"]}, taken_over],)

    result = terminal.run("ask", "support", "hi")

    assert "a-model, lap 1 · instead of first-model (ModelThrottled) ·" in result.stdout
    assert "with 2 images" in result.stdout


@pytest.mark.parametrize("status", ["FAILED", "STOPPED", "CANCELLED"])
def test_a_run_that_does_not_complete_is_exit_code_1(terminal: Terminal, status: str):
    terminal.api.ended = run(
        status, stopReason="maxLaps", error={"type": "ModelRejected", "message": "too long"}
    )

    result = terminal.run("ask", "support", "hi")

    assert result.exit_code == 1
    assert f"{status} (maxLaps)" in result.stdout
    assert "ModelRejected: too long" in result.stdout


def test_why_a_run_failed_goes_to_standard_error_where_only_the_answer_is_asked_for(terminal: Terminal):
    terminal.api.ended = run("FAILED", output=None, error={"type": "ModelRejected", "message": "too long"})

    result = terminal.run("ask", "support", "hi", "--no-stream")

    assert "ModelRejected" in result.stderr
    assert "ModelRejected" not in result.stdout


def test_a_price_that_nobody_knows_is_not_nothing(terminal: Terminal):
    terminal.api.steps = ([user(), lap(1, "Hello.", costUsd=None)],)
    terminal.api.ended = run(costUsd=None)

    assert terminal.run("ask", "support", "hi").stdout.count("unknown price") == 2


def test_what_costs_nothing_says_so(terminal: Terminal):
    terminal.api.steps = ([user(), lap(1, "Hello.", costUsd=0)],)
    terminal.api.ended = run(costUsd=0)

    assert terminal.run("ask", "support", "hi").stdout.count("$0\n") == 2


def test_text_is_never_taken_for_markup(terminal: Terminal):
    terminal.api.steps = ([user("[bold]hi[/nope]"), lap(1, "[red]no[/red] :smile:", (asks("[x]", "[/y]"),))],)

    printed = terminal.run("ask", "support", "[bold]hi[/nope]").stdout

    assert "[bold]hi[/nope]" in printed
    assert "[red]no[/red] :smile:" in printed
    assert "→ [x] [/y]" in printed


def test_what_a_tool_answers_cannot_act_on_the_terminal(terminal: Terminal):
    attack = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202eevil"
    terminal.api.steps = ([user(), lap(1, attack, (asks(attack, attack),)), call(result=attack)],)
    terminal.api.ended = run(output=attack)

    for flags in ((), ("--no-stream",), ("--json",)):
        printed = terminal.run("ask", "support", "hi", *flags).stdout
        assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(printed)
        assert "evil" in printed


def test_half_a_surrogate_pair_is_printed_as_something(terminal: Terminal):
    terminal.api.steps = ([user(), lap(1, "\ud83d oh")],)

    assert "<U+D83D> oh" in terminal.run("ask", "support", "hi").stdout


def test_ctrl_c_cancels_the_run(terminal: Terminal):
    def interrupt() -> None:
        raise KeyboardInterrupt

    terminal.on_sleep = interrupt
    result = terminal.run("ask", "support", "hi")

    assert result.exit_code == 130
    assert terminal.api.seen[-1][:2] == ("POST", "runs/01JZFAKE-1/cancel")


def test_a_session_that_is_busy_is_explained(terminal: Terminal):
    terminal.api.refusal = (409, problem(409, "SessionBusy", "the session is busy with run r-7", runId="r-7"))

    result = terminal.run("ask", "support", "hi", "--session", "s-1")

    assert "freehold cancel r-7" in result.stderr
    assert "--enqueue" in result.stderr
    assert result.exit_code == 2


def test_show_cuts_long_results_at_a_marked_place_unless_asked_for_all(terminal: Terminal):
    terminal.api.steps = ([user(), lap(1, "", (asks(),)), call(result="x" * 1000 + "THE END")],)

    cut = terminal.run("show", "01JZFAKE-1")
    full = terminal.run("show", "01JZFAKE-1", "--full")

    assert "[…] 607 more characters (`show RUN --full`)" in cut.stdout
    assert "THE END" not in cut.stdout
    assert "THE END" in full.stdout


def test_show_prints_every_kind_of_step(terminal: Terminal):
    late = {
        "kind": "late",
        "runId": "01JZFAKE-1",
        "turn": 1,
        "at": "",
        "lap": 1,
        "call": 0,
        "result": "at last",
    }
    unheard = {"kind": "omen", "runId": "01JZFAKE-1", "turn": 1, "at": ""}
    laps = [lap(1, "Hm.", (asks(refused="no such tool"),), attempt=2), discarded()]
    calls = [
        call(each, tool=f"tool-{each}", call=index)
        for index, each in enumerate(("success", "error", "unknown"))
    ]
    calls += [
        call("cancelled", tool="tool-cancelled", call=3),
        call("started", None, tool="tool-started", call=4),
    ]
    terminal.api.steps = ([user(), *laps, *calls, late, unheard],)

    printed = terminal.run("show", "01JZFAKE-1").stdout

    for told in (
        "refused: no such tool",
        "attempt 3",
        "a second reply, not used",
        "tool-success ✓",
        "tool-error ✗ failed",
        "tool-unknown ? outcome unknown",
        "tool-cancelled – cancelled",
        "tool-started … started, no result yet",
        "a late answer to call 1 of lap 1",
        "at last",
        "does not know: omen",
    ):
        assert told in printed


def test_show_as_json_holds_the_run_and_its_items(terminal: Terminal):
    shown = json.loads(terminal.run("show", "01JZFAKE-1", "--json").stdout)

    assert shown["run"]["runId"] == "01JZFAKE-1"
    assert [item["kind"] for item in shown["items"]] == ["user"]


def test_runs_are_a_table_in_which_only_ended_runs_have_figures(terminal: Terminal):
    lines = terminal.run("runs").stdout.splitlines()

    assert "COMPLETED" in lines[1]
    assert "$0.0042" in lines[1]
    assert "RUNNING" in lines[2]
    assert "unknown price" not in lines[2]


def test_replays_are_marked_among_the_runs(terminal: Terminal):
    terminal.api.runs = [run(replays="01JZFAKE-9"), run()]

    lines = terminal.run("runs").stdout.splitlines()

    assert ["support (replay)" in line for line in lines] == [False, True, False]


def test_runs_as_json_are_the_apis_shape_and_at_most_the_limit(terminal: Terminal):
    result = terminal.run("runs", "--limit", "1", "--json")

    assert json.loads(result.stdout) == {"runs": [run()]}


def test_cancel_says_when_it_takes_effect(terminal: Terminal):
    result = terminal.run("cancel", "01JZFAKE-1")

    assert "before its next step" in result.stdout
    assert result.exit_code == 0


@pytest.mark.parametrize(
    ("status", "told"),
    [("CANCELLED", "It is cancelled.\n"), ("COMPLETED", "It had ended before: COMPLETED.\n")],
)
def test_cancel_tells_a_run_that_is_cancelled_from_one_that_had_ended(
    terminal: Terminal, status: str, told: str
):
    terminal.api.cancelled = run(status)

    assert terminal.run("cancel", "01JZFAKE-1").stdout == told


def test_chat_goes_on_in_one_session_until_exit(terminal: Terminal):
    terminal.typed = ["hello", "", "and again", "exit", "never sent"]

    result = terminal.run("chat", "support")

    sent = [body for method, _, body in terminal.api.seen if method == "POST"]
    assert sent == [{"input": "hello"}, {"input": "and again", "sessionId": "s-1"}]
    assert result.exit_code == 0


def test_chat_survives_a_message_that_is_refused(terminal: Terminal):
    terminal.typed = ["hello", "exit"]
    terminal.api.refusal = (400, problem(400, "Invalid", "too long"))

    result = terminal.run("chat", "support")

    assert "too long" in result.stderr
    assert result.exit_code == 0


def test_chat_from_a_pipe_is_exit_code_1_if_any_run_failed(terminal: Terminal):
    terminal.piped = ["one", "two"]
    terminal.api.ended = run("FAILED")

    assert terminal.run("chat", "support").exit_code == 1


def test_chat_as_json_prints_one_document_for_each_answer(terminal: Terminal):
    terminal.piped = ["one", "two"]

    printed = terminal.run("chat", "support", "--json").stdout

    first, end = json.JSONDecoder().raw_decode(printed)
    assert first == json.loads(printed[end:]) == run()


def test_ctrl_c_ends_a_chat(terminal: Terminal):
    terminal.typed = [KeyboardInterrupt()]

    assert terminal.run("chat", "support").exit_code == 130


def test_runs_of_a_time_are_asked_for_with_its_zone(terminal: Terminal):
    result = terminal.run("runs", "--after", "2026-11-25T12:00:00Z", "--before", "2026-11-26", "--json")

    assert result.exit_code == 0
    _, _, query = terminal.api.seen[-1]
    assert datetime.fromisoformat(query["createdAfter"]) == datetime(2026, 11, 25, 12, tzinfo=UTC)
    assert datetime.fromisoformat(query["createdBefore"]) == datetime(2026, 11, 26).astimezone()


def test_what_is_no_time_is_wrong_use(terminal: Terminal):
    assert terminal.run("runs", "--after", "yesterday").exit_code == 2
