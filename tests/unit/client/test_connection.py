"""Requests, retries and errors of the client."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from traceback import format_exception

import httpx
import pytest

from freehold_client import (
    Conflict,
    Freehold,
    FreeholdApiError,
    InvalidRequest,
    NotFound,
    PreconditionFailed,
    Problem,
    ServerError,
    SessionBusy,
    Unauthorized,
    Unreachable,
)

Answer = httpx.Response | httpx.TransportError
STARTED = {"runId": "r-1", "sessionId": "s-1", "status": "RUNNING"}


class Stack:
    """Answers with `answers` in turn and keeps the requests and the pauses between them."""

    def __init__(self, *answers: Answer) -> None:
        self.requests: list[httpx.Request] = []
        self.pauses: list[float] = []
        self._answers = list(answers)

    def client(self, url: str = "http://127.0.0.1:8080") -> Freehold:
        return Freehold(url, "fh_k", httpx.MockTransport(self._respond), sleep=self.pauses.append)

    def _respond(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self._answers.pop(0)
        if isinstance(answer, httpx.TransportError):
            raise answer
        return answer


def ok(body: object = None) -> httpx.Response:
    return httpx.Response(200, json=body or {"runId": "r-1"})


def problem(status: int, **more: object) -> httpx.Response:
    return httpx.Response(status, json={"title": "T", "status": status, "detail": "why", **more})


@pytest.mark.parametrize("url", ["http://stack", "http://stack/", "http://stack/v1", "http://stack/v1/"])
def test_the_address_may_end_with_v1_or_not(url: str):
    stack = Stack(ok())

    stack.client(url).runs.get("r-1")

    assert str(stack.requests[0].url) == "http://stack/v1/runs/r-1"


def test_a_request_bears_the_key():
    stack = Stack(ok())

    stack.client().runs.get("r-1")

    assert stack.requests[0].headers["authorization"] == "Bearer fh_k"


@pytest.mark.parametrize("name", ["", ".", ".."])
@pytest.mark.parametrize(
    "call",
    [
        lambda client, name: client.agents.delete(name),
        lambda client, name: client.agents.apply({"agentName": name}),
        lambda client, name: client.agents.version("a", name),
        lambda client, name: client.agents.alias("a", name),
        lambda client, name: client.agents.point("a", name, ["1"]),
        lambda client, name: client.runs.start(name, "hi"),
        lambda client, name: client.runs.get(name),
        lambda client, name: client.runs.cancel(name),
        lambda client, name: client.runs.replay(name, "m"),
        lambda client, name: client.sessions.get(name),
        lambda client, name: client.sessions.items(name),
        lambda client, name: client.sessions.end(name),
        lambda client, name: client.sessions.delete(name),
        lambda client, name: client.memories.list(name),
        lambda client, name: client.memories.get("a", name),
        lambda client, name: client.memories.delete("a", name),
        lambda client, name: client.memories.delete(name, "m"),
        lambda client, name: client.keys.revoke(name),
    ],
)
def test_a_name_that_would_be_another_place_is_refused_and_nothing_is_sent(
    call: Callable[[Freehold, str], object], name: str
):
    stack = Stack()

    with pytest.raises(InvalidRequest) as caught:
        call(stack.client(), name)

    assert caught.value.problems
    assert "allowed" in str(caught.value) or "required" in str(caught.value.problems[0])
    assert stack.requests == []


def test_names_cannot_leave_their_place_in_the_path():
    stack = Stack(ok(), ok())
    client = stack.client()

    client.runs.get("../keys?x=1#y")
    client.agents.get("a/b")

    assert [request.url.raw_path for request in stack.requests] == [
        b"/v1/runs/..%2Fkeys%3Fx%3D1%23y",
        b"/v1/agents/a%2Fb",
    ]


def test_a_run_is_started_once_though_the_answer_was_lost():
    stack = Stack(httpx.ReadTimeout("slow"), problem(503), httpx.Response(202, json=STARTED))

    started = stack.client().runs.start("a", "hi")

    keys = {request.headers["idempotency-key"] for request in stack.requests}
    assert started.run_id == "r-1"
    assert len(stack.requests) == 3
    assert len(keys) == 1


@pytest.mark.parametrize(
    "create",
    [
        lambda client: client.agents.freeze("a"),
        lambda client: client.dead_letters.redrive(),
        lambda client: client.keys.create("ci", ["run"], idempotency_key="k1"),
        lambda client: client.runs.replay("r-1", "m"),
        lambda client: client.runs.start("a", "hi"),
        lambda client: client.runs.upload("r-1", b"ab"),
        lambda client: client.schedules.add("a", "rate(1 day)", "hi"),
        lambda client: client.sessions.hand_back("s-1", "done"),
    ],
)
def test_what_creates_is_asked_for_again_under_one_key(create: Callable[[Freehold], object]):
    stack = Stack(httpx.ReadTimeout("slow"), ok({"url": "http://bucket/u-1"}), ok())

    create(stack.client())

    first, again = (request.headers["idempotency-key"] for request in stack.requests[:2])
    assert first == again


@pytest.mark.parametrize(
    "create",
    [
        lambda client, key: client.agents.freeze("a", idempotency_key=key),
        lambda client, key: client.dead_letters.redrive(idempotency_key=key),
        lambda client, key: client.keys.create("ci", ["run"], idempotency_key=key),
        lambda client, key: client.runs.replay("r-1", "m", idempotency_key=key),
        lambda client, key: client.runs.start("a", "hi", idempotency_key=key),
        lambda client, key: client.runs.upload("r-1", b"ab", idempotency_key=key),
        lambda client, key: client.schedules.add("a", "rate(1 day)", "hi", idempotency_key=key),
        lambda client, key: client.sessions.hand_back("s-1", "done", idempotency_key=key),
    ],
)
def test_what_creates_takes_a_key_of_ones_own_that_can_be_sent(create: Callable[[Freehold, str], object]):
    stack = Stack(ok({"url": "http://bucket/u-1"}), ok())

    create(stack.client(), "nightly-7")
    with pytest.raises(InvalidRequest) as caught:
        create(stack.client(), "nightly\n8")

    asked = [request for request in stack.requests if request.url.host != "bucket"]
    assert [request.headers["idempotency-key"] for request in asked] == ["nightly-7"]
    assert [problem.path for problem in caught.value.problems] == ["Idempotency-Key"]
    assert "nightly" not in str(caught.value)


def test_a_blank_key_of_ones_own_is_none():
    stack = Stack(httpx.ReadTimeout("slow"), httpx.Response(201, json={"keyId": "1"}))

    with pytest.raises(Unreachable):
        stack.client().keys.create("ci", ["run"], idempotency_key="")

    assert len(stack.requests) == 1


def test_two_runs_have_two_idempotency_keys():
    stack = Stack(httpx.Response(202, json=STARTED), httpx.Response(202, json=STARTED))
    client = stack.client()

    client.runs.start("a", "hi")
    client.runs.start("a", "hi")

    assert len({request.headers["idempotency-key"] for request in stack.requests}) == 2


def test_a_run_that_ended_within_the_wait_comes_whole():
    stack = Stack(ok({**STARTED, "status": "COMPLETED", "output": "hello"}))

    started = stack.client().runs.start("a", "hi", wait_seconds=25)

    assert started.run is not None
    assert started.run.output == "hello"
    assert stack.requests[0].extensions["timeout"]["read"] == 55.0


def test_only_what_is_given_is_sent():
    stack = Stack(httpx.Response(202, json=STARTED))

    stack.client().runs.start("a", "hi", session_id="s", when_busy="enqueue")

    assert json.loads(stack.requests[0].content) == {"input": "hi", "sessionId": "s", "whenBusy": "enqueue"}


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_stack_that_is_busy_is_asked_again(status: int):
    stack = Stack(problem(status), ok())

    stack.client().runs.get("r-1")

    assert len(stack.requests) == 2


def test_asking_again_ends_after_four_times():
    stack = Stack(*[problem(503) for _ in range(9)])

    with pytest.raises(ServerError):
        stack.client().runs.get("r-1")

    assert len(stack.requests) == 4
    assert len(stack.pauses) == 3


def test_the_pause_is_the_one_that_the_stack_asks_for_within_bounds():
    asked = ("3", "86400", "Wed, 21 Oct 2026 07:28:00 GMT")
    stack = Stack(*[httpx.Response(429, json={}, headers={"retry-after": each}) for each in asked], ok())

    stack.client().runs.get("r-1")

    assert stack.pauses[:2] == [3.0, 20.0]
    assert stack.pauses[2] <= 1.6


@pytest.mark.parametrize("lost", [httpx.ReadTimeout("slow"), httpx.RemoteProtocolError("gone")])
def test_what_may_have_happened_and_may_not_happen_twice_is_not_repeated(lost: httpx.TransportError):
    stack = Stack(lost, httpx.Response(201, json={"keyId": "1"}))

    with pytest.raises(Unreachable):
        stack.client().keys.create("ci", ["run"])

    assert len(stack.requests) == 1


@pytest.mark.parametrize(
    "first",
    [
        lambda: httpx.ConnectError("refused"),
        lambda: httpx.ConnectTimeout("slow"),
        lambda: problem(429),
    ],
)
def test_what_was_never_sent_or_turned_away_is_sent_again_though_it_may_not_happen_twice(
    first: Callable[[], Answer],
):
    stack = Stack(first(), httpx.Response(201, json={"keyId": "1"}))

    assert stack.client().keys.create("ci", ["run"]).key_id == "1"


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.runs.cancel("r-1"),
        lambda client: client.runs.decide("r-1", []),
        lambda client: client.sessions.end("s-1"),
    ],
)
def test_what_changes_nothing_the_second_time_is_asked_for_again(call: Callable[[Freehold], object]):
    stack = Stack(httpx.ReadTimeout("slow"), ok())

    call(stack.client())

    assert len(stack.requests) == 2


def test_an_unreachable_stack_is_named_with_its_address():
    stack = Stack(*[httpx.ConnectError("refused") for _ in range(4)])

    with pytest.raises(Unreachable, match=r"http://127\.0\.0\.1:8080/v1: refused"):
        stack.client().runs.get("r-1")


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (lambda: problem(400), InvalidRequest),
        (lambda: problem(401), Unauthorized),
        (lambda: problem(403), Unauthorized),
        (lambda: problem(404), NotFound),
        (lambda: problem(409), Conflict),
        (lambda: problem(409, runId="r-7"), SessionBusy),
        (lambda: problem(422), InvalidRequest),
        (lambda: problem(500), ServerError),
        (lambda: problem(418), FreeholdApiError),
    ],
)
def test_each_status_has_its_error(answer: Callable[[], httpx.Response], kind: type[FreeholdApiError]):
    with pytest.raises(FreeholdApiError) as caught:
        Stack(answer()).client().agents.delete("a")

    assert type(caught.value) is kind
    assert caught.value.detail == "why"


def test_a_busy_session_names_the_run_that_it_is_busy_with():
    with pytest.raises(SessionBusy) as caught:
        Stack(problem(409, runId="r-7")).client().runs.start("a", "hi")

    assert caught.value.run_id == "r-7"


def test_every_problem_of_a_refused_document_is_told():
    problems = [{"path": "limits.maxLaps", "message": "is 0; at least 1"}, {"path": "", "message": "bad"}]

    with pytest.raises(InvalidRequest) as caught:
        Stack(problem(400, problems=problems)).client().agents.apply({"agentName": "a"})

    assert caught.value.problems == (Problem("limits.maxLaps", "is 0; at least 1"), Problem("", "bad"))


def test_a_gateway_that_answers_in_its_own_words_is_understood():
    with pytest.raises(Unauthorized) as caught:
        Stack(httpx.Response(403, json={"Message": "not authorized"})).client().runs.get("r-1")

    assert caught.value.detail == "not authorized"
    assert caught.value.wire["status"] == 403


def test_an_answer_that_is_no_json_is_not_taken_for_one():
    page = httpx.Response(200, html="<html>another program</html>")

    with pytest.raises(FreeholdApiError, match="expected JSON, found text/html"):
        Stack(page).client().runs.get("r-1")


def test_a_document_without_a_name_is_refused_before_it_is_sent():
    stack = Stack()

    with pytest.raises(InvalidRequest) as caught:
        stack.client().agents.apply({"instruction": "hello"})

    assert caught.value.problems[0].path == "agentName"
    assert stack.requests == []


def test_a_list_is_read_page_after_page_only_as_far_as_it_is_used():
    first = {"runs": [{"runId": "r-3"}, {"runId": "r-2"}], "nextToken": "t"}
    stack = Stack(ok(first), ok({"runs": [{"runId": "r-1"}]}))
    runs = stack.client().runs.list(agent="a")

    assert [next(runs).run_id, next(runs).run_id] == ["r-3", "r-2"]
    assert len(stack.requests) == 1

    assert [run.run_id for run in runs] == ["r-1"]
    assert dict(stack.requests[1].url.params) == {"agent": "a", "nextToken": "t"}


def test_a_token_that_repeats_itself_ends_the_list():
    page = {"keys": [{"keyId": "k"}], "nextToken": "t"}

    assert len(list(Stack(ok(page), ok(page)).client().keys.list())) == 2


def test_a_deleted_thing_has_no_answer():
    assert Stack(httpx.Response(204)).client().keys.revoke("k-1") is None


def test_the_text_of_a_new_key_is_not_in_its_description():
    key = (
        Stack(httpx.Response(201, json={"keyId": "k", "key": "fh_secret"})).client().keys.create("n", ["run"])
    )

    assert key.key == "fh_secret"
    assert "fh_secret" not in repr(key)


def test_an_alias_leads_to_the_versions_that_it_was_given():
    stack = Stack(ok({"alias": "live", "routes": [{"version": "3"}]}))

    assert stack.client().agents.point("a", "live", ["3"]).versions == ("3",)
    assert json.loads(stack.requests[0].content) == {"routes": [{"version": "3"}]}


def test_an_alias_may_lead_to_several_versions_by_weight():
    routes = [{"version": "3", "weight": 90}, {"version": "4", "weight": 10}]
    stack = Stack(ok({"alias": "live", "routes": routes}))

    alias = stack.client().agents.point("a", "live", {"3": 90, "4": 10})

    assert json.loads(stack.requests[0].content) == {"routes": routes}
    assert [(route.version, route.weight) for route in alias.routes] == [("3", 90), ("4", 10)]


@pytest.mark.parametrize(
    "ask", [lambda client: client.runs.get("r-1"), lambda client: list(client.runs.stream("r-1"))]
)
def test_what_cannot_be_sent_is_not_tried_again_and_not_quoted(ask: Callable[[Freehold], object]):
    stack = Stack(
        *[httpx.LocalProtocolError("Illegal header value b'Bearer fh_secret\\n'") for _ in range(4)]
    )

    with pytest.raises(InvalidRequest) as caught:
        ask(stack.client())

    assert len(stack.requests) == 1
    assert "secret" not in "".join(format_exception(caught.value))


# -- writes that rest on what was read


def tagged(etag: str, **body: object) -> httpx.Response:
    return httpx.Response(200, json={"agentName": "a", **body}, headers={"etag": etag})


def test_what_was_read_is_changed_as_long_as_nobody_else_has_changed_it():
    stack = Stack(tagged('"1"'), tagged('"2"'))
    agents = stack.client().agents

    changed = agents.apply({"agentName": "a"}, if_match=agents.get("a").etag)

    assert changed.etag == '"2"'
    assert stack.requests[1].headers["if-match"] == '"1"'
    assert "if-none-match" not in stack.requests[1].headers


def test_a_precondition_that_cannot_be_sent_is_told():
    with pytest.raises(InvalidRequest, match="If-Match: is no valid header"):
        Stack().client().agents.delete("a", if_match='"1"\n')


@pytest.mark.parametrize(
    "write",
    [
        lambda client: client.agents.apply({"agentName": "a"}, if_match='"1"'),
        lambda client: client.agents.delete("a", if_match='"1"'),
        lambda client: client.agents.point("a", "live", ["1"], if_match='"1"'),
        lambda client: client.agents.point("a", "live", ["1"], only_new=True),
    ],
)
def test_a_write_whose_precondition_fails_is_told_as_that(write: Callable[[Freehold], object]):
    stack = Stack(problem(412))

    with pytest.raises(PreconditionFailed):
        write(stack.client())


def test_a_write_with_a_precondition_is_not_sent_twice_by_itself():
    """The first may have been done, and then the second would find something else."""
    stack = Stack(httpx.ReadTimeout("slow"), tagged('"2"'))

    with pytest.raises(Unreachable):
        stack.client().agents.apply({"agentName": "a"}, if_match='"1"')

    assert len(stack.requests) == 1


def test_a_repeat_waits_for_the_first_one_that_is_still_at_work():
    at_work = httpx.Response(409, json={"title": "T", "status": 409}, headers={"retry-after": "1"})
    stack = Stack(httpx.ReadTimeout("slow"), at_work, httpx.Response(201, json={"version": "1"}))

    assert stack.client().agents.freeze("a").version == "1"
    assert len({request.headers["idempotency-key"] for request in stack.requests}) == 1
    assert stack.pauses[1] == 1.0


def test_a_repeat_waits_for_the_first_one_as_long_as_a_request_may_take():
    at_work = [
        httpx.Response(409, json={"title": "T", "status": 409}, headers={"retry-after": "1"})
        for _ in range(99)
    ]
    patient = Stack(httpx.ReadTimeout("slow"), *at_work[:20], httpx.Response(201, json={"version": "1"}))
    in_vain = Stack(httpx.ReadTimeout("slow"), *at_work)

    assert patient.client().agents.freeze("a").version == "1"
    with pytest.raises(Conflict):
        in_vain.client().agents.freeze("a")
    assert 30 <= sum(in_vain.pauses) <= 31


def test_any_failure_that_names_a_time_is_over_by_then_for_what_may_be_repeated():
    def stack() -> Stack:
        failed = httpx.Response(500, json={"title": "T", "status": 500}, headers={"retry-after": "1"})
        return Stack(failed, ok())

    assert stack().client().runs.get("r-1")
    with pytest.raises(ServerError):
        stack().client().keys.create("ci", ["run"])
    with pytest.raises(ServerError):
        Stack(problem(500), ok()).client().runs.get("r-1")


def test_any_other_conflict_is_told_at_once():
    stack = Stack(problem(409))

    with pytest.raises(Conflict):
        stack.client().agents.freeze("a")


def test_runs_are_chosen_by_time_with_a_zone():
    stack = Stack(ok({"runs": []}))
    at = datetime(2026, 11, 25, 12, tzinfo=UTC)

    assert list(stack.client().runs.list(created_after=at)) == []

    sent = datetime.fromisoformat(stack.requests[0].url.params["createdAfter"])
    assert sent == at
    assert "createdBefore" not in stack.requests[0].url.params


def test_models_are_read_with_their_price_where_it_is_known():
    price = {"input": 1.0, "output": 2.0, "cached": 0.1, "cacheWritten": 1.0, "source": "a page", "date": "d"}
    known = {"model": "m", "aliases": ["n"], "api": "converse", "window": 9, "images": True, "price": price}
    unknown = {"model": "o", "aliases": [], "api": "rehearsal", "window": None, "price": None}
    stack = Stack(ok({"models": [known, unknown]}))

    first, second = stack.client().models.list()

    assert (first.model, first.aliases, first.window, first.images) == ("m", ("n",), 9, True)
    assert first.price is not None
    assert (first.price.output, first.price.cache_written) == (2.0, 1.0)
    assert (second.price, second.window, second.wire) == (None, None, unknown)
