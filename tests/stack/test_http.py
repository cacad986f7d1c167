"""The HTTP API on the local stack: what only a real gateway, authorizer and Lambda can show."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from freehold.adapters.api_keys import ApiKeys, NewKey
from freehold.adapters.table import Table
from freehold_client import CallItem
from model_server import ask, say
from product_stack import ROOT, TENANT, Product, eventually, function

pytestmark = pytest.mark.stack


@pytest.fixture
def http(product: Product) -> Iterator[httpx.Client]:
    """The API without a key."""
    with httpx.Client(base_url=f"{product.url}/v1", timeout=60) as client:
        yield client


def key(product: Product, *scopes: str, tenant: str = TENANT) -> NewKey:
    keys = ApiKeys(Table(product.aws("dynamodb"), product.outputs["AgentsTable"]))
    return keys.create(tenant=tenant, name="test", scopes=scopes or ("admin",), now=int(time.time()))


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


def configuration(product: Product, name: str) -> dict[str, Any]:
    group = {
        "actionGroupName": "suite",
        "actionGroupExecutor": {"lambda": product.tools},
        "functionSchema": {"functions": [function("echo", idempotent=True)]},
    }
    model = {"model": "scripted", "api": "openai_compatible"}
    return {"agentName": name, "foundationModel": model, "instruction": "Do.", "actionGroups": [group]}


# -- the door


def test_nobody_enters_without_a_key_that_works(product: Product, http: httpx.Client):
    good = key(product).text
    wrong_secret = good[:-1] + ("0" if good[-1] != "0" else "1")
    headers = [{}, bearer("nonsense"), bearer(wrong_secret), {"Authorization": good}, {"x-api-key": good}]

    answers = [http.get("/agents", headers=each) for each in headers]

    assert [answer.status_code for answer in answers] == [401] * len(headers)
    assert http.get("/agents", headers=bearer(good)).status_code == 200


def test_a_key_that_was_revoked_before_its_first_use_opens_nothing(product: Product, http: httpx.Client):
    made = key(product)

    product.api.keys.revoke(made.key_id)

    assert http.get("/agents", headers=bearer(made.text)).status_code == 401


def test_a_key_made_over_http_opens_what_its_scopes_allow(product: Product, http: httpx.Client):
    agent = product.agent()
    made = http.post(
        "/keys", json={"name": "reader", "scopes": ["read"]}, headers=bearer(key(product).text)
    ).json()
    reader = bearer(made["key"])

    assert http.get(f"/agents/{agent}", headers=reader).status_code == 200
    refused = http.post(f"/agents/{agent}/runs", json={"input": "hi"}, headers=reader)
    assert refused.status_code == 403
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["type"] == "urn:freehold:Denied"


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "kind"),
    [
        ("GET", "/agents", {}, 401, "Unauthorized"),
        ("GET", "/agents", bearer("fh_nonsense"), 401, "Unauthorized"),
        ("GET", "/nowhere", None, 404, "NotFound"),
        ("PATCH", "/agents", None, 404, "NotFound"),
        ("GET", "/runs/nonsense", None, 404, "NotFound"),
        ("GET", "/runs/a%0ab/events", None, 400, "Invalid"),
        ("GET", "/runs?limit=0", None, 400, "Invalid"),
        ("POST", "/agents/nobody/runs", None, 400, "Invalid"),
    ],
)
def test_whoever_answers_an_error_is_a_problem_document_with_a_request_id(
    product: Product,
    http: httpx.Client,
    method: str,
    path: str,
    headers: dict[str, str] | None,
    status: int,
    kind: str,
):
    """The gateway's own errors look like ours: a client needs to know one form."""
    answer = http.request(method, path, headers=bearer(key(product).text) if headers is None else headers)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"]
    problem = answer.json()
    assert problem["type"] == f"urn:freehold:{kind}"
    assert {"title", "detail"} <= set(problem)


def test_two_tenants_with_equal_names_never_meet(product: Product, http: httpx.Client):
    name, session = f"twin-{uuid.uuid4().hex[:8]}", f"s-{uuid.uuid4().hex[:8]}"
    tenants = {tenant: bearer(key(product, tenant=tenant).text) for tenant in ("north", "south")}
    product.model.script([say("to north"), say("to south")])
    runs: dict[str, Any] = {}
    for tenant, headers in tenants.items():
        document = configuration(product, name) | {"description": tenant}
        assert http.put(f"/agents/{name}", json=document, headers=headers).status_code == 200
        body = {"input": f"from {tenant}", "sessionId": session, "waitSeconds": 25}
        answer = http.post(f"/agents/{name}/runs", json=body, headers=headers | {"Idempotency-Key": session})
        assert answer.status_code == 200, answer.text
        runs[tenant] = answer.json()

    assert {tenant: run["output"] for tenant, run in runs.items()} == {
        "north": "to north",
        "south": "to south",
    }
    for tenant, other in (("north", "south"), ("south", "north")):
        headers = tenants[tenant]
        assert http.get(f"/agents/{name}", headers=headers).json()["agent"]["description"] == tenant
        items = http.get(f"/sessions/{session}/items", headers=headers).json()["items"]
        assert [item.get("text") for item in items] == [f"from {tenant}", f"to {tenant}"]
        listed = http.get("/runs", headers=headers).json()["runs"]
        assert {run["runId"] for run in listed if run["agent"] == name} == {runs[tenant]["runId"]}
        theirs = runs[other]["runId"]
        assert http.get(f"/runs/{theirs}", headers=headers).status_code == 404
        assert http.post(f"/runs/{theirs}/cancel", headers=headers).status_code == 404
        assert http.get(f"/sessions/{session}/items?runId={theirs}", headers=headers).status_code == 404


# -- what goes through


@pytest.mark.parametrize(
    "text",
    ['Grüße, 世界! 👩‍👩‍👧 \u0000 \\ " </script> \u2028', "ä" * 200_000],
    ids=["unicode", "200,000 characters"],
)
def test_a_message_arrives_as_it_was_sent(product: Product, text: str):
    agent = product.agent()
    product.model.script([ask(("echo", {"note": "schön 🎉"})), lambda _: say(f"Ja: {text[:30]}")])

    run = product.ask(agent, text)

    assert run.output == f"Ja: {text[:30]}"
    user, lap, call, *_ = product.api.sessions.items(run.session_id)
    assert user.wire["text"] == text
    assert json.loads(lap.wire["calls"][0]["arguments"]) == {"note": "schön 🎉"}
    assert call.wire["result"] == "schön 🎉"
    seen = [
        message["content"] for message in product.model.requests[-1]["messages"] if message["role"] == "user"
    ]
    assert seen == [text]


def test_a_message_that_is_too_long_is_refused(product: Product, http: httpx.Client):
    agent = product.agent()

    answer = http.post(
        f"/agents/{agent}/runs", json={"input": "x" * 200_001}, headers=bearer(key(product).text)
    )

    assert answer.status_code == 400
    assert answer.json()["problems"][0]["path"] == "input"


def test_a_session_id_with_a_colon_is_found_again(product: Product):
    agent, session = product.agent(), f"chat:{uuid.uuid4().hex[:6]}.a_b-c"
    product.model.script([say("ok")])

    product.ask(agent, "hi", session_id=session)

    assert [item.wire["kind"] for item in product.api.sessions.items(session)] == ["user", "lap"]


def test_a_tools_answer_of_five_megabytes_is_kept_whole_and_the_run_goes_on(product: Product):
    """Lambda itself allows 6 MB an answer; the local one has no limit, so this stays below AWS's own."""
    agent = product.agent()
    size = 5 * 1024 * 1024
    product.model.script(
        [ask(("echo", {"note": "0123456789abcdef", "times": size // 16})), say("That was much.")]
    )

    run = product.ask(agent, "fetch it all")

    assert (run.status, run.output) == ("COMPLETED", "That was much.")
    calls = [item for item in product.api.sessions.items(run.session_id) if item.wire["kind"] == "call"]
    assert [len(call.wire["result"]) for call in calls] == [size]
    assert calls[0].wire["result"] == "0123456789abcdef" * (size // 16)


# -- results from elsewhere


def test_a_result_that_was_uploaded_reaches_the_model_and_nothing_longer_is_taken(product: Product):
    name, runs = f"returning-{uuid.uuid4().hex[:8]}", product.api.runs
    document = configuration(product, name)
    document["actionGroups"][0]["actionGroupExecutor"] = {"customControl": "RETURN_CONTROL"}
    product.api.agents.apply(document)
    product.model.script([ask(("echo", {})), say("Read it.")])
    run = runs.wait(runs.start(name, "Fetch it.").run_id)
    content = b"x" * 4_500_000

    upload = runs.upload(run.run_id, content)
    url = runs._connection.request("POST", f"/runs/{run.run_id}/uploads", {"bytes": 4})[1]["url"]
    runs.decide(run.run_id, [run.awaiting[0].result(upload_id=upload)])

    assert httpx.put(url, content=b"12345").status_code == 403
    assert runs.wait(run.run_id).output == "Read it."
    (call,) = [
        item
        for item in product.api.sessions.items(run.session_id, run_id=run.run_id)
        if isinstance(item, CallItem)
    ]
    assert (call.outcome, len(call.result or "")) == ("success", len(content))


# -- many at once


def test_what_many_ask_at_once_under_one_key_is_made_once(product: Product, http: httpx.Client):
    """Some are told to wait, and are answered then: the client does so by itself."""
    name, headers = f"crowd-{uuid.uuid4().hex[:8]}", bearer(key(product).text)
    assert http.put(f"/agents/{name}", json=configuration(product, name), headers=headers).status_code == 200

    with ThreadPoolExecutor(12) as crowd:
        made = list(
            crowd.map(lambda _: product.api.agents.freeze(name, idempotency_key=name).version, range(24))
        )

    assert made == ["1"] * 24
    assert [each.version for each in product.api.agents.versions(name)] == ["1"]


def test_of_many_that_change_the_same_state_of_an_agent_one_does(product: Product, http: httpx.Client):
    name, headers = f"crowd-{uuid.uuid4().hex[:8]}", bearer(key(product).text)
    document = configuration(product, name)
    seen = http.put(f"/agents/{name}", json=document, headers=headers).headers["etag"]

    def change(number: int) -> int:
        changed = document | {"instruction": f"Do {number}."}
        return http.put(f"/agents/{name}", json=changed, headers=headers | {"If-Match": seen}).status_code

    with ThreadPoolExecutor(12) as crowd:
        answers = sorted(crowd.map(change, range(12)))

    assert answers == [200, *[412] * 11]


# -- the page


def test_the_examples_of_the_page_work(product: Product):
    page = (ROOT / "docs" / "http.md").read_text()
    script = "\n".join(re.findall(r"```bash\n(.*?)```", page, re.DOTALL))
    notes = say('{"topics": ["A greeting."], "openPoints": [], "preferences": []}')
    asked = len(product.model.requests)
    look_up = ask(("getOrder", {"orderId": "ORD-10042"}))
    escalate = ask(("escalate_to_human", {"reason": "a dispute", "summary": "a refund"}))
    # The session's notes and the replay are asked for in either order.
    greeter, clerk = (
        [say("Good morning!"), notes, notes],
        [look_up, say("It was shipped."), escalate, say("Thanks.")],
    )
    product.model.script([*greeter, *clerk])
    # `-f` makes curl fail on an error, which the page's reader would see with their own eyes.
    script = script.replace("curl -sS", "curl -sS -f -w '\\n'")

    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        env={
            "PATH": os.environ["PATH"],
            "FREEHOLD_URL": f"{product.url}/v1",
            "FREEHOLD_KEY": key(product, tenant="page").text,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr + done.stdout
    assert '"output": "Good morning!"' in done.stdout
    assert done.stdout.count('"runId"') >= 3
    assert '"topics": ["A greeting."]' in done.stdout
    assert '"summary": "a refund"' in done.stdout
    # The last one is asked for when the page has ended.
    eventually(lambda: len(product.model.requests) == asked + 7)
