"""When the rehearsal model hands over to a person: the example's questions, and its dispute."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from freehold.adapters.rehearsal import Rehearsal
from freehold.built_in_tools import escalate_when
from freehold.values.model import (
    AssistantMessage,
    Message,
    ModelRequest,
    ToolMessage,
    ToolOutcome,
    ToolSpec,
    UserMessage,
)

from .test_rehearsal_worlds import World, hold

EXAMPLE = Path(__file__).parents[3] / "examples" / "customer-support"
ESCALATE = escalate_when(json.loads((EXAMPLE / "agent.json").read_text())["escalation"]["when"])
QUESTIONS = re.findall(
    r"^\| ([A-Z][^|`]*?) \| (?!.*\bis\b \|$)", (EXAMPLE / "README.md").read_text(), re.MULTILINE
)
DISPUTE = next((text for text in QUESTIONS if "dispute" in text), "")


@pytest.fixture
def world() -> World:
    """The example's tools, and the one that hands over."""
    made = World(Path(__file__).parent / "example_conversations.yaml")
    made.tools += (ToolSpec(ESCALATE.name, ESCALATE.description, ESCALATE.input_schema),)
    return made


def calls(world: World, *messages: Message) -> list[tuple[str, dict[str, Any]]]:
    reply = Rehearsal().reply(ModelRequest("rehearsal", "Help.", messages, world.tools))
    return [(use.name, json.loads(use.arguments)) for use in reply.calls]


def names(world: World, text: str) -> list[str]:
    return [name for name, _ in calls(world, UserMessage(text))]


def test_of_the_examples_questions_the_dispute_alone_goes_to_a_person(world: World):
    assert len(QUESTIONS) >= 10
    assert [text for text in QUESTIONS if "escalate_to_human" in names(world, text)] == [DISPUTE]


def test_a_dispute_is_handed_over_with_its_reason_and_all_that_was_said(world: World):
    before = UserMessage("Where is order ORD-10018?"), AssistantMessage("On its way.")
    dispute = "It came broken twice. I dispute the refund: you promised 120 dollars, and I got 40."

    assert calls(world, *before, UserMessage(dispute)) == [
        (
            "escalate_to_human",
            {
                "reason": "I dispute the refund: you promised 120 dollars, and I got 40.",
                "summary": f"Where is order ORD-10018? {dispute}",
            },
        )
    ]


@pytest.mark.parametrize(
    "text",
    [
        "Can I talk to a human?",
        "Please connect me with your manager",
        "Escalate this, please",
        "I don't accept that refund",
    ],
)
def test_who_asks_for_a_person_gets_one(world: World, text: str):
    assert names(world, text) == ["escalate_to_human"]


@pytest.mark.parametrize(
    "text",
    [
        "Do you accept returns without a box?",
        "Why was my refund of ORD-10018 so low?",
        "I do not want to talk to a person, where is ORD-10042?",
        "The weather is outrageous. Where is ORD-10042?",
        "Is the Larkwell headset made for more than one person?",
    ],
)
def test_who_only_asks_does_not(world: World, text: str):
    assert "escalate_to_human" not in names(world, text)


def test_what_the_person_hands_back_is_told_and_nothing_is_handed_over_again(world: World):
    asked = UserMessage(DISPUTE)
    reply = Rehearsal().reply(ModelRequest("rehearsal", "Help.", (asked,), world.tools))
    back = json.dumps({"handedBackWith": "We refund the other 80 dollars."})
    told = ToolMessage((ToolOutcome(reply.calls[0].id, back, True),))
    messages = (asked, AssistantMessage(reply.text, reply.calls), told)

    answer = Rehearsal().reply(ModelRequest("rehearsal", "Help.", messages, world.tools))

    assert answer.calls == ()
    assert "We refund the other 80 dollars." in answer.text


def test_an_agent_that_may_hand_over_answers_everything_else_as_before(world: World):
    hold(world)
