from __future__ import annotations

from typing import Any

import pytest

from freehold_cli.local.patches.streams import first_failure

BATCH = [{"dynamodb": {"SequenceNumber": number}} for number in ("10", "11", "12")]
REPORTS = {"FunctionResponseTypes": ["ReportBatchItemFailures"]}


def reporting(*numbers: str) -> dict[str, Any]:
    return {"body": {"batchItemFailures": [{"itemIdentifier": number} for number in numbers]}}


@pytest.mark.parametrize(
    ("answer", "trigger", "index"),
    [
        (reporting(), REPORTS, None),
        ({"body": None}, REPORTS, None),
        (reporting("11"), REPORTS, 1),
        (reporting("12", "11"), REPORTS, 1),
        (reporting("11"), {}, None),
        (reporting("another"), REPORTS, 0),
        ({"error": True, "body": {"errorType": "ValueError"}}, REPORTS, 0),
    ],
    ids=["none", "no answer", "one", "two", "not asked for", "unknown", "raised"],
)
def test_records_are_repeated_from_the_first_one_that_failed(
    answer: dict[str, Any], trigger: dict[str, Any], index: int | None
):
    assert first_failure(answer, BATCH, trigger) == index
