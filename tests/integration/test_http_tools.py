"""HTTP tools against a real server: what arrives there, what comes back, and what is never told."""

from __future__ import annotations

import gzip
import io
import json
import socket
import zlib
from collections.abc import Iterator
from typing import Any

import pytest

from freehold.adapters.egress import Target
from freehold.adapters.http_exchange import LONGEST_ANSWER, Exchange, Outgoing
from freehold.adapters.http_tools import MOST_REDIRECTS, retry_after
from freehold.errors import FreeholdError, OutcomeUnknown, ToolFailed, ToolThrottled, ToolUnavailable
from http_world import PUBLIC, HttpWorld
from https_server import Answer, Asked, HttpsServer, raw, reply, silent

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
POST = {"method": "POST", "body": b'{"a": 1}', "content_type": "application/json"}


@pytest.fixture
def server() -> Iterator[HttpsServer]:
    with HttpsServer() as made:
        yield made


@pytest.fixture
def world(server: HttpsServer) -> HttpWorld:
    made = HttpWorld()
    made.net.leads("api.example.com", server)
    return made


# -- what arrives


def test_a_request_arrives_with_the_key_of_its_call(world: HttpWorld, server: HttpsServer):
    query = (("q", "a b&c"), ("filter[x]", "ü"), ("q", "2"))

    answer = world.call(query=query, headers=(("X-Color", "blue"),))

    (came,) = server.received
    assert (answer.status, answer.text) == (200, '{"ok": true}')
    assert (came.method, came.path) == ("GET", "/v2/orders/7?q=a%20b%26c&filter%5Bx%5D=%C3%BC&q=2")
    assert came.headers["host"] == "api.example.com"
    assert came.headers["idempotency-key"] == "run-1-1-0"
    assert came.headers["x-color"] == "blue"
    assert world.net.dialled == [(PUBLIC, 443)]


def test_a_body_arrives_with_its_type_and_its_length(world: HttpWorld, server: HttpsServer):
    world.call(**POST)

    (came,) = server.received
    assert (came.method, came.body) == ("POST", b'{"a": 1}')
    assert (came.headers["content-type"], came.headers["content-length"]) == ("application/json", "8")


def test_a_post_without_a_body_says_that_it_is_empty(world: HttpWorld, server: HttpsServer):
    world.call(method="POST")

    assert server.received[0].headers["content-length"] == "0"


def test_another_port_is_named_where_it_is_the_configured_one(world: HttpWorld, server: HttpsServer):
    world.net.routes[PUBLIC, 8443] = server.port

    world.call(url="https://api.example.com:8443")

    assert server.received[0].headers["host"] == "api.example.com:8443"


@pytest.mark.parametrize("name", ["host", "Idempotency-Key", "content-length", "user-agent"])
def test_an_argument_takes_no_headers_place(world: HttpWorld, server: HttpsServer, name: str):
    world.call(headers=((name, "evil"),), **POST)

    assert "evil" not in server.received[0].headers.values()


@pytest.mark.parametrize(
    "path", ["/../admin", "/a/%2e%2e/b", "/a/%2E%2E%2Fb", "/a/..%3Bx/b", "/a/..;/b", "/a?b=c", "/a#b", "a"]
)
def test_a_path_that_leads_out_of_the_servers_own_is_never_sent(
    world: HttpWorld, server: HttpsServer, path: str
):
    with pytest.raises(ToolFailed, match="leads out of the server's own"):
        world.call(path=path)

    assert server.connections == 0


def test_a_header_that_breaks_the_line_is_never_sent(world: HttpWorld, server: HttpsServer):
    with pytest.raises(ToolFailed, match="a header or a path that HTTP does not allow"):
        world.call(headers=(("X-Color", "blue\r\nX-Admin: yes"),))

    assert server.received == []


# -- what comes back


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (reply(200, b'{"a": 1}'), '{"a": 1}'),
        (reply(204), ""),
        (reply(200, "grün".encode("latin-1"), Content_Type="text/plain; charset=iso-8859-1"), "grün"),
        (reply(200, "\ufeffgrün".encode(), Content_Type="text/plain"), "grün"),
        (
            reply(200, b"\xff\xd8\xff", Content_Type="image/jpeg"),
            "[3 bytes of image/jpeg, which are no text]",
        ),
        (
            reply(200, b"a", Content_Type="text/plain; charset=klingon"),
            "[1 bytes of text/plain, which are no text]",
        ),
        (reply(200, gzip.compress(b"squeezed"), Content_Encoding="gzip"), "squeezed"),
        (reply(200, zlib.compress(b"squeezed"), Content_Encoding="deflate"), "squeezed"),
        (raw(HEAD, b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"), "abcde"),
        (raw(HEAD, b"\r\nuntil the end"), "until the end"),
        (raw(b"HTTP/1.1 100 Continue\r\n\r\n", HEAD, b"Content-Length: 2\r\n\r\nok"), "ok"),
        (reply(404, b"no such order"), "no such order"),
        (reply(500, b"oh"), "oh"),
    ],
)
def test_an_answer_is_read_as_text(world: HttpWorld, server: HttpsServer, answer: Answer, text: str):
    server.script([answer])

    assert world.call().text == text


def test_the_answer_to_head_has_no_body(world: HttpWorld, server: HttpsServer):
    server.script([reply(200, b"not sent")])

    assert world.call(method="HEAD").text == ""


class Hasty(socket.socket):
    """A server that takes nothing, and has answered already."""

    said = io.BytesIO(b"HTTP/1.1 413 Too Large\r\nContent-Length: 8\r\n\r\ntoo much")

    def send(self, *_: Any) -> int:
        raise BrokenPipeError

    def recv_into(self, buffer: Any, *_: Any) -> int:
        assert self.gettimeout() == 7
        return self.said.readinto(buffer)


def test_an_answer_that_comes_before_the_body_was_read_counts():
    target = Target("http", "api.example.com", 80, (PUBLIC,))
    outgoing = Outgoing("PUT", "/", (("Host", "api.example.com"), ("Content-Length", "1")), b"x")

    answer = Exchange(lambda *_: Hasty(), clock=lambda: 3).send(target, outgoing, deadline=10)

    assert (answer.status, answer.body) == (413, b"too much")


BOMB = gzip.compress(b"\0" * (LONGEST_ANSWER + 1))


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (reply(200, b"x" * (LONGEST_ANSWER + 1)), "longer than 6,291,456 bytes"),
        (raw(HEAD, b"\r\n", b"x" * (LONGEST_ANSWER + 1)), "longer than 6,291,456 bytes"),
        (reply(200, BOMB, Content_Encoding="gzip"), "longer than 6,291,456 bytes"),
        (reply(200, b"no gzip", Content_Encoding="gzip"), "is not the gzip that it says it is"),
        (reply(200, b"x", Content_Encoding="br"), "encoded as 'br', which was not asked for"),
    ],
    ids=["long", "long and of unknown length", "long once unpacked", "wrongly packed", "packed otherwise"],
)
def test_an_answer_that_cannot_be_read_is_a_failure(
    world: HttpWorld, server: HttpsServer, answer: Answer, told: str
):
    server.script([answer])

    with pytest.raises(ToolFailed, match=told):
        world.call()


# -- what surely did not run, and what perhaps did


def test_a_server_that_is_not_there_has_not_run_anything(world: HttpWorld):
    world.net.routes.clear()

    with pytest.raises(ToolUnavailable, match=r"api\.example\.com could not be connected to.*refused"):
        world.call(**POST)


def test_a_name_that_nobody_knows_has_not_run_anything(world: HttpWorld):
    world.net.names.clear()

    with pytest.raises(ToolUnavailable, match="could not be looked up"):
        world.call(**POST)


def test_the_next_address_is_tried_where_one_does_not_answer(world: HttpWorld):
    world.net.names["api.example.com"] = [["2606:2800:220:1::1", PUBLIC]]

    assert world.call().status == 200
    assert world.net.dialled == [("2606:2800:220:1::1", 443), (PUBLIC, 443)]


def test_a_certificate_for_another_name_ends_it_before_anything_is_sent(world: HttpWorld):
    with HttpsServer(names=["other.example.com"]) as other:
        world.net.leads("api.example.com", other)

        with pytest.raises(ToolUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
            world.call(**POST)

        assert other.received == []


def test_a_server_that_speaks_no_tls_is_sent_nothing(world: HttpWorld):
    with HttpsServer(tls=False) as plain:
        world.net.leads("api.example.com", plain)

        with pytest.raises(ToolUnavailable):
            world.call(timeout_seconds=0.5, **POST)

        assert plain.received == []


@pytest.mark.parametrize(
    "answer",
    [
        raw(),
        raw(b"HTTP/1.1 200 OK\r\nX-A: "),
        raw(HEAD),
        raw(HEAD, b"Content-Length: 9\r\n\r\nshort"),
        raw(HEAD, b"Transfer-Encoding: chunked\r\n\r\n9\r\nshort"),
        raw(HEAD, b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
        raw(b"SSH-2.0-OpenSSH_9.6\r\n"),
    ],
    ids=["closed", "header cut", "headers cut", "cut", "chunk cut", "no chunk", "no http"],
)
def test_an_answer_that_is_lost_leaves_open_what_happened(
    world: HttpWorld, server: HttpsServer, answer: Answer
):
    server.script([answer])

    with pytest.raises(OutcomeUnknown):
        world.call(**POST)

    assert len(server.received) == 1


def test_a_server_that_stays_silent_leaves_open_what_happened(world: HttpWorld, server: HttpsServer):
    server.script([silent])

    with pytest.raises(OutcomeUnknown, match="TimeoutError"):
        world.call(timeout_seconds=1.5, **POST)

    assert len(server.received) == 1


@pytest.mark.parametrize("beginning", [b"X-A: ", b"Content-Length: 400\r\n\r\n"], ids=["headers", "body"])
def test_the_time_is_up_also_where_a_byte_comes_now_and_then(
    world: HttpWorld, server: HttpsServer, beginning: bytes
):
    def slow(asked: Asked) -> None:
        world.passed = 29.9
        raw(HEAD, beginning, *[b"a"] * 400, every=0.02)(asked)

    server.script([slow])

    with pytest.raises(OutcomeUnknown, match="TimeoutError"):
        world.call(timeout_seconds=30, **POST)


# -- slow down, and come again


def test_a_server_that_asks_to_slow_down_has_not_run_anything(world: HttpWorld, server: HttpsServer):
    server.script([reply(429, b"too many")])

    with pytest.raises(ToolThrottled, match="HTTP 429: too many"):
        world.call(**POST)

    assert world.waited == []


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_server_that_fails_is_asked_again_only_where_that_is_safe(
    world: HttpWorld, server: HttpsServer, status: int
):
    server.script([reply(status, b"oh"), reply(status, b"oh")])

    with pytest.raises(ToolUnavailable, match=f"HTTP {status}: oh"):
        world.call(idempotent=True)
    answer = world.call(idempotent=False, **POST)

    assert (answer.status, answer.text) == (status, "oh")


@pytest.mark.parametrize("said", ["7", "Fri, 15 Jan 2027 08:00:07 GMT"])
@pytest.mark.parametrize(("status", "error"), [(429, ToolThrottled), (503, ToolUnavailable)])
def test_what_a_server_wants_to_be_waited_for_is_waited_for(
    world: HttpWorld, server: HttpsServer, status: int, error: type[FreeholdError], said: str
):
    server.script([reply(status, Retry_After=said)])

    with pytest.raises(error):
        world.call(idempotent=True)

    assert world.waited == [7]


def test_a_wait_that_does_not_fit_the_tools_time_is_told(world: HttpWorld, server: HttpsServer):
    server.script([reply(429, b"quota", Retry_After="3600")])

    with pytest.raises(ToolFailed, match=r"left alone for 3,600 seconds \(HTTP 429\): quota"):
        world.call(timeout_seconds=30)

    assert world.waited == []


def test_nobody_waits_for_an_answer_that_counts(world: HttpWorld, server: HttpsServer):
    server.script([reply(503, b"oh", Retry_After="7")])

    assert world.call(idempotent=False, **POST).status == 503
    assert world.waited == []


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("0", 0),
        (" 12 ", 12),
        ("-1", 0),
        ("soon", 0),
        ("", 0),
        ("1.5", 0),
        ("Thu, 01 Jan 1970 00:00:20", 20),
        ("Thu, 01 Jan 1970 00:00:05 GMT", 0),
    ],
)
def test_a_wait_is_read_as_seconds_or_as_a_date(said: str, seconds: float):
    assert retry_after(said, 10 if said.endswith("GMT") else 0) == seconds


# -- redirects


@pytest.mark.parametrize(
    "location",
    [
        "/v3/orders/7?x=1",
        "https://api.example.com/v3/orders/7?x=1#top",
        "https://API.example.com:443/v3/orders/7?x=1",
    ],
)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_within_the_server_is_followed(
    world: HttpWorld, server: HttpsServer, status: int, location: str
):
    server.script([reply(status, Location=location), reply(200, b"here")])

    assert world.call().text == "here"
    assert [came.path for came in server.received] == ["/v2/orders/7", "/v3/orders/7?x=1"]
    assert len(world.net.looked_up) == 2


@pytest.mark.parametrize("status", [307, 308])
def test_a_post_goes_on_as_it_is_where_the_server_says_so(world: HttpWorld, server: HttpsServer, status: int):
    server.script([reply(status, Location="/v3")])

    world.call(**POST)

    assert [(came.method, came.path, came.body) for came in server.received] == [
        ("POST", "/v2/orders/7", b'{"a": 1}'),
        ("POST", "/v3", b'{"a": 1}'),
    ]


@pytest.mark.parametrize("status", [301, 302, 303])
def test_a_post_that_may_have_run_is_not_followed_by_another_request(
    world: HttpWorld, server: HttpsServer, status: int
):
    server.script([reply(status, b"done", Location="/v3")])

    answer = world.call(**POST)

    assert (answer.status, answer.text) == (status, "redirects to /v3, which was not followed\ndone")
    assert len(server.received) == 1


@pytest.mark.parametrize(
    ("method", "status", "then"), [("POST", 302, "GET"), ("PUT", 303, "GET"), ("PUT", 302, "PUT")]
)
def test_one_that_may_be_repeated_is(
    world: HttpWorld, server: HttpsServer, method: str, status: int, then: str
):
    server.script([reply(status, Location="/v3")])

    world.call(idempotent=True, **(POST | {"method": method}))

    assert server.received[1].method == then
    assert server.received[1].body == (b'{"a": 1}' if then == "PUT" else b"")
    assert ("content-type" in server.received[1].headers) == (then == "PUT")


@pytest.mark.parametrize(
    "location",
    [
        "https://login.example.com/",
        "https://api.example.com:8443/",
        "http://api.example.com/",
        "//login.example.com/",
        "https://api.example.com@login.example.com/",
        "https://169.254.169.254/latest/meta-data/",
        "file:///etc/passwd",
        "https://api.example.com\\@login.example.com/",
    ],
)
def test_a_redirect_to_anywhere_else_is_told_and_not_followed(
    world: HttpWorld, server: HttpsServer, location: str
):
    server.script([reply(302, Location=location)])

    # Not even to one that the agent lists.
    answer = world.call(hosts=("login.example.com:443",))

    assert answer.text == f"redirects to {location}, which was not followed"
    assert world.net.dialled == [(PUBLIC, 443)]


def test_redirects_come_to_an_end(world: HttpWorld, server: HttpsServer):
    server.script([reply(302, Location="/again") for _ in range(20)])

    with pytest.raises(ToolFailed, match="redirects more than 5 times"):
        world.call()

    assert len(server.received) == MOST_REDIRECTS + 1


@pytest.mark.parametrize("location", ["", None])
def test_a_redirect_to_nowhere_is_an_answer(world: HttpWorld, server: HttpsServer, location: Any):
    server.script([reply(302, b"hm", **({} if location is None else {"Location": location}))])

    assert world.call().text == "hm"


def test_json_of_the_default_answer_is_told_as_it_is(world: HttpWorld):
    assert json.loads(world.call().text) == {"ok": True}
