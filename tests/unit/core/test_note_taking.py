"""What of a model's answer becomes notes, and what is no notes at all."""

from __future__ import annotations

import json

import pytest

from freehold.errors import SummaryUnusable
from freehold.note_taking import LONGEST_NOTE, MOST_NOTES, read_notes
from freehold.tokens import tokens
from freehold.values.memory import Notes

NOTHING = Notes()


def answer(**changes: object) -> str:
    return json.dumps({"topics": ["Order 7"], "openPoints": [], "preferences": ["Wants e-mail"]} | changes)


def test_notes_are_read():
    assert read_notes(answer(), NOTHING) == Notes(("Order 7",), (), ("Wants e-mail",))


@pytest.mark.parametrize("around", ["```json\n{}\n```", "Here they are:\n\n{}\n\nAnything else?", "\ufeff{}"])
def test_what_stands_around_the_object_does_not_matter(around: str):
    assert read_notes(around.replace("{}", answer()), NOTHING) == read_notes(answer(), NOTHING)


NONSENSE = {
    "no JSON": "I could not find anything worth noting.",
    "half an object": '{"topics": ["a',
    "a list": '["a", "b"]',
    "other fields": '{"summary": "fine"}',
    "a list too few": '{"topics": ["a"], "openPoints": []}',
    "texts in place of lists": '{"topics": "a", "openPoints": "b", "preferences": "c"}',
    "numbers in the lists": '{"topics": [1], "openPoints": [], "preferences": []}',
    "objects in the lists": '{"topics": [{"a": 1}], "openPoints": [], "preferences": []}',
    "nothing": "",
    "brackets": "}{",
    "nested without end": '{"topics": ' + "[" * 100_000 + "}",
}


@pytest.mark.parametrize("kind", NONSENSE)
def test_nonsense_is_no_notes(kind: str):
    with pytest.raises(SummaryUnusable):
        read_notes(NONSENSE[kind], NOTHING)


def test_an_answer_that_lost_the_earlier_notes_is_none():
    empty = answer(topics=[], preferences=[])

    assert read_notes(empty, NOTHING) == NOTHING
    with pytest.raises(SummaryUnusable, match="empty notes"):
        read_notes(empty, Notes(("Order 7",)))


def test_long_and_many_and_repeated_notes_are_bounded():
    topics = ["x" * 5_000, "same", "same", *[f"topic {i}" for i in range(60)]]

    notes = read_notes(answer(topics=topics), NOTHING)

    assert len(notes.topics) == MOST_NOTES
    assert notes.topics[-1] == "topic 59", "the newest stand last"
    assert all(len(note) <= LONGEST_NOTE for note in notes.topics)


def test_a_note_is_one_line_of_well_formed_text():
    notes = read_notes(answer(topics=["a\n\n  b\tc", "half \ud83d of a pair", "   "]), NOTHING)

    assert notes.topics == ("a b c", "half ? of a pair")


def test_secrets_are_not_kept_whatever_the_model_writes():
    notes = read_notes(answer(topics=["The password is hunter22!", "Pays with 4111 1111 1111 1111"]), NOTHING)

    assert notes.topics == ("The password is [redacted: secret]", "Pays with [redacted: card number]")


def test_notes_leave_the_next_answer_room_for_more():
    """An answer that is cut off is none, so notes that fill one could never be changed again."""
    topics = [f"{i} {'注' * 150}" for i in range(20)]

    notes = read_notes(answer(topics=topics), NOTHING, answer_tokens=2_000)

    assert sum(tokens(note) for note in (*notes.topics, *notes.preferences)) <= 1_000
    assert notes.topics[-1].startswith("19 ")
    assert notes.preferences == ("Wants e-mail",)
