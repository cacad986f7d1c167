from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest
from moto import mock_aws

from freehold.values.model import Price
from memory_table import MemoryTable
from world import World, agent, bucket, clients

PRICE = Price(Decimal(1), Decimal(2), Decimal(0), "a test", "2026-01-01")


@pytest.fixture
def world() -> Iterator[World]:
    """On moto. Modules with much to do in it have one of their own, by `world_in_memory`."""
    with mock_aws():
        made = World(*clients(), PRICE)
        made.apply(agent())
        yield made


@pytest.fixture
def world_in_memory() -> Iterator[World]:
    """Its tables in a dictionary, its bucket on moto."""
    with mock_aws():
        made = World(MemoryTable(), bucket(), PRICE)
        made.apply(agent())
        yield made
