"""Runs over HTTP: start, read, cancel."""

from __future__ import annotations

from typing import Any

import pytest

from freehold import wiring
from freehold.values.model import Usage

from .aws import REQUESTS, meddling
from .caller import TENANT, Caller
from .deployed import Deployed, agent
from .lambdas import invoke


def test_a_run_is_started_once_and_read_back(product: Deployed):
    answer = product.admin.call(
        "POST",
        "/agents/helper/runs",
        {"input": "Wo ist mein Paket? 📦", "sessionId": "s1", "sessionAttributes": {"customer": "42"}},
    )
    run = product.admin.call("GET", f"/runs/{answer.body['runId']}").body

    assert answer.status == 202
    assert answer.body == {"runId": run["runId"], "sessionId": "s1", "status": "RUNNING"}
    assert run["input"] == "Wo ist mein Paket? 📦"
    assert (run["agent"], run["alias"], run["agentVersion"]) == ("helper", "DRAFT", "DRAFT")
    assert run["principal"] == {"type": "key", "id": product.admin.key_id}
    assert run["trigger"] == "http"
    assert product.started() == [f"{run['runId']}-1"]


def test_a_run_without_a_session_gets_one_of_its_own(product: Deployed):
    first, second = product.start(), product.start()

    assert first["sessionId"] != second["sessionId"]


def test_a_fast_agent_runs_on_the_express_machine(product: Deployed):
    product.admin.call("PUT", "/agents/quick", agent("quick", executionMode="fast"))

    product.start(agent="quick")

    (asked,) = requests_of("api", "StartExecution")
    assert asked["stateMachineArn"].endswith(":stateMachine:freehold-agent-loop-fast")


def requests_of(function: str, operation: str) -> list[dict[str, Any]]:
    return [r.parameters for r in REQUESTS.made if (r.function, r.operation) == (function, operation)]


def test_a_finished_run_shows_its_answer_and_its_figures(product: Deployed):
    run_id = product.start()["runId"]
    product.finish(run_id, text="Here you are.")

    run = product.admin.call("GET", f"/runs/{run_id}").body

    assert (run["status"], run["output"]) == ("COMPLETED", "Here you are.")
    assert run["usage"] == {"inputTokens": 10, "outputTokens": 2, "cachedTokens": 0, "cacheWrittenTokens": 0}
    assert (run["laps"], run["calls"]) == (1, 0)
    # The lap came from a model without a price, and unknown is not nothing.
    assert run["costUsd"] is None
    assert run["createdAt"] <= run["startedAt"] <= run["finishedAt"]
    assert run["finishedAt"].endswith("Z")


def test_a_failed_run_tells_its_error(product: Deployed):
    run = product.start()
    key = {"tenant": TENANT, "id": run["runId"], "execution": 1}
    cause = '{"errorMessage": "no such model", "errorType": "ModelRejected", "stackTrace": ["secret place"]}'
    invoke("finish_run", {"run": key, "error": {"type": "ModelRejected", "cause": cause}})

    told = product.admin.call("GET", f"/runs/{run['runId']}").body

    assert told["status"] == "FAILED"
    assert told["error"] == {"type": "ModelRejected", "message": "no such model"}


def test_a_request_may_wait_for_the_end_of_its_run(product: Deployed):
    def finish(parsed: dict[str, Any], **_: Any) -> None:
        """The state machine, as it were: the run ends right after its start."""
        run_id, _, _ = parsed["executionArn"].rpartition(":")[2].rpartition("-")
        product.finish(run_id, text="Done already.")

    with meddling(wiring.client("stepfunctions"), "after-call.stepfunctions.StartExecution", finish):
        answer = product.admin.call("POST", "/agents/helper/runs", {"input": "hi", "waitSeconds": 20})

    assert answer.status == 200
    assert (answer.body["status"], answer.body["output"]) == ("COMPLETED", "Done already.")


def test_a_run_that_outlasts_the_wait_is_answered_with_its_ids(product: Deployed):
    answer = product.admin.call("POST", "/agents/helper/runs", {"input": "hi", "waitSeconds": 1})

    assert answer.status == 202
    assert answer.body["status"] == "RUNNING"


def test_the_longest_input_is_taken_whole(product: Deployed):
    text = "ä" * 200_000

    run_id = product.start(text)["runId"]

    assert product.admin.call("GET", f"/runs/{run_id}").body["input"] == text


@pytest.mark.parametrize("name", ["nobody", "HELPER", "helper2"])
def test_an_unknown_agent_is_not_found(product: Deployed, name: str):
    assert product.admin.call("POST", f"/agents/{name}/runs", {"input": "hi"}).status == 404
    assert product.items("sessions") == []


def test_an_unknown_alias_is_not_found(product: Deployed):
    answer = product.admin.call("POST", "/agents/helper/runs", {"input": "hi", "alias": "live"})

    assert answer.status == 404
    assert "live" in answer.body["detail"]


# -- one message at a time


def test_a_busy_session_says_with_which_run(product: Deployed):
    first = product.start(sessionId="s1")

    answer = product.admin.call("POST", "/agents/helper/runs", {"input": "me too", "sessionId": "s1"})

    assert answer.status == 409
    assert answer.body["type"] == "urn:freehold:SessionBusy"
    assert answer.body["runId"] == first["runId"]


def test_a_message_may_queue_and_gets_its_turn(product: Deployed):
    first = product.start(sessionId="s1")
    second = product.start("me too", sessionId="s1", whenBusy="enqueue")

    product.finish(first["runId"])

    assert second["status"] == "QUEUED"
    assert product.admin.call("GET", f"/runs/{second['runId']}").body["status"] == "RUNNING"
    assert product.started() == sorted([f"{first['runId']}-1", f"{second['runId']}-1"])


def test_a_session_stays_with_its_agent(product: Deployed):
    product.admin.call("PUT", "/agents/other", agent("other"))
    product.finish(product.start(sessionId="s1")["runId"])

    answer = product.admin.call("POST", "/agents/other/runs", {"input": "hi", "sessionId": "s1"})

    assert answer.status == 409
    assert "helper" in answer.body["detail"]


# -- the same request twice


def test_a_repeated_request_gets_the_run_that_the_first_one_began(product: Deployed):
    def ask(**more: Any) -> dict[str, Any]:
        body = {"input": "once"} | more
        return product.admin.call("POST", "/agents/helper/runs", body, headers={"idempotency-key": "k1"}).body

    first, again = ask(), ask(waitSeconds=0, whenBusy="enqueue")

    assert again == first
    assert product.started() == [f"{first['runId']}-1"]


def test_a_repeated_request_gets_the_whole_run_once_that_has_ended(product: Deployed):
    body, headers = {"input": "once"}, {"Idempotency-Key": "k1"}
    run_id = product.admin.call("POST", "/agents/helper/runs", body, headers=headers).body["runId"]
    product.finish(run_id, text="All done.")

    again = product.admin.call("POST", "/agents/helper/runs", body, headers=headers)

    assert (again.status, again.body["runId"], again.body["output"]) == (200, run_id, "All done.")


@pytest.mark.parametrize(
    "changed",
    [
        {"input": "twice"},
        {"sessionId": "s2"},
        {"sessionAttributes": {"a": "b"}},
        {"promptSessionAttributes": {"a": "b"}},
        {"alias": "DRAFT"},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_an_idempotency_key_belongs_to_one_request(product: Deployed, changed: dict[str, Any]):
    headers, body = {"Idempotency-Key": "k1"}, {"input": "once"}
    first = product.admin.call("POST", "/agents/helper/runs", body, headers=headers).body

    answer = product.admin.call("POST", "/agents/helper/runs", body | changed, headers=headers)

    assert answer.status == 422
    assert answer.body["type"] == "urn:freehold:IdempotencyKeyReused"
    assert "Idempotency-Key" in answer.body["detail"]
    assert product.started() == [f"{first['runId']}-1"]


def test_two_tenants_may_use_the_same_idempotency_key_and_session(product: Deployed):
    other = product.other_tenant()
    other.call("PUT", "/agents/helper", agent())
    headers, body = {"Idempotency-Key": "k1"}, {"input": "hi", "sessionId": "s1"}

    ours, theirs = (
        caller.call("POST", "/agents/helper/runs", body, headers=headers) for caller in (product.admin, other)
    )

    assert (ours.status, theirs.status) == (202, 202)
    assert ours.body["runId"] != theirs.body["runId"]


def test_the_longest_idempotency_key_fits_into_the_table(product: Deployed):
    answer = product.admin.call(
        "POST", "/agents/helper/runs", {"input": "hi"}, headers={"Idempotency-Key": "%" * 255}
    )

    assert answer.status == 202


# -- cancelling


def test_a_running_run_is_marked_and_a_queued_one_ends_at_once(
    product: Deployed, capsys: pytest.CaptureFixture[str]
):
    running = product.start(sessionId="s1")
    queued = product.start(sessionId="s1", whenBusy="enqueue")

    marked = product.admin.call("POST", f"/runs/{running['runId']}/cancel")
    ended = product.admin.call("POST", f"/runs/{queued['runId']}/cancel")

    assert (marked.status, marked.body["status"]) == (202, "RUNNING")
    assert (ended.status, ended.body["status"], ended.body["stopReason"]) == (
        202,
        "CANCELLED",
        "cancelRequested",
    )
    assert capsys.readouterr().out.count('"RunsCancelled":[1.0]') == 1


def test_a_cancelled_run_says_who_asked_for_that_first(product: Deployed):
    ann, bob = Caller(key_id="a" * 12), Caller(key_id="b" * 12)
    ids = [product.start(sessionId="s1", whenBusy="enqueue")["runId"] for _ in range(2)]

    marked, ended = (
        [each.call("POST", f"/runs/{run_id}/cancel").body for each in (ann, bob)] for run_id in ids
    )

    assert [(each["status"], each["cancelledBy"]) for each in marked] == [("RUNNING", "key:" + "a" * 12)] * 2
    assert [(each["status"], each["cancelledBy"]) for each in ended] == [("CANCELLED", "key:" + "a" * 12)] * 2
    run = {"tenant": TENANT, "id": ids[0], "execution": 1}
    invoke("finish_run", {"run": run, "outcome": {"status": "CANCELLED", "reason": "cancelRequested"}})
    assert product.admin.call("GET", f"/runs/{ids[0]}").body["cancelledBy"] == "key:" + "a" * 12


def test_cancelling_twice_or_too_late_changes_nothing(product: Deployed):
    run_id = product.start()["runId"]
    first, second = (product.admin.call("POST", f"/runs/{run_id}/cancel") for _ in range(2))
    product.finish(run_id, text="Too late.")
    before = product.items("sessions")

    late = product.admin.call("POST", f"/runs/{run_id}/cancel")

    assert (first.status, first.body) == (second.status, second.body)
    assert (late.status, late.body["status"]) == (202, "COMPLETED")
    assert product.items("sessions") == before


@pytest.mark.parametrize(
    "run_id", ["01M84CY6FV8TPZ8VTAMGGSRG64-1", "x", "a-0", "a-01", "a--1", "-1", "a-9999999"]
)
def test_an_unknown_run_is_not_found(product: Deployed, run_id: str):
    assert product.admin.call("GET", f"/runs/{run_id}").status == 404
    assert product.admin.call("POST", f"/runs/{run_id}/cancel").status == 404


def test_a_priced_run_has_its_cost(product: Deployed):
    from decimal import Decimal

    run_id = product.start()["runId"]
    product.add_lap(run_id, "ok", cost_usd=Decimal("0.000123"), usage=Usage(100, 10, 50, 30))
    product.finish(run_id)

    run = product.admin.call("GET", f"/runs/{run_id}").body

    assert run["costUsd"] == 0.000123
    usage = {"inputTokens": 100, "outputTokens": 10, "cachedTokens": 50, "cacheWrittenTokens": 30}
    assert run["usage"] == usage
