"""Sessions over HTTP: read, closed and erased."""

from __future__ import annotations

import json
from typing import Any

import pytest

from freehold import wiring
from freehold.value import replace
from freehold.values.content import Usage
from freehold.values.conversation import Compaction, Place
from freehold.values.run import Call

from .aws import aws
from .caller import TENANT
from .deployed import Deployed, agent, remembering
from .pages import flat, key_of, pages

LARGE = "x" * 40_000


def change(session_id: str, **changes: Any) -> None:
    """Make a session of the table another one."""
    before = wiring.sessions().session(TENANT, session_id)
    assert before is not None
    wiring.sessions().change(replace(before, rev=before.rev + 1, **changes), before=before)


def expire(session_id: str) -> None:
    change(session_id, expires_at=wiring.now() // 1000 - 1)


def objects() -> list[str]:
    """What the content bucket holds of conversations and memories."""
    found = aws("s3").list_objects_v2(Bucket="content").get("Contents", [])
    return [each["Key"] for each in found if not each["Key"].startswith("agents/")]


# -- reading


def test_a_session_tells_what_it_is_and_what_it_is_at(product: Deployed):
    product.admin.call("PUT", "/agents/helper", remembering())
    run = product.start(sessionId="s1", memoryId="m1", sessionAttributes={"tier": "gold"})

    busy = product.admin.call("GET", "/sessions/s1")
    product.finish(run["runId"])
    idle = product.admin.call("GET", "/sessions/s1").body

    assert busy.status == 200
    told = {name: value for name, value in busy.body.items() if not name.endswith("At")}
    assert told == {
        "sessionId": "s1",
        "agent": "helper",
        "agentVersion": "DRAFT",
        "alias": "DRAFT",
        "memoryId": "m1",
        "turns": 1,
        "activeRunId": run["runId"],
        "sessionAttributes": {"tier": "gold"},
    }
    assert busy.body["createdAt"] < busy.body["expiresAt"]
    assert "activeRunId" not in idle
    assert "endedAt" not in idle


def test_sessions_are_listed_newest_first_each_once(product: Deployed):
    for n in range(5):
        product.finish(product.start(sessionId=f"s{n}")["runId"])
    product.start(sessionId="s1")

    for limit in ("1", "2", "100"):
        found = pages(product.admin, "/sessions", "sessions", limit=limit)
        assert [session["sessionId"] for session in flat(found)] == ["s4", "s3", "s2", "s1", "s0"]
        assert all(len(page) <= int(limit) for page in found)


def test_sessions_are_chosen_by_agent_and_by_memory(product: Deployed):
    product.admin.call("PUT", "/agents/other", remembering("other"))
    product.start(sessionId="s1")
    product.start(sessionId="s2", agent="other")
    product.start(sessionId="s3", agent="other", memoryId="m1")

    def found(**query: str) -> list[str]:
        return [each["sessionId"] for each in flat(pages(product.admin, "/sessions", "sessions", **query))]

    assert found(agent="helper") == ["s1"]
    assert found(agent="other") == ["s3", "s2"]
    assert found(agent="other", memoryId="m1") == ["s3"]
    assert found(memoryId="m2") == []


def test_a_session_that_has_expired_is_found_nowhere(product: Deployed):
    product.start(sessionId="s1")
    product.start(sessionId="s2")
    expire("s1")

    answers = [product.admin.call("GET", f"/sessions/s1{rest}").status for rest in ("", "/items")]

    assert answers == [404, 404]
    assert product.admin.call("POST", "/sessions/s1/end").status == 404
    listed = product.admin.call("GET", "/sessions").body["sessions"]
    assert [session["sessionId"] for session in listed] == ["s2"]


def test_a_compaction_is_told_with_what_it_stands_for_and_hides_nothing(product: Deployed):
    run_id = product.start("Remember the blue door.", sessionId="s1")["runId"]
    product.add_lap(run_id, "", calls=(Call("look_up", "{}", "There is no such tool."),), stop="tools")
    run = wiring.sessions().run(key_of(run_id))
    assert run is not None
    made = Compaction(1, 1, "c", wiring.now(), Place(1, 1), "A door.", "scripted", Usage(9, 3, 2, 1), 7)
    wiring.sessions().add_compaction(made, replace(run, rev=run.rev + 1), before=run)

    items = product.admin.call("GET", "/sessions/s1/items").body["items"]
    of_run = product.admin.call("GET", "/sessions/s1/items", query={"runId": run_id}).body["items"]

    assert [item["kind"] for item in items] == ["user", "lap", "compaction"]
    assert items[0]["text"] == "Remember the blue door."
    assert of_run == items
    told = {name: value for name, value in items[2].items() if name != "at"}
    assert told == {
        "kind": "compaction",
        "runId": run_id,
        "turn": 1,
        "lap": 1,
        "model": "scripted",
        "text": "A door.",
        "begins": {"turn": 1, "laps": 1},
        "inputTokens": 9,
        "outputTokens": 3,
        "cachedTokens": 2,
        "cacheWrittenTokens": 1,
        "costUsd": None,
        "durationMs": 7,
        "attempt": 0,
    }


@pytest.mark.parametrize(
    "text",
    [
        *("a\x00b", "\x00", "\ufeff", "\u202eevil", "\ufffd", "line\r\nline", "e\u0301 é"),
        *("😀👩‍💻𝄞", "👨‍👩‍👧‍👦" * 1000, "𠜎" * 200_000, "\x7f" * 20_000, '"\\"' * 60_000),
    ],
    ids=lambda text: ascii(text[:12]),
)
def test_any_text_is_kept_exactly(product: Deployed, text: str):
    attributes = {text[:100]: text[:10_000]}

    product.start(text, sessionId="s1", sessionAttributes=attributes)

    (item,) = product.admin.call("GET", "/sessions/s1/items").body["items"]
    assert item["text"] == text
    assert product.admin.call("GET", "/sessions/s1").body["sessionAttributes"] == attributes


def test_half_characters_are_whole_again_where_they_make_one(product: Deployed):
    escaped = '{"sessionId": "s1", "input": "\\ud83d\\ude00"}'

    assert product.admin.call("POST", "/agents/helper/runs", escaped).status == 202
    (item,) = product.admin.call("GET", "/sessions/s1/items").body["items"]
    assert item["text"] == "😀"


# -- closing


def test_a_closed_session_stays_readable_and_its_id_begins_anew(product: Deployed):
    first = product.start("before", sessionId="s1", sessionAttributes={"a": "1"})["runId"]
    product.finish(first, text="An answer.")

    ended = product.admin.call("POST", "/sessions/s1/end")

    assert ended.status == 200
    assert ended.body["endedAt"]
    assert ended.body["summaryPending"] is False
    shown = product.admin.call("GET", "/sessions/s1").body
    assert shown | {"summaryPending": False} == ended.body
    assert len(product.admin.call("GET", "/sessions/s1/items").body["items"]) == 2
    assert product.admin.call("GET", "/sessions").body["sessions"] == [shown]

    second = product.start("after", sessionId="s1")["runId"]

    items = product.admin.call("GET", "/sessions/s1/items").body["items"]
    assert [item["text"] for item in items] == ["before" if second == first else "after"]
    assert product.admin.call("GET", "/sessions/s1").body["sessionAttributes"] == {}
    assert "endedAt" not in product.admin.call("GET", "/sessions/s1").body
    assert product.admin.call("GET", f"/runs/{first}").body["output"] == "An answer."


def test_closing_twice_is_closing_once(product: Deployed):
    product.finish(product.start(sessionId="s1")["runId"])

    first, second = (product.admin.call("POST", "/sessions/s1/end").body for _ in range(2))

    assert first == second


def test_closing_makes_up_for_a_summary_that_failed(product: Deployed):
    product.admin.call("PUT", "/agents/helper", remembering())
    run_id = product.start(sessionId="s1", memoryId="m1")["runId"]
    product.finish(run_id, text="An answer.")

    ended = product.admin.call("POST", "/sessions/s1/end").body

    assert ended["summaryPending"] is True
    assert product.started() == [f"{run_id}-1", f"{run_id}-s1"]


@pytest.mark.parametrize(("method", "path"), [("POST", "/sessions/s1/end"), ("DELETE", "/sessions/s1")])
def test_a_session_that_answers_a_message_is_neither_closed_nor_erased(
    product: Deployed, method: str, path: str
):
    run_id = product.start(sessionId="s1")["runId"]
    before = product.items("sessions")

    answer = product.admin.call(method, path)

    assert (answer.status, answer.body["type"]) == (409, "urn:freehold:SessionBusy")
    assert answer.body["runId"] == run_id
    assert product.items("sessions") == before


# -- erasing


def test_an_erased_session_leaves_nothing_of_what_was_said(product: Deployed):
    product.admin.call("PUT", "/agents/helper", remembering())
    for text in (LARGE, "A secret.", "Another secret."):
        product.finish(product.start(text, sessionId="s1", memoryId="m1")["runId"], text=f"Yes: {text}")
    product.finish(product.start("Others' words.", sessionId="s2", memoryId="m1")["runId"])
    assert objects()

    answer = product.admin.call("DELETE", "/sessions/s1")

    assert answer.status == 200
    assert (answer.body["busy"], answer.body["complete"]) == ([], True)
    erased = answer.body["erased"]
    assert (erased["sessions"], erased["runs"], erased["summaries"]) == (1, 3, 1)
    assert erased["objects"] == 2
    assert erased["items"] >= 6
    assert objects() == []
    left = json.dumps(product.items("sessions"))
    assert "secret" not in left
    assert "Others' words." in left
    for path in ("/sessions/s1", "/sessions/s1/items"):
        assert product.admin.call("GET", path).status == 404
    assert product.admin.call("DELETE", "/sessions/s1").status == 404
    remembered = product.admin.call("GET", "/agents/helper/memories/m1").body["sessions"]
    assert [each["sessionId"] for each in remembered] == ["s2"]


def test_an_erased_sessions_id_begins_anew(product: Deployed):
    product.finish(product.start("before", sessionId="s1")["runId"])
    product.admin.call("DELETE", "/sessions/s1")

    product.start("after", sessionId="s1")

    items = product.admin.call("GET", "/sessions/s1/items").body["items"]
    assert [(item["text"], item["turn"]) for item in items] == [("after", 1)]


def test_a_closed_session_can_be_erased(product: Deployed):
    product.finish(product.start("A secret.", sessionId="s1")["runId"])
    product.admin.call("POST", "/sessions/s1/end")

    assert product.admin.call("DELETE", "/sessions/s1").body["erased"]["sessions"] == 1
    assert "secret" not in json.dumps(product.items("sessions"))


def test_sessions_of_an_agent_that_is_gone_are_read_and_erased(product: Deployed):
    product.admin.call("PUT", "/agents/gone", agent("gone"))
    product.finish(product.start(agent="gone", sessionId="s1")["runId"])
    product.admin.call("DELETE", "/agents/gone")

    assert product.admin.call("GET", "/sessions/s1").status == 200
    assert product.admin.call("POST", "/sessions/s1/end").status == 200
    assert product.admin.call("DELETE", "/sessions/s1").status == 200


def test_a_session_of_the_release_before_is_shown_and_erased(product: Deployed):
    """It has neither a lease nor a place in the list of sessions."""
    product.finish(product.start(sessionId="s1")["runId"])
    for item in product.items("sessions"):
        key = {name: item[name] for name in ("pk", "sk")}
        if item["kind"]["S"] == "lease":
            product.client.delete_item(TableName="sessions", Key=key)
        if item["kind"]["S"] == "session":
            old = {name: value for name, value in item.items() if name not in ("runs_of", "listed_at")}
            product.client.put_item(TableName="sessions", Item=old)

    assert product.admin.call("GET", "/sessions/s1").body["turns"] == 1
    assert product.admin.call("DELETE", "/sessions/s1").body["erased"]["runs"] == 1
