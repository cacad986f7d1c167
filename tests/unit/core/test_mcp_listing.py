from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from freehold.errors import Invalid, OutcomeUnknown, ToolFailed, ToolThrottled, ToolUnavailable
from freehold.mcp_listing import SECONDS_EACH, SECONDS_IN_ALL, Listings, answer
from freehold.values.agent import Auth, Server

SERVER = Server("https://docs.example.com/mcp", Auth("oauth2", "crm", scopes=("read",)), ("id.example.com",))
TOOLS = [{"name": "search", "inputSchema": {"type": "object"}}]


@dataclass
class Client:
    """Of MCP servers: lists what it is given, or refuses."""

    tells: Any = field(default_factory=lambda: TOOLS)
    asked: list[tuple[Server, str, float]] = field(default_factory=list)

    def tools(self, server: Server, *, tenant: str, timeout_seconds: float) -> Sequence[Mapping[str, Any]]:
        self.asked.append((server, tenant, timeout_seconds))
        if isinstance(self.tells, Exception):
            raise self.tells
        return self.tells


@dataclass
class Lambda:
    """`Tools`, whose function answers by `client`; each call takes some seconds."""

    client: Client = field(default_factory=Client)
    error: Exception | None = None
    seconds: float = 0
    clock: float = 100
    timeouts: list[int] = field(default_factory=list)

    def invoke(self, arn: str, event: Mapping[str, Any], *, timeout_seconds: int) -> Any:
        assert arn == "run-mcp-tool"
        self.clock += self.seconds
        self.timeouts.append(timeout_seconds)
        if self.error:
            raise self.error
        return answer(event, self.client, remaining_ms=60_000)

    def listings(self) -> Listings:
        return Listings(self, "run-mcp-tool", "acme", lambda: self.clock)


def test_the_question_reaches_the_client_as_it_was_asked():
    given = Lambda()

    assert given.listings().tools(SERVER) == TOOLS
    assert given.client.asked == [(SERVER, "acme", SECONDS_EACH)]


def test_a_server_that_needs_no_credentials_is_asked_without():
    given = Lambda()

    given.listings().tools(Server("https://docs.example.com/mcp"))

    assert given.client.asked[0][0] == Server("https://docs.example.com/mcp")


@pytest.mark.parametrize("error", [ToolFailed, ToolThrottled, ToolUnavailable])
def test_what_is_wrong_with_a_server_is_told_to_whoever_applies_the_agent(error: type[ToolFailed]):
    given = Lambda(Client(error("the MCP server docs.example.com is closed", words="on Sundays")))

    with pytest.raises(Invalid, match=r"docs\.example\.com is closed: on Sundays"):
        given.listings().tools(SERVER)


@pytest.mark.parametrize("error", [OutcomeUnknown, ToolFailed, ToolThrottled, ToolUnavailable])
def test_a_function_that_does_not_answer_is_no_fault_of_the_api(error: type[ToolFailed]):
    given = Lambda(error=error("the answer was lost", words="arn:aws:iam::1:role/x"))

    with pytest.raises(Invalid, match=r"the answer was lost$"):
        given.listings().tools(SERVER)


def test_all_servers_of_an_agent_share_one_time():
    given = Lambda(seconds=SECONDS_EACH - 1)
    listings = given.listings()

    for _ in range(2):
        listings.tools(SERVER)
    with pytest.raises(Invalid, match="together"):
        listings.tools(SERVER)

    assert given.timeouts == [SECONDS_EACH, SECONDS_IN_ALL - SECONDS_EACH + 1]


def test_the_function_answers_before_its_own_time_is_over():
    client = Client()
    asked = {"url": SERVER.url, "auth": None, "hosts": [], "tenant": "acme", "timeout_seconds": 10}

    answer({"list": asked}, client, remaining_ms=5_000)

    assert client.asked[0][2] == 3
