"""Streams that break in a process that looks like Lambda, for `test_live_logs.py`: it prints what is logged of them.

Errors that are not the product's own say a `CANARY`.
"""

from __future__ import annotations

import asyncio
import logging
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from uvicorn import Config

from freehold.errors import StoreUnavailable
from freehold.values.run import RunKey

LIVE = Path(__file__).parents[2] / "functions" / "live"
CANARY = "canary-of-a-tool"


@dataclass(frozen=True)
class Broken:
    """A run that cannot be read any more."""

    error: Exception
    watcher: Any

    def news(self) -> list[Any]:
        raise self.error


def breaks(told: Any, error: Exception, turn: int) -> list[str]:
    """What is told of the run before its stream ends, and, where it breaks off, by what."""
    watcher = SimpleNamespace(over=False, pause_seconds=0, key=RunKey("acme", "c", turn))
    heard: list[str] = []

    async def read() -> None:
        async for each in told(Broken(error, watcher), [], request_id=f"r{turn}"):
            # One after the other: what was heard before it broke counts.
            heard.append(each.comment)  # noqa: PERF401

    try:
        asyncio.run(read())
    except KeyError as broke:
        heard.append(type(broke).__name__)
    return heard


if __name__ == "__main__":
    (log_config,) = re.findall(r"--log-config (\S+)", (LIVE / "run.sh").read_text())
    sys.path.insert(0, str(LIVE))
    # As the server does it: first its own loggers, then the application.
    Config("app:app", log_config=str(LIVE / log_config), log_level="warning").load()
    import app

    assert breaks(app._told, StoreUnavailable("the table is on strike"), 1) == ["following"]
    # The server breaks the answer off, which counts as a failure of the function.
    assert breaks(app._told, KeyError(CANARY), 2) == ["following", "KeyError"]
    logging.getLogger("uvicorn.error").error("Exception in ASGI application", exc_info=KeyError(CANARY))
