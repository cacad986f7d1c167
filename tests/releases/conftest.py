from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from world import World

sys.path.insert(0, str(Path(__file__).parent))

import samples


@pytest.fixture(params=samples.releases())
def release(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def left(release: str) -> Iterator[tuple[World, dict[str, Any]]]:
    """A world that finds what the release left behind, and what is known of it."""
    with samples.restored(release) as found:
        yield found


@pytest.fixture
def world(left: tuple[World, dict[str, Any]]) -> World:
    return left[0]
