from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest
from moto import mock_aws

from freehold.values.model import Price
from world import World, agent, clients


@pytest.fixture
def world() -> Iterator[World]:
    with mock_aws():
        made = World(*clients(), Price(Decimal(1), Decimal(2), Decimal(0), "a test", "2026-01-01"))
        made.apply(agent())
        yield made
