"""The same request twice: everything that makes something makes it once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse

from freehold import wiring
from freehold.adapters.claims import CLAIM_MS
from freehold.http import erasures
from freehold.http.call import Answer as Done
from freehold.http.call import Call
from freehold.http.caller import Caller as Who
from freehold.http.idempotency import once
from freehold.values.run import Principal

from .aws import meddling
from .caller import TENANT, Answer, Caller
from .deployed import Deployed
from .test_api_errors import failing

KEYS = ("POST", "/keys", {"name": "ci", "scopes": ["run"]})
VERSIONS = ("POST", "/agents/helper/versions", None)
ERASURES = ("POST", "/erasures", {"agent": "helper", "memoryId": "m1"})


def send(caller: Caller, method: str, path: str, body: Any = None, key: str = "k1") -> Answer:
    return caller.call(method, path, body, headers={"Idempotency-Key": key})


def versions(product: Deployed) -> list[str]:
    return [each["version"] for each in product.admin.call("GET", "/agents/helper/versions").body["versions"]]


def forget_answer(product: Deployed, key: str = "k1") -> None:
    """As a function leaves it that died after its work and before it kept its answer, a while ago."""
    where = {"pk": {"S": f"IDEMPOTENCY#{TENANT}#{key}"}, "sk": {"S": "IDEMPOTENCY"}}
    change = "REMOVE answer SET claimed_until = :past"
    past = {":past": {"N": "0"}}
    product.client.update_item(
        TableName="sessions", Key=where, UpdateExpression=change, ExpressionAttributeValues=past
    )


def replay_of(product: Deployed) -> tuple[str, str, Any]:
    run_id = product.start()["runId"]
    product.finish(run_id, text="Done.")
    return "POST", f"/runs/{run_id}/replays", {"model": "rehearsal"}


# -- the same answer


def test_a_repeated_request_for_a_version_makes_one(product: Deployed):
    first, again = send(product.admin, *VERSIONS), send(product.admin, *VERSIONS)

    assert (first.status, again.status, again.body) == (201, 201, first.body)
    assert versions(product) == ["1"]
    assert send(product.admin, *VERSIONS, key="k2").body["version"] == "2"


def test_a_repeated_request_for_a_key_makes_one_and_does_not_show_it_again(product: Deployed):
    first, again = send(product.admin, *KEYS), send(product.admin, *KEYS)

    assert (first.status, again.status) == (201, 201)
    assert again.body == {name: value for name, value in first.body.items() if name != "key"}
    assert len(product.admin.call("GET", "/keys").body["keys"]) == 1
    stored = json.dumps(product.items("sessions") + product.items("agents"))
    assert first.body["key"].rpartition("_")[2] not in stored


def test_a_repeated_replay_is_answered_with_what_has_become_of_the_first(product: Deployed):
    asked = method, path, body = replay_of(product)
    first, again = send(product.admin, *asked), send(product.admin, method, path, body | {"waitSeconds": 0})
    product.finish(first.body["runId"], text="Done again.")

    ended = send(product.admin, *asked)

    assert (first.status, again.status, again.body) == (202, 202, first.body)
    assert (ended.status, ended.body["runId"]) == (200, first.body["runId"])
    replays = [run for run in product.admin.call("GET", "/runs").body["runs"] if "replays" in run]
    assert len(replays) == 1


def test_a_repeated_request_for_an_upload_names_the_same_one(product: Deployed):
    path = f"/runs/{product.start()['runId']}/uploads"

    first, again = (send(product.admin, "POST", path, {"bytes": 7}) for _ in range(2))

    assert (first.status, again.status) == (201, 201)
    assert first.body["uploadId"] == again.body["uploadId"]
    place = first.body["url"].partition("?")[0]
    assert again.body["url"].startswith(f"{place}?")
    # Whoever has the URL may put something there, so that it is kept nowhere.
    assert "X-Amz-Signature" not in json.dumps(product.items("sessions"))


def test_a_repeated_erasure_tells_what_the_first_one_erased(product: Deployed):
    run_id = product.start(sessionId="s1")["runId"]
    product.finish(run_id, text="Done.")
    asked = ("POST", "/erasures", {"principal": f"key:{product.admin.key_id}"})

    first, again = send(product.admin, *asked), send(product.admin, *asked)

    assert first.body["erased"]["sessions"] == 1
    assert again.body == first.body


def test_an_erasure_that_is_not_complete_goes_on_under_its_key(product: Deployed):
    call = Call({}, None, "{}", {"Idempotency-Key": "k1"}, {}, wiring.endings)
    caller = Who(TENANT, Principal("key", "k"), frozenset(("admin",)))
    left = iter([{"complete": False}, {"complete": True, "erased": 2}])

    def send() -> Any:
        made = once(caller, call, "erase", lambda _: Done(next(left)), keep=erasures.once_complete)
        return made.body

    answers = [send() for _ in range(3)]

    assert answers == [{"complete": False}, *[{"complete": True, "erased": 2}] * 2]


# -- another request


@pytest.mark.parametrize(
    "other",
    [
        ("POST", "/keys", {"name": "ci", "scopes": ["read"]}),
        VERSIONS,
        ERASURES,
        ("POST", "/agents/helper/runs", {"input": "hi"}),
    ],
    ids=lambda other: other[1],
)
def test_no_other_call_and_no_other_body_goes_under_the_same_key(product: Deployed, other: Any):
    send(product.admin, *KEYS)

    answer = send(product.admin, *other)

    assert (answer.status, answer.body["type"]) == (422, "urn:freehold:IdempotencyKeyReused")
    assert (versions(product), product.started()) == ([], [])


def test_a_key_that_began_a_run_makes_nothing_else(product: Deployed):
    run = send(product.admin, "POST", "/agents/helper/runs", {"input": "hi"}).body

    answers = [send(product.admin, *other) for other in (KEYS, VERSIONS, replay_of(product))]

    assert {answer.status for answer in answers} == {422}
    assert send(product.admin, "POST", "/agents/helper/runs", {"input": "hi"}).body["runId"] == run["runId"]


def test_the_same_version_of_another_agent_is_another_request(product: Deployed):
    product.admin.call(
        "PUT",
        "/agents/other",
        {**product.admin.call("GET", "/agents/helper").body["agent"], "agentName": "other"},
    )
    send(product.admin, *VERSIONS)

    assert send(product.admin, "POST", "/agents/other/versions").status == 422


def test_the_order_of_a_bodys_fields_makes_no_other_request(product: Deployed):
    first = send(product.admin, "POST", "/keys", '{"name": "ci", "scopes": ["run"]}')

    again = send(product.admin, "POST", "/keys", '{ "scopes": ["run"], "name": "ci" }')

    assert again.body["keyId"] == first.body["keyId"]


def test_who_lacks_the_scope_does_not_see_an_answer_of_somebody_else(product: Deployed):
    send(product.admin, *KEYS)

    assert send(product.scoped("run", "read", "approve"), *KEYS).status == 403


@pytest.mark.parametrize("key", ["", "a b", "ä", "k" * 256])
def test_a_key_that_could_be_none_is_refused(product: Deployed, key: str):
    answer = send(product.admin, *VERSIONS, key=key)

    assert (answer.status, answer.body["problems"][0]["path"]) == (400, "Idempotency-Key")
    assert versions(product) == []


# -- what fails, and who dies


def test_a_request_that_was_refused_may_be_mended_under_its_key(product: Deployed):
    refused = send(product.admin, "POST", "/keys", {"name": "ci", "scopes": ["nonsense"]})

    mended = send(product.admin, *KEYS)

    assert (refused.status, mended.status) == (400, 201)
    assert "key" in mended.body


def test_while_the_first_one_is_at_work_the_second_is_told_to_wait(product: Deployed):
    at_work: list[Answer] = []

    def meanwhile(**_: Any) -> None:
        if not at_work:
            at_work.append(send(product.admin, *VERSIONS))

    with meddling(wiring.client("dynamodb"), "before-send.dynamodb.TransactWriteItems", meanwhile):
        first = send(product.admin, *VERSIONS)

    (second,) = at_work
    assert (first.status, second.status) == (201, 409)
    assert second.body["type"] == "urn:freehold:RequestInProgress"
    assert int(second.headers["Retry-After"]) > 0
    assert versions(product) == ["1"]


def test_a_version_whose_maker_died_is_not_made_again(product: Deployed):
    made = send(product.admin, *VERSIONS)
    product.admin.call("POST", "/agents/helper/versions")
    forget_answer(product)

    again = send(product.admin, *VERSIONS)

    assert (again.status, again.body) == (201, made.body)
    assert versions(product) == ["1", "2"]


def test_a_key_whose_maker_died_is_shown_to_who_asks_again(product: Deployed):
    lost = send(product.admin, *KEYS).body
    forget_answer(product)

    again = send(product.admin, *KEYS).body

    assert (again["keyId"], again["createdBy"]) == (lost["keyId"], lost["createdBy"])
    now = wiring.now() // 1000
    assert wiring.api_keys().verify(again["key"], now=now) is not None
    assert wiring.api_keys().verify(lost["key"], now=now) is None
    assert len(product.admin.call("GET", "/keys").body["keys"]) == 1


def test_what_the_store_refuses_may_be_sent_again_at_once(product: Deployed):
    fail = failing(500, "InternalServerError")
    with meddling(wiring.client("dynamodb"), "before-send.dynamodb.TransactWriteItems", fail):
        first = send(product.admin, *VERSIONS)

    again = send(product.admin, *VERSIONS)

    assert (first.status, again.status) == (503, 201)
    assert first.headers["Retry-After"] == "1"
    assert versions(product) == ["1"]


def test_a_claim_outlives_the_function_that_made_it():
    template = yaml_parse((Path(__file__).parents[2] / "template.yaml").read_text())
    own = template["Resources"]["ApiFunction"]["Properties"].get("Timeout")
    timeout = own or template["Globals"]["Function"]["Timeout"]

    assert timeout * 1000 < CLAIM_MS


def test_a_store_that_does_not_answer_is_no_reason_to_work_twice(product: Deployed):
    """The answer could not be kept: who asks again is given the same version."""
    failed: list[str] = []
    fail = failing(500, "InternalServerError")

    def fail_once(request: Any, **more: Any) -> Any:
        if b"answer" in request.body and len(failed) < 10:
            failed.append("keep")
            return fail(request=request, **more)
        return None

    with meddling(wiring.client("dynamodb"), "before-send.dynamodb.PutItem", fail_once):
        first = send(product.admin, *VERSIONS)
    again = send(product.admin, *VERSIONS)

    assert (first.status, again.status, again.body["version"]) == (503, 201, "1")
    assert versions(product) == ["1"]


def test_a_repeated_schedule_is_one_and_its_large_input_is_not_kept_twice(product: Deployed):
    words = "日" * 100_000
    asked = ("POST", "/schedules", {"agent": "helper", "schedule": "rate(1 day)", "input": words})

    first, again = send(product.admin, *asked), send(product.admin, *asked)

    assert (first.status, again.status, again.body) == (201, 201, first.body)
    assert len(product.admin.call("GET", "/schedules").body["schedules"]) == 1
    assert "日" not in json.dumps(product.items("sessions"), ensure_ascii=False)
