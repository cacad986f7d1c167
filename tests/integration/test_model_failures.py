"""What a provider says of a failure: in the run's error, and nowhere in the state."""

from __future__ import annotations

import json

import pytest

from freehold.adapters.scripted import ScriptedModel, reply
from freehold.ending import Ending
from freehold.errors import ModelRejected, ModelThrottled, ModelUnavailable
from world import World

REFUSAL = ModelRejected("the server answered 400", words="no such model")


def gave_up(error: Exception, kind: str) -> Ending:
    """As the state machine passes it on: what the step's Lambda was heard to say."""
    told = json.dumps({"errorMessage": getattr(error, "message", ""), "errorType": kind})
    return Ending.of({"error": {"type": kind, "cause": told}})


def test_the_runs_error_quotes_the_provider(world: World):
    world.model = ScriptedModel([REFUSAL])
    run = world.ask()
    with pytest.raises(ModelRejected):
        world.invoke_model(run)

    ended = world.finish(run, gave_up(REFUSAL, "ModelRejected"))

    assert ended is not None
    assert ended.error is not None
    assert ended.error.message == "the server answered 400: no such model"


def test_the_last_words_count(world: World):
    throttled = ModelThrottled("the server answered 429", words="slow down")
    world.model = ScriptedModel([throttled, throttled, REFUSAL])
    run = world.ask()
    for _ in range(3):
        with pytest.raises((ModelRejected, ModelThrottled)):
            world.invoke_model(run)

    ended = world.finish(run, gave_up(REFUSAL, "ModelRejected"))

    assert ended is not None
    assert "no such model" in str(ended.error)
    assert "slow down" not in str(ended.error)


def test_words_of_a_failure_before_are_not_those_of_the_last_one(world: World):
    throttled = ModelThrottled("the server answered 429", words="slow down")
    lost = ModelUnavailable("no answer within 110 s")
    world.model = ScriptedModel([throttled, lost])
    run = world.ask()
    for _ in range(2):
        with pytest.raises((ModelThrottled, ModelUnavailable)):
            world.invoke_model(run)

    ended = world.finish(run, gave_up(lost, "ModelUnavailable"))

    assert ended is not None
    assert ended.error is not None
    assert ended.error.message == "no answer within 110 s"


def test_the_same_words_again_are_no_second_write(world: World):
    throttled = ModelThrottled("the server answered 429", words="slow down")
    world.model = ScriptedModel([throttled, throttled])
    run = world.ask()
    for attempt in range(2):
        with pytest.raises(ModelThrottled):
            world.invoke_model(run, attempt=attempt)
        if attempt == 0:
            before = world.everything()

    assert world.everything() == before


def test_a_failure_of_another_kind_does_not_quote_the_model(world: World):
    world.model = ScriptedModel([REFUSAL])
    run = world.ask()
    with pytest.raises(ModelRejected):
        world.invoke_model(run)

    ended = world.finish(run, Ending.of({"error": {"type": "States.Timeout", "cause": "too slow"}}))

    assert ended is not None
    assert ended.error is not None
    assert ended.error.message == "too slow"


def test_words_that_meet_a_run_that_somebody_else_changed_are_lost_and_the_failure_is_not(world: World):
    world.model = ScriptedModel([REFUSAL])
    run = world.ask()
    world.on_write(lambda: world.cancel(run))

    with pytest.raises(ModelRejected):
        world.invoke_model(run)

    assert world.run(run).cancel_requested_at is not None
    assert world.run(run).model_words == ""


def test_a_run_that_recovers_does_not_show_what_was_said_before(world: World):
    world.model = ScriptedModel([ModelThrottled("the server answered 429", words="slow down"), reply("hi")])
    run = world.ask()
    with pytest.raises(ModelThrottled):
        world.invoke_model(run)

    world.invoke_model(run, attempt=1)
    ended = world.finish(run)

    assert ended is not None
    assert (ended.status, ended.error) == ("COMPLETED", None)
