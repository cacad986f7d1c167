"""More than the local stack can take: it says so at once, and does all that it has taken."""

from __future__ import annotations

import asyncio
import time
import uuid

import httpx
import pytest

from crowds import echo
from freehold.adapters.api_keys import ApiKeys
from freehold.adapters.table import Table
from freehold_cli.local.admission import REQUESTS_AT_ONCE
from freehold_client import Run
from product_stack import TENANT, Product, eventually

pytestmark = pytest.mark.stack

MANY = 2 * REQUESTS_AT_ONCE


def test_of_a_burst_some_are_refused_and_each_run_that_began_is_there_once_and_ends(product: Product):
    product.model.script([], then=echo)
    agent = product.agent()

    answers = asyncio.run(at_once(product, agent))

    refused = [answer for answer in answers if answer.status_code == 429]
    began = [answer.json()["runId"] for answer in answers if answer.status_code == 202]
    assert refused
    assert began
    assert len(refused) + len(began) == MANY
    assert {answer.headers["retry-after"] for answer in refused} == {"1"}
    assert {answer.json()["type"] for answer in refused} == {"urn:freehold:Throttled"}
    runs = eventually(lambda: all_ended(list(product.api.runs.list(agent=agent))), 60)
    assert sorted(run.run_id for run in runs) == sorted(began)
    assert {run.status for run in runs} == {"COMPLETED"}


def all_ended(runs: list[Run]) -> list[Run] | None:
    return runs if all(run.finished_at for run in runs) else None


async def at_once(product: Product, agent: str) -> list[httpx.Response]:
    """As many messages, each to a session of its own, before the first of them is answered."""
    keys = ApiKeys(Table(product.aws("dynamodb"), product.outputs["AgentsTable"]))
    key = keys.create(tenant=TENANT, name="burst", scopes=("run",), now=int(time.time())).text
    headers = {"Authorization": f"Bearer {key}"}
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(
        base_url=f"{product.url}/v1", headers=headers, limits=limits, timeout=60, trust_env=False
    ) as client:
        sent = [
            client.post(
                f"/agents/{agent}/runs", json={"input": "hi"}, headers={"Idempotency-Key": uuid.uuid4().hex}
            )
            for _ in range(MANY)
        ]
        return await asyncio.gather(*sent)
