"""Whoever follows a run is told what is written of it, once and in order."""

from __future__ import annotations

from collections import Counter

from freehold.following import Cursor, RunFinished, TextDelta, TextReset

from .followed import Client, Record, started


def test_a_run_that_is_over_is_told_from_its_record_alone():
    record, client = started()
    record.write("a", "Let me look.", "look", "pay", refused="no such tool")
    record.write("b", "Here.", "look")
    record.answer(0)
    record.write("c", "Done.")
    record.end()

    client.read(record)

    assert client.texts == {1: "Let me look.", 2: "Here.", 3: "Done."}
    assert client.told == [
        ("run.started",),
        ("lap.started", "1"),
        ("tool.finished", "1", "0", "refused"),
        ("tool.finished", "1", "1", "refused"),
        ("lap.started", "2"),
        ("tool.started", "2", "0"),
        ("tool.finished", "2", "0", "success"),
        ("lap.started", "3"),
        ("run.finished", "COMPLETED"),
    ]
    assert client.read(record) == []


def test_text_comes_as_it_is_written_and_the_lap_adds_what_was_not_told():
    record, client = started()
    record.tell("a", "Hel")
    first = client.read(record)
    record.tell("a", "lo")
    second = client.read(record)
    record.pieces.clear()
    record.write("a", "Hello there")

    third = client.read(record)

    deltas = [
        [each.told.text for each in news if isinstance(each.told, TextDelta)]
        for news in (first, second, third)
    ]
    assert deltas == [["Hel"], ["lo"], [" there"]]


def test_another_attempt_begins_the_text_anew():
    record, client = started()
    record.tell("a", "Hel", began_at=1)
    client.read(record)
    record.tell("b", "Good", began_at=2)

    news = client.read(record)

    assert [type(each.told) for each in news] == [TextReset, TextDelta]
    record.tell("a", "lo", began_at=1)
    assert client.read(record) == []
    record.write("a", "Hello")
    client.read(record)
    assert client.texts == {1: "Hello"}


def test_pieces_that_are_gone_take_nothing_back():
    record, client = started()
    record.tell("a", "Hel", began_at=1)
    record.tell("b", "Good", began_at=2)
    record.tell("b", " day", began_at=2)
    client.read(record)
    older, first, second = record.pieces

    for left in ([older, first], [older, second], [older], []):
        record.pieces = left
        assert client.read(record) == []
    record.write("b", "Good day.")
    client.read(record)
    assert client.texts == {1: "Good day."}


def test_text_that_came_to_nothing_is_taken_back_at_the_end():
    record, client = started()
    record.tell("a", "Hel")
    client.read(record)
    record.end("CANCELLED", last_lap=0)

    news = client.read(record)

    assert [type(each.told) for each in news] == [TextReset, RunFinished]


def test_a_run_that_was_cancelled_while_it_was_queued_only_finishes():
    record, client = Record(), Client()
    assert client.read(record) == []

    record.end("CANCELLED")
    client.read(record)

    assert client.told == [("run.finished", "CANCELLED")]


def test_a_call_is_started_once_everybody_agrees():
    record, client = started()
    record.write("a", "", "pay", "look")
    client.read(record)
    record.answer(1)
    record.park((0, "confirmation"))
    assert record.view(Cursor()).over
    client.read(record)
    record.decide(0, "confirmation")
    record.park((0, "approval"))
    client.read(record)
    record.decide(0, "approval")
    record.go_on()
    assert not record.view(Cursor()).over
    client.read(record)
    record.answer(0)

    client.read(record)

    late = Client()
    late.read(record)
    of_pay = [told[0] + ":" + told[-1] for told in client.told if told[2:3] == ("0",)]
    assert of_pay == [
        "approval.requested:confirmation",
        "approval.requested:approval",
        "tool.started:0",
        "tool.finished:success",
    ]
    assert Counter(late.told) == Counter(client.told)


def test_a_call_that_was_denied_never_starts():
    record, client = started()
    record.write("a", "", "pay")
    record.park((0, "confirmation"))
    record.decide(0, "confirmation", "deny")
    record.answer(0, "denied")
    record.go_on()

    client.read(record)

    assert ("tool.started", "1", "0") not in client.told
    assert client.told[-1] == ("tool.finished", "1", "0", "denied")


def test_an_outcome_that_people_are_asked_about_is_told_once_they_have_said():
    record, client = started()
    record.write("a", "", "look")
    record.answer(0, "unknown")
    client.read(record)
    record.park((0, "outcome"))
    client.read(record)
    record.decide(0, "outcome", "result")
    record.answer(0, "success", by="key:b")
    record.go_on()

    client.read(record)

    assert client.told[-2:] == [
        ("approval.requested", "1", "0", "outcome"),
        ("tool.finished", "1", "0", "success"),
    ]


def test_nothing_is_told_of_a_lap_before_all_of_the_one_before_it():
    """A read is no snapshot: it may find the next lap and miss a result that was written before."""
    record, client = started()
    record.write("a", "", "look")
    record.write("b", "Done.")

    client.read(record)
    assert client.told[-1] == ("tool.started", "1", "0")

    record.answer(0, lap=1)
    client.read(record)
    assert client.told[-2:] == [("tool.finished", "1", "0", "success"), ("lap.started", "2")]


def test_what_comes_behind_the_laps_that_were_read_is_not_told_before_them():
    record, client = started()
    for number in range(1, 6):
        record.write(f"a{number}", f"{number}", "look")
        record.answer(0)
    record.write("z", "Done.")
    record.tell("b", "late", lap=3)
    record.end()

    looks = [client.read(record, at_once=2) for _ in range(6)]

    late = Client()
    late.read(record)
    assert [bool(each) for each in looks] == [True] * 6
    assert client.told == late.told
    assert (client.texts, client.read(record, at_once=2)) == (late.texts, [])
