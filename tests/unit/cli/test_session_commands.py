"""sessions, memory and erase: what is read, and what is asked before it is erased."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .conftest import Terminal
from .fake_api import NOTHING, at, erasure, lap, problem, remembered, session, user

DESTRUCTIVE: dict[str, tuple[list[str], tuple[str, str, dict[str, Any]]]] = {
    "session": (["sessions", "delete", "s-1"], ("DELETE", "sessions/s-1", {})),
    "memory": (
        ["memory", "delete", "support", "customer-7"],
        ("DELETE", "agents/support/memories/customer-7", {}),
    ),
    "one session's memory": (
        ["memory", "delete", "support", "customer-7", "--session", "s-1"],
        ("DELETE", "agents/support/memories/customer-7", {"sessionId": "s-1"}),
    ),
    "everything": (
        ["memory", "delete", "support", "customer-7", "--everything"],
        ("POST", "erasures", {"agent": "support", "memoryId": "customer-7"}),
    ),
    "principal": (["erase", "key:k-1"], ("POST", "erasures", {"principal": "key:k-1"})),
}


def test_sessions_are_a_table_that_tells_what_each_is_at(terminal: Terminal):
    lines = terminal.run(
        "sessions", "list", "--agent", "support", "--memory", "customer-7"
    ).stdout.splitlines()

    assert [line.split()[0] for line in lines] == ["session", "s-1", "s-2", "s-3"]
    assert "customer-7" in lines[1]
    assert "answering, run 01JZFAKE-2" in lines[2]
    assert "closed" in lines[3]
    assert terminal.api.seen[0] == ("GET", "sessions", {"agent": "support", "memoryId": "customer-7"})


def test_lists_as_json_are_the_apis_shape_and_at_most_the_limit(terminal: Terminal):
    sessions = json.loads(terminal.run("sessions", "list", "--limit", "2", "--json").stdout)
    memories = json.loads(terminal.run("memory", "list", "support", "--limit", "1", "--json").stdout)

    assert sessions == {"sessions": terminal.api.sessions[:2]}
    assert [each["memoryId"] for each in memories["memories"]] == ["customer-7"]


def test_empty_lists_say_how_one_begins(terminal: Terminal):
    terminal.api.sessions, terminal.api.memory = [], []

    assert "freehold ask" in terminal.run("sessions", "list").stdout
    assert "--memory ID" in terminal.run("memory", "list", "support").stdout


def test_a_session_is_shown_run_by_run(terminal: Terminal):
    second = {"runId": "01JZFAKE-9", "turn": 2, "at": at(9000)}
    terminal.api.steps = ([user(), lap(1, "It was shipped."), user("Thanks!") | second],)

    printed = terminal.run("sessions", "show", "s-1").stdout

    assert "support, live (version 3) · 2 turns · memory customer-7" in printed
    assert "tier: gold" in printed
    assert (
        printed.index("run 01JZFAKE-1") < printed.index("It was shipped.") < printed.index("run 01JZFAKE-9")
    )
    assert "   0.00 s  you    Thanks!" in printed


def test_a_session_as_json_holds_its_items(terminal: Terminal):
    shown = json.loads(terminal.run("sessions", "show", "s-1", "--json").stdout)

    assert shown["session"] == terminal.api.sessions[0]
    assert [item["kind"] for item in shown["items"]] == ["user"]


def test_a_session_that_is_closed_says_that_its_summary_is_still_being_made(terminal: Terminal):
    result = terminal.run("sessions", "end", "s-1")

    assert "Closed s-1. Its summary is being finished." in result.stdout
    assert terminal.api.seen == [("POST", "sessions/s-1/end", {})]


def test_a_memory_is_shown_session_by_session(terminal: Terminal):
    printed = terminal.run("memory", "show", "support", "customer-7").stdout

    for told in (
        "memory customer-7 of support",
        "topic   order 1042",
        "open    the refund",
        "prefers short answers",
    ):
        assert told in printed
    took, second = printed.index("700 tokens in, 30 out · $0.0015"), printed.index("session s-2 ·")
    assert took < second < printed.index("not summed up yet")


def test_a_session_that_nothing_was_noted_of_is_told_from_one_that_is_still_to_be_summed_up(
    terminal: Terminal,
):
    terminal.api.memory = [remembered(topics=[], openPoints=[], preferences=[])]
    assert "nothing to note" in terminal.run("memory", "show", "support", "customer-7").stdout

    terminal.api.memory = [remembered(), remembered("s-2", turns=0)]
    lines = terminal.run("memory", "list", "support").stdout.splitlines()

    assert ["not summed up yet" in line for line in lines] == [False, False, True]


def test_a_memory_that_is_not_there_leads_to_those_that_are(terminal: Terminal):
    result = terminal.run("memory", "show", "support", "nobody")

    assert result.exit_code == 2
    assert "`freehold memory list support`" in result.stderr
    assert "freehold runs" not in result.stderr


def test_a_replays_session_is_told_from_one_that_somebody_closed(terminal: Terminal):
    terminal.api.sessions = [session("s-4", replay=True, endedAt=at(0)), session("s-3", endedAt=at(9))]

    lines = terminal.run("sessions", "list").stdout.splitlines()

    assert lines[1].endswith("a replay")
    assert lines[2].endswith("closed")


def test_what_is_remembered_cannot_act_on_the_terminal(terminal: Terminal):
    terminal.api.memory[0] |= {"topics": ["\x1b[2J[bold]evil"], "sessionId": "\x1b]0;x\x07"}

    for flags in ((), ("--json",)):
        printed = terminal.run("memory", "show", "support", "customer-7", *flags).stdout
        assert not {"\x1b", "\x07"} & set(printed)
        assert "[bold]evil" in printed


@pytest.mark.parametrize("name", DESTRUCTIVE)
def test_without_a_terminal_nothing_is_erased_unless_it_is_said(terminal: Terminal, name: str):
    command, request = DESTRUCTIVE[name]

    refused = terminal.run(*command)
    asked_for_json = terminal.run(*command, "--json")

    assert (refused.exit_code, asked_for_json.exit_code, terminal.api.seen) == (2, 2, [])
    assert "--yes" in refused.stderr

    done = terminal.run(*command, "--yes")

    assert done.exit_code == 0
    assert terminal.api.seen == [request]
    assert "Erased 1 session: 2 runs, 9 items, 0 objects, 1 summary." in done.stdout


@pytest.mark.parametrize("name", DESTRUCTIVE)
def test_on_a_terminal_only_a_yes_erases(terminal: Terminal, name: str):
    command, request = DESTRUCTIVE[name]
    for answers in ([], ["n"], [""], ["yesterday"]):
        terminal.typed = list(answers)
        assert terminal.run(*command).exit_code == 1
    assert terminal.api.seen == []

    terminal.typed = ["Yes"]

    assert terminal.run(*command).exit_code == 0
    assert terminal.api.seen == [request]


def test_one_session_and_everything_is_a_contradiction(terminal: Terminal):
    result = terminal.run("memory", "delete", "support", "c", "--session", "s-1", "--everything", "--yes")

    assert (result.exit_code, terminal.api.seen) == (2, [])


def test_an_erasure_goes_on_until_all_is_gone_and_tells_the_sum(terminal: Terminal):
    terminal.api.erasures = [erasure(complete=False, sessions=3, objects=2), erasure(sessions=4, runs=1)]

    result = terminal.run("erase", "key:k-1", "--yes", "--json")

    assert json.loads(result.stdout) == erasure(sessions=7, objects=2, runs=1)
    assert result.exit_code == 0


def test_runs_at_work_end_an_erasure_with_exit_code_1(terminal: Terminal):
    left = erasure(complete=False, busy=("r-7",))
    terminal.api.erasures = [left | {"erased": NOTHING | {"sessions": 3}}, left]

    result = terminal.run("erase", "key:k-1", "--yes")

    assert result.exit_code == 1
    assert "Erased 3 sessions" in result.stdout
    assert "freehold cancel r-7" in result.stderr
    assert "Not everything is erased yet. Run the same command again." in result.stderr


def test_a_session_that_is_busy_is_not_erased(terminal: Terminal):
    terminal.api.refusal = (409, problem(409, "SessionBusy", "the session is busy with run r-7", runId="r-7"))

    result = terminal.run("sessions", "delete", "s-1", "--yes")

    assert result.exit_code == 2
    assert "freehold cancel r-7" in result.stderr


@pytest.mark.parametrize("command", [["ask", "support", "hi"], ["chat", "support"]])
def test_a_memory_is_named_with_the_message(terminal: Terminal, command: list[str]):
    terminal.piped = ["hi"]

    terminal.run(*command, "--memory", "customer-7")

    assert ("POST", "agents/support/runs", {"input": "hi", "memoryId": "customer-7"}) in terminal.api.seen
