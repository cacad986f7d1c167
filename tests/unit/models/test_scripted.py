from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from freehold.adapters.scripted import ScriptedModel, reply
from freehold.errors import ModelThrottled
from freehold.values.model import ModelRequest, Usage, UserMessage

REQUEST = ModelRequest("m", "Be kind.", (UserMessage("hello"),))


def test_replies_come_in_order_and_errors_are_raised():
    model = ScriptedModel([reply("one"), ModelThrottled("slow down"), reply("two")])

    assert model.reply(REQUEST).text == "one"
    with pytest.raises(ModelThrottled):
        model.reply(REQUEST)
    assert model.reply(REQUEST).text == "two"
    assert (model.calls, model.requests) == (3, [REQUEST] * 3)


def test_a_call_past_the_end_says_what_was_asked():
    with pytest.raises(AssertionError, match="has only 0 replies; asked last: UserMessage"):
        ScriptedModel().reply(REQUEST)


def test_threads_share_a_script_without_loss():
    model = ScriptedModel([reply(str(number)) for number in range(200)])

    with ThreadPoolExecutor(8) as threads:
        texts = list(threads.map(lambda _: model.reply(REQUEST).text, range(200)))

    assert sorted(map(int, texts)) == list(range(200))


def test_a_reply_with_calls_stops_for_tools():
    made = reply(calls=[("f", {"a": 1}), ("g", "{oops")], usage=Usage(7, 3, 2))

    assert [use.arguments for use in made.calls] == ['{"a": 1}', "{oops"]
    assert (made.stop, made.usage) == ("tools", Usage(7, 3, 2))
