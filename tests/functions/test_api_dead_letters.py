"""Dead letters over HTTP: a tenant sees and puts back its own, whoever put them aside."""

from __future__ import annotations

import io
import json
import time
from datetime import datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from freehold import wiring
from freehold.http.dead_letters import MOST_REDRIVEN

from . import queues
from .aws import aws, meddling
from .caller import Caller
from .deployed import Deployed
from .queues import (
    DEAD_LETTERS,
    INCOMING,
    REQUESTS,
    RULE,
    deliver,
    record,
    redelivered,
    waiting,
)

ASKED = {"agent": "later", "input": "the secret of ann"}


def listed(caller: Caller, **query: str) -> list[dict[str, Any]]:
    answer = caller.call("GET", "/dead-letters", query=query)
    assert answer.status == 200, answer.text
    return answer.body["deadLetters"]


def redrive(caller: Caller, **asked: Any) -> dict[str, Any]:
    answer = caller.call("POST", "/dead-letters/redrive", asked)
    assert answer.status == 200, answer.text
    return answer.body


def letter_of(body: dict[str, Any], source: str) -> None:
    """A letter of Ingest that says of itself only where it came from."""
    given = {"QueueUrl": DEAD_LETTERS, "MessageBody": json.dumps(body)}
    told = {"source": {"DataType": "String", "StringValue": source}}
    aws("sqs").send_message(**given, MessageAttributes=told)


def test_a_refused_message_is_shown_with_its_reason_and_only_by_its_id_with_what_it_says(product: Deployed):
    queues.grant()
    sent = record(ASKED)
    deliver(sent)

    (letter,) = listed(product.admin)
    shown = product.admin.call("GET", f"/dead-letters/{letter['id']}").body

    about = {
        name: letter[name] for name in ("source", "sender", "error", "group", "deduplicationId", "bytes")
    }
    assert about == {
        "source": REQUESTS,
        "sender": "AROA1:ann",
        "error": "NotFound",
        "group": "s1",
        "deduplicationId": sent["attributes"]["MessageDeduplicationId"],
        "bytes": len(sent["body"]),
    }
    assert "later" in letter["reason"]
    assert "body" not in letter
    assert shown == letter | {"body": sent["body"]}


def test_looking_hides_nothing_from_who_looks_next(product: Deployed):
    queues.grant()
    deliver(*(record(ASKED, group=f"s{number}") for number in range(12)))

    for _ in range(2):
        answer = product.admin.call("GET", "/dead-letters", query={"limit": "100"}).body
        assert (len(answer["deadLetters"]), answer["complete"]) == (12, True)
    assert len(listed(product.admin, limit="5")) == 5
    assert product.admin.call("GET", "/dead-letters", query={"limit": "5"}).body["complete"] is False


def test_a_letter_of_another_tenant_is_not_there(product: Deployed):
    queues.grant()
    deliver(record(ASKED))
    (letter,) = listed(product.admin)
    other = product.other_tenant()

    assert listed(other) == []
    assert other.call("GET", f"/dead-letters/{letter['id']}").status == 404
    assert redrive(other, ids=[letter["id"]]) == {
        "redriven": [],
        "missing": [letter["id"]],
        "failed": [],
        # It may be there and hidden by another look, for all that this one has seen.
        "complete": False,
    }
    assert redrive(other, all=True)["redriven"] == []
    assert listed(product.admin) == [letter]


def test_a_letter_without_a_tenant_belongs_to_whom_its_queue_or_what_it_names_leads_to(product: Deployed):
    other = product.other_tenant()
    queues.grant("queue", REQUESTS)
    queues.grant("rule", RULE, "globex")
    queues.move({"input": "by queue"})
    letter_of({"rule": RULE, "event": {}}, INCOMING)
    letter_of({"trigger": {"tenant": "globex", "id": "t1"}}, INCOMING)
    letter_of({"trigger": {"tenant": "globex", "id": "t1"}}, REQUESTS)
    letter_of({"input": "nobody's"}, f"{REQUESTS}-2")
    letter_of({"version": "1.0", "requestContext": {}}, INCOMING)

    mine, theirs = listed(product.admin), listed(other)

    assert {letter["source"] for letter in mine} == {REQUESTS}
    assert len(mine) == 2
    assert {letter["source"] for letter in theirs} == {INCOMING}
    assert len(theirs) == 2


def test_a_letter_that_is_put_back_begins_its_run_once_what_was_wrong_is_mended(product: Deployed):
    queues.grant()
    deliver(record(ASKED))
    (letter,) = listed(product.admin)
    product.admin.call(
        "PUT",
        "/agents/later",
        {"agentName": "later", "foundationModel": "openai.gpt-5.5-v1", "instruction": "Go."},
    )

    told = redrive(product.admin, ids=[letter["id"], "another"])

    assert told == {"redriven": [letter["id"]], "missing": ["another"], "failed": [], "complete": False}
    assert listed(product.admin) == []
    (back,) = redelivered(queues.url_of(REQUESTS), REQUESTS)
    # A queue in order would drop it as a repeat under the id that it had.
    assert back["attributes"]["MessageDeduplicationId"] != letter["deduplicationId"]
    assert back["attributes"]["MessageGroupId"] == "s1"
    assert deliver(back) == []
    (run,) = product.admin.call("GET", "/runs", query={"agent": "later"}).body["runs"]
    assert run["sessionId"] == "s1"


def test_what_a_sender_says_of_a_message_that_sqs_moved_leads_into_nobodys_queue(product: Deployed):
    """Whoever sends into a queue of its own would else have its message put back as an event of another tenant."""
    other = product.other_tenant()
    queues.grant("queue", REQUESTS, "globex")
    queues.grant("rule", RULE)
    forged = {"rule": RULE, "event": {"id": "e1", "detail": ASKED | {"agent": "helper"}}}
    told = {"source": INCOMING, "tenant": "globex", "reason": "r"}
    queues.move(forged, REQUESTS, **told)

    (letter,) = listed(other)
    done = redrive(other, all=True)

    assert (letter["source"], "reason" in letter) == (REQUESTS, False)
    assert done["redriven"] == [letter["id"]]
    assert waiting(queues.url_of(INCOMING)) == []
    assert len(waiting(queues.url_of(REQUESTS))) == 1


def test_an_event_that_sqs_moved_is_for_the_accounts_administrators(product: Deployed):
    queues.grant("rule", RULE)
    queues.move({"rule": RULE, "event": {}}, INCOMING, to=DEAD_LETTERS, tenant="acme")

    assert listed(product.admin) == []
    assert redrive(product.admin, all=True)["redriven"] == []
    assert len(waiting(DEAD_LETTERS)) == 1


def test_a_letter_does_not_go_back_into_a_queue_that_leads_to_another_tenant_by_now(product: Deployed):
    queues.grant()
    deliver(record(ASKED))
    (letter,) = listed(product.admin)
    wiring.access().revoke("queue", REQUESTS)
    queues.grant(tenant="globex")

    told = redrive(product.admin, all=True)

    assert told == {"redriven": [], "missing": [], "failed": [letter["id"]], "complete": True}
    assert listed(product.admin) == [letter]


def test_an_event_does_not_go_back_where_its_rule_leads_to_another_tenant_by_now(product: Deployed):
    queues.grant("rule", RULE)
    deliver(record({"rule": RULE, "event": {"id": "e1", "source": "shop", "detail": ASKED}}, queue=INCOMING))
    (letter,) = listed(product.admin)
    wiring.access().revoke("rule", RULE)
    queues.grant("rule", RULE, "globex")

    told = redrive(product.admin, all=True)

    assert (told["redriven"], told["failed"]) == ([], [letter["id"]])
    assert waiting(queues.url_of(INCOMING)) == []


def test_who_asked_first_is_still_known_after_a_letter_was_put_back(product: Deployed, log: io.StringIO):
    queues.grant()
    deliver(record(ASKED))
    product.admin.call(
        "PUT",
        "/agents/later",
        {"agentName": "later", "foundationModel": "openai.gpt-5.5-v1", "instruction": "Go."},
    )
    redrive(product.admin, all=True)
    (back,) = redelivered(queues.url_of(REQUESTS), REQUESTS)
    back["attributes"]["SenderId"] = "AROAAPIROLE:freehold-api"

    assert deliver(back) == []

    (run,) = product.admin.call("GET", "/runs", query={"agent": "later"}).body["runs"]
    assert run["principal"] == {"type": "sqs", "id": "AROA1:ann"}
    assert '"redriven_by":"key:' in log.getvalue().replace(": ", ":")


def test_a_letter_whose_message_did_begin_a_run_begins_no_other_one(product: Deployed):
    queues.grant()
    sent = record(ASKED | {"agent": "helper"})
    deliver(sent)
    queues.move(ASKED | {"agent": "helper"}, deduplication=sent["attributes"]["MessageDeduplicationId"])

    assert redrive(product.admin, all=True)["complete"] is True
    (back,) = redelivered(queues.url_of(REQUESTS), REQUESTS)
    deliver(back)

    assert len(product.admin.call("GET", "/runs").body["runs"]) == 1
    assert waiting(DEAD_LETTERS) == []


def test_what_a_queue_in_order_put_aside_is_put_back_beyond_the_first_ten(product: Deployed):
    queues.grant()
    for number in range(13):
        queues.move(ASKED | {"input": f"{number}"})

    redriven = 0
    while told := redrive(product.admin, all=True)["redriven"]:
        redriven += len(told)

    assert redriven == 13
    assert listed(product.admin) == []


def test_all_are_put_back_in_portions_and_the_answer_says_whether_there_are_more(product: Deployed):
    queues.grant()
    for number in range(MOST_REDRIVEN + 3):
        letter_of(ASKED | {"input": f"{number}"}, REQUESTS)

    first, second = redrive(product.admin, all=True), redrive(product.admin, all=True)

    assert (len(first["redriven"]), first["complete"]) == (MOST_REDRIVEN, False)
    assert (len(second["redriven"]), second["complete"]) == (3, True)


def test_what_came_after_a_time_is_left_so_that_a_message_refused_again_is_put_back_once(product: Deployed):
    queues.grant()
    deliver(record(ASKED))
    (letter,) = listed(product.admin)
    at, after = letter["at"], letter["at"].replace("Z", "+00:00")
    later = (datetime.fromisoformat(after) + timedelta(milliseconds=1)).isoformat()

    early = redrive(product.admin, all=True, before=at)
    first = redrive(product.admin, all=True, before=later)
    # Nothing was mended.
    (back,) = redelivered(queues.url_of(REQUESTS), REQUESTS)
    time.sleep(0.002)
    deliver(back)
    second = redrive(product.admin, all=True, before=later)

    assert (early["redriven"], early["complete"]) == ([], True)
    assert first["redriven"] == [letter["id"]]
    assert (second["redriven"], second["complete"]) == ([], True)
    assert len(listed(product.admin)) == 1


def test_a_message_that_cannot_be_put_back_stays_and_keeps_no_other_from_it(product: Deployed):
    queues.grant()
    letter_of(ASKED | {"input": "bad"}, REQUESTS)
    letter_of(ASKED | {"input": "good"}, REQUESTS)

    def refuse(params: dict[str, Any], **_: Any) -> None:
        if "bad" in params["MessageBody"]:
            raise EndpointConnectionError(endpoint_url="https://sqs")

    with meddling(wiring.client("sqs"), "provide-client-params.sqs.SendMessage", refuse):
        told = redrive(product.admin, all=True)

    assert (len(told["redriven"]), len(told["failed"]), told["complete"]) == (1, 1, False)
    assert [letter["id"] for letter in listed(product.admin)] == told["failed"]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({}, "one of both"),
        ({"ids": ["a"], "all": True}, "one of both"),
        ({"all": False}, "all"),
        ({"ids": []}, "ids"),
        ({"ids": ["a/b"]}, "ids[0]"),
        ({"ids": ["a"] * 101}, "ids"),
        ({"ids": ["a"], "before": "2026-01-31T12:00:00Z"}, "before"),
        ({"all": True, "before": "yesterday"}, "before"),
    ],
)
def test_what_to_put_back_is_said_in_one_way(body: dict[str, Any], told: str, product: Deployed):
    answer = product.admin.call("POST", "/dead-letters/redrive", body)

    assert answer.status == 400
    assert told in answer.text


@pytest.mark.parametrize("scope", ["run", "read", "approve", "gateway"])
def test_dead_letters_are_for_administrators(scope: str, product: Deployed):
    caller = product.scoped(scope)

    assert caller.call("GET", "/dead-letters").status == 403
    assert caller.call("GET", "/dead-letters/a").status == 403
    assert caller.call("POST", "/dead-letters/redrive", {"all": True}).status == 403
