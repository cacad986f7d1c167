"""Live events on the local stack: as models write, through the front door, for clients that come and go."""

from __future__ import annotations

import json
import random
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from freehold_client import RunEvent, TextDelta
from freehold_client.streaming import blocks
from model_server import ask, say
from people import person
from product_stack import Product, function

pytestmark = pytest.mark.stack

CLIENTS = 50
FIRST = "Let me look that up for you, it takes a moment. " * 2
LAST = "Here is what I have found: 42, and “much” more — in three\u2028lines. " * 3


@dataclass
class Visitor:
    """Reads a few bytes of a run's events, leaves without a word, and comes back with the last id that it has."""

    http: httpx.Client
    run_id: str
    chance: random.Random
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list[tuple[str, dict[str, Any]]])
    last_id: str | None = None
    visits: int = 0

    def stay(self) -> None:
        while not self._visit():
            self.visits += 1

    def _visit(self) -> bool:
        """Whether there is no more to come."""
        headers = {"Last-Event-ID": self.last_id} if self.last_id else {}
        with self.http.stream("GET", f"/runs/{self.run_id}/events", headers=headers) as answer:
            if answer.status_code == 204:
                return True
            if answer.status_code == 503:
                # The machine has much to do.
                return False
            assert answer.status_code == 200, answer.read()
            for block in blocks(self._some(answer)):
                told = dict(line.split(": ", 1) for line in block if ": " in line)
                if "data" in told:
                    self.events.append((told["event"], json.loads(told["data"])))
                    self.last_id = told["id"]
        return False

    def _some(self, answer: httpx.Response) -> Iterator[bytes]:
        left = self.chance.randint(600, 8_000)
        for chunk in answer.iter_raw():
            yield chunk[:left]
            left -= len(chunk)
            if left <= 0:
                return

    @property
    def texts(self) -> dict[int, str]:
        shown: dict[int, str] = {}
        for name, data in self.events:
            if name == "text.delta":
                shown[data["lap"]] = shown.get(data["lap"], "") + data["text"]
            elif name == "text.reset":
                shown[data["lap"]] = ""
        return shown

    @property
    def steps(self) -> Counter[tuple[str, ...]]:
        named = ("lap", "callId", "outcome", "status")
        return Counter(
            (name, *(f"{each}={data[each]}" for each in named if each in data))
            for name, data in self.events
            if not name.startswith("text.")
        )


def test_fifty_clients_that_come_and_go_get_every_event_once(product: Product):
    agent = product.agent()
    looks = ("echo", {"note": "a"}), ("echo", {"note": "b"})
    product.model.script([ask(*looks, text=FIRST, pace_seconds=0.1), say(LAST, pace_seconds=0.06)])
    run_id = product.api.runs.start(agent, "go").run_id
    with person(product, "read").http as http:
        visitors = [Visitor(http, run_id, random.Random(seed)) for seed in range(CLIENTS)]

        with ThreadPoolExecutor(CLIENTS) as pool:
            list(pool.map(Visitor.stay, visitors))

    assert product.api.runs.get(run_id).output == LAST
    for visitor in visitors:
        seqs = [data["seq"] for _, data in visitor.events]
        assert seqs == list(range(1, len(seqs) + 1))
        assert visitor.texts == {1: FIRST, 2: LAST}
        assert visitor.steps == visitors[0].steps
        assert visitor.events[-1][0] == "run.finished"
    assert len(visitors[0].steps) == 8
    assert sum(visitor.visits for visitor in visitors) > CLIENTS
    # Somebody saw it being written: there is more to tell than each lap's text as a whole.
    assert max(sum(name == "text.delta" for name, _ in visitor.events) for visitor in visitors) > 2


def test_the_client_tells_the_text_as_it_is_written_and_ends_with_the_run(product: Product):
    agent = product.agent()
    watched = threading.Event()
    product.model.script([say(LAST, hold=watched, pace_seconds=0.2)])

    events: list[RunEvent] = []
    for event in product.api.runs.stream(product.api.runs.start(agent, "go").run_id):
        events.append(event)
        watched.set()

    told = [event.text for event in events if isinstance(event, TextDelta)]
    assert "".join(told) == LAST
    assert len(told) > 1
    assert [type(event).__name__ for event in events if not isinstance(event, TextDelta)] == [
        "RunStarted",
        "LapStarted",
        "RunFinished",
    ]


def test_a_stream_ends_where_somebody_has_to_decide_and_goes_on_after_that(product: Product):
    agent = product.agent(function("echo", requireConfirmation="ENABLED"))
    product.model.script([ask(("echo", {"note": "x"})), say("done")])
    run_id = product.api.runs.start(agent, "go").run_id

    before = list(product.api.runs.stream(run_id))
    product.api.runs.decide(run_id, [each.approve() for each in product.api.runs.get(run_id).awaiting])
    after = list(product.api.runs.stream(run_id, before[-1].id))

    names = [type(event).__name__ for event in before], [type(event).__name__ for event in after]
    assert names[0] == ["RunStarted", "LapStarted", "ApprovalRequested"]
    assert names[1][:2] == ["ToolStarted", "ToolFinished"]
    assert names[1][-1] == "RunFinished"


def test_only_who_is_let_in_gets_events_whatever_they_say_of_themselves(product: Product):
    product.model.script([say("done")])
    run = product.ask(product.agent())
    path = f"{product.url}/v1/runs/{run.run_id}/events"
    forged = {"authorizer": {"tenant": "suite", "callerType": "key", "callerId": "x", "scopes": "admin"}}
    headers = {"x-amzn-request-context": json.dumps(forged)}

    nobody = httpx.get(path, headers=headers)
    with person(product, "gateway").http as http:
        scopeless = http.get(path, headers=headers)

    assert (nobody.status_code, scopeless.status_code) == (401, 403)
