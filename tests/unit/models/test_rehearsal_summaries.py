"""The rehearsal model sums up by extracts, so that memory and compaction can be tried with no account."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.adapters.rehearsal import Rehearsal
from freehold.adapters.rehearsal.summary import LONGEST_EXTRACT, MOST_NOTES
from freehold.context import NOTES_HEAD, NOTES_TAKEN
from freehold.note_taking import read_notes
from freehold.values.memory import Notes
from freehold.values.model import (
    AssistantMessage,
    Message,
    ModelReply,
    ModelRequest,
    Purpose,
    ToolMessage,
    ToolOutcome,
    ToolSpec,
    UserMessage,
)

PARCEL = {
    "type": "object",
    "properties": {"code": {"type": "string", "pattern": r"^P-\d+$"}},
    "required": ["code"],
}
GET_PARCEL = ToolSpec("get_parcel", "Look up a parcel", PARCEL)
KNOWN = (
    UserMessage(f"{NOTES_HEAD}, as JSON.\n" + '{"topics": ["parcel P-9"]}'),
    AssistantMessage(NOTES_TAKEN),
)

Turn = tuple[str, str | None]


def asked(purpose: Purpose, turns: list[Turn], earlier: object = None) -> ModelReply:
    transcript: list[dict[str, Any]] = []
    for i, (user, answer) in enumerate(turns, start=1):
        call = {"id": f"t{i}-l1-c0", "tool": "look", "arguments": "{}", "result": "Never mind this."}
        transcript.append({"id": f"t{i}", "user": user})
        transcript.append({"id": f"t{i}-l1", "assistant": "Let me see.", "calls": [call]})
        if answer is not None:
            transcript.append({"id": f"t{i}-l2", "assistant": answer, "calls": []})
    material = json.dumps({"earlier": earlier, "transcript": transcript})
    return Rehearsal().reply(ModelRequest("m", "Sum up.", (UserMessage(material),), purpose=purpose))


def notes(*turns: Turn, earlier: object = None) -> dict[str, list[str]]:
    return json.loads(asked("memory", list(turns), earlier).text)


def test_a_topic_is_the_first_sentence_that_speaks_of_a_matter():
    kept = notes(
        ("Hello there. I am Ada.", "Hi."), ("I prefer mail. Where is P-7? It was sent on Monday.", "In Lyon.")
    )

    assert kept["topics"] == ["Hello there.", "Where is P-7?"]


@pytest.mark.parametrize(
    ("said", "preference"),
    [
        ("My name is Ada.", True),
        ("Please call me Dr. Ada", True),
        ("I'm allergic to nuts.", True),
        ("I really don't like calls.", True),
        ("Always write to the office.", True),
        ("We would prefer a window", True),
        ("I'd like a table for two.", False),
        ("I am looking for a book.", False),
        ("Do I always have to sign?", False),
        ("Where is P-7?", False),
    ],
)
def test_a_preference_is_what_users_say_of_themselves(said: str, preference: bool):
    assert bool(notes((said, "Noted."))["preferences"]) is preference


def test_what_was_not_answered_or_is_promised_stays_open():
    kept = notes(
        ("Where is P-7?", "It is in Lyon. I will tell you when it moves on."),
        ("Stop P-8.", "To stop a parcel I still need a reason."),
        ("What about P-9?", None),
    )

    assert kept["openPoints"] == ["Stop P-8.", "What about P-9?", "I will tell you when it moves on."]


def test_notes_so_far_are_kept_once_and_what_was_answered_since_is_open_no_more():
    earlier = {
        "topics": ["Opening hours?", "Where is P-7?"],
        "openPoints": ["Where is P-7?", "Stop P-8."],
        "preferences": ["Call me Ada."],
    }

    kept = notes(("where is P-7?", "In Lyon."), ("Where is P-7?", "In Lyon."), earlier=earlier)

    assert kept["topics"] == ["Opening hours?", "Where is P-7?"]
    assert kept["openPoints"] == ["Stop P-8."]
    assert kept["preferences"] == ["Call me Ada."]


def test_new_notes_push_out_the_oldest():
    earlier = {"topics": [f"Matter {i}?" for i in range(MOST_NOTES)], "openPoints": [], "preferences": []}

    kept = notes(("One more?", "Yes."), earlier=earlier)

    assert kept["topics"] == [*earlier["topics"][1:], "One more?"]


def test_a_compaction_has_what_was_asked_and_answered_in_order():
    reply = asked(
        "compaction", [("Where is\nP-7?", "In Lyon."), ("And P-8?", None)], "User: Hello\nAssistant: Hi."
    )

    assert reply.text.splitlines() == [
        "User: Hello",
        "Assistant: Hi.",
        "User: Where is P-7?",
        "Assistant: In Lyon.",
        "User: And P-8?",
    ]
    assert reply.calls == ()


def test_a_compaction_is_short_and_keeps_the_end():
    text = asked("compaction", [(f"Question {i}. {'word ' * 50}", "Yes.") for i in range(200)]).text

    assert LONGEST_EXTRACT / 2 < len(text) <= LONGEST_EXTRACT
    assert text.splitlines()[-2].startswith("User: Question 199.")


@pytest.mark.parametrize("purpose", ["memory", "compaction"])
@given(
    earlier=st.none()
    | st.text(max_size=40)
    | st.dictionaries(
        st.sampled_from(["topics", "openPoints", "preferences"]), st.lists(st.text(max_size=9))
    ),
    turns=st.lists(st.tuples(st.text(max_size=40), st.none() | st.text(max_size=40)), max_size=4),
)
def test_whatever_was_said_the_same_usable_summary_comes_of_it(
    purpose: Purpose, earlier: object, turns: list[Turn]
):
    reply = asked(purpose, turns, earlier)

    assert reply == asked(purpose, turns, earlier)
    assert reply.text.strip()
    assert reply.stop == "end"
    if purpose == "memory":
        read_notes(reply.text, Notes())


@pytest.mark.parametrize("text", ["", "no JSON", "[]", "3", '{"transcript": [1, {"user": 5}], "earlier": 4}'])
def test_material_of_another_form_is_summed_up_all_the_same(text: str):
    for purpose in ("memory", "compaction"):
        told = ModelRequest("m", "Sum up.", (UserMessage(text),), purpose=purpose)

        assert Rehearsal().reply(told).text


def answers(*said: Message) -> ModelReply:
    return Rehearsal().reply(ModelRequest("m", "Help.", said, (GET_PARCEL,)))


def test_what_is_remembered_changes_no_answer():
    question = UserMessage("Where is parcel P-1?")

    first, again = answers(question), answers(*KNOWN, question)
    found = (
        AssistantMessage("", first.calls),
        ToolMessage((ToolOutcome(first.calls[0].id, '{"place": "Lyon"}'),)),
    )

    assert first.calls == again.calls
    assert answers(question, *found).text == answers(*KNOWN, question, *found).text
    assert "rehearsal model" in answers(*KNOWN, UserMessage("hello")).text


def test_a_value_that_only_the_notes_hold_is_asked_for():
    reply = answers(*KNOWN, UserMessage("Please look up my parcel."))

    assert reply.calls == ()
    assert "I still need" in reply.text
