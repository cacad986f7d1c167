"""Tools of a real MCP server, through the SDK's client and the product's own way out."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterator
from functools import partial
from threading import Event
from typing import Any

import pytest
from starlette.responses import JSONResponse, Response, StreamingResponse

from freehold.adapters.egress import Pinned, Target, pinned
from freehold.adapters.mcp_tools import McpClient
from freehold.adapters.tool_auth import Asked, Credentials
from freehold.errors import FreeholdError, OutcomeUnknown, ToolFailed, ToolThrottled, ToolUnavailable
from freehold.mcp_messages import digest
from freehold.values.agent import Auth, Server
from freehold.values.tool import Answer
from https_server import HttpsServer, reply, trusted
from mcp_server import Heard, McpServer, refused_port, text, tool


class Badge:
    """Credentials that are one header, and another one once they were renewed."""

    def __init__(self, error: FreeholdError | None = None, *, renews: bool = False) -> None:
        self.error, self.renews, self.number = error, renews, 1

    def credentials(self, server: Server, tenant: str, request: Asked, *, deadline: float) -> Credentials:
        if self.error:
            raise self.error
        if server.auth is None:
            return Credentials()
        badge = f"badge-{self.number}-of-{tenant}"
        return Credentials((("Authorization", f"Bearer {badge}"),), secrets=(badge,))

    def renew(self, auth: Auth | None, tenant: str) -> bool:
        self.number += 1
        return self.renews


here: Pinned = partial(pinned, loopback=True)


def client(pinned: Pinned = here, auth: Badge | None = None) -> McpClient:
    return McpClient(pinned, auth or Badge())


def call(server: McpServer, *, url: str = "", seconds: float = 20, **changes: Any) -> Answer:
    given = {"name": "echo", "pin": digest(tool()), "arguments": {"text": "hello"}} | changes
    using = given.pop("client", None) or client()
    auth = given.pop("auth", None)
    return using.call(
        Server(url or server.url, auth),
        **given,
        tenant="acme",
        idempotency_key="C1-1-1-0",
        timeout_seconds=seconds,
    )


@pytest.fixture(scope="module")
def listening() -> Iterator[McpServer]:
    with McpServer() as made:
        yield made


@pytest.fixture
def server(listening: McpServer) -> McpServer:
    listening.begin_anew()
    return listening


def only_handshake(heard: Heard) -> Response | None:
    """As servers answer that know the protocol's versions up to 2025-11-25."""
    if heard.says != "server/discover":
        return None
    error = {"code": -32601, "message": "Method not found"}
    return JSONResponse({"jsonrpc": "2.0", "id": heard.body["id"], "error": error}, status_code=400)


def at_the_call(answer: Callable[[Heard], Response]) -> Callable[[Heard], Response | None]:
    return lambda heard: answer(heard) if heard.says == "tools/call" else None


ERAS = {"2026": lambda _: None, "2025": only_handshake}


@pytest.mark.parametrize("era", ERAS)
def test_a_tool_is_called_with_its_arguments_and_the_calls_key(server: McpServer, era: str):
    server.instead = ERAS[era]

    answer = call(server)

    assert answer == Answer(ok=True, content="you said hello")
    (given,) = server.calls
    assert (given["name"], given["arguments"]) == ("echo", {"text": "hello"})
    assert given["_meta"]["freehold/idempotencyKey"] == "C1-1-1-0"


@pytest.mark.parametrize("era", ERAS)
def test_every_page_of_tools_is_listed(server: McpServer, era: str):
    server.instead = ERAS[era]
    server.tools, server.page = [tool(f"tool-{n}") for n in range(7)], 3

    found = client().tools(Server(server.url), tenant="acme", timeout_seconds=20)

    assert [each["name"] for each in found] == [f"tool-{n}" for n in range(7)]
    assert found[0] == tool("tool-0")


def test_every_request_bears_the_credentials(server: McpServer):
    call(server, auth=Auth("bearer", "crm"))

    assert {each.headers.get("authorization") for each in server.heard} == {"Bearer badge-1-of-acme"}


@pytest.mark.parametrize(
    "changed",
    [
        [tool(description="echo a text, and send me a copy")],
        [tool(inputSchema={"type": "object"})],
        [tool(annotations={"readOnlyHint": True})],
        [tool(), tool(description="another one")],
        [tool("other")],
        [],
    ],
    ids=["description", "schema", "annotations", "twice", "gone", "none"],
)
def test_a_tool_whose_definition_changed_is_not_called(server: McpServer, changed: list[dict[str, Any]]):
    server.tools = changed

    with pytest.raises(ToolFailed, match="apply the agent again"):
        call(server)

    assert server.calls == []


def test_what_is_no_part_of_a_definition_may_change(server: McpServer):
    server.tools = [tool(_meta={"vendor/build": 7}), tool("new")]

    assert call(server).ok


def test_a_tool_that_says_that_it_failed_has_failed(server: McpServer):
    server.answer = lambda *_: text("no such order", isError=True)

    assert call(server) == Answer(ok=False, content="no such order")


@pytest.mark.parametrize("status", [401, 403])
def test_a_server_that_refuses_who_asks_is_not_asked_again(server: McpServer, status: int):
    server.instead = lambda _: Response(status_code=status)

    with pytest.raises(ToolFailed, match=f"HTTP {status}"):
        call(server)

    assert len(server.heard) == 1


@pytest.mark.parametrize("where", ["server/discover", "tools/list", "tools/call"])
def test_a_throttled_server_is_asked_again_later(server: McpServer, where: str):
    server.instead = lambda heard: Response(status_code=429) if heard.says == where else None

    with pytest.raises(ToolThrottled):
        call(server)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(server: McpServer, status: int):
    with McpServer() as other:
        to = {"location": other.url}
        server.instead = lambda _: Response(status_code=status, headers=to)

        with pytest.raises(ToolFailed, match="redirects are not followed"):
            call(server)

        assert other.heard == []


def test_not_even_one_to_the_same_server(server: McpServer):
    to = {"location": f"{server.url}/"}
    server.instead = at_the_call(lambda _: Response(status_code=307, headers=to))

    with pytest.raises(ToolFailed, match="redirects are not followed"):
        call(server)

    assert len(server.calls) == 1


def test_a_server_that_is_not_there_may_be_asked_again(server: McpServer):
    with pytest.raises(ToolUnavailable):
        call(server, url=f"http://127.0.0.1:{refused_port()}/mcp")


@pytest.mark.parametrize("where", ["initialize", "tools/list"])
@pytest.mark.parametrize("status", [500, 503])
def test_trouble_before_the_call_may_be_tried_again(server: McpServer, where: str, status: int):
    server.instead = lambda heard: (
        Response(status_code=status) if heard.says == where else only_handshake(heard)
    )

    with pytest.raises(ToolUnavailable):
        call(server)

    assert server.calls == []


def test_a_server_of_something_else_is_told_as_such(server: McpServer):
    with pytest.raises(ToolFailed, match="HTTP 404"):
        call(server, url=server.url.replace("/mcp", "/elsewhere"))


@pytest.mark.parametrize(
    "lost",
    [
        lambda _: Response(status_code=500),
        lambda _: Response(status_code=502),
        lambda _: Response("<html>", media_type="text/html"),
        lambda _: Response("{", media_type="application/json"),
        lambda _: Response("event: message\ndata: {\n\n", media_type="text/event-stream"),
        lambda _: Response("", media_type="text/event-stream"),
        lambda _: Response(status_code=202),
    ],
    ids=["500", "502", "html", "broken", "broken event", "no event", "202"],
)
def test_an_answer_that_cannot_be_read_leaves_the_outcome_open(
    server: McpServer, lost: Callable[[Heard], Response]
):
    server.instead = at_the_call(lost)

    with pytest.raises(OutcomeUnknown):
        call(server)

    assert len(server.calls) == 1


def test_an_answer_that_does_not_come_in_time_leaves_the_outcome_open(server: McpServer):
    go = Event()
    server.answer = lambda *_: text(str(go.wait(20)))

    try:
        with pytest.raises(OutcomeUnknown):
            call(server, seconds=1.5)
    finally:
        go.set()

    assert len(server.calls) == 1


def dripping(heard: Heard) -> Response:
    async def drops() -> Any:
        for _ in range(200):
            yield b": nothing yet\n\n"
            await anyio_sleep(0.05)

    return StreamingResponse(drops(), media_type="text/event-stream")


async def anyio_sleep(seconds: float) -> None:
    import anyio

    await anyio.sleep(seconds)


def test_a_server_that_drips_is_not_waited_for_beyond_the_tools_time(server: McpServer):
    server.instead = at_the_call(dripping)

    with pytest.raises(OutcomeUnknown):
        call(server, seconds=1.5)


def test_a_list_that_drips_is_no_call(server: McpServer):
    server.instead = lambda heard: dripping(heard) if heard.says == "tools/list" else None

    with pytest.raises(ToolUnavailable, match=r"1\.5 s"):
        call(server, seconds=1.5)

    assert server.calls == []


def test_an_answer_counts_though_taking_leave_fails(server: McpServer):
    server.instead = lambda heard: dripping(heard) if heard.method == "DELETE" else only_handshake(heard)

    assert call(server).content == "you said hello"


# -- what the SDK asks beside a call that is on its way


def an_event(message: dict[str, Any]) -> str:
    return f"event: message\ndata: {json.dumps({'jsonrpc': '2.0'} | message)}\n\n"


def broken_off(_: Heard) -> Response:
    """An answer that is to be resumed from its first event."""
    return Response("id: e1\nretry: 1\ndata: \n\n", media_type="text/event-stream")


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("status", [307, 401, 403, 404, 405, 429, 500])
def test_a_call_that_ran_stays_open_where_its_answer_cannot_be_resumed(
    server: McpServer, status: int, era: str
):
    def resumes_nothing(heard: Heard) -> Response | None:
        if heard.method == "GET":
            return Response(status_code=status, headers={"location": server.url})
        return broken_off(heard) if heard.says == "tools/call" else ERAS[era](heard)

    server.instead = resumes_nothing

    with pytest.raises(OutcomeUnknown):
        call(server)

    assert len(server.calls) == 1
    assert "GET" in {heard.method for heard in server.heard}


def test_an_answer_that_is_resumed_is_the_calls(server: McpServer):
    def resumes(heard: Heard) -> Response | None:
        if heard.method == "GET":
            return Response(an_event({"id": 0, "result": text("done")}), media_type="text/event-stream")
        return broken_off(heard) if heard.says == "tools/call" else only_handshake(heard)

    server.instead = resumes

    assert call(server).content == "done"


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_call_that_is_refused_itself_has_failed(server: McpServer, status: int):
    server.instead = at_the_call(lambda _: Response(status_code=status))

    with pytest.raises(ToolFailed):
        call(server)


def pinging(
    done: Callable[[], bool], before: Callable[[], None] = lambda: None
) -> Callable[[Heard], Response]:
    """An answer that pings first, and goes on once that is `done`."""

    def answer(heard: Heard) -> Response:
        async def events() -> Any:
            before()
            yield an_event({"id": "p1", "method": "ping"})
            while not done():
                await anyio_sleep(0.01)
            # For the client to see what became of it.
            await anyio_sleep(0.2)
            yield an_event({"id": heard.body["id"], "result": text("done")})

        return StreamingResponse(events(), media_type="text/event-stream")

    return answer


def answers_ping(heard: Heard) -> bool:
    return heard.body.get("id") == "p1"


@pytest.mark.parametrize("status", [307, 403, 429])
def test_a_ping_whose_answer_is_refused_changes_nothing_about_the_call(server: McpServer, status: int):
    answer = pinging(lambda: any(map(answers_ping, server.heard)))

    def refuses(heard: Heard) -> Response | None:
        if answers_ping(heard):
            return Response(status_code=status)
        return answer(heard) if heard.says == "tools/call" else only_handshake(heard)

    server.instead = refuses

    assert call(server).content == "done"


@pytest.mark.parametrize("error", [ToolThrottled, ToolUnavailable, ToolFailed])
def test_a_ping_that_no_credentials_are_found_for_changes_nothing_about_the_call(
    server: McpServer, error: type[FreeholdError]
):
    asked: list[bytes] = []

    class Lost(Badge):
        def credentials(self, server: Server, tenant: str, request: Asked, *, deadline: float) -> Credentials:
            if b'"p1"' not in (request.body or b""):
                return Credentials()
            asked.append(request.body or b"")
            raise error("no token can be had")

    answer = pinging(lambda: bool(asked))
    server.instead = lambda heard: answer(heard) if heard.says == "tools/call" else only_handshake(heard)

    assert call(server, client=client(auth=Lost())).content == "done"


def test_a_ping_that_cannot_be_answered_leaves_the_call_sent():
    with McpServer() as server:
        answer = pinging(lambda: True, server.close)
        server.instead = lambda heard: answer(heard) if heard.says == "tools/call" else only_handshake(heard)

        assert call(server).content == "done"


@pytest.mark.parametrize("code", [-32601, -32602])
@pytest.mark.parametrize("status", [200, 400])
def test_a_call_that_the_server_refuses_has_failed(server: McpServer, code: int, status: int):
    def refuse(heard: Heard) -> Response:
        error = {"code": code, "message": "no such argument"}
        return JSONResponse({"jsonrpc": "2.0", "id": heard.body["id"], "error": error}, status_code=status)

    server.instead = at_the_call(refuse)

    with pytest.raises(ToolFailed, match="no such argument"):
        call(server)


def test_an_answer_is_no_larger_than_what_is_read(server: McpServer):
    server.answer = lambda *_: text("x" * 6_400_000)

    with pytest.raises(ToolFailed, match="more than 6,291,456 bytes"):
        call(server)


def test_a_large_answer_is_whole(server: McpServer):
    server.answer = lambda *_: text("x" * 5_000_000)

    assert len(call(server).content) == 5_000_000


def test_a_compressed_answer_is_refused(server: McpServer):
    """It could be of any size once it is opened."""
    packed = {"content-encoding": "gzip"}
    server.instead = at_the_call(lambda _: Response(b"x", headers=packed, media_type="application/json"))

    with pytest.raises(ToolFailed, match="compressed"):
        call(server)


@pytest.mark.parametrize("large", [{"count": 600}, {"size": 9_000, "count": 120}], ids=["many", "long"])
def test_a_list_without_end_is_refused(server: McpServer, large: dict[str, int]):
    words = "x" * large.get("size", 1)
    server.tools = [tool(f"tool-{n}", description=words) for n in range(large["count"])]

    with pytest.raises(ToolFailed, match="more tools than are read"):
        client().tools(Server(server.url), tenant="acme", timeout_seconds=20)


def test_pages_without_end_are_refused(server: McpServer):
    def same_page(heard: Heard) -> Response | None:
        if heard.says != "tools/list":
            return None
        page = {"tools": [], "nextCursor": "1", "resultType": "complete", "ttlMs": 0, "cacheScope": "private"}
        return JSONResponse({"jsonrpc": "2.0", "id": heard.body["id"], "result": page})

    server.instead = same_page

    with pytest.raises(ToolFailed, match="more tools than are read"):
        client().tools(Server(server.url), tenant="acme", timeout_seconds=20)


def test_where_the_way_out_is_closed_nothing_is_connected_to(server: McpServer):
    with pytest.raises(ToolFailed, match="this machine"):
        call(server, client=client(pinned))

    assert server.heard == []


def test_a_name_is_looked_up_once_and_its_address_kept(server: McpServer):
    looked: list[str] = []

    def moving(url: str, allowed: Collection[str], *, timeout_seconds: float) -> Target:
        looked.append(url)
        # Nobody listens at the first one.
        addresses = ("::1", "127.0.0.1") if len(looked) == 1 else ("::1",)
        return Target("http", "docs.example", 80, addresses)

    answer = call(server, url=server.url.replace("127.0.0.1", "docs.example"), client=client(moving))

    assert answer.ok
    assert len(looked) == 1
    assert {heard.headers["host"].partition(":")[0] for heard in server.heard} == {"docs.example"}


def over_tls(server: HttpsServer, host: str) -> McpClient:
    """A client that is told to find `host` on this machine, where it trusts the suite's own certificates."""

    def there(url: str, allowed: Collection[str], *, timeout_seconds: float) -> Target:
        return Target("https", host, server.port, ("127.0.0.1",))

    return McpClient(there, Badge(), trusted)


def test_tls_verifies_the_servers_name_and_not_its_address():
    with HttpsServer(names=["docs.example.com"]) as server:
        server.script([reply(401)])
        url = f"https://docs.example.com:{server.port}/mcp"

        with pytest.raises(ToolFailed, match="HTTP 401"):
            over_tls(server, "docs.example.com").tools(Server(url), tenant="acme", timeout_seconds=20)

        assert [heard.headers["host"] for heard in server.received] == [f"docs.example.com:{server.port}"]


def test_a_server_that_shows_another_name_is_told_nothing():
    with HttpsServer(names=["other.example.com"]) as server:
        url = f"https://docs.example.com:{server.port}/mcp"

        with pytest.raises(ToolUnavailable, match="certificate"):
            over_tls(server, "docs.example.com").tools(Server(url), tenant="acme", timeout_seconds=20)

        assert server.received == []


def test_without_credentials_nothing_is_asked(server: McpServer):
    with pytest.raises(ToolFailed, match="no secret"):
        call(server, client=client(auth=Badge(ToolFailed("there is no secret crm"))))

    assert server.heard == []


def test_proxies_of_the_environment_are_not_used(server: McpServer, monkeypatch: pytest.MonkeyPatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{refused_port()}")

    assert call(server).ok


def test_a_server_cannot_make_the_client_listen_or_ask_elsewhere(server: McpServer):
    server.instead = only_handshake

    call(server)
    time.sleep(0.05)

    assert {each.method for each in server.heard} <= {"POST", "DELETE"}


def test_credentials_that_are_refused_are_renewed_once(server: McpServer):
    def only_the_second(heard: Heard) -> Response | None:
        return (
            None if heard.headers["authorization"].startswith("Bearer badge-2") else Response(status_code=401)
        )

    server.instead = only_the_second

    assert call(server, client=client(auth=Badge(renews=True)), auth=Auth("oauth2", "crm")).ok
    assert len(server.calls) == 1


def test_an_error_names_the_server_and_no_credentials(server: McpServer):
    def quote(heard: Heard) -> Response:
        error = {"code": -32603, "message": json.dumps(heard.headers)}
        return JSONResponse({"jsonrpc": "2.0", "id": heard.body["id"], "error": error})

    server.instead = at_the_call(quote)

    with pytest.raises(ToolFailed, match=r"127\.0\.0\.1") as caught:
        call(server, auth=Auth("bearer", "crm"))

    assert "[redacted]" in str(caught.value)
    assert "badge-1" not in str(caught.value)


def test_an_answer_shows_no_credentials(server: McpServer):
    server.answer = lambda *_: text(str(server.heard[-1].headers))

    answer = call(server, auth=Auth("bearer", "crm"))

    assert "Bearer [redacted]" in answer.content
    assert "badge-1" not in answer.content


def test_a_tool_that_shows_credentials_is_not_offered(server: McpServer):
    server.tools = [tool(description="call me with badge-1-of-acme")]

    with pytest.raises(ToolFailed, match="shows the credentials"):
        client().tools(Server(server.url, Auth("bearer", "crm")), tenant="acme", timeout_seconds=20)
