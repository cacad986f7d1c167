"""Documents of real APIs become tools that every provider takes; docs/openapi.md reports on all of them."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from .openapi_directory import FOLDER, Made, documents, name_of, objections, tools_of

SEED, SAMPLED = 20261125, 150

NO_OPERATIONS = "has no operations, so there is nothing to call"
NO_TOOL = "has no operation that can be a tool"
# All documents of the collection that are refused, and why.
REFUSED = {
    "adyen.com/BalancePlatformConfigurationNotification-v1.json": NO_OPERATIONS,
    "adyen.com/BalancePlatformPaymentNotification-v1.json": NO_OPERATIONS,
    "adyen.com/BalancePlatformReportNotification-v1.json": NO_OPERATIONS,
    "adyen.com/BalancePlatformTransferNotification-v3.json": NO_OPERATIONS,
    "adyen.com/ManagementNotificationService-v1.json": NO_OPERATIONS,
    "adyen.com/MarketPayNotificationService.json": NO_OPERATIONS,
    "firstinspires.org.json": NO_OPERATIONS,
    "googleapis.com/youtubeAnalytics.json": NO_OPERATIONS,
    "ipinfodb.com.json": NO_OPERATIONS,
    "iva-api.com.json": NO_OPERATIONS,
    "zenoti.com.json": NO_OPERATIONS,
    "microsoft.com/graph-beta.json": "at most 8,388,608 (8 MB) are allowed",
    "microsoft.com/graph.json": "at most 8,388,608 (8 MB) are allowed",
    "openbanking.org.uk/event-notifications-openapi.json": NO_TOOL,
    "pdfblocks.com.json": NO_TOOL,
    "presalytics.io/converter.json": NO_TOOL,
}


@pytest.fixture(scope="module", name="made")
def _made() -> dict[str, Made]:
    try:
        everything = documents()
    except FileNotFoundError as missing:
        pytest.fail(str(missing))
    sampled = random.Random(SEED).sample(everything, SAMPLED)
    return {name_of(path): tools_of(path.read_text()) for path in sampled}


def test_every_document_becomes_tools_but_for_those_known_to_have_none(made: dict[str, Made]):
    refused = {name: one.problems[0].message for name, one in made.items() if one.problems}

    assert len(made) == SAMPLED
    assert {name: why for name, why in refused.items() if name not in REFUSED} == {}
    assert [name for name, one in made.items() if not one.tools and name not in refused] == []


def test_every_tool_is_one_that_providers_take(made: dict[str, Made]):
    objected = {
        f"{name} {tool.name}": found
        for name, one in made.items()
        for tool in one.tools
        if (found := objections(tool))
    }

    assert objected == {}


def test_every_operation_is_one_tool_or_named_as_left_out(made: dict[str, Made]):
    for name, one in made.items():
        tools = Counter(f"{tool.http_method} {tool.api_path}" for tool in one.tools)
        left_out = [line for line in one.warnings if "operations that can be no tools" in line]

        assert max(tools.values(), default=0) <= 1, name
        if not one.needs_choice and not one.problems:
            assert (len(tools) < one.operations) == bool(left_out), name


@pytest.mark.parametrize(("name", "why"), REFUSED.items())
def test_a_document_that_is_refused_says_why(name: str, why: str):
    made = tools_of((FOLDER / name).read_text())

    assert why in made.problems[0].message
