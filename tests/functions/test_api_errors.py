"""What goes wrong is a problem document with a request id, and tells nothing that is not the caller's business."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse

from freehold import wiring
from freehold.errors import StaleWrite
from freehold.http.problems import problem

from .aws import answered, meddling
from .calls import CALLS, Call, make_one_of_each
from .deployed import Deployed
from .problems import is_problem


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
def test_every_answer_bears_the_id_of_its_request(product: Deployed, call: Call):
    ids = make_one_of_each(product, call)
    answers = [call.by(caller, ids) for caller in (product.scoped(), product.other_tenant(), product.admin)]

    seen = [answer.headers["x-request-id"] for answer in answers]

    assert len(set(seen)) == 3
    assert all(request_id.startswith("request-") for request_id in seen)
    assert is_problem(answers[0])
    assert answers[2].status == call.status


# -- what is not the caller's fault


def failing(status: int, code: str) -> Callable[..., AWSResponse]:
    """AWS answers with this error, whatever is asked."""
    body = {"__type": f"com.amazon#{code}", "message": "arn:aws:sts::1:assumed-role/r in a secret place"}
    return lambda **_: answered(status, body)


# The catalog of models comes with the code, and dead letters lie in queues.
ASK_THE_STORE = [call for call in CALLS if not call.path.startswith(("/models", "/dead-letters"))]


@pytest.mark.parametrize("call", ASK_THE_STORE, ids=lambda call: call.name)
def test_a_store_that_does_not_answer_makes_a_503_that_may_be_sent_again(
    product: Deployed, call: Call, log: io.StringIO
):
    ids = make_one_of_each(product, call)
    fail = failing(400, "AccessDeniedException")
    with meddling(wiring.client("dynamodb"), "before-send.dynamodb", fail):
        answer = call.by(product.admin, ids)

    assert answer.status == 503
    assert answer.headers["Retry-After"] == "1"
    assert is_problem(answer)
    assert not any(word in answer.text for word in ("arn:", "secret", "acme", "Item"))
    assert "assumed-role" in log.getvalue()


def test_a_store_is_asked_again_before_it_is_given_up(product: Deployed):
    asked: list[str] = []
    fail = failing(500, "InternalServerError")

    def once(request: Any, **_: Any) -> AWSResponse | None:
        asked.append(request.url)
        return fail() if len(asked) == 1 else None

    with meddling(wiring.client("dynamodb"), "before-send.dynamodb", once):
        assert product.admin.call("GET", "/agents/helper").status == 200
    assert len(asked) == 3


def test_a_defect_of_ours_is_a_500_without_details(product: Deployed, log: io.StringIO):
    inside = "the secret inside"

    def fail(**_: Any) -> None:
        raise RuntimeError(inside)

    with meddling(wiring.client("dynamodb"), "before-call.dynamodb.GetItem", fail):
        answer = product.admin.call("GET", "/agents/helper")

    assert answer.status == 500
    assert is_problem(answer)
    assert "secret" not in answer.text
    # Anything may stand in the words of an error that nobody foresaw: the log shows where it was raised.
    assert "secret" not in log.getvalue()
    assert "RuntimeError" in log.getvalue()
    assert "test_api_errors.py" in log.getvalue()
    (line,) = [json.loads(line) for line in log.getvalue().splitlines() if "request failed" in line]
    assert (line["tenant"], line["principal"]) == ("acme", "key:0123456789ab")
    assert answer.headers["x-request-id"]


def test_a_state_machine_that_cannot_be_started_leaves_a_run_that_a_repeat_starts(product: Deployed):
    fail = failing(400, "AccessDeniedException")
    headers, body = {"Idempotency-Key": "k"}, {"input": "hi"}
    with meddling(wiring.client("stepfunctions"), "before-send.stepfunctions.StartExecution", fail):
        first = product.admin.call("POST", "/agents/helper/runs", body, headers=headers)

    again = product.admin.call("POST", "/agents/helper/runs", body, headers=headers)

    assert (first.status, again.status) == (503, 202)
    assert product.started() == [f"{again.body['runId']}-1"]


def test_who_was_too_slow_is_not_told_how_the_tables_name_things():
    status, told = problem(StaleWrite("write KEYS#acme 0123456789ab"), path="/keys")

    assert (status, told["type"]) == (409, "urn:freehold:StaleWrite")
    assert "KEYS" not in json.dumps(told)


def test_of_a_request_with_very_many_faults_the_first_are_told_and_how_many_more_there_are(product: Deployed):
    body = {"input": "hi"} | {f"field {number}": 1 for number in range(1_000)} | {"x" * 100_000: 1}

    answer = product.admin.call("POST", "/agents/helper/runs", body)

    *told, rest = answer.body["problems"]
    assert answer.status == 400
    assert [each["path"] for each in told] == [f"field {number}" for number in range(100)]
    assert rest == {"path": "", "message": "and 901 more like these"}
    assert len(answer.body["detail"]) == 2_001


def test_a_fault_is_told_without_all_that_was_sent(product: Deployed):
    answer = product.admin.call("POST", "/agents/helper/runs", {"input": "hi", "x" * 100_000: 1})

    assert answer.body["problems"] == [
        {"path": "x" * 2_000 + "…", "message": "is not a field of this request"}
    ]


def test_requests_are_not_logged(product: Deployed, log: io.StringIO):
    product.start("a very private question", sessionId="s1")
    product.admin.call("GET", "/sessions/s1/items")
    product.admin.call("POST", "/agents/helper/runs", {"input": 5, "secret": "a private field"})

    assert "private" not in log.getvalue()
    assert "fh_secret" not in log.getvalue()


def test_who_asks_for_what_is_another_tenants_stands_in_the_log(product: Deployed, log: io.StringIO):
    ids = make_one_of_each(product, CALLS[0])
    stranger = product.other_tenant()

    answer = stranger.call("POST", f"/runs/{ids.get('run', '01ARZ3NDEKTSV4RRFFQ69G5FAV-1')}/cancel")

    assert answer.status == 404
    (line,) = [json.loads(each) for each in log.getvalue().splitlines() if "request refused" in each]
    assert (line["tenant"], line["principal"]) == (stranger.tenant, f"key:{stranger.key_id}")
    assert line["reason"] == "urn:freehold:NotFound"
