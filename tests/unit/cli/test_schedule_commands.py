"""freehold schedule: what is sent, and what is told."""

from __future__ import annotations

import json

from .conftest import Terminal


def test_a_schedule_is_added_with_what_was_given_and_nothing_else(terminal: Terminal):
    added = terminal.run("schedule", "add", "support", "rate(1 day)", "Report.")
    zoned = terminal.run(
        *("schedule", "add", "support", "cron(0 8 ? * MON *)", "Report.", "--json"),
        *("--time-zone", "Europe/Berlin", "--alias", "live", "--session", "s", "--memory", "m"),
    )

    assert added.stdout == "Added 5f0a: support at rate(1 day), UTC.\n"
    plain = {"agent": "support", "schedule": "rate(1 day)", "input": "Report."}
    assert terminal.api.seen[0] == ("POST", "schedules", plain)
    more = {"timeZone": "Europe/Berlin", "alias": "live", "sessionId": "s", "memoryId": "m"}
    assert terminal.api.seen[1] == ("POST", "schedules", plain | {"schedule": "cron(0 8 ? * MON *)"} | more)
    assert json.loads(zoned.stdout)["timeZone"] == "Europe/Berlin"


def test_schedules_are_a_table_that_tells_who_added_each(terminal: Terminal):
    head, row, lost = terminal.run("schedule", "list").stdout.splitlines()

    assert head.split()[0] == "schedule"
    assert "rate(1 day)" in row
    assert row.endswith("key:k-1, in the agent")
    assert lost.endswith("key:k-1, in the agent, not armed")


def test_a_schedule_is_shown_with_what_it_asks(terminal: Terminal):
    assert terminal.run("schedule", "show", "5f0a").stdout.splitlines()[-1] == "Report."


def test_a_schedule_is_removed_by_its_id(terminal: Terminal):
    assert terminal.run("schedule", "remove", "5f0a").stdout == "Removed 5f0a.\n"
    assert terminal.api.seen[0][:2] == ("DELETE", "schedules/5f0a")
