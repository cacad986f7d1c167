"""The client itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

import httpx

from .agents import Agents
from .approvals import Approvals
from .connection import Connection
from .dead_letters import DeadLetters
from .erasures import Erasures
from .keys import Keys
from .memories import Memories
from .models import Models
from .runs import Runs
from .schedules import Schedules
from .sessions import Sessions


class Freehold:
    """A stack at `url`, spoken to with an API key; `timeout` is in seconds and counts for each attempt.

    In the key's place may be a token, or a function that gives one: it is asked again once the stack refuses the last.

        with Freehold("http://127.0.0.1:8080", key) as stack:
            run = stack.runs.wait(stack.runs.start("customer-support-agent", "Where is order 1042?").run_id)
            print(run.output)

    Give a `transport` (such as `httpx.MockTransport`) and a `sleep` to test without network and waiting.
    """

    def __init__(
        self,
        url: str,
        key: str | Callable[[], str],
        transport: httpx.BaseTransport | None = None,
        timeout: float = 30.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._connection = Connection(url, key, transport, timeout, sleep)
        self.agents = Agents(self._connection)
        self.runs = Runs(self._connection, sleep)
        self.approvals = Approvals(self._connection)
        self.sessions = Sessions(self._connection)
        self.memories = Memories(self._connection)
        self.erasures = Erasures(self._connection)
        self.models = Models(self._connection)
        self.schedules = Schedules(self._connection)
        self.dead_letters = DeadLetters(self._connection)
        self.keys = Keys(self._connection)

    @property
    def url(self) -> str:
        return self._connection.url

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
