"""Answers as values: tolerant of what is missing, and of what is new."""

from __future__ import annotations

import pytest

from freehold_client import (
    Agent,
    Alias,
    CallItem,
    CompactionItem,
    DiscardedItem,
    Erased,
    Erasure,
    Key,
    LapItem,
    LateItem,
    Memory,
    OtherItem,
    Principal,
    Run,
    Session,
    UserItem,
    Version,
)
from freehold_client.items import read_item

WHERE = {"runId": "c-1", "turn": 1, "at": "2026-11-23T12:00:00.000Z"}


def test_a_run_keeps_what_it_was_read_from():
    wire = {"runId": "c-1", "sessionId": "s", "status": "COMPLETED", "costUsd": 0.5, "newField": {"x": 1}}

    run = Run.read(wire)

    assert (run.run_id, run.cost_usd, run.wire) == ("c-1", 0.5, wire)


def test_what_was_written_says_by_whom_where_that_is_known():
    by = {"type": "iam", "id": "arn"}
    known = [
        Agent.read({"agentName": "a", "updatedBy": by}).updated_by,
        Version.read({"version": "1", "createdBy": by}).created_by,
        Alias.read({"alias": "live", "updatedBy": by}).updated_by,
        Key.read({"keyId": "k", "createdBy": by}).created_by,
    ]
    unknown = [Agent.read({}).updated_by, Version.read({}).created_by, Key.read({}).created_by]

    assert known == [Principal("iam", "arn")] * 4
    assert {*unknown, Alias.read({}).updated_by, Run.read({}).cancelled_by} == {None}
    assert Run.read({"cancelledBy": "key:k1"}).cancelled_by == "key:k1"


@pytest.mark.parametrize("cost", [None, "free", True])
def test_a_price_that_is_no_number_is_unknown_and_not_nothing(cost: object):
    assert Run.read({"runId": "c-1", "costUsd": cost}).cost_usd is None


@pytest.mark.parametrize(
    ("status", "ended"),
    [("QUEUED", False), ("RUNNING", False), ("COMPLETED", True), ("STOPPED", True), ("AWAITING", False)],
)
def test_a_run_has_ended_when_nothing_more_happens(status: str, ended: bool):
    assert Run.read({"runId": "c-1", "status": status}).ended is ended


def test_each_kind_of_item_is_read_as_itself():
    kinds = {
        "user": UserItem,
        "lap": LapItem,
        "call": CallItem,
        "discarded": DiscardedItem,
        "late": LateItem,
        "compaction": CompactionItem,
        "somethingNew": OtherItem,
    }

    assert {kind: type(read_item({"kind": kind, **WHERE})) for kind in kinds} == kinds


def test_a_lap_names_the_calls_that_it_asks_for():
    calls = [
        {"call": 0, "name": "a", "arguments": "{}"},
        {"name": "b", "arguments": "no json", "refused": "no tool"},
    ]

    lap = read_item({"kind": "lap", **WHERE, "lap": 2, "inputTokens": 7, "costUsd": None, "calls": calls})

    assert isinstance(lap, LapItem)
    assert [(call.call, call.name, call.refused) for call in lap.calls] == [
        (0, "a", None),
        (1, "b", "no tool"),
    ]
    assert (lap.usage.input_tokens, lap.cost_usd) == (7, None)


@pytest.mark.parametrize("broken", [None, [], "text", 7])
def test_a_field_of_another_type_does_not_break_the_client(broken: object):
    run = Run.read(
        {"runId": "c-1", "usage": broken, "error": broken, "warnings": broken, "principal": broken}
    )

    assert run.usage.input_tokens == 0
    assert run.error is None


def test_a_compaction_says_where_what_it_does_not_stand_for_begins():
    wire = {"kind": "compaction", **WHERE, "lap": 2, "text": "Notes.", "begins": {"turn": 7, "laps": 3}}

    item = read_item(wire | {"cacheWrittenTokens": 5})

    assert isinstance(item, CompactionItem)
    assert (item.lap, item.begins.turn, item.begins.laps, item.text) == (2, 7, 3, "Notes.")
    assert item.usage.cache_written_tokens == 5


@pytest.mark.parametrize("broken", [None, [], "text", 7])
def test_sessions_memories_and_reports_survive_fields_of_another_type(broken: object):
    session = Session.read({"sessionId": "s", "sessionAttributes": broken, "turns": broken, "memoryId": None})
    memory = Memory.read({"memoryId": "m", "sessions": broken})
    report = Erasure.read({"erased": broken, "busy": broken})

    assert (session.session_id, session.session_attributes, session.memory_id) == ("s", {}, None)
    assert memory.sessions == ()
    assert report.erased == Erased()


def test_a_remembered_session_knows_its_memory_wherever_it_was_read():
    memory = Memory.read({"memoryId": "m", "sessions": [{"sessionId": "s", "topics": ["t"]}]})

    (remembered,) = memory.sessions
    assert (remembered.memory_id, remembered.session_id, remembered.topics) == ("m", "s", ("t",))
