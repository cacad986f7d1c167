"""The bills of docs/deploy.md: they add up, and count what the bench measured and the template has."""

from __future__ import annotations

import json

import pytest

from freehold.adapters.contents import INLINE_BYTES
from freehold.observability.metrics import MODEL_METRICS, SERVICE_METRICS
from freehold.ports import SHARDS
from freehold.telling import LOOK_EVERY_MS

from . import deploy_page
from .deploy_page import TEXT, Row, bill, catalog, count, turn
from .deployment import ROOT, functions, value

BILLS = ("idle", "busy", "model")
TURNS, LOOKS = 100_000, 4
SWEEPS, FIVE_MINUTES = 730 * 60, 730 * 12
MONTHS_KEPT = 3


@pytest.mark.parametrize("heading", BILLS)
def test_the_bills_add_up(heading: str):
    rows, total = bill(heading)

    assert {row.what: row.cost for row in rows} == {row.what: row.dollars for row in rows}
    assert total == round(sum(row.cost for row in rows), 2)


def rows(heading: str) -> dict[str, Row]:
    return {row.what: row for row in bill(heading)[0]}


def gigabytes(function: str) -> float:
    return functions()[function]["MemorySize"] / 1024


def test_the_idle_bill_counts_what_the_template_has():
    idle = {what: row.many for what, row in rows("idle").items()}
    every_minute = functions()["SweepFunction"]["Events"]["EveryMinute"]["Properties"]["Schedule"]

    assert every_minute == "rate(1 minute)"
    assert idle == {
        "KMS key": count("AWS::KMS::Key"),
        "its requests, two each five minutes": 2 * FIVE_MINUTES,
        "secret": count("AWS::SecretsManager::Secret"),
        "metrics that alarms watch": deploy_page.watched_metrics(),
        "dashboard": count("AWS::CloudWatch::Dashboard"),
        "metrics of the sweeper": len(deploy_page.gauges()),
        "the sweeper: invocations": SWEEPS,
        "its time, 0.5 s of 512 MB": SWEEPS * 0.5 * gigabytes("SweepFunction"),
        # All shards of open runs, what waits, and a shard of the leases. A query that finds nothing costs half a unit.
        f"its reads, {SHARDS + 2} shards each minute": SWEEPS * (SHARDS + 2) / 2,
        "its logs, 2 KB each minute": SWEEPS * 2 / 1e6,
        "its traces": SWEEPS,
        # Five pollers, each of which waits for twenty seconds.
        **dict.fromkeys(
            ("looks into `Requests`, 15 each minute", "and into `IncomingEvents`"), 730 * 60 * 15
        ),
    }
    assert [each["Type"] for each in functions()["IngestFunction"]["Events"].values()] == ["SQS", "SQS"]


def test_the_busy_bill_counts_what_the_bench_measured():
    busy = {what: row.many for what, row in rows("busy").items()}
    per_turn = {part: many for part, (many, _) in turn("durable").items()}
    states, requests = per_turn["Standard state transitions"], per_turn["Lambda requests"]
    written, read = per_turn["DynamoDB write units"], per_turn["DynamoDB read units"]
    seconds = per_turn["beside it: Lambda GB-seconds"]

    measured = {
        f"Step Functions: {states:g} transitions a turn": TURNS * states,
        f"Lambda: {requests:g} requests a turn": TURNS * requests,
        f"its time: {seconds:g} GB-seconds a turn": pytest.approx(TURNS * seconds),
        f"DynamoDB: {written:g} write units a turn": TURNS * written,
        f"{read:g} read units a turn": TURNS * read,
    }

    assert {what: busy.get(what) for what in measured} == measured


def test_the_busy_bill_counts_the_rest_by_its_turns():
    busy = {what: row.many for what, row in rows("busy").items()}
    calls, laps, long = TURNS * (1 + LOOKS), deploy_page.laps_with_a_tool() + 1, TURNS / 10
    seconds_of_a_model = json.loads((ROOT / "bench" / "prices.json").read_text())["assumed"][
        "secondsOfAModel"
    ]
    watched = 1 + seconds_of_a_model * 1000 // LOOK_EVERY_MS
    used, in_use = len(deploy_page.uses_of_the_key()) - 2, MODEL_METRICS.keys() | SERVICE_METRICS.keys()

    counted = {
        f"and looks whether anybody watches: {watched:g} in each call of a model": TURNS * laps * watched,
        "API Gateway: a start and four looks": calls,
        "Lambda for the looks: requests": TURNS * LOOKS,
        "time of API and authorizer, 0.1 s each": (
            calls * 0.1 * gigabytes("ApiFunction") + TURNS * 0.1 * gigabytes("AuthorizerFunction")
        ),
        "traces, one of each API request": calls,
        "events": TURNS,
        "logs, 20 KB a turn": TURNS * 20 / 1e6,
        "tables, 15 KB a turn, three months": TURNS * 15 / 1e6 * MONTHS_KEPT,
        "and their recovery": TURNS * 15 / 1e6 * MONTHS_KEPT,
        f"S3: a text over {INLINE_BYTES // 1024} KB in one of ten turns, written": long,
        "and read in four laps": long * laps,
        "and kept, 100 KB each, three months": long * 100 / 1e6 * MONTHS_KEPT,
        f"KMS: {used} more requests each five minutes": used * FIVE_MINUTES,
        # The idle stack has the sweeper's already.
        "metrics of one model and the service, in use": len(in_use - deploy_page.gauges()),
        "the idle stack": 1,
    }

    assert int(value({"Ref": "RetentionDays"})) == MONTHS_KEPT * 30
    assert {what: busy.get(what) for what in counted} == counted
    # Five come from the bench.
    assert len(busy) == len(counted) + 5


def test_the_prices_are_those_that_the_bench_counts_with():
    prices = json.loads((ROOT / "bench" / "prices.json").read_text())
    per_million, per_second = prices["perMillion"], prices["perGbSecond"]["Lambda arm64"]
    idle, busy = ({what: row.price for what, row in rows(heading).items()} for heading in ("idle", "busy"))
    of_lambda = [idle["the sweeper: invocations"], busy["Lambda for the looks: requests"]]

    assert prices["date"] == "2026-11"
    assert {*of_lambda, priced(busy, "Lambda: ")} == {per_million["Lambda requests"]}
    assert priced(busy, "Step Functions: ") == per_million["Standard state transitions"]
    assert priced(busy, "DynamoDB: ") == per_million["DynamoDB write units"]
    reads = {priced(idle, "its reads"), priced(busy, f"{turn('durable')['DynamoDB read units'][0]:g} read")}
    assert reads == {per_million["DynamoDB read units"]}
    assert priced(busy, "and looks whether anybody watches") == per_million["DynamoDB read units"]
    assert {priced(idle, "its time"), priced(busy, "its time"), priced(busy, "time of API")} == {per_second}
    assert busy["the idle stack"] == bill("idle")[1]


def priced(prices: dict[str, float], beginning: str) -> float:
    (price,) = [price for what, price in prices.items() if what.startswith(beginning)]
    return price


def test_the_month_in_a_sentence_is_the_month_of_the_bills():
    costs = {what: row.cost for what, row in rows("busy").items()}
    once = priced(costs, "KMS") + priced(costs, "metrics")
    each = (bill("busy")[1] - bill("idle")[1] - once) / TURNS * 1000
    of_turns = {
        mode: sum(dollars for part, (_, dollars) in turn(mode).items() if "beside" not in part)
        for mode in ("durable", "fast")
    }
    saved = (of_turns["durable"] - of_turns["fast"]) * TURNS / 1000
    sentence = " ".join(TEXT[TEXT.index("So a month is") :].split())

    assert sentence.startswith(
        f"So a month is ${bill('idle')[1]:.2f}, ${once:.2f} for metrics and the key once there is traffic, "
        f"and ${each:.2f} for 1,000 turns. In mode `fast` the same 100,000 turns cost ${saved:.0f} less"
    )


def test_the_model_of_the_bill_costs_what_the_catalog_says():
    (price,) = [each["price"] for each in catalog() if each["id"] == "openai.gpt-5.5"]
    calls = TURNS * (deploy_page.laps_with_a_tool() + 1)

    assert {what: (row.many, row.price) for what, row in rows("model").items()} == {
        "tokens in": (calls * 1500, float(price["input"])),
        "tokens out": (calls * 150, float(price["output"])),
    }
