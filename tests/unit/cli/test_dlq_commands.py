"""Dead letters on the command line: over HTTP, and with AWS's own access to a stack."""

from __future__ import annotations

import json
from typing import Any

import pytest

from freehold.adapters.dead_letters import SqsDeadLetters
from freehold.values.arrival import Arrival
from freehold_cli.dlq_commands import PORTION
from memory_queues import MemoryQueues, arn_of, url_of

from .conftest import Terminal
from .fake_api import letter

DEAD, ASIDE = url_of("dead-letters"), url_of("aside.fifo")
# Than any moment at which this is run.
LATER = 9_000_000_000_000


@pytest.fixture
def stack(terminal: Terminal) -> Terminal:
    """A stack named `freehold` in the user's account, with a letter of a tenant and one of nobody."""
    terminal.aws.stacks["freehold"] = {"DeadLetters": DEAD, "RequestsDeadLetters": ASIDE}
    bury(terminal, 1, "acme")
    bury(terminal, 1)
    return terminal


def bury(terminal: Terminal, number: int, tenant: str | None = None) -> None:
    letters = SqsDeadLetters(terminal.aws.queues, (DEAD,))
    for _ in range(number):
        message = Arrival(arn_of("orders.fifo"), "m1", '{"agent": "later"}', "AIDA", "order-7", "s1")
        letters.put(message, reason="no agent later", error="NotFound", tenant=tenant)


def test_letters_are_listed_with_their_reasons(terminal: Terminal):
    shown = terminal.run("dlq", "list")

    assert shown.exit_code == 0
    assert all(told in shown.stdout for told in ("d-1", "orders.fifo", "NotFound", "no agent later"))
    assert json.loads(terminal.run("dlq", "list", "--json").stdout)["deadLetters"][0] == letter()


def test_one_is_shown_with_what_it_says_and_nothing_that_a_terminal_acts_on(terminal: Terminal):
    terminal.api.letters[0]["reason"] = "\x1b[2Jbad"

    shown = terminal.run("dlq", "show", "d-1")

    assert '{"agent": "later"}' in shown.stdout
    assert "sender: AROA1:ann" in shown.stdout
    assert "\x1b" not in shown.stdout
    assert terminal.run("dlq", "show", "nowhere").exit_code == 2


def test_some_are_put_back_by_their_ids(terminal: Terminal):
    shown = terminal.run("dlq", "redrive", "d-1", "d-9")

    assert "Put 1 back." in shown.stdout
    assert "Not found: d-9." in shown.stdout
    assert shown.exit_code == 1
    assert terminal.run("dlq", "redrive", "d-2").exit_code == 0


def test_all_are_put_back_as_many_requests_as_it_takes(terminal: Terminal):
    told = json.loads(terminal.run("dlq", "redrive", "--all", "--json").stdout)

    assert told == {"redriven": ["d-1", "d-2"], "missing": [], "failed": []}
    asked = [body for _, path, body in terminal.api.seen if path == "dead-letters/redrive"]
    assert len(asked) == 2
    assert len({each["before"] for each in asked}) == 1


@pytest.mark.parametrize("given", [(), ("d-1", "--all"), tuple(f"d-{number}" for number in range(101))])
def test_what_to_put_back_is_said_in_one_way(given: tuple[str, ...], terminal: Terminal):
    assert terminal.run("dlq", "redrive", *given).exit_code == 2
    assert terminal.api.seen == []


def test_with_a_stack_those_of_nobody_are_there_too(stack: Terminal):
    of = ("--stack", "freehold")

    listed = json.loads(stack.run("dlq", "list", *of, "--json").stdout)["deadLetters"]
    shown = json.loads(stack.run("dlq", "show", "id-1", *of, "--json").stdout)

    assert [each.get("tenant") for each in listed] == ["acme", None]
    assert (shown["tenant"], shown["body"]) == ("acme", '{"agent": "later"}')
    assert stack.run("dlq", "show", "id-9", *of).exit_code == 2
    assert stack.api.seen == []


def test_with_a_stack_letters_are_put_back_into_their_queue(stack: Terminal):
    some = stack.run("dlq", "redrive", "id-2", "id-9", "--stack", "freehold", "--json")
    rest = stack.run("dlq", "redrive", "--all", "--stack", "freehold", "--json")

    assert json.loads(some.stdout) == {"redriven": ["id-2"], "missing": ["id-9"], "failed": []}
    assert json.loads(rest.stdout)["redriven"] == ["id-1"]
    assert len(stack.aws.queues.bodies("orders.fifo")) == 2


def test_a_letter_that_is_refused_again_at_once_is_put_back_once(stack: Terminal):
    class Refused(MemoryQueues):
        """Whose messages are letters again as soon as they are sent."""

        def send_message(self, **given: Any) -> dict[str, str]:
            self.sent += 1
            assert self.sent < 2 * PORTION, "there is no end to it"
            self.began = LATER
            source = {"source": {"DataType": "String", "StringValue": arn_of("orders.fifo")}}
            told = given.get("MessageAttributes", {}) | source
            return super().send_message(**given | {"QueueUrl": DEAD, "MessageAttributes": told})

        sent = 0

    bury(stack, PORTION)
    stack.aws.queues = Refused(queues=stack.aws.queues.queues, ids=stack.aws.queues.ids)

    told = json.loads(stack.run("dlq", "redrive", "--all", "--stack", "freehold", "--json").stdout)

    assert told["redriven"] == [f"id-{number}" for number in range(1, 2 + PORTION + 1)]


def test_with_a_stack_events_stay_and_the_way_back_is_shown(stack: Terminal):
    stack.aws.stacks["freehold"]["IncomingEventsArn"] = arn_of("orders.fifo")

    told = stack.run("dlq", "redrive", "--all", "--stack", "freehold")

    assert "stays: id-1, id-2." in told.stdout
    assert "over HTTP" in told.stdout
    assert stack.aws.queues.bodies("orders.fifo") == []


def test_a_stack_that_is_none_of_freehold_is_refused(terminal: Terminal):
    terminal.aws.stacks["other"] = {}

    result = terminal.run("dlq", "list", "--stack", "other")

    assert result.exit_code == 2
    assert "none of Freehold" in result.stderr
