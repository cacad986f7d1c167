"""People with keys of their own, who start runs and decide about what these wait for: over HTTP, and nothing else."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from freehold.adapters.api_keys import ApiKeys
from freehold.adapters.table import Table
from product_stack import TENANT, Product, eventually

Json = dict[str, Any]


@dataclass(frozen=True)
class Person:
    """`name` is how the records know them."""

    name: str
    http: httpx.Client

    def begins(self, agent: str, text: str, **more: Any) -> Json:
        """A run, or what a message to a session that waits leads to."""
        answer = self.http.post(f"/agents/{agent}/runs", json={"input": text, **more})
        assert answer.status_code in (200, 202), answer.text
        return answer.json()

    def sees(self, run_id: str) -> Json:
        answer = self.http.get(f"/runs/{run_id}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def sees_parked(self, run_id: str, *kinds: str) -> Json:
        """The run once it waits for these, in the order of its calls."""

        def parked() -> Json | None:
            run = self.sees(run_id)
            waits = tuple(each["kind"] for each in run.get("awaiting", []))
            return run if run["status"] == "AWAITING" and waits == kinds else None

        return eventually(parked)

    def sees_ended(self, run_id: str) -> Json:
        def ended() -> Json | None:
            run = self.sees(run_id)
            return run if run["status"] not in ("QUEUED", "RUNNING", "AWAITING") else None

        return eventually(ended, seconds=60)

    def sees_items(self, run: Json, kind: str) -> list[Json]:
        query = {"runId": run["runId"], "limit": 100}
        answer = self.http.get(f"/sessions/{run['sessionId']}/items", params=query)
        assert answer.status_code == 200, answer.text
        return [item for item in answer.json()["items"] if item["kind"] == kind]

    def decides(self, run: Json, *verdicts: str, of: Sequence[int] = (0,), **more: Any) -> httpx.Response:
        """About calls of the run that it showed as waiting, by their place there: one verdict for each."""
        shown = [run["awaiting"][i] for i in of]
        decisions = [
            {
                "callId": each["callId"],
                "decision": verdict,
                "argumentsDigest": each["argumentsDigest"],
                **more,
            }
            for each, verdict in zip(shown, verdicts, strict=True)
        ]
        return self.http.post(f"/runs/{run['runId']}/decisions", json=decisions)

    def cancels(self, run_id: str) -> None:
        answer = self.http.post(f"/runs/{run_id}/cancel")
        assert answer.status_code == 202, answer.text


def person(product: Product, *scopes: str) -> Person:
    """Somebody new with a key of these scopes."""
    keys = ApiKeys(Table(product.aws("dynamodb"), product.outputs["AgentsTable"]))
    made = keys.create(tenant=TENANT, name="test", scopes=scopes, now=int(time.time()))
    headers = {"Authorization": f"Bearer {made.text}"}
    return Person(
        f"key:{made.key_id}", httpx.Client(base_url=f"{product.url}/v1", headers=headers, timeout=60)
    )
