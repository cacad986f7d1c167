"""Replays over HTTP: begun on another model, and answered by the record."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest

from freehold import wiring
from freehold.values.agent import ModelChoice
from freehold.values.run import RunKey
from model_server import ask, say

from .aws import REQUESTS, meddling
from .caller import TENANT, Answer
from .deployed import Deployed, agent
from .loop import Loop

CATALOG_MODEL = "openai.gpt-5.5-v1"


def replay(product: Deployed, run_id: str, model: Any = "rehearsal", **more: Any) -> Answer:
    return product.admin.call("POST", f"/runs/{run_id}/replays", {"model": model, **more})


@pytest.fixture
def ended(product: Deployed) -> str:
    """The id of a run that has ended."""
    run_id = product.start("Where is it?", sessionAttributes={"customer": "42"})["runId"]
    product.finish(run_id, text="Here.")
    return run_id


def test_a_replay_is_a_run_of_its_own_that_names_the_run_it_replays(product: Deployed, ended: str):
    answer = replay(product, ended)
    run = product.admin.call("GET", f"/runs/{answer.body['runId']}").body
    session = product.admin.call("GET", f"/sessions/{run['sessionId']}").body
    original = product.admin.call("GET", f"/runs/{ended}").body

    assert answer.status == 202
    told = {"runId": run["runId"], "sessionId": run["sessionId"], "status": "RUNNING", "replays": ended}
    assert answer.body == told
    assert (run["replays"], run["input"], run["trigger"]) == (ended, "Where is it?", "replay")
    assert run["principal"] == {"type": "key", "id": product.admin.key_id}
    assert session["endedAt"] == session["createdAt"]
    assert session["replay"] is True
    assert "replay" not in product.admin.call("GET", f"/sessions/{original['sessionId']}").body
    assert product.started()[-1] == f"{run['runId']}-1"
    assert "replays" not in original


@pytest.mark.parametrize(
    ("model", "choice"),
    [
        (CATALOG_MODEL, ModelChoice(CATALOG_MODEL)),
        ({"model": CATALOG_MODEL}, ModelChoice(CATALOG_MODEL)),
        ({"model": "mine", "api": "openai_compatible"}, ModelChoice("mine", "openai_compatible")),
        (
            "arn:aws:bedrock:us-east-1:123456789012:inference-profile/eu.mine",
            ModelChoice("arn:aws:bedrock:us-east-1:123456789012:inference-profile/eu.mine", "converse"),
        ),
    ],
)
def test_the_model_is_named_as_in_an_agent(product: Deployed, ended: str, model: Any, choice: ModelChoice):
    run_id = replay(product, ended, model).body["runId"]

    assert pinned(run_id) == (choice,)


def pinned(run_id: str) -> tuple[ModelChoice, ...]:
    key = RunKey.parse(TENANT, run_id)
    assert key is not None
    run = wiring.sessions().run(key)
    assert run is not None
    return wiring.agents().snapshot(TENANT, run.agent, run.agent_digest).models


def refused(product: Deployed, run_id: str, model: Any, **more: Any) -> str:
    """The message of the refusal, which stores nothing."""
    before = product.items("agents"), product.items("sessions")
    answer = replay(product, run_id, model, **more)
    assert answer.status == 400, answer.text
    assert (product.items("agents"), product.items("sessions")) == before
    (problem,) = answer.body["problems"]
    return f"{problem['path']} {problem['message']}"


def test_an_unknown_model_without_its_api_is_refused_with_names_that_are_close(product: Deployed, ended: str):
    told = refused(product, ended, "openai.gpt-5.5-v2")

    assert told.startswith("model 'openai.gpt-5.5-v2' is not in the catalog")
    assert f"Did you mean {CATALOG_MODEL}" in told
    assert '{"model": …, "api": …}' in told
    assert "Did you mean" not in refused(product, ended, "q")


@pytest.mark.parametrize("model", [None, 7, "", [], {}, {"model": "mine", "api": "smoke"}, {"name": "mine"}])
def test_what_names_no_model_is_refused(product: Deployed, ended: str, model: Any):
    answer = replay(product, ended, model)

    assert answer.status == 400
    assert all(problem["path"].startswith("model") for problem in answer.body["problems"])


def test_a_wait_that_is_too_long_is_refused(product: Deployed, ended: str):
    assert refused(product, ended, "rehearsal", waitSeconds=26).startswith("waitSeconds")


def test_a_limit_on_cost_needs_a_model_with_a_known_price(product: Deployed):
    product.admin.call("PUT", "/agents/thrifty", agent("thrifty", limits={"maxCostUsd": 1}))
    run_id = product.start(agent="thrifty")["runId"]
    product.finish(run_id, text="Here.")

    told = refused(product, run_id, {"model": "mine", "api": "openai_compatible"})

    assert "price of mine is not known" in told
    assert "limits.maxCostUsd" in told
    assert replay(product, run_id, CATALOG_MODEL).status == 202


def test_images_need_a_model_that_takes_them(product: Deployed):
    blind = next(entry.id for entry in wiring.catalog().all() if not entry.images)
    image = {"data": b64encode(b"\x89PNG\r\n\x1a\n rest").decode()}
    run_id = product.start(images=[image])["runId"]
    product.finish(run_id, text="A cat.")

    assert f"{blind} takes no images" in refused(product, run_id, blind)
    assert replay(product, run_id, CATALOG_MODEL).status == 202


def test_a_run_that_has_not_ended_and_a_replay_are_not_replayed(product: Deployed, ended: str):
    running, again = product.start()["runId"], replay(product, ended).body["runId"]
    product.finish(again, text="There.")

    unfinished, of_replay = replay(product, running), replay(product, again)

    assert (unfinished.status, of_replay.status) == (409, 409)
    assert "has not ended" in unfinished.body["detail"]
    assert ended in of_replay.body["detail"]


@pytest.mark.parametrize("run_id", ["01M84CY6FV8TPZ8VTAMGGSRG64-1", "no-run", "x"])
def test_a_run_that_is_not_there_is_not_found(product: Deployed, run_id: str):
    assert replay(product, run_id).status == 404


def test_a_replay_of_another_tenants_run_is_not_found(product: Deployed, ended: str):
    answer = product.other_tenant().call("POST", f"/runs/{ended}/replays", {"model": "rehearsal"})

    assert answer.status == 404


def test_a_replay_that_ends_within_the_wait_is_answered_whole(product: Deployed, ended: str):
    def finish(parsed: dict[str, Any], **_: Any) -> None:
        run_id, _, _ = parsed["executionArn"].rpartition(":")[2].rpartition("-")
        product.finish(run_id, text="There.")

    with meddling(wiring.client("stepfunctions"), "after-call.stepfunctions.StartExecution", finish):
        answer = replay(product, ended, waitSeconds=20)

    assert (answer.status, answer.body["output"], answer.body["replays"]) == (200, "There.", ended)


def test_the_functions_answer_a_replay_by_the_record_and_call_no_tool(loop: Loop):
    def calls() -> list[str]:
        return [request.operation for request in REQUESTS.made if request.service == "lambda"]

    start = loop.start(ask(("pay", {"amount": 3})), say("Paid."))
    loop.tool(loop.step(start), 0)
    loop.finish(loop.step(start))
    made = calls()
    loop.model.script([ask(("pay", {"amount": 3})), say("Paid, I see.")])
    other = {"model": "other", "api": "openai_compatible"}
    run_id = replay(loop.product, start["run"]["id"], other).body["runId"]
    again = {"run": {"tenant": TENANT, "id": run_id, "execution": 1}}

    loop.tool(loop.step(again), 0, {"never": "asked"})
    loop.finish(loop.step(again))

    run = loop.run(again)
    query = {"runId": run_id}
    items = loop.product.admin.call("GET", f"/sessions/{run['sessionId']}/items", query=query).body["items"]
    (call,) = [item for item in items if item["kind"] == "call"]
    assert (call["outcome"], call["result"]) == ("success", "found it")
    assert (run["status"], run["output"]) == ("COMPLETED", "Paid, I see.")
    assert calls() == made == ["Invoke"]
    assert loop.model.requests[-1]["model"] == "other"
