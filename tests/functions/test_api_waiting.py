"""Runs that wait, over HTTP: shown, listed, decided about, handed back."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from botocore.exceptions import EndpointConnectionError

from freehold import wiring

from .aws import REQUESTS, aws, meddling
from .caller import Caller
from .deployed import Deployed, agent, waiting
from .lambdas import invoke
from .pages import flat, key_of, pages
from .test_api_decisions import BOSS, MEMBER, decide, decision

Json = dict[str, Any]
OWNER = Caller()


@pytest.fixture(autouse=True)
def waits(product: Deployed) -> None:
    assert product.admin.call("PUT", "/agents/helper", waiting()).status == 200


def shown(product: Deployed, run: Json) -> Json:
    return product.admin.call("GET", f"/runs/{run['runId']}").body


def items(product: Deployed, run: Json, kind: str) -> list[Json]:
    path, query = f"/sessions/{run['sessionId']}/items", {"runId": run["runId"]}
    found = flat(pages(product.admin, path, "items", limit="2", **query))
    return [item for item in found if item["kind"] == kind]


# -- shown


def test_a_parked_run_shows_each_call_with_what_it_waits_for(product: Deployed):
    run = product.park("confirm", "ask_user", text="I need two things.")

    confirm, question = run["awaiting"]
    assert run["status"] == "AWAITING"
    assert confirm == {
        "callId": "t1-l1-c0",
        "kind": "confirmation",
        "tool": "confirm",
        "arguments": "{}",
        "argumentsDigest": confirm["argumentsDigest"],
        "reason": "I need two things.",
        "expiresAt": run["waitsUntil"],
    }
    assert (question["kind"], question["question"]) == ("answer", "Which order?")
    assert json.loads(question["arguments"]) == {"question": "Which order?"}


@pytest.mark.parametrize("scope", ["read", "run", "approve"])
def test_whoever_may_decide_may_read_what_about(product: Deployed, scope: str):
    run = product.park("approve")

    assert product.scoped(scope).call("GET", f"/runs/{run['runId']}").body == run


def test_a_request_that_waits_is_answered_once_somebody_must_decide(product: Deployed):
    def park(parsed: Json, **_: Any) -> None:
        """The state machine, as it were: the run is parked right after its start."""
        run_id, _, _ = parsed["executionArn"].rpartition(":")[2].rpartition("-")
        product.park_begun(run_id, "approve")

    with meddling(wiring.client("stepfunctions"), "after-call.stepfunctions.StartExecution", park):
        answer = product.admin.call("POST", "/agents/helper/runs", {"input": "hi", "waitSeconds": 25})

    assert (answer.status, answer.body["status"]) == (202, "AWAITING")
    assert answer.body["awaiting"] == shown(product, answer.body)["awaiting"]


def test_parked_runs_are_chosen_by_their_status(product: Deployed):
    run = product.park("approve")
    product.start()

    (found,) = product.admin.call("GET", "/runs", query={"status": "AWAITING"}).body["runs"]

    assert (found["runId"], found["waitsUntil"]) == (run["runId"], run["waitsUntil"])


def test_a_message_to_a_session_that_awaits_a_decision_is_told_so(product: Deployed):
    run = product.park("approve", sessionId="s1")

    answer = product.admin.call("POST", "/agents/helper/runs", {"input": "hi", "sessionId": "s1"})

    assert (answer.status, answer.body["type"]) == (409, "urn:freehold:SessionBusy")
    assert (answer.body["runId"], answer.body["awaiting"]) == (run["runId"], True)


def test_a_run_and_the_one_that_answers_its_call_name_each_other(product: Deployed):
    expert = [{"agent": "expert", "collaborationInstruction": "Ask it."}]
    product.admin.call("PUT", "/agents/expert", agent("expert"))
    product.admin.call("PUT", "/agents/helper", waiting(agentCollaborators=expert))

    run = product.park("expert")

    (child,) = run["children"]
    assert run["awaiting"][0]["kind"] == "agent"
    parent = shown(product, {"runId": child})["parent"]
    assert parent == {"runId": run["runId"], "callId": run["awaiting"][0]["callId"]}
    assert product.admin.call("GET", "/approvals").body == {"approvals": []}


# -- decided


def test_an_approved_run_goes_on_and_the_same_approval_again_changes_nothing(product: Deployed):
    run = product.park("approve")
    body = [decision(run, 0, "approve", comment="fine")]

    first = decide(BOSS, run, body)
    before = product.items("sessions")
    again = decide(BOSS, run, body)
    other = decide(BOSS, run, [body[0] | {"comment": "hm"}])

    assert (first.status, first.body["status"]) == (200, "RUNNING")
    assert "awaiting" not in first.body
    assert (again.status, again.body) == (200, first.body)
    assert (other.status, "decided already" in other.body["detail"]) == (409, True)
    assert [item for item in product.items("sessions") if item["kind"]["S"] != "refusal"] == before
    assert product.started() == [f"{run['runId']}-1", f"{run['runId']}-2"]


def test_calls_are_decided_one_by_one_or_together(product: Deployed):
    run = product.park("confirm", "return", "approve")

    ours = decide(OWNER, run, [decision(run, 0, "deny"), decision(run, 1, "result")])
    theirs = decide(BOSS, run, [decision(run, 2, "deny")])

    assert [each["callId"] for each in ours.body["awaiting"]] == ["t1-l1-c2"]
    assert theirs.body["status"] == "RUNNING"
    told = [(each["by"], each["waitedFor"], each["decision"]) for each in items(product, run, "decision")]
    assert told == [
        (f"key:{OWNER.key_id}", "confirmation", "deny"),
        (f"key:{OWNER.key_id}", "result", "result"),
        (f"key:{BOSS.key_id}", "approval", "deny"),
    ]
    assert [each["outcome"] for each in items(product, run, "call")] == ["denied", "success", "denied"]


def test_what_a_call_waits_for_next_is_told_to_whoever_decides_then(product: Deployed):
    run = product.park("both")
    REQUESTS.forget()

    answer = decide(OWNER, run, [decision(run, 0, "approve")])

    assert [each["kind"] for each in answer.body["awaiting"]] == ["approval"]
    (event,) = [request for request in REQUESTS.made if request.service == "events"]
    assert json.loads(event.parameters["Entries"][0]["Detail"])["awaits"] == ["approval"]


def test_every_refusal_of_a_request_is_named_and_nothing_of_it_is_taken(product: Deployed):
    run = product.park("confirm", "approve", "return")
    elsewhere = decision(run, 2, "result") | {"callId": "t1-l1-c9"}

    answer = decide(OWNER, run, [decision(run, 0, "approve"), decision(run, 1, "approve"), elsewhere])

    assert (answer.status, answer.body["type"]) == (403, "urn:freehold:Denied")
    assert [each["path"] for each in answer.body["problems"]] == ["[1]", "[2]"]
    assert shown(product, run) == run


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ([], ""),
        ([{}], "[0].callId"),
        ([{"callId": "c0"}], "[0].callId"),
        ([{"argumentsDigest": "abc"}], "[0].argumentsDigest"),
        ([{"decision": "maybe"}], "[0].decision"),
        ([{"comment": "x" * 2_001}], "[0].comment"),
        ([{"by": "me"}], "[0].by"),
        ([{"result": {"body": 1}}], "[0].result"),
        ([{"decision": "result"}], "[0].result"),
        ([{"decision": "result", "result": {}}], "[0].result"),
        ([{"decision": "result", "result": {"body": "x", "uploadId": "0" * 32}}], "[0].result"),
        ([{"decision": "result", "result": {"body": "x", "state": "fine"}}], "[0].result.state"),
        ([{"decision": "result", "result": {"body": ["\ud800"]}}], "[0].result.body"),
        ([{"decision": "result", "result": {"uploadId": "0" * 32}}], "[0].result.uploadId"),
        ([{"decision": "result", "result": {"body": "x" * 4_000_001}}], "result"),
        ([{}, {}], "[1].callId"),
    ],
)
def test_what_is_wrong_with_a_decision_is_told_with_its_place(product: Deployed, body: list[Json], path: str):
    run = product.park("return")
    good = {"callId": "t1-l1-c0", "decision": "deny", "argumentsDigest": "0" * 64}
    # An empty one lacks everything, unless another one follows.
    sent = [{} if each == {} and len(body) == 1 else good | each for each in body]

    answer = decide(OWNER, run, sent)

    assert answer.status == 400
    assert path in [each["path"] for each in answer.body["problems"]]
    assert shown(product, run) == run


# -- results


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        ("it is 42", "it is 42"),
        ({"a": ["ü", 1.5]}, '{"a": ["ü", 1.5]}'),
        (None, "null"),
        ("", ""),
        ("ü" * 1_999_000, "ü" * 1_999_000),
    ],
    ids=["text", "json", "null", "empty", "large"],
)
def test_a_result_is_kept_as_text(product: Deployed, body: Any, kept: str):
    run = product.park("return")
    result = {"body": body, "sessionAttributes": {"a": "b"}}

    assert decide(OWNER, run, [decision(run, 0, "result") | {"result": result}]).status == 200

    result = wiring.sessions().call(key_of(run["runId"]), 1, 0)[2]
    assert getattr(result, "content", None) == kept
    assert getattr(result, "session_attributes", None) == {"a": "b"}


def test_a_failure_is_told_as_one(product: Deployed):
    run = product.park("return")
    result = {"body": "no such order", "state": "failure"}

    decide(OWNER, run, [decision(run, 0, "result") | {"result": result}])

    (call,) = items(product, run, "call")
    assert (call["outcome"], call["result"], call["decidedBy"]) == (
        "error",
        "no such order",
        f"key:{OWNER.key_id}",
    )


def upload(run: Json, content: bytes, caller: Caller = OWNER) -> str:
    """Put it where the URL leads, and give its id."""
    answer = caller.call("POST", f"/runs/{run['runId']}/uploads", {"bytes": len(content)})
    assert answer.status == 201, answer.text
    address = urlsplit(answer.body["url"])
    assert parse_qs(address.query)["X-Amz-SignedHeaders"] == ["content-length;host"]
    assert answer.body["headers"] == {"Content-Length": str(len(content))}
    aws("s3").put_object(Bucket="content", Key=unquote(address.path).lstrip("/"), Body=content)
    return answer.body["uploadId"]


def with_upload(run: Json, upload_id: str, call: int = 0) -> Json:
    return decision(run, call, "result") | {"result": {"uploadId": upload_id}}


def test_an_uploaded_result_is_taken_and_erased_with_its_session(product: Deployed):
    run, content = product.park("return", sessionId="s1"), "ü" * 3_000_000
    sent = [with_upload(run, upload(run, content.encode()))]

    first, again = decide(OWNER, run, sent), decide(OWNER, run, sent)

    assert (first.status, again.status) == (200, 200)
    result = wiring.sessions().call(key_of(run["runId"]), 1, 0)[2]
    assert getattr(result, "content", None) == content
    product.finish(run["runId"], execution=2)
    assert product.admin.call("DELETE", "/sessions/s1").body["erased"]["objects"] == 2


def test_an_upload_belongs_to_its_run_and_is_text(product: Deployed):
    run, other = product.park("return"), product.park("return")

    def problem(upload_id: str) -> str:
        answer = decide(OWNER, run, [with_upload(run, upload_id)])
        assert answer.status == 400
        return answer.body["problems"][0]["message"]

    assert "nothing that was uploaded for this run" in problem(upload(other, b"theirs"))
    assert "no UTF-8 text from byte 2 on" in problem(upload(run, b"ab\xff"))
    assert shown(product, run) == run


def test_uploads_of_one_request_are_bounded_together(product: Deployed):
    run = product.park("return", "return")
    ids = [upload(run, b"x" * 10_000_001) for _ in range(2)]

    answer = decide(OWNER, run, [with_upload(run, each, i) for i, each in enumerate(ids)])

    assert (answer.status, "at most 20,000,000" in answer.body["detail"]) == (400, True)


@pytest.mark.parametrize("size", [0, 20_000_001, "5", None])
def test_an_upload_has_a_size(product: Deployed, size: Any):
    run = product.park("return")

    assert product.admin.call("POST", f"/runs/{run['runId']}/uploads", {"bytes": size}).status == 400


def test_nothing_is_uploaded_for_a_run_that_has_ended(product: Deployed):
    run = product.park("return")
    product.admin.call("POST", f"/runs/{run['runId']}/cancel")

    assert product.admin.call("POST", f"/runs/{run['runId']}/uploads", {"bytes": 1}).status == 409


# -- listed


def test_approvals_are_listed_the_first_due_first(product: Deployed):
    for name, seconds in (("slow", 7_200), ("quick", 3_600)):
        document = waiting(agentName=name, approvals={"expireAfterSeconds": seconds})
        product.admin.call("PUT", f"/agents/{name}", document)
    slow = [product.park("approve", agent="slow")["runId"] for _ in range(2)]
    quick = product.park("confirm", "approve", agent="quick")

    for limit in ("1", "2", "100"):
        found = flat(pages(product.scoped("approve"), "/approvals", "approvals", limit=limit))
        assert [each["runId"] for each in found] == [quick["runId"], *slow]
    (only,) = flat(pages(product.admin, "/approvals", "approvals", agent="quick", limit="1"))
    assert only == {
        "runId": quick["runId"],
        "sessionId": quick["sessionId"],
        "agent": "quick",
        "principal": quick["principal"],
        "kinds": ["approval", "confirmation"],
        "expiresAt": quick["waitsUntil"],
        "awaiting": quick["awaiting"],
    }


def test_what_is_decided_is_listed_no_longer_and_nobody_elses_is_ever(product: Deployed):
    run = product.park("confirm", "approve")

    decide(OWNER, run, [decision(run, 0, "approve")])
    (half,) = product.admin.call("GET", "/approvals").body["approvals"]
    decide(BOSS, run, [decision(run, 1, "approve")])

    assert half["kinds"] == ["approval"]
    assert product.admin.call("GET", "/approvals").body == {"approvals": []}
    assert product.other_tenant().call("GET", "/approvals").body == {"approvals": []}


# -- in the hands of a person


def test_a_person_hands_a_session_back_with_a_note_that_the_agent_reads(product: Deployed):
    run = product.park("escalate_to_human", sessionId="s1")
    before = product.admin.call("GET", "/sessions/s1").body
    left = product.admin.call("POST", "/agents/helper/runs", {"input": "hello?", "sessionId": "s1"})

    after = BOSS.call("POST", "/sessions/s1/hand-back", {"note": "Refunded by hand."})

    since = before["escalation"].pop("since")
    assert since > run["startedAt"]
    assert before["escalation"] == {"reason": "a dispute", "summary": "refund of 900", "runId": run["runId"]}
    assert (left.status, left.body["runId"], left.body["status"]) == (202, run["runId"], "AWAITING")
    assert (after.status, "escalation" in after.body) == (200, False)
    (message,) = items(product, run, "message")
    assert (message["text"], message["by"]) == ("hello?", f"key:{OWNER.key_id}")
    (call,) = items(product, run, "call")
    told = {"handedBackWith": "Refunded by hand.", "userWroteMeanwhile": ["hello?"]}
    assert json.loads(call["result"]) == told
    assert BOSS.call("POST", "/sessions/s1/hand-back", {"note": "Again."}).status == 409


def test_a_repeated_hand_back_answers_nothing_that_was_escalated_since(product: Deployed):
    first = product.park("escalate_to_human", "escalate_to_human", sessionId="s1")
    asked = ("POST", "/sessions/s1/hand-back", {"note": "Refunded by hand."})
    done = BOSS.call(*asked, headers={"Idempotency-Key": "k1"})
    product.finish(first["runId"], execution=2)
    product.park("escalate_to_human", sessionId="s1")

    again = BOSS.call(*asked, headers={"Idempotency-Key": "k1"})

    assert (done.status, "escalation" in done.body) == (200, False)
    assert (again.status, "escalation" in again.body) == (200, True)
    assert again.body == product.admin.call("GET", "/sessions/s1").body
    other = BOSS.call("POST", "/sessions/s1/hand-back", {"note": "No."}, headers={"Idempotency-Key": "k1"})
    assert (other.status, other.body["type"]) == (422, "urn:freehold:IdempotencyKeyReused")
    assert "escalation" not in BOSS.call(*asked, headers={"Idempotency-Key": "k2"}).body


def test_a_hand_back_that_died_half_way_is_finished_by_the_same_request(product: Deployed):
    product.park("escalate_to_human", "escalate_to_human", sessionId="s1")
    asked = ("POST", "/sessions/s1/hand-back", {"note": "Refunded by hand."})
    begun: list[bool] = []

    def dies(**_: Any) -> None:
        begun.append(True)
        if len(begun) > 1:
            raise EndpointConnectionError(endpoint_url="https://dynamodb")

    with meddling(wiring.client("dynamodb"), "before-send.dynamodb.TransactWriteItems", dies):
        died = BOSS.call(*asked, headers={"Idempotency-Key": "k1"})

    again = BOSS.call(*asked, headers={"Idempotency-Key": "k1"})

    assert (died.status, again.status, "escalation" in again.body) == (503, 200, False)


def test_only_an_approver_hands_a_session_back_and_only_one_that_is_escalated(product: Deployed):
    product.park("escalate_to_human", sessionId="s1")
    product.park("approve", sessionId="s2")

    answers = [
        MEMBER.call("POST", "/sessions/s1/hand-back", {"note": "Mine."}),
        BOSS.call("POST", "/sessions/s1/hand-back", {"note": ""}),
        BOSS.call("POST", "/sessions/s1/hand-back", {"note": "x" * 20_001}),
        BOSS.call("POST", "/sessions/s2/hand-back", {"note": "Mine."}),
        BOSS.call("POST", "/sessions/s3/hand-back", {"note": "Mine."}),
    ]

    assert [answer.status for answer in answers] == [403, 400, 400, 409, 404]
    assert "escalation" in product.admin.call("GET", "/sessions/s1").body


# -- ended


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/sessions/s1/end", None),
        ("DELETE", "/sessions/s1", None),
        ("POST", "/erasures", {"principal": f"key:{OWNER.key_id}"}),
    ],
    ids=["end", "delete", "erase"],
)
def test_a_session_whose_run_waits_is_at_no_work(product: Deployed, method: str, path: str, body: Any):
    run = product.park("approve", "escalate_to_human", sessionId="s1")
    ann = Caller(key_id="a" * 12)
    REQUESTS.forget()

    answer = ann.call(method, path, body)

    assert answer.status == 200, answer.text
    ((entry,),) = [each.parameters["Entries"] for each in REQUESTS.made if each.operation == "PutEvents"]
    assert json.loads(entry["Detail"])["cancelledBy"] == f"key:{ann.key_id}"
    assert product.admin.call("GET", "/approvals").body == {"approvals": []}
    left = product.admin.call("GET", f"/runs/{run['runId']}")
    if path.endswith("end"):
        assert (left.body["status"], "endedAt" in answer.body) == ("CANCELLED", True)
    else:
        assert (left.status, answer.body["erased"]["runs"], answer.body["busy"]) == (404, 1, [])
    assert decide(BOSS, run, [decision(run, 0, "approve")]).status in (404, 409)
    assert invoke("sweep", {})["retired"] == 0
