"""The scripted model server itself: other suites trust it."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import urllib3

from freehold.values.model import Usage
from model_server import ModelServer, ask, fail, say, what_is_wrong

HELLO: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


def post(server: ModelServer, body: dict[str, Any]) -> urllib3.BaseHTTPResponse:
    return urllib3.request("POST", f"{server.url}/chat/completions", json=body, retries=False, timeout=30)


def test_answers_are_given_in_order_and_then_the_last_word_for_ever():
    with ModelServer() as server:
        server.script([say("one"), lambda request: say(request["model"])], then=say("three"))

        texts = [post(server, HELLO).json()["choices"][0]["message"]["content"] for _ in range(4)]

    assert texts == ["one", "m", "three", "three"]


def test_many_clients_at_once_use_up_each_answer_once():
    with ModelServer() as server:
        server.script([say(str(number), usage=Usage(3, 2)) for number in range(40)])

        with ThreadPoolExecutor(8) as clients:
            answers = list(clients.map(lambda _: post(server, HELLO).json(), range(40)))

        texts = [answer["choices"][0]["message"]["content"] for answer in answers]
        assert sorted(map(int, texts)) == list(range(40))
        assert server.served == Usage(120, 80)


def test_an_answer_can_be_kept_waiting():
    hold = threading.Event()
    with ModelServer() as server, ThreadPoolExecutor(1) as clients:
        server.script([say("at last", hold=hold)])

        waiting = clients.submit(post, server, HELLO)
        server.wait_for(1)
        assert not waiting.done()
        hold.set()

        assert waiting.result().json()["choices"][0]["message"]["content"] == "at last"


@pytest.mark.parametrize(
    "change",
    [
        {"ok": True},
        {"messages": [{"role": "user", "content": "x", "mood": "fine"}]},
        {"messages": [{"role": "tool", "content": "x"}]},
        {"temperature": "warm"},
    ],
)
def test_a_request_that_openai_would_not_know_fails_the_test(change: dict[str, Any]):
    server = ModelServer()
    server.script([say("never given")])

    with pytest.raises(AssertionError, match="request 1 is no chat completion"), server:
        post(server, HELLO | change)


def test_a_request_past_the_scripts_end_fails_the_test():
    with pytest.raises(AssertionError, match="no answer for request 1"), ModelServer() as server:
        post(server, HELLO)


def test_a_failure_inside_the_block_is_not_hidden_by_what_followed():
    with pytest.raises(KeyError, match="my own mistake"), ModelServer() as server:
        post(server, HELLO).json()["my own mistake"]


def test_failures_and_raw_arguments_go_out_as_scripted():
    with ModelServer() as server:
        server.script([fail(503, "busy"), ask(("f", "{oops"))])

        failed, asked = post(server, HELLO), post(server, HELLO)

    assert (failed.status, failed.json()["error"]["message"]) == (503, "busy")
    assert asked.json()["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"] == "{oops"


def test_a_valid_request_has_nothing_wrong():
    assert what_is_wrong(json.loads(json.dumps(HELLO))) is None
