"""Runs that wait: ask, chat and show tell of them; approvals, approve, deny and result decide."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .conftest import Terminal
from .fake_api import RUN_ID, asks, awaited, call, lap, parked, problem, run, session, user

STEPS: tuple[list[Any], ...] = ([user(), lap(1, "It broke.", (asks("refund", '{"amount": 900}'),))],)


@pytest.fixture
def waiting(terminal: Terminal) -> Terminal:
    """A terminal with a run that waits for approval."""
    terminal.api.steps = STEPS
    terminal.api.ended = parked()
    return terminal


def decisions(terminal: Terminal) -> list[Any]:
    return [body["decisions"] for _, path, body in terminal.api.seen if path.endswith("decisions")]


# -- ask and show


@pytest.mark.parametrize("flags", [(), ("--no-stream",)])
def test_ask_ends_where_somebody_must_decide_and_says_how(waiting: Terminal, flags: tuple[str, ...]):
    result = waiting.run("ask", "support", "hi", *flags)

    assert result.exit_code == 4
    assert '{"amount": 900}' in result.stderr
    assert "t1-l1-c0  refund  an approver decides, until " in result.stderr
    assert f"`freehold approve {RUN_ID} t1-l1-c0` or `freehold deny {RUN_ID} t1-l1-c0`" in result.stderr


def test_ask_as_json_prints_the_run_that_waits(waiting: Terminal):
    result = waiting.run("ask", "support", "hi", "--json")

    assert (json.loads(result.stdout), result.exit_code) == (parked(), 4)


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("confirmation", f"freehold approve {RUN_ID} t1-l1-c0"),
        ("result", f"freehold result {RUN_ID} t1-l1-c0 --body TEXT"),
        ("outcome", f"freehold result {RUN_ID} t1-l1-c0 --body TEXT"),
        ("outcome", f"`freehold deny {RUN_ID} t1-l1-c0` where nobody knows"),
        ("answer", "freehold ask support TEXT --session s-1"),
        ("handback", "freehold sessions hand-back s-1 --note TEXT"),
    ],
)
def test_show_says_what_a_run_waits_for_and_how_to_go_on(waiting: Terminal, kind: str, told: str):
    waiting.api.ended = parked(awaited(kind))

    result = waiting.run("show", RUN_ID)

    assert "AWAITING  until" in result.stdout
    assert told in result.stderr
    assert result.exit_code == 0


def test_what_another_agent_waits_for_is_told_of_the_run_that_waits_for_that(waiting: Terminal):
    waiting.api.ended = parked(awaited("agent"), children=["old-1", "child-1"])
    waiting.api.others = {"child-1": parked(runId="child-1", parent={"runId": RUN_ID, "callId": "t1-l1-c0"})}

    result = waiting.run("ask", "support", "hi")

    assert "run child-1 of support waits:" in result.stderr
    assert "freehold approve child-1 t1-l1-c0" in result.stderr
    assert result.exit_code == 4


def test_show_tells_who_decided_what(terminal: Terminal):
    place = {"runId": RUN_ID, "turn": 1, "by": "key:boss", "callId": "t1-l1-c0"}
    decided = {"kind": "decision", **place, "at": "2026-11-23T12:00:09Z", "lap": 1, "call": 0}
    decided |= {"waitedFor": "approval", "decision": "deny", "comment": "too much"}
    refused = {
        "kind": "refusal",
        **place,
        "at": "2026-11-23T12:00:07Z",
        "decision": "approve",
        "reason": "not yours",
    }
    message = {"kind": "message", **place, "at": "2026-11-23T12:00:08Z", "text": "hello?"}
    answered = call("denied", "No.", decidedBy="key:boss", at="2026-11-23T12:00:09Z")
    terminal.api.steps = ([*STEPS[0], answered, decided, refused, message],)

    lines = terminal.run("show", RUN_ID).stdout

    for told in (
        "key:boss deny, approval of t1-l1-c0",
        "too much",
        "key:boss refused: approve of t1-l1-c0",
        "not yours",
        "hello?",
        "– denied  36 ms, by key:boss",
    ):
        assert told in lines
    # By time, and what was decided before what came of it.
    places = [lines.index(told) for told in ("not yours", "hello?", "too much", "– denied")]
    assert places == sorted(places)


def test_a_session_that_awaits_a_decision_is_explained(terminal: Terminal):
    terminal.api.refusal = (409, problem(409, "SessionBusy", "busy", runId="r-7", awaiting=True))

    result = terminal.run("ask", "support", "hi", "--session", "s-1")

    assert "`freehold show r-7` tells what it waits for" in result.stderr


@pytest.mark.parametrize("flags", [(), ("--no-stream",)])
def test_a_message_behind_a_run_that_waits_is_not_waited_for(terminal: Terminal, flags: tuple[str, ...]):
    terminal.api.steps = ([user()],)
    terminal.api.ended = run("QUEUED")
    terminal.api.sessions[0] = session(activeRunId="ahead-1")
    terminal.api.others = {"ahead-1": parked(runId="ahead-1")}

    asked = terminal.run("ask", "support", "hi", "--session", "s-1", "--enqueue", *flags)
    shown = terminal.run("show", RUN_ID)

    assert asked.exit_code == 4
    assert "QUEUED  behind run ahead-1, which is AWAITING" in (asked.stderr if flags else asked.stdout)
    assert "freehold approve ahead-1 t1-l1-c0" in asked.stderr
    assert "QUEUED  behind run ahead-1" in shown.stdout


def test_a_key_that_only_approves_is_shown_the_run_without_its_steps(waiting: Terminal):
    waiting.api.refused["sessions"] = (403, problem(403, "Denied", "this call needs the scope read or run"))

    result = waiting.run("show", RUN_ID)

    assert result.exit_code == 0
    assert "AWAITING  until" in result.stdout
    assert "the scope `read` or `run`" in result.stderr
    assert f"freehold approve {RUN_ID} t1-l1-c0" in result.stderr


def test_runs_name_those_who_asked_them_and_those_they_asked(waiting: Terminal):
    waiting.api.runs = [run(trigger="agent")]
    waiting.api.ended = run(parent={"runId": "p-1", "callId": "t1-l1-c0"}, children=["child-1"])

    assert "support (asked by an agent)" in waiting.run("runs").stdout
    assert "answers p-1 · asked child-1" in waiting.run("show", RUN_ID).stdout


# -- deciding


def test_approvals_name_each_run_with_a_line_for_each_call(terminal: Terminal):
    lines = terminal.run("approvals", "--agent", "support").stdout.splitlines()

    assert lines[0] == f"run {RUN_ID}"
    assert "support · asked by key:k-1 · until " in lines[1]
    assert lines[2:] == [
        *("  t1-l1-c0  approval  refund", '    {"amount": 900}'),
        *("  t1-l1-c1  confirmation  refund", '    {"amount": 900}'),
    ]
    assert max(map(len, lines)) < 80
    assert ("GET", "approvals", {"agent": "support"}) in terminal.api.seen


@pytest.mark.parametrize("command", ["approve", "deny"])
def test_a_call_is_decided_about_as_it_is_shown(waiting: Terminal, command: str):
    result = waiting.run(command, RUN_ID, "t1-l1-c0", "--comment", "so be it")

    assert decisions(waiting) == [
        [{"callId": "t1-l1-c0", "decision": command, "argumentsDigest": "0" * 64, "comment": "so be it"}]
    ]
    assert '{"amount": 900}' in result.stderr
    assert "because: It broke." in result.stderr
    assert result.stdout.startswith("Decided. The run is RUNNING")


def test_long_arguments_are_shown_whole_before_they_are_approved(waiting: Terminal):
    waiting.api.ended = parked(awaited(arguments="x" * 5_000 + "THE END"))

    assert "THE END" in waiting.run("approve", RUN_ID, "t1-l1-c0").stderr


def test_what_is_shown_cannot_act_on_the_terminal(waiting: Terminal):
    waiting.api.ended = parked(awaited(arguments="\x1b[2Jevil", tool="\x1b[2J", reason="\x1b[2J"))

    assert "\x1b" not in waiting.run("approve", RUN_ID, "t1-l1-c0").stderr


@pytest.mark.parametrize(("typed", "sent", "code"), [("y", 1, 0), ("n", 0, 1), ("", 0, 1)])
def test_on_a_terminal_it_asks_first(waiting: Terminal, typed: str, sent: int, code: int):
    waiting.typed = [typed]

    result = waiting.run("approve", RUN_ID, "t1-l1-c0")

    assert (len(decisions(waiting)), result.exit_code) == (sent, code)


def test_with_yes_it_does_not_ask(waiting: Terminal):
    waiting.typed = []

    assert waiting.run("deny", RUN_ID, "t1-l1-c0", "--yes").exit_code == 0
    assert len(decisions(waiting)) == 1


def test_a_decision_as_json_prints_the_run(waiting: Terminal):
    assert json.loads(waiting.run("approve", RUN_ID, "t1-l1-c0", "--json").stdout) == run("RUNNING")


def test_a_call_that_does_not_wait_is_wrong_use_and_sends_nothing(waiting: Terminal):
    result = waiting.run("approve", RUN_ID, "t1-l1-c7")

    assert (result.exit_code, decisions(waiting)) == (2, [])
    assert "It waits for: t1-l1-c0." in result.stderr


def test_a_call_that_was_decided_already_is_told_with_who_did_it(terminal: Terminal):
    decided = {
        "kind": "decision",
        "runId": RUN_ID,
        "turn": 1,
        "at": "1",
        "by": "key:boss",
        "lap": 1,
        "call": 0,
    }
    decided |= {"callId": "t1-l1-c0", "waitedFor": "approval", "decision": "approve"}
    terminal.api.steps = ([*STEPS[0], decided],)

    result = terminal.run("approve", RUN_ID, "t1-l1-c0")

    assert (result.exit_code, decisions(terminal)) == (2, [])
    assert "call t1-l1-c0 was decided already: approve by key:boss" in result.stderr


def test_who_may_not_decide_is_told_why_and_nothing_of_keys(waiting: Terminal):
    waiting.api.refused["decisions"] = (403, problem(403, "Denied", "only the user who asked may confirm"))

    result = waiting.run("approve", RUN_ID, "t1-l1-c0")

    assert result.exit_code == 2
    assert "error: only the user who asked may confirm\n" in result.stderr
    assert "key was not accepted" not in result.stderr


# -- results


def sent_result(terminal: Terminal) -> Any:
    ((decision,),) = decisions(terminal)
    assert decision["decision"] == "result"
    return decision["result"]


def test_a_result_is_given_as_text_or_as_a_file(waiting: Terminal, tmp_path: Path):
    waiting.api.ended = parked(awaited("result"))
    (tmp_path / "order.json").write_text('{"a": "ü"}')

    waiting.run("result", RUN_ID, "t1-l1-c0", "--file", str(tmp_path / "order.json"))
    assert sent_result(waiting) == {"body": '{"a": "ü"}'}

    waiting.api.seen.clear()
    waiting.api.ended = parked(awaited("result"))
    waiting.run("result", RUN_ID, "t1-l1-c0", "--body", "gone", "--failure")
    assert sent_result(waiting) == {"body": "gone", "state": "failure"}


def test_a_large_result_is_uploaded_and_the_key_goes_nowhere_else(waiting: Terminal, tmp_path: Path):
    waiting.api.ended = parked(awaited("result"))
    (tmp_path / "large.txt").write_bytes(b"x" * 1_000_001)

    result = waiting.run("result", RUN_ID, "t1-l1-c0", "--file", str(tmp_path / "large.txt"))

    assert result.exit_code == 0, result.stderr
    assert waiting.api.uploaded == {"/u-1": b"x" * 1_000_001}
    assert sent_result(waiting) == {"uploadId": "u-1"}


def test_a_result_may_come_from_standard_input(waiting: Terminal):
    waiting.api.ended = parked(awaited("result"))

    waiting.run("result", RUN_ID, "t1-l1-c0", "--file", "-", stdin='{"a": "ü"}')

    assert sent_result(waiting) == {"body": '{"a": "ü"}'}


@pytest.mark.parametrize(
    "given",
    [
        (),
        ("--body", "a", "--file", "b"),
        ("--file", "none.txt"),
        ("--file", "bad.txt"),
        ("--file", "big.txt"),
    ],
)
def test_a_result_that_cannot_be_sent_is_wrong_use(waiting: Terminal, tmp_path: Path, given: tuple[str, ...]):
    (tmp_path / "bad.txt").write_bytes(b"ab\xff")
    with (tmp_path / "big.txt").open("wb") as big:
        big.truncate(20_000_001)
    options = [str(tmp_path / each) if each.endswith(".txt") else each for each in given]

    result = waiting.run("result", RUN_ID, "t1-l1-c0", *options)

    assert (result.exit_code, decisions(waiting)) == (2, [])


# -- sessions


def test_a_session_is_handed_back_with_a_note(terminal: Terminal):
    result = terminal.run("sessions", "hand-back", "s-1", "--note", "Refunded.")

    assert ("POST", "sessions/s-1/hand-back", {"note": "Refunded."}) in terminal.api.seen
    assert result.stdout == "Handed s-1 back to support.\n"


def test_a_session_in_the_hands_of_a_person_says_so(terminal: Terminal):
    handed = {"reason": "a dispute", "summary": "refund of 900", "since": "", "runId": RUN_ID}
    terminal.api.sessions[0] = session(escalation=handed, activeRunId=RUN_ID)

    shown, listed = terminal.run("sessions", "show", "s-1").stdout, terminal.run("sessions", "list").stdout

    assert "because: a dispute" in shown
    assert "summary: refund of 900" in shown
    assert f"with a person, run {RUN_ID}" in listed


def test_a_session_whose_run_waits_says_so(terminal: Terminal):
    terminal.api.sessions[0] = session(activeRunId=RUN_ID)
    terminal.api.others = {"01JZFAKE-2": parked(runId="01JZFAKE-2")}

    assert "waits, run 01JZFAKE-2" in terminal.run("sessions", "list").stdout


# -- chat


@pytest.mark.parametrize(("typed", "decision"), [("y", "approve"), ("n", "deny")])
def test_chat_asks_what_the_user_has_to_confirm_and_goes_on(waiting: Terminal, typed: str, decision: str):
    waiting.api.ended = parked(awaited("confirmation"))
    waiting.typed = ["refund it", typed, "exit"]

    result = waiting.run("chat", "support")

    ((sent,),) = decisions(waiting)
    assert (sent["callId"], sent["decision"]) == ("t1-l1-c0", decision)
    assert "It was shipped." in result.stdout
    # What was on the screen before is not told again.
    assert result.stdout.count('refund {"amount": 900}') == 1


def test_chat_asks_for_one_confirmation_after_the_other(waiting: Terminal):
    waiting.api.ended = parked(awaited("confirmation"), awaited("confirmation", 1))
    waiting.api.after = [parked(awaited("confirmation", 1)), parked(awaited("approval", 2))]
    waiting.typed = ["refund it", "y", "n", "exit"]

    result = waiting.run("chat", "support")

    sent = [(each["callId"], each["decision"]) for (each,) in decisions(waiting)]
    assert sent == [("t1-l1-c0", "approve"), ("t1-l1-c1", "deny")]
    assert f"freehold approve {RUN_ID} t1-l1-c2" in result.stderr


def test_the_next_message_of_a_chat_answers_a_question(waiting: Terminal):
    waiting.api.ended = parked(awaited("answer", question="Which order?"))
    waiting.typed = ["refund it", "order 7", "exit"]

    result = waiting.run("chat", "support")

    assert "Which order?" in result.stderr
    sent = [body for _, path, body in waiting.api.seen if path == "agents/support/runs"]
    assert sent == [{"input": "refund it"}, {"input": "order 7", "sessionId": "s-1"}]


def test_a_chat_from_a_pipe_asks_nobody_and_ends_with_4_where_its_last_run_waits(waiting: Terminal):
    waiting.api.ended = parked(awaited("confirmation"))
    waiting.piped = ["refund it"]

    result = waiting.run("chat", "support")

    assert (result.exit_code, decisions(waiting)) == (4, [])
