"""What agents remember, over HTTP; and erasing all of a memory or of a principal."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from freehold import wiring
from freehold.value import replace
from freehold.values.content import Usage
from freehold.values.memory import Notes, Summary
from freehold.values.run import Spent

from .caller import TENANT, Caller
from .deployed import Deployed, remembering
from .pages import flat, pages

NOTES = Notes(("The blue door",), ("Who has the key?",), ("Short answers",))


@pytest.fixture
def product(product: Deployed) -> Deployed:
    assert product.admin.call("PUT", "/agents/helper", remembering()).status == 200
    return product


def talk(product: Deployed, session_id: str, memory_id: str | None = "m1", text: str = "A secret.") -> str:
    """A run that has ended."""
    more = {} if memory_id is None else {"memoryId": memory_id}
    run_id = product.start(text, sessionId=session_id, **more)["runId"]
    product.finish(run_id, text="An answer.")
    return run_id


def remember(session_id: str, memory_id: str = "m1", **changes: Any) -> Summary:
    """What SummarizeMemory does, with notes of our own."""
    (before,) = [
        each for each in wiring.memories().all(TENANT, "helper", memory_id) if each.session_id == session_id
    ]
    folded = replace(before, through_turn=before.through_turn + 1, notes=NOTES, **changes)
    wiring.memories().fold(folded, before=before)
    return folded


def sessions_in(product: Deployed, memory_id: str = "m1") -> list[str]:
    answer = product.admin.call("GET", f"/agents/helper/memories/{memory_id}")
    return [each["sessionId"] for each in answer.body["sessions"]] if answer.status == 200 else []


# -- beginning


def test_a_run_shows_its_memory_and_its_session_keeps_it(product: Deployed):
    first = talk(product, "s1", "customer:7")

    second = talk(product, "s1", None)

    runs = [product.admin.call("GET", f"/runs/{run_id}").body for run_id in (first, second)]
    assert [run["memoryId"] for run in runs] == ["customer:7", "customer:7"]


@pytest.mark.parametrize(("began", "asked"), [("m1", "m2"), (None, "m1")])
def test_a_session_has_the_memory_that_it_began_with(product: Deployed, began: str | None, asked: str):
    talk(product, "s1", began)

    answer = product.admin.call(
        "POST", "/agents/helper/runs", {"input": "hi", "sessionId": "s1", "memoryId": asked}
    )

    assert (answer.status, answer.body["type"]) == (409, "urn:freehold:Conflict")


# -- reading


def test_a_memory_is_shown_oldest_session_first_with_what_is_not_summed_up_yet(product: Deployed):
    for session_id in ("s1", "s2"):
        talk(product, session_id)
    kept = remember("s1", spent=Spent(Usage(100, 20), Decimal("0.25")))

    shown = product.admin.call("GET", "/agents/helper/memories/m1").body

    assert (shown["memoryId"], shown["agent"]) == ("m1", "helper")
    first, second = shown["sessions"]
    assert first == {
        "sessionId": "s1",
        "agentVersion": "DRAFT",
        "startedAt": first["startedAt"],
        "updatedAt": first["updatedAt"],
        "expiresAt": first["expiresAt"],
        "turns": 1,
        "topics": ["The blue door"],
        "openPoints": ["Who has the key?"],
        "preferences": ["Short answers"],
        "usage": {"inputTokens": 100, "outputTokens": 20, "cachedTokens": 0, "cacheWrittenTokens": 0},
        "costUsd": 0.25,
    }
    assert first["startedAt"] <= first["updatedAt"] < first["expiresAt"]
    assert kept.expires_at > wiring.now() // 1000
    assert (second["sessionId"], second["turns"], second["topics"]) == ("s2", 0, [])
    assert (second["usage"]["inputTokens"], second["costUsd"]) == (0, 0)


def test_memories_are_listed_newest_session_first_each_once(product: Deployed):
    for n in range(4):
        talk(product, f"s{n}", f"m{n % 2}")

    for limit in ("1", "3", "100"):
        found = pages(product.admin, "/agents/helper/memories", "memories", limit=limit)
        listed = [(each["memoryId"], each["sessionId"]) for each in flat(found)]
        assert listed == [("m1", "s3"), ("m0", "s2"), ("m1", "s1"), ("m0", "s0")]
        assert all(len(page) <= int(limit) for page in found)
    assert set(flat(found)[0]) == {"memoryId", "sessionId", "startedAt", "updatedAt", "turns"}


def test_what_has_expired_is_not_shown(product: Deployed):
    talk(product, "s1")
    remember("s1", expires_at=wiring.now() // 1000 - 1)

    assert product.admin.call("GET", "/agents/helper/memories/m1").status == 404
    assert product.admin.call("GET", "/agents/helper/memories").body == {"memories": []}


def test_an_agent_without_memories_has_an_empty_list_and_an_unknown_one_is_not_found(product: Deployed):
    assert product.admin.call("GET", "/agents/helper/memories").body == {"memories": []}
    assert product.admin.call("GET", "/agents/nobody/memories").status == 404
    assert product.admin.call("GET", "/agents/helper/memories/m1").status == 404


def test_memories_outlive_their_agent(product: Deployed):
    talk(product, "s1")
    product.admin.call("DELETE", "/agents/helper")

    assert len(product.admin.call("GET", "/agents/helper/memories").body["memories"]) == 1
    assert product.admin.call("GET", "/agents/helper/memories/m1").status == 200
    assert product.admin.call("DELETE", "/agents/helper/memories/m1").status == 200
    assert product.admin.call("GET", "/agents/helper/memories").status == 404


def test_the_same_memory_id_of_another_agent_is_another_memory(product: Deployed):
    product.admin.call("PUT", "/agents/other", remembering("other"))
    talk(product, "s1")

    assert product.admin.call("GET", "/agents/other/memories/m1").status == 404
    assert product.admin.call("DELETE", "/agents/other/memories/m1").status == 404
    assert sessions_in(product) == ["s1"]


# -- forgetting


def test_a_memory_is_forgotten_and_its_sessions_stay(product: Deployed):
    talk(product, "s1")
    talk(product, "s2")

    answer = product.admin.call("DELETE", "/agents/helper/memories/m1")

    nothing = {"sessions": 0, "runs": 0, "objects": 0}
    assert answer.body == {"erased": {**nothing, "items": 4, "summaries": 2}, "busy": [], "complete": True}
    assert product.admin.call("GET", "/agents/helper/memories/m1").status == 404
    assert product.admin.call("DELETE", "/agents/helper/memories/m1").status == 404
    assert len(product.admin.call("GET", "/sessions").body["sessions"]) == 2


def test_one_session_of_a_memory_is_forgotten(product: Deployed):
    talk(product, "s1")
    talk(product, "s2")

    answer = product.admin.call("DELETE", "/agents/helper/memories/m1", query={"sessionId": "s1"})

    assert answer.body["erased"]["summaries"] == 1
    assert sessions_in(product) == ["s2"]
    again = product.admin.call("DELETE", "/agents/helper/memories/m1", query={"sessionId": "s1"})
    assert again.status == 404


# -- erasing everything


def erased(answer: Any, *names: str) -> Sequence[int]:
    assert answer.status == 200, answer.text
    return [answer.body["erased"][name] for name in names]


def test_everything_of_a_memory_is_erased_and_nothing_else(product: Deployed):
    for session_id in ("s1", "s2"):
        talk(product, session_id, text="A secret " + "x" * 40_000)
    talk(product, "s3", "m2", text="Another's words.")
    talk(product, "s4", None, text="Nobody's words.")

    answer = product.admin.call("POST", "/erasures", {"agent": "helper", "memoryId": "m1"})

    assert erased(answer, "sessions", "runs", "objects", "summaries") == [2, 2, 2, 2]
    assert (answer.body["busy"], answer.body["complete"]) == ([], True)
    left = json.dumps(product.items("sessions"))
    assert "secret" not in left
    assert "Another's words." in left
    assert "Nobody's words." in left
    assert sessions_in(product, "m2") == ["s3"]


def test_everything_of_a_memory_is_erased_also_where_a_sessions_id_has_gone_on(product: Deployed):
    talk(product, "s1", text="A secret.")
    product.admin.call("POST", "/sessions/s1/end")
    talk(product, "s1", None, text="Nothing of that memory.")

    answer = product.admin.call("POST", "/erasures", {"agent": "helper", "memoryId": "m1"})

    assert erased(answer, "summaries", "runs") == [1, 1]
    left = json.dumps(product.items("sessions"))
    assert "A secret." not in left
    assert "Nothing of that memory." in left


def test_a_run_at_work_keeps_its_session_alone_from_being_erased(product: Deployed):
    talk(product, "s1")
    busy = product.start(sessionId="s2", memoryId="m1")["runId"]
    asked = {"agent": "helper", "memoryId": "m1"}

    first = product.admin.call("POST", "/erasures", asked)
    product.finish(busy)
    second = product.admin.call("POST", "/erasures", asked)
    third = product.admin.call("POST", "/erasures", asked)

    assert erased(first, "sessions") == [1]
    assert (first.body["busy"], first.body["complete"]) == ([busy], False)
    assert erased(second, "sessions") == [1]
    assert (second.body["busy"], second.body["complete"]) == ([], True)
    assert set(third.body["erased"].values()) == {0}


def test_everything_that_a_principal_wrote_is_erased_and_nothing_else(product: Deployed):
    alice, bob = (Caller(key_id=key_id) for key_id in ("aaaaaaaaaaaa", "bbbbbbbbbbbb"))
    for caller, session_id in ((alice, "s1"), (bob, "s2"), (bob, "shared"), (alice, "shared")):
        body = {"input": f"{session_id} secret", "sessionId": session_id, "memoryId": "m1"}
        product.finish(caller.call("POST", "/agents/helper/runs", body).body["runId"])

    answer = product.admin.call("POST", "/erasures", {"principal": f"key:{alice.key_id}"})

    assert erased(answer, "sessions", "runs", "summaries") == [2, 3, 2]
    assert sessions_in(product) == ["s2"]
    again = product.admin.call("POST", "/erasures", {"principal": f"key:{alice.key_id}"})
    assert set(again.body["erased"].values()) == {0}
    assert product.admin.call("GET", "/sessions/s2").status == 200


def test_a_principal_is_erased_also_where_a_sessions_id_has_gone_on(product: Deployed):
    alice, bob = (Caller(key_id=key_id) for key_id in ("aaaaaaaaaaaa", "bbbbbbbbbbbb"))
    for caller in (alice, bob):
        body = {"input": f"A secret of {caller.key_id}.", "sessionId": "s1"}
        product.finish(caller.call("POST", "/agents/helper/runs", body).body["runId"])
        caller.call("POST", "/sessions/s1/end")

    answer = product.admin.call("POST", "/erasures", {"principal": f"key:{alice.key_id}"})

    assert erased(answer, "runs") == [1]
    left = json.dumps(product.items("sessions"))
    assert "A secret of aaaaaaaaaaaa." not in left
    assert "A secret of bbbbbbbbbbbb." in left


def test_an_erasure_that_stopped_half_way_is_gone_on_with(product: Deployed):
    talk(product, "s1", text="A secret.")
    key = {"pk": {"S": f"SESSION#{TENANT}#s1"}, "sk": {"S": "SESSION"}}
    product.client.delete_item(TableName="sessions", Key=key)

    answer = product.admin.call("POST", "/erasures", {"agent": "helper", "memoryId": "m1"})

    assert erased(answer, "sessions", "runs", "summaries") == [0, 1, 1]
    assert "secret" not in json.dumps(product.items("sessions"))


def test_a_conversation_without_its_session_is_left_while_its_run_is_at_work(product: Deployed):
    run_id = product.start("A secret.", sessionId="s1")["runId"]
    key = {"pk": {"S": f"SESSION#{TENANT}#s1"}, "sk": {"S": "SESSION"}}
    product.client.delete_item(TableName="sessions", Key=key)

    answer = product.admin.call("POST", "/erasures", {"principal": f"key:{product.admin.key_id}"})

    assert (answer.body["busy"], answer.body["complete"]) == ([run_id], False)
    assert set(answer.body["erased"].values()) == {0}
