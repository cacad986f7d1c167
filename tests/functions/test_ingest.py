"""The function that takes messages from queues, as Lambda invokes it."""

from __future__ import annotations

import io
from typing import Any

from freehold import wiring
from freehold.wiring.arrivals import MESSAGE_MS, dead_letters

from . import queues
from .aws import aws, meddling
from .deployed import Deployed
from .lambdas import Context, environment, function, invoke
from .queues import ANSWERS, BUS, DEAD_LETTERS, INCOMING, NOWHERE, REQUESTS, RULE, deliver, record, waiting

ASKED = {"agent": "helper", "input": "hi"}


def runs(product: Deployed) -> list[dict[str, Any]]:
    return product.admin.call("GET", "/runs").body["runs"]


def test_each_message_is_a_run_of_its_queues_tenant(product: Deployed):
    queues.grant()

    failed = deliver(record(ASKED, group="s1"), record(ASKED, group="s2"), record(ASKED, group="s1"))

    assert failed == []
    found = {(run["sessionId"], run["status"]) for run in runs(product)}
    assert found == {("s1", "RUNNING"), ("s1", "QUEUED"), ("s2", "RUNNING")}
    assert {run["trigger"] for run in runs(product)} == {"sqs"}
    assert {run["principal"]["type"] for run in runs(product)} == {"sqs"}
    assert len(product.started()) == 2


def test_an_event_of_a_rule_and_one_of_nobodys_rule_come_by_the_same_queue(product: Deployed):
    queues.grant("rule", RULE)
    event = {"id": "e1", "source": "shop", "detail": ASKED}

    failed = deliver(
        record({"rule": RULE, "event": event}, queue=INCOMING),
        record({"rule": f"{RULE}-2", "event": event}, queue=INCOMING),
    )

    assert failed == []
    assert [run["trigger"] for run in runs(product)] == ["event"]
    assert len(waiting(DEAD_LETTERS)) == 1


def test_an_image_comes_by_a_queue_as_it_does_over_http(product: Deployed):
    queues.grant()
    pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

    assert deliver(record(ASKED | {"images": [{"data": pixel}]})) == []

    assert waiting(DEAD_LETTERS) == []
    assert len(runs(product)) == 1


def test_what_cannot_be_taken_lies_among_the_dead_letters_with_all_that_is_known_of_it(product: Deployed):
    queues.grant()
    bad = record(ASKED | {"colour": "red"})

    assert deliver(bad, record(ASKED)) == []

    (letter,) = waiting(DEAD_LETTERS)
    told = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
    assert letter["Body"] == bad["body"]
    assert told == {
        "reason": "colour: is not a field of this request",
        "error": "Invalid",
        "source": REQUESTS,
        "tenant": "acme",
        "group": "s1",
        "deduplication": bad["attributes"]["MessageDeduplicationId"],
        "sender": "AROA1:ann",
    }
    assert len(runs(product)) == 1


def test_what_no_queue_can_carry_in_a_reason_is_left_out_of_it(product: Deployed):
    queues.grant()

    deliver(record(ASKED | {"a\x00\ufffe\x1b": 1}))

    (letter,) = waiting(DEAD_LETTERS)
    assert letter["MessageAttributes"]["reason"]["StringValue"].startswith("a\ufffd\ufffd\ufffd: ")


def test_a_message_that_fails_comes_again_with_the_rest_of_its_group_alone(
    product: Deployed, log: io.StringIO
):
    queues.grant()
    first, other, second = (record(ASKED, group=group) for group in ("s1", "s2", "s1"))
    said = " ".join(("a", "word", "of", "the", "user"))
    refused: list[str] = []

    def refuse(params: dict[str, Any], **_: Any) -> None:
        """What comes after the first of its group would be taken."""
        if "s1" in str(params["TransactItems"]) and not refused:
            refused.append("s1")
            raise KeyError(said)

    with meddling(wiring.client("dynamodb"), "provide-client-params.dynamodb.TransactWriteItems", refuse):
        failed = deliver(first, other, second)

    assert failed == [first["messageId"], second["messageId"]]
    assert [run["sessionId"] for run in runs(product)] == ["s2"]
    assert "message has to come again" in log.getvalue()
    assert said not in log.getvalue()
    assert deliver(first, second) == []
    assert len(runs(product)) == 3


def test_messages_for_which_no_time_is_left_are_handed_back(product: Deployed):
    queues.grant()

    class Late(Context):
        def get_remaining_time_in_millis(self) -> int:
            return MESSAGE_MS - 1

    sent = [record(ASKED, group=group) for group in ("s1", "s2")]
    told = function("ingest").lambda_handler({"Records": sent}, Late())

    assert [each["itemIdentifier"] for each in told["batchItemFailures"]] == [
        each["messageId"] for each in sent
    ]
    assert runs(product) == []
    assert deliver(*sent) == []


def test_nothing_of_a_message_is_logged(product: Deployed, log: io.StringIO):
    queues.grant()

    deliver(
        record(ASKED | {"input": "the secret of ann"}),
        record(ASKED | {"input": "", "the secret of ann": 1}),
        record('{"the secret of ann'),
    )

    assert log.getvalue().count("message refused") == 2
    assert "message taken" in log.getvalue()
    assert "the secret of ann" not in log.getvalue()


def test_an_answer_goes_to_the_queue_that_the_message_named(product: Deployed):
    queues.grant()
    with environment(REPLY_TARGETS=f"{ANSWERS}, {REQUESTS}"):
        asked = record(ASKED | {"replyTo": ANSWERS})
        deliver(asked)
    (run,) = runs(product)

    product.finish(run["runId"], text="Hello.")

    (answer,) = waiting(queues.url_of(ANSWERS))
    assert '"output": "Hello."' in answer["Body"]
    assert asked["attributes"]["MessageDeduplicationId"] in answer["Body"]


def test_an_answer_goes_to_the_bus_that_the_event_named(product: Deployed):
    queues.grant("rule", RULE)
    aws("events").put_rule(
        Name="answered", EventBusName="freehold", EventPattern='{"detail-type": ["Agent Run Answered"]}'
    )
    aws("events").put_targets(Rule="answered", EventBusName="freehold", Targets=[{"Id": "1", "Arn": ANSWERS}])
    event = {"id": "e1", "source": "shop", "detail": ASKED | {"replyTo": BUS}}
    with environment(REPLY_TARGETS=BUS):
        deliver(record({"rule": RULE, "event": event}, queue=INCOMING))
    (run,) = runs(product)

    product.finish(run["runId"], text="Hello.")

    (answer,) = waiting(queues.url_of(ANSWERS))
    assert '"requestId": "e1"' in answer["Body"]
    assert '"source": "freehold"' in answer["Body"]


def test_an_answer_whose_queue_is_not_there_keeps_the_run_from_nothing(product: Deployed):
    queues.grant()
    with environment(REPLY_TARGETS=NOWHERE):
        deliver(record(ASKED | {"replyTo": NOWHERE}), record(ASKED))
    second, first = runs(product)

    product.finish(first["runId"], text="Hello.")

    assert product.admin.call("GET", f"/runs/{second['runId']}").body["status"] == "RUNNING"


def test_the_function_is_ready_for_a_batch_of_another_kind_of_queue_at_once(product: Deployed):
    queues.grant()
    deliver(record("{", received=1))

    assert invoke("ingest", {"Records": [record(ASKED, queue=f"arn:aws:sqs:{queues.HERE}:plain")]}) == {
        "batchItemFailures": []
    }

    assert dead_letters() is dead_letters()
    assert len(waiting(DEAD_LETTERS)) == 2
