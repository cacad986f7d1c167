"""Lists over HTTP, page by page."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest

from freehold import wiring
from freehold.adapters.lists import PAGE_BYTES
from freehold.value import replace
from freehold.values.model import Usage
from freehold.values.run import Call, Discarded, LateResult, Marker, Result

from .deployed import Deployed, agent
from .pages import flat, key_of, pages

# -- runs


def test_runs_are_listed_newest_first_and_without_their_output(product: Deployed):
    run_ids = [product.start(f"message {n}")["runId"] for n in range(3)]
    product.finish(run_ids[0], text="An answer.")

    runs = product.admin.call("GET", "/runs").body["runs"]

    assert [run["runId"] for run in runs] == run_ids[::-1]
    assert "output" not in runs[-1]
    assert runs[-1]["status"] == "COMPLETED"


@pytest.mark.parametrize("limit", ["1", "2", "100"])
def test_pages_of_runs_hold_each_run_once(product: Deployed, limit: str):
    run_ids = [product.start()["runId"] for _ in range(5)]

    found = pages(product.admin, "/runs", "runs", limit=limit)

    assert all(len(page) <= int(limit) for page in found)
    assert [run["runId"] for run in flat(found)] == run_ids[::-1]


def test_runs_are_filtered_by_session_agent_and_status(product: Deployed):
    product.admin.call("PUT", "/agents/other", agent("other"))
    mine = product.start(sessionId="s1")["runId"]
    done = product.start(sessionId="s2")["runId"]
    product.finish(done)
    others = product.start(agent="other", sessionId="s3")["runId"]

    def found(**query: str) -> list[str]:
        return sorted(run["runId"] for run in flat(pages(product.admin, "/runs", "runs", limit="1", **query)))

    assert found(sessionId="s1") == [mine]
    assert found(agent="other") == [others]
    assert found(status="COMPLETED") == [done]
    assert found(status="RUNNING", agent="helper") == [mine]
    assert found(sessionId="nobody") == []


def test_a_page_of_runs_is_never_too_large_to_be_sent(product: Deployed):
    # What needs escaping needs it twice in Lambda's answer.
    run_ids = [product.start('"' * 200_000)["runId"] for _ in range(9)]

    found = pages(product.admin, "/runs", "runs", limit="100")

    assert len(found) > 1
    assert [run["runId"] for run in flat(found)] == run_ids[::-1]


# -- items


def test_items_come_in_the_order_of_what_happened(product: Deployed):
    run_id = started_with_calls(product)

    items = product.admin.call("GET", "/sessions/s1/items").body["items"]

    assert [item["kind"] for item in items] == ["user", "lap", "call", "call"]
    assert {item["runId"] for item in items} == {run_id}
    user, lap, success, open_call = items
    assert (user["text"], user["principal"]["id"]) == ("hello", product.admin.key_id)
    assert [call["name"] for call in lap["calls"]] == ["look_up", "look_up", "nonsense"]
    assert lap["calls"][2]["refused"] == "There is no such tool."
    assert lap["calls"][0]["arguments"] == '{"id": "ü"}'
    assert (success["outcome"], success["result"]) == ("success", "gefunden: ü")
    assert open_call["outcome"] == "started"
    assert "result" not in open_call
    assert all(item["at"].endswith("Z") for item in items)


def started_with_calls(product: Deployed, session: str = "s1") -> str:
    """A run whose lap asks for three calls: one made, one being made, one refused."""
    run_id = product.start(sessionId=session)["runId"]
    calls = (
        Call("look_up", '{"id": "ü"}'),
        Call("look_up", "{}"),
        Call("nonsense", "{}", "There is no such tool."),
    )
    product.add_lap(run_id, "Let me see.", calls=calls, stop="tools")
    key = key_of(run_id)
    wiring.sessions().add_result(key, Result(1, 0, "look_up", "success", "gefunden: ü", wiring.now()))
    wiring.sessions().mark(key, Marker(1, 1, "look_up", "me", wiring.now() + 1000, wiring.now()))
    return run_id


def test_replies_that_lost_and_results_that_came_late_are_told_as_such(product: Deployed):
    run_id = product.start(sessionId="s1")["runId"]
    product.add_lap(run_id, "", calls=(Call("look_up", "{}"),), stop="tools")
    lost = Discarded(1, "lost", wiring.now(), "scripted", Usage(7, 1), Decimal("0.5"))
    run = wiring.sessions().run(key_of(run_id))
    assert run is not None
    wiring.sessions().add_discarded(lost, replace(run, rev=run.rev + 1), before=run)
    wiring.sessions().add_late_result(key_of(run_id), LateResult(1, 0, "at last", wiring.now()))

    _, _, discarded, late = product.admin.call("GET", "/sessions/s1/items").body["items"]

    figures = {
        "lap": 1,
        "model": "scripted",
        "inputTokens": 7,
        "outputTokens": 1,
        "cachedTokens": 0,
        "costUsd": 0.5,
    }
    assert {name: discarded[name] for name in ("kind", *figures)} == {"kind": "discarded", **figures}
    assert {name: late[name] for name in ("kind", "lap", "call", "result")} == {
        "kind": "late",
        "lap": 1,
        "call": 0,
        "result": "at last",
    }


def test_items_of_one_run_leave_out_the_others(product: Deployed):
    first = product.start(sessionId="s1")["runId"]
    product.finish(first, text="One.")
    second = product.start(sessionId="s1")["runId"]

    def kinds(**query: str) -> list[str]:
        return [item["kind"] for item in flat(pages(product.admin, "/sessions/s1/items", "items", **query))]

    assert kinds() == ["user", "lap", "user"]
    assert kinds(runId=first, limit="1") == ["user", "lap"]
    assert kinds(runId=second) == ["user"]


@pytest.mark.parametrize("limit", ["1", "2", "3", "100"])
def test_pages_of_items_hold_each_item_once(product: Deployed, limit: str):
    started_with_calls(product)

    found = pages(product.admin, "/sessions/s1/items", "items", limit=limit)

    assert [item["kind"] for item in flat(found)] == ["user", "lap", "call", "call"]
    assert all(len(page) <= int(limit) for page in found)


def test_a_page_of_items_is_never_too_large_to_be_sent(product: Deployed):
    run_id = product.start(sessionId="s1")["runId"]
    product.add_lap(run_id, "", calls=tuple(Call("look_up", "{}") for _ in range(4)), stop="tools")
    results = ["a" * 3_000_000, '"' * 700_000, "\x00" * 500_000, "ü" * 1_000_000]
    for index, text in enumerate(results):
        wiring.sessions().add_result(
            key_of(run_id), Result(1, index, "look_up", "success", text, wiring.now())
        )

    found = pages(product.admin, "/sessions/s1/items", "items")

    assert [item["result"] for item in flat(found) if item["kind"] == "call"] == results
    assert len(found) > 1


def test_a_result_too_large_for_any_answer_is_cut_and_says_so(product: Deployed):
    run_id = product.start(sessionId="s1")["runId"]
    product.add_lap(run_id, "", calls=(Call("look_up", "{}"), Call("look_up", "{}")), stop="tools")
    whole = '"' * 2_000_000
    for index, text in enumerate((whole, "small")):
        wiring.sessions().add_result(
            key_of(run_id), Result(1, index, "look_up", "success", text, wiring.now())
        )

    calls = [
        item for item in flat(pages(product.admin, "/sessions/s1/items", "items")) if item["kind"] == "call"
    ]

    assert calls[0]["resultLength"] == len(whole)
    assert whole.startswith(calls[0]["result"])
    assert len(calls[0]["result"]) > 500_000
    assert (calls[1]["result"], "resultLength" in calls[1]) == ("small", False)


def test_an_answer_of_five_megabytes_comes_whole(product: Deployed):
    run_id = product.start(sessionId="s1")["runId"]
    product.add_lap(run_id, "", calls=(Call("look_up", "{}"),), stop="tools")
    whole = "x" * 5 * 1024 * 1024
    wiring.sessions().add_result(key_of(run_id), Result(1, 0, "look_up", "success", whole, wiring.now()))

    items = flat(pages(product.admin, "/sessions/s1/items", "items"))

    assert items[-1]["result"] == whole
    assert len(whole) < PAGE_BYTES


@pytest.mark.parametrize("path", ["/sessions/nobody/items", "/sessions/s2/items"])
def test_items_of_an_unknown_session_or_another_sessions_run_are_not_found(product: Deployed, path: str):
    run_id = product.start(sessionId="s1")["runId"]
    product.start(sessionId="s3")

    assert product.admin.call("GET", path).status == 404
    assert product.admin.call("GET", "/sessions/s3/items", query={"runId": run_id}).status == 404
    assert product.admin.call("GET", "/sessions/s1/items", query={"runId": "nonsense"}).status == 404


def test_a_session_id_may_hold_a_colon_which_clients_send_with_a_percent_sign(product: Deployed):
    product.start(sessionId="chat:7.a")
    event = product.admin.event("GET", "/sessions/chat:7.a/items")

    assert event["path"] == "/sessions/chat%3A7.a/items"
    assert len(product.admin.call("GET", "/sessions/chat:7.a/items").body["items"]) == 1


# -- runs by time


def test_runs_are_chosen_by_when_they_were_created(product: Deployed):
    run_ids = [product.start(f"message {n}")["runId"] for n in range(4)]
    times = [product.admin.call("GET", f"/runs/{run_id}").body["createdAt"] for run_id in run_ids]
    assert len(set(times)) == 4

    def found(limit: str = "1", **query: str) -> list[str]:
        return [run["runId"] for run in flat(pages(product.admin, "/runs", "runs", limit=limit, **query))]

    assert found(createdAfter=times[1]) == run_ids[:0:-1]
    assert found(createdBefore=times[2]) == run_ids[1::-1]
    assert found(createdAfter=times[1], createdBefore=times[3], limit="50") == [run_ids[2], run_ids[1]]
    assert found(createdAfter=times[3], createdBefore=times[3]) == []
    # The same moment, as another place in the world writes it.
    east = datetime.fromisoformat(times[1]).astimezone(timezone(timedelta(hours=9))).isoformat()
    assert found(createdAfter=east) == run_ids[:0:-1]


@pytest.mark.parametrize(
    "given", ["", "yesterday", "1764000000", "2026-11-25", "2026-11-25T12:00:00", "2026-13-25T12:00:00Z"]
)
def test_what_is_no_time_is_refused(product: Deployed, given: str):
    answer = product.admin.call("GET", "/runs", query={"createdAfter": given})

    assert answer.status == 400
    assert [problem["path"] for problem in answer.body["problems"]] == ["createdAfter"]
    assert "2026-01-31T12:00:00Z" in answer.text


@pytest.mark.parametrize("given", ["0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59Z"])
def test_a_time_far_away_is_one_too(product: Deployed, given: str):
    product.start()

    after = product.admin.call("GET", "/runs", query={"createdAfter": given}).body["runs"]
    before = product.admin.call("GET", "/runs", query={"createdBefore": given}).body["runs"]

    assert len(after) + len(before) == 1


# -- agents, versions, aliases and keys


@pytest.mark.parametrize("limit", ["1", "2", "100"])
def test_pages_of_what_the_agents_table_holds_have_each_thing_once(product: Deployed, limit: str):
    admin, others = product.admin, product.other_tenant()
    for caller in (admin, others):
        for n in range(3):
            caller.call("PUT", f"/agents/a{n}", agent(f"a{n}"))
            caller.call("POST", "/agents/a0/versions")
            caller.call("POST", "/keys", {"name": f"k{n}", "scopes": ["run"]})
        for n in range(3):
            caller.call("PUT", f"/agents/a0/aliases/x{n}", {"routes": [{"version": "1"}]})
    admin.call("DELETE", "/agents/a1")

    def found(path: str, name: str, field: str) -> list[str]:
        paged = pages(admin, path, name, limit=limit)
        assert all(len(page) <= int(limit) for page in paged)
        return [each[field] for each in flat(paged)]

    assert found("/agents", "agents", "agentName") == ["a0", "a2", "helper"]
    assert found("/agents/a0/versions", "versions", "version") == ["1", "2", "3"]
    assert found("/agents/a0/aliases", "aliases", "alias") == ["x0", "x1", "x2"]
    assert sorted(found("/keys", "keys", "name")) == ["k0", "k1", "k2"]
