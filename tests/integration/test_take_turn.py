from __future__ import annotations

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from threading import Barrier
from typing import Any

import pytest

from freehold.adapters.scripted import ScriptedModel, reply
from freehold.errors import ModelRejected, ModelThrottled
from freehold.ports import Tell
from freehold.value import replace
from freehold.values.agent import ModelChoice
from freehold.values.model import (
    AssistantMessage,
    Image,
    ModelReply,
    ModelRequest,
    ToolMessage,
    Usage,
    UserMessage,
)
from freehold.values.run import Fallback
from world import World, agent, answer, tool

LOOK_UP = ("look_up", {"id": "7"})


def test_an_answer_ends_the_run(world: World):
    world.model = ScriptedModel([reply("hi", usage=Usage(100, 20))])
    run = world.ask("hello")

    step = world.invoke_model(run)
    ended = world.finish(run)

    assert (step.step, step.status) == ("finish", "COMPLETED")
    assert ended is not None
    assert (ended.status, ended.last_lap) == ("COMPLETED", 1)
    assert ended.totals is not None
    assert ended.totals.usage == Usage(100, 20)
    assert ended.totals.cost_usd == Decimal("0.00014")


def test_a_tool_call_is_run_and_its_result_is_what_the_model_sees_next(world: World):
    world.model = ScriptedModel([reply(calls=[LOOK_UP]), reply("it is 42")])
    world.tools.answers["look_up"] = answer("42")
    run = world.ask("what is 7?")

    step = world.invoke_model(run)
    world.run_tool(run)
    last = world.invoke_model(run)

    assert (step.step, step.calls) == ("tools", (0,))
    assert last.status == "COMPLETED"
    question, use, outcome = world.model.requests[1].messages
    assert question == UserMessage("what is 7?")
    assert isinstance(use, AssistantMessage)
    assert isinstance(outcome, ToolMessage)
    assert [each.content for each in outcome.outcomes] == ["42"]
    assert use.calls[0].id == outcome.outcomes[0].id


def test_a_repeated_lap_is_not_billed_again(world: World):
    world.model = ScriptedModel([reply(calls=[LOOK_UP])])
    run = world.ask()

    first = world.invoke_model(run)
    before = world.everything()
    second = world.invoke_model(run)

    assert first == second
    assert world.model.calls == 1
    assert world.everything() == before


def test_a_lap_tells_which_model_answered_instead_of_which(world: World):
    world.apply(replace(agent(), fallback_models=(ModelChoice("other"),)))
    world.model = ScriptedModel([ModelThrottled("slow down"), reply("hi", model="other-1", reasoning="{}")])
    run = world.ask()

    world.invoke_model(run)

    (lap,) = world.history(run).laps
    assert (lap.model, lap.reasoning_by) == ("other-1", "scripted:scripted")
    assert lap.fallback == Fallback("scripted", "ModelThrottled")


def test_an_image_is_stored_once_by_reference_and_sent_with_its_bytes(world: World):
    world.model = ScriptedModel([reply("a dot"), reply("still a dot")])
    dot = base64.b64encode(b"\x89PNG a dot").decode()
    run = world.ask("what is it?", images=(Image("png", dot),))

    world.invoke_model(run)
    world.finish(run)
    again = world.ask("sure?")
    world.invoke_model(again)

    assert dot not in str(world.everything())
    (image,) = world.run(run).images
    assert (image.data, image.format) == ("", "png")
    for request in world.model.requests:
        (shown,) = request.messages[0].images
        assert (shown.data, shown.reference) == (dot, image.reference)


class Meeting:
    """A model that answers nobody before everybody has asked."""

    def __init__(self, parties: int, replies: list[ModelReply]) -> None:
        self.barrier, self.script, self.served = Barrier(parties), ScriptedModel(replies), Usage()

    def reply(self, request: ModelRequest, tell: Tell | None = None) -> ModelReply:
        given = self.script.reply(request, tell)
        self.served += given.usage
        self.barrier.wait(10)
        return given


def test_two_at_the_same_time_leave_one_lap_one_discarded_reply_and_every_token(world: World):
    world.model = Meeting(2, [reply("one", usage=Usage(11, 3)), reply("two", usage=Usage(13, 7))])
    run = world.ask()

    with ThreadPoolExecutor(2) as pool:
        steps = list(pool.map(lambda _: world.invoke_model(run), range(2)))

    history = world.history(run)
    assert steps[0] == steps[1]
    assert len(history.laps) == 1
    assert len(history.discarded) == 1
    assert {history.laps[0].usage, history.discarded[0].usage} == {Usage(11, 3), Usage(13, 7)}
    assert history.totals.usage == world.model.served == Usage(24, 10)


def test_a_response_that_was_lost_after_the_write_is_no_second_reply(world: World):
    world.model = ScriptedModel([reply("hi")])
    run = world.ask()
    lost: list[Any] = []

    def lose(parsed: Any, **_: Any) -> Any:
        if not lost and parsed is not None:
            lost.append(parsed)
            raise ConnectionResetError("the response was lost")

    world.client.meta.events.register("after-call.dynamodb.PutItem", lose)
    with pytest.raises(ConnectionResetError):
        world.invoke_model(run)
    step = world.invoke_model(run)

    assert lost
    assert step.status == "COMPLETED"
    assert world.model.calls == 1
    assert not world.history(run).discarded


def test_a_throttled_model_leaves_no_trace_and_its_retries_are_counted(world: World):
    world.model = ScriptedModel([ModelThrottled("slow down"), reply("hi")])
    run = world.ask()
    before = world.everything()

    with pytest.raises(ModelThrottled):
        world.invoke_model(run)
    assert world.everything() == before
    world.invoke_model(run, attempt=1)

    assert world.history(run).laps[0].attempt == 1


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (("look_upp", {"id": "7"}), "Did you mean look_up?"),
        (("look_up", "{not json"), "no JSON"),
        (("look_up", "[1]"), "must be one JSON object"),
        (("look_up", "[" * 100_000), "more than 100 levels"),
        (("look_up", {}), '"id" is a required property'),
        (("look_up", {"id": "7", "more": 1}), "'more' was unexpected"),
        (("off", {"id": "7"}), "disabled"),
    ],
)
def test_a_call_that_cannot_be_made_goes_back_to_the_model_and_never_to_a_tool(
    world: World, call: tuple[str, Any], told: str
):
    world.apply(agent(tool(), tool("off", enabled=False)))
    world.model = ScriptedModel([reply(calls=[call]), reply("sorry")])
    run = world.ask()

    step = world.invoke_model(run)
    last = world.invoke_model(run)

    assert (step.step, step.calls) == ("tools", ())
    outcome = world.model.requests[1].messages[-1]
    assert isinstance(outcome, ToolMessage)
    assert told in outcome.outcomes[0].content
    assert not outcome.outcomes[0].ok
    assert last.status == "COMPLETED"
    assert not world.tools.events


def test_disabled_tools_are_not_offered(world: World):
    world.apply(agent(tool(), tool("off", enabled=False)))
    world.model = ScriptedModel([reply("hi")])

    world.invoke_model(world.ask())

    assert [spec.name for spec in world.model.requests[0].tools] == ["look_up"]


def test_arguments_that_were_no_json_are_replayed_as_an_empty_object(world: World):
    world.model = ScriptedModel([reply(calls=[("look_up", "{oops")]), reply("sorry")])
    run = world.ask()
    world.invoke_model(run)
    world.invoke_model(run)

    use = world.model.requests[1].messages[1]
    assert isinstance(use, AssistantMessage)
    assert json.loads(use.calls[0].arguments) == {}


def test_refused_calls_do_not_keep_the_others_from_running(world: World):
    world.model = ScriptedModel([reply(calls=[("nope", {}), LOOK_UP])])
    run = world.ask()

    assert world.invoke_model(run).calls == (1,)


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({"max_laps": 1}, "maxLaps"),
        ({"max_tokens": 15}, "maxTokens"),
        ({"max_cost_usd": Decimal("0.00002")}, "maxCostUsd"),
        ({"same_call_repeats": 1}, "sameCallRepeats"),
    ],
)
def test_a_limit_stops_the_run_before_its_tools(world: World, limits: dict[str, Any], reason: str):
    world.apply(agent(**limits))
    world.model = ScriptedModel([reply("so far so good", calls=[LOOK_UP], usage=Usage(10, 5))])
    run = world.ask()

    step = world.invoke_model(run)

    assert (step.step, step.status, step.reason) == ("finish", "STOPPED", reason)


def test_the_deadline_stops_a_run_but_not_an_answer_that_is_there(world: World):
    world.model = ScriptedModel([reply("hi"), reply(calls=[LOOK_UP])])
    answered, late = world.ask(session="a"), world.ask(session="b")
    world.invoke_model(answered)
    world.invoke_model(late)

    world.pass_time(901)

    assert world.invoke_model(answered).status == "COMPLETED"
    assert (world.invoke_model(late).status, world.invoke_model(late).reason) == ("STOPPED", "timeoutSeconds")


def test_the_same_call_is_made_at_most_one_time_fewer_than_the_limit(world: World):
    same = [reply(calls=[("look_up", text)]) for text in ('{"id": "7"}', '{"id":"7"}', '{ "id" : "7" }')]
    world.model = ScriptedModel(same)
    run = world.ask()

    steps = []
    for lap in (1, 2, 3):
        steps.append(world.invoke_model(run))
        if steps[-1].step == "tools":
            world.run_tool(run, lap=lap)

    assert [step.step for step in steps] == ["tools", "tools", "finish"]
    assert steps[-1].reason == "sameCallRepeats"
    assert len(world.tools.events) == 2


def test_an_unpriced_model_is_refused_where_money_is_capped(world: World):
    world.price = None
    world.apply(agent(max_cost_usd=Decimal(1)))
    world.model = ScriptedModel([reply("hi")])

    with pytest.raises(ModelRejected, match="maxCostUsd"):
        world.invoke_model(world.ask())

    assert world.model.calls == 0


def test_an_unknown_price_is_no_price_of_zero(world: World):
    world.price = None
    world.model = ScriptedModel([reply("hi")])
    run = world.ask()
    world.invoke_model(run)

    ended = world.finish(run)

    assert ended is not None
    assert ended.totals is not None
    assert ended.totals.cost_usd is None


def test_a_truncated_answer_is_stopped_and_says_so(world: World):
    world.model = ScriptedModel([ModelReply("once upon", (), Usage(1, 1), "length", "m")])
    step = world.invoke_model(world.ask())

    assert (step.status, step.reason) == ("STOPPED", "maximumLength")


def test_an_older_execution_does_nothing(world: World):
    world.model = ScriptedModel([])
    run = world.ask()
    world.sessions.start(run, now=world.clock)
    before = world.everything()

    assert world.invoke_model(run, execution=1).step == "stop"
    assert world.everything() == before


def test_a_lap_of_more_calls_than_can_be_ended_at_once_keeps_ninety(world: World):
    world.model = ScriptedModel([reply(calls=[("look_up", {"id": str(i)}) for i in range(120)])])
    run = world.ask()

    assert len(world.invoke_model(run).calls) == 90
    world.cancel(run)
    world.invoke_model(run)
    ended = world.finish(run, None)

    assert ended is not None
    assert len(world.history(run).results) == 90


def test_an_execution_that_is_nearly_full_hands_over(world: World):
    world.model = ScriptedModel([reply(calls=[LOOK_UP])])
    run = world.ask()

    assert world.invoke_model(run, events=19_400).step == "continue"
    assert world.invoke_model(run, events=0).step == "tools"


def test_a_call_that_the_map_gave_up_on_becomes_a_failed_result_once(world: World):
    world.model = ScriptedModel([reply(calls=[LOOK_UP]), reply("sorry")])
    run = world.ask()
    world.invoke_model(run)

    world.invoke_model(run, failed=(0,))
    before = world.everything()
    world.invoke_model(run, failed=(0,))

    assert world.history(run).results[1, 0].outcome == "error"
    assert world.everything() == before


def test_session_attributes_of_parallel_tools_are_merged_in_call_order(world: World):
    def remember(event: Any) -> Any:
        given = event["parameters"][0]["value"]
        return answer("ok", sessionAttributes={"last": given, given: "yes"})

    world.tools.answers["look_up"] = remember
    world.model = ScriptedModel(
        [
            reply(calls=[("look_up", {"id": "a"}), ("look_up", {"id": "b"})]),
            reply(calls=[LOOK_UP]),
            reply("done"),
        ]
    )
    run = world.ask(session_attributes={"last": "-", "kept": "1"})
    world.invoke_model(run)
    world.run_tool(run, call=1)
    world.run_tool(run, call=0)
    world.invoke_model(run)
    world.run_tool(run, lap=2)

    assert world.tools.events[-1]["sessionAttributes"] == {"last": "b", "a": "yes", "b": "yes", "kept": "1"}
    assert world.tools.events[0]["sessionAttributes"] == {"last": "-", "kept": "1"}


def test_attributes_that_a_tool_gives_the_model_are_shown_to_it_in_this_run_alone(world: World):
    world.tools.answers["look_up"] = answer("ok", promptSessionAttributes={"mood": "good"})
    world.model = ScriptedModel([reply(calls=[LOOK_UP]), reply("done"), reply("next")])
    run = world.ask(prompt_session_attributes={"today": "Monday"})
    world.invoke_model(run)
    world.run_tool(run)
    world.invoke_model(run)
    world.finish(run)
    world.invoke_model(world.ask("and now?"))

    first, second, third = (request.instruction for request in world.model.requests)
    assert '{"today": "Monday"}' in first
    assert '{"mood": "good", "today": "Monday"}' in second
    assert third == "Help."


def test_a_refused_call_that_is_repeated_stops_the_run(world: World):
    world.model = ScriptedModel([reply(calls=[("nope", {})])] * 3)
    run = world.ask()

    steps = [world.invoke_model(run) for _ in range(3)]

    assert [step.step for step in steps] == ["tools", "tools", "finish"]
    assert steps[-1].reason == "sameCallRepeats"


@pytest.mark.parametrize("half", ["\ud83d", "a\udc00b"])
def test_half_a_character_from_model_or_tool_does_not_lose_what_was_said(world: World, half: str):
    world.tools.answers["look_up"] = answer(f"tool {half}", sessionAttributes={"k": half})
    world.model = ScriptedModel([reply(f"model {half}", calls=[("look_up", {"id": half})]), reply("done")])
    run = world.ask()

    world.invoke_model(run)
    world.run_tool(run)

    assert world.invoke_model(run).status == "COMPLETED"
    history = world.history(run)
    assert history.laps[0].text.startswith("model ")
    assert history.results[1, 0].content.startswith("tool ")


def test_an_answer_of_any_size_leaves_the_session_usable(world: World):
    world.tools.answers["look_up"] = answer("x" * 5_000_000)
    world.model = ScriptedModel([reply(calls=[LOOK_UP]), reply("done"), reply("next")])
    run = world.ask("one")
    world.invoke_model(run)
    world.run_tool(run)
    world.invoke_model(run)
    world.finish(run)
    world.invoke_model(world.ask("two"))

    for request in world.model.requests:
        assert sum(len(str(message)) for message in request.messages) < 128_000 * 3
    outcome = world.model.requests[1].messages[-1]
    assert isinstance(outcome, ToolMessage)
    assert "of 5,000,000 characters are not shown" in outcome.outcomes[0].content
    assert len(world.history(run).results[1, 0].content) == 5_000_000


def test_a_fast_run_goes_on_whatever_a_disabled_tool_would_take(world: World):
    world.apply(replace(agent(tool(), tool("off", enabled=False, timeout_seconds=300)), mode="fast"))
    world.model = ScriptedModel([reply("hi")])

    assert world.invoke_model(world.ask()).status == "COMPLETED"


def test_a_model_gets_no_more_time_than_its_lambda_has(world: World):
    world.model = ScriptedModel([reply("hi")])

    world.invoke_model(world.ask(), remaining_ms=30_000)

    assert world.model.requests[0].timeout_seconds == 25


def test_large_content_lies_in_the_bucket_and_reads_back_whole(world: World):
    long = "x" * 50_000
    world.tools.answers["look_up"] = answer(long)
    world.model = ScriptedModel([reply(calls=[LOOK_UP]), reply("done")])
    run = world.ask("y" * 50_000)
    world.invoke_model(run)
    world.run_tool(run)
    world.invoke_model(run)

    question, _, outcome = world.model.requests[1].messages
    assert question == UserMessage("y" * 50_000)
    assert isinstance(outcome, ToolMessage)
    assert outcome.outcomes[0].content == long
    assert max(len(json.dumps(item)) for item in world.everything()) < 33_000
