"""Which of an agent's models answers, and with how much of the conversation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, cast

import pytest

from freehold.adapters.live_texts import DynamoLiveTexts
from freehold.adapters.scripted import ScriptedModel, reply
from freehold.adapters.table import Table
from freehold.asking import ask
from freehold.conversation import Conversation
from freehold.errors import (
    ContextTooLong,
    FreeholdError,
    ModelRejected,
    ModelThrottled,
    ModelUnavailable,
)
from freehold.ports import Model, Tell
from freehold.telling import Audience
from freehold.value import replace
from freehold.values.agent import Agent, Limits, ModelChoice
from freehold.values.history import History
from freehold.values.model import Image, ModelEntry, ModelReply, ModelRequest, Price, UserMessage
from freehold.values.run import Fallback, Lap, Principal, Run, Usage
from freehold.window import count
from memory_table import MemoryTable

AGENT = Agent(
    "a", ModelChoice("first"), "Help.", fallback_models=(ModelChoice("second"), ModelChoice("third"))
)
RUN = Run(
    "t",
    "C1",
    1,
    "s",
    "a",
    "1",
    "d",
    "DRAFT",
    "durable",
    "RUNNING",
    Principal("key", "k"),
    "test",
    "hi",
    0,
    900,
)
PRICE = Price(Decimal(1), Decimal(1), Decimal(1), "test", "2026-01-01")


@dataclass
class Catalog:
    """`Models` by name, each with a script of its own; it keeps who was chosen."""

    scripts: dict[str, ScriptedModel]
    entries: dict[str, ModelEntry] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def choose(self, choice: ModelChoice) -> tuple[Model, ModelEntry]:
        self.asked.append(choice.model)
        return self.scripts[choice.model], self.entries.get(
            choice.model, ModelEntry(choice.model, "scripted")
        )


def models(**scripts: Sequence[ModelReply | FreeholdError]) -> Catalog:
    return Catalog({name: ScriptedModel(script) for name, script in scripts.items()})


def conversation(agent: Agent = AGENT, past: Sequence[History] = (), run: Run = RUN) -> Conversation:
    return Conversation(agent, past, History(run), lambda image: replace(image, data=f"<{image.reference}>"))


def test_the_first_model_that_answers_is_the_last_one_asked():
    catalog = models(first=[reply("hello")])

    answer = ask(conversation(), catalog, now=lambda: 0, until=100_000)

    assert (answer.reply.text, answer.entry.id, answer.fallback) == ("hello", "first", None)
    assert catalog.asked == ["first"]


def test_a_model_that_is_throttled_or_out_hands_over_to_the_next():
    catalog = models(first=[ModelThrottled("slow")], second=[ModelUnavailable("down")], third=[reply("here")])

    answer = ask(conversation(), catalog, now=lambda: 0, until=100_000)

    assert (answer.reply.text, answer.entry.id) == ("here", "third")
    assert answer.fallback == Fallback("second", "ModelUnavailable")


def test_what_a_model_rejects_no_other_is_asked():
    catalog = models(first=[ModelRejected("no")], second=[reply("never")])

    with pytest.raises(ModelRejected):
        ask(conversation(), catalog, now=lambda: 0, until=100_000)

    assert catalog.asked == ["first"]


def test_a_fallback_that_rejects_the_request_is_passed_by():
    catalog = models(
        first=[ModelThrottled("slow")], second=[ModelRejected("no access")], third=[reply("here")]
    )

    answer = ask(conversation(), catalog, now=lambda: 0, until=100_000)

    assert answer.reply.text == "here"
    assert answer.fallback == Fallback("second", "ModelRejected")


def test_a_fallback_that_rejects_the_request_makes_no_final_failure_of_a_throttle():
    catalog = models(
        first=[ModelThrottled("slow")], second=[ModelRejected("no")], third=[ModelRejected("no")]
    )

    with pytest.raises(ModelThrottled):
        ask(conversation(), catalog, now=lambda: 0, until=100_000)


def test_no_model_is_asked_when_there_is_no_time_left_for_it():
    catalog = models(first=[ModelUnavailable("1")], second=[reply("never")], third=[reply("never")])
    clock = iter((0, 0, 0, 96_000))

    with pytest.raises(ModelUnavailable):
        ask(conversation(), catalog, now=lambda: next(clock), until=100_000)

    assert catalog.asked == ["first"]


def test_less_of_a_conversation_is_shown_only_while_there_is_time():
    alone = replace(AGENT, fallback_models=())
    catalog = models(first=[ContextTooLong("1"), reply("never")])
    clock = iter((0, 0, 0, 97_000))

    with pytest.raises(ContextTooLong):
        ask(conversation(alone), catalog, now=lambda: next(clock), until=100_000)

    assert catalog.scripts["first"].calls == 1


def test_where_nobody_answers_the_last_error_is_raised_for_the_state_machine_to_retry():
    throttled = ModelThrottled("third")
    catalog = models(first=[ModelThrottled("1")], second=[ModelUnavailable("2")], third=[throttled])

    with pytest.raises(ModelThrottled) as raised:
        ask(conversation(), catalog, now=lambda: 0, until=100_000)

    assert raised.value is throttled


def test_a_model_with_another_behind_it_leaves_that_one_time():
    catalog = models(first=[ModelUnavailable("1")], second=[ModelUnavailable("2")], third=[reply("late")])
    clock = iter((0, 0, 0, 60_000, 60_000, 60_000, 84_000, 84_000, 84_000))

    ask(conversation(), catalog, now=lambda: next(clock), until=100_000)

    waited = [catalog.scripts[name].requests[0].timeout_seconds for name in ("first", "second", "third")]
    assert waited == [60, 24, 16]


def test_a_single_model_gets_all_the_time_up_to_its_own_bound():
    alone = replace(AGENT, fallback_models=())
    catalog = models(first=[reply("1"), reply("2"), reply("3")])

    for until in (90_000, 900_000, 1_000):
        ask(conversation(alone), catalog, now=lambda: 0, until=until)

    assert [request.timeout_seconds for request in catalog.scripts["first"].requests] == [90, 110, 5]


def test_a_conversation_that_is_too_long_for_the_model_is_shown_by_half_and_then_by_a_quarter():
    entry = ModelEntry("first", "scripted", window=4_000)
    past = [
        History(replace(RUN, turn=turn, status="COMPLETED", input="x" * 400), (lap("y" * 400),))
        for turn in range(1, 20)
    ]
    script = [ContextTooLong("1"), ContextTooLong("2"), reply("short")]
    catalog = Catalog({"first": ScriptedModel(script)}, {"first": entry})

    answer = ask(conversation(past=past, run=replace(RUN, turn=20)), catalog, now=lambda: 0, until=100_000)

    sizes = [count(request.messages) for request in catalog.scripts["first"].requests]
    assert answer.reply.text == "short"
    assert [size <= 4_000 * share for size, share in zip(sizes, (1, 0.5, 0.25), strict=True)] == [True] * 3
    assert sizes[0] > sizes[1] > sizes[2]


def test_a_conversation_that_no_share_makes_short_enough_is_rejected():
    catalog = models(first=[ContextTooLong(str(i)) for i in range(3)], second=[reply("never")])

    with pytest.raises(ContextTooLong):
        ask(conversation(), catalog, now=lambda: 0, until=100_000)

    assert catalog.asked == ["first"]


def test_a_money_limit_asks_no_model_whose_price_is_not_known():
    capped = replace(AGENT, limits=Limits(max_cost_usd=Decimal(1)))
    catalog = models(first=[ModelThrottled("1")], second=[reply("never")], third=[reply("paid")])
    for name in ("first", "third"):
        catalog.entries[name] = ModelEntry(name, "scripted", price=PRICE)

    answer = ask(conversation(capped), catalog, now=lambda: 0, until=100_000)

    assert (answer.reply.text, catalog.scripts["second"].calls) == ("paid", 0)
    with pytest.raises(ModelRejected, match="maxCostUsd needs a model with a known price; first"):
        ask(conversation(capped), models(first=[reply("never")]), now=lambda: 0, until=100_000)


def test_an_image_reaches_a_model_that_takes_images_with_its_bytes():
    shown = replace(RUN, images=(Image("png", reference="a/1"),))
    catalog = models(first=[ModelThrottled("1")], second=[reply("a cat")])
    catalog.entries["first"] = ModelEntry("first", "scripted", images=False)

    ask(conversation(run=shown), catalog, now=lambda: 0, until=100_000)

    blind, seeing = (catalog.scripts[name].requests[0].messages[0] for name in ("first", "second"))
    assert blind == UserMessage("hi\n\n[1 image(s) came with this message and cannot be shown to you]")
    assert seeing == UserMessage("hi", (Image("png", "<a/1>", "a/1"),))


def test_an_image_of_a_turn_that_failed_is_not_shown_again():
    """What a model refused once it would refuse for good, and the session with it."""
    failed = replace(RUN, status="FAILED", images=(Image("png", reference="a/1"),))
    catalog = models(first=[reply("ok")])

    ask(conversation(past=[History(failed)], run=replace(RUN, turn=2)), catalog, now=lambda: 0, until=100_000)

    (first, *_) = catalog.scripts["first"].requests[0].messages
    assert isinstance(first, UserMessage)
    assert first.images == ()


def lap(text: str) -> Lap:
    return Lap(1, "id", 0, "m", text, (), Usage(), 0, "end")


def watched(names: str = "abc") -> tuple[Audience, DynamoLiveTexts]:
    """Somebody who watches lap 2 of the run, and a table in memory."""
    live, name = DynamoLiveTexts(Table(cast(Any, MemoryTable()), "events")), iter(names)
    live.watch(RUN.key, until=2_000_000)
    return Audience(RUN.key, 2, live, lambda: 1_000_000, lambda: next(name)), live


def test_each_attempt_is_told_by_itself_and_the_answer_names_its_own():
    class Breaking(ScriptedModel):
        def reply(self, request: ModelRequest, tell: Tell | None = None) -> ModelReply:
            assert tell
            tell("Well, ")
            raise ModelUnavailable("broke off")

    catalog = models(first=[], second=[ContextTooLong("too long"), reply("hello there")])
    catalog.scripts["first"] = Breaking()
    audience, live = watched()

    answer = ask(conversation(), catalog, now=lambda: 0, until=100_000, audience=audience)

    assert (answer.attempt, answer.reply.text) == ("c", "hello there")
    assert [(piece.attempt, piece.text) for piece in live.pieces(RUN.key, 2)] == [
        ("a", "Well, "),
        ("c", "hello"),
        ("c", " there"),
    ]


def test_who_has_no_audience_asks_for_no_stream():
    class Silent(ScriptedModel):
        def reply(self, request: ModelRequest, tell: Tell | None = None) -> ModelReply:
            assert tell is None
            return super().reply(request)

    catalog = models()
    catalog.scripts["first"] = Silent([reply("summed up")])

    assert ask(conversation(), catalog, now=lambda: 0, until=100_000).attempt == ""
