"""The final text of a run: what came of the calls, what is still needed, or what can be asked for."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Any, cast

from .acts import demanded
from .offers import Offer
from .parameters import Parameter
from .plan import Question, Step
from .recall import ASKING, Conversation, Found, Outcome
from .render import Renderer, shown, spoken
from .words import ACTING_VERBS, LOOKING_VERBS, lexicon, listed, name_parts, sentence

_MOST_TOOLS = 12
_LONGEST_PURPOSE = 60
_GREETING = lexicon("hello hi hey morning afternoon evening good greetings howdy help")
_THANKS = lexicon("thanks thank thx cheers great perfect")
_ABOUT_ME = re.compile(
    r"\b(who|what) are you\b|\bwhat (can|do) you do\b|\bwhat can i (ask|do)\b", re.IGNORECASE
)
_SMALL = lexicon("by for of the a an with and in on to from id")


def answer(conversation: Conversation, step: Step, offers: Sequence[Offer], stands_in_for: str | None) -> str:
    """What to say when there is no call left to make."""
    parts = [_notice(stands_in_for)] if conversation.first_answer else []
    told = _outcomes(conversation, step, offers)
    act = demanded(conversation.latest)
    if told and act and not any(offer.act for offer in step.targets):
        parts.append(f"I have no tool to {act} anything like that. This is what I can tell:")
    parts += [_of_outcome(outcome, conversation, offers) for outcome in told]
    parts += [_of_question(question) for question in step.questions]
    if not told and not step.questions:
        parts.append(_offer(conversation, step, offers))
    return "\n\n".join(part for part in parts if part)


def _notice(stands_in_for: str | None) -> str:
    instead = f"standing in for {stands_in_for}" if stands_in_for else "a stand-in"
    return (
        f"(This is Freehold's rehearsal model, {instead}: it works offline, by matching words. "
        "For a real model set FREEHOLD_MODEL_URL.)"
    )


def _outcomes(conversation: Conversation, step: Step, offers: Sequence[Offer]) -> list[Outcome]:
    """The calls worth telling of: what was asked for, or else what was found on the way to it."""
    asked = {offer.name for offer in step.targets}
    direct = [outcome for outcome in conversation.made if outcome.use.name in asked]
    acted = {offer.name for offer in offers if offer.act}
    changed = [
        outcome for outcome in conversation.made if outcome.use.name in acted and outcome not in direct
    ]
    return [*direct, *changed] or conversation.made


def _of_outcome(outcome: Outcome, conversation: Conversation, offers: Sequence[Offer]) -> str:
    simple = [value for value in outcome.arguments.values() if isinstance(value, (str, int, float))]
    given = [shown(value, 60) for value in simple]
    about = f" ({', '.join(given)})" if given else ""
    if not outcome.ok:
        return f"{_capital(spoken(outcome.use.name))}{about} failed: {_why_not(outcome)}"
    acted = any(offer.name == outcome.use.name and offer.act for offer in offers)
    title = _capital(spoken(outcome.use.name) if acted else subject(outcome.use.name))
    if outcome.content.strip() in ("", "{}", "[]", "null"):
        return f"{title}{about}: {'done' if acted else 'nothing found'}."
    renderer = Renderer(conversation.request.text, conversation.request.stems, given)
    rows = renderer.sole_table(outcome.data)
    if rows is None:
        return "\n".join([f"{title}{about}:", *renderer.lines(outcome.data)])
    count = f"{len(rows)} found" if rows else "nothing found"
    return "\n".join([f"{title}{about}: {count}", *renderer.lines(rows)])


def _of_question(question: Question) -> str:
    needs = [_need(parameter) for parameter in question.missing]
    text = f"To {_deed(question.offer)} {ASKING} {listed(needs)}."
    if question.options:
        return f"{text} Which of these do you mean: {listed(map(_option, question.options[:6]), 'or')}?"
    return f"{text} {'Which is it?' if len(needs) == 1 else 'Can you tell me?'}"


def _need(parameter: Parameter) -> str:
    name = spoken(parameter.name)
    if parameter.choices:
        return f"the {name} ({listed((shown(choice, 60) for choice in parameter.choices), 'or')})"
    example = next(iter(parameter.examples), None)
    if example:
        return f"the {name} (such as {example})"
    if "date" in parameter.kinds or "moment" in parameter.kinds:
        return f"the {name} (such as 2026-03-31)"
    told = sentence(parameter.description)
    return f"the {name} ({told[0].lower()}{told[1:]})" if told and told.lower() != name else f"the {name}"


def _option(found: Found) -> str:
    holder: Any = found.holder
    fields = cast("dict[str, Any]", holder) if isinstance(holder, dict) else {}
    name = next((str(fields[key]) for key in fields if name_parts(key)[-1:] in (["name"], ["title"])), "")
    return f"{name} ({found.value})" if name else str(found.value)


def _offer(conversation: Conversation, step: Step, offers: Sequence[Offer]) -> str:
    said: Collection[str] = {word.low for word in conversation.latest.words}
    if said & _THANKS and len(said) < 6:
        return "You are welcome. Is there anything else?"
    if not offers:
        return "This agent has no tools, and without them I can do nothing: I only match words with tools."
    if step.unasked:
        return f"I can {_deed(step.unasked)}, but only if you ask me to. {_demand(step.unasked)}"
    lines = [f"- {_purpose(offer)}" for offer in offers[:_MOST_TOOLS]]
    if len(offers) > _MOST_TOOLS:
        lines.append(f"… and {len(offers) - _MOST_TOOLS} more")
    known = said & _GREETING or _ABOUT_ME.search(conversation.latest.text)
    opening = "" if known else "I found no tool that fits this request. "
    return "\n".join([f"{opening}This is what I can do:", *lines])


def _purpose(offer: Offer) -> str:
    told = _short(sentence(offer.description)) or _capital(spoken(offer.name))
    needs = _needs(offer)
    return f"{told} (needs {needs})" if needs else told


def _short(text: str) -> str:
    """A long sentence up to where it goes into detail."""
    return re.split(r"[:;,(]|\sand\s", text)[0].strip() if len(text) > _LONGEST_PURPOSE else text


def _demand(offer: Offer) -> str:
    needs = _needs(offer)
    return f"Tell me {needs}." if needs else "Just say so."


def _needs(offer: Offer) -> str:
    return listed(f"the {spoken(parameter.name)}" for parameter in offer.parameters if parameter.required)


def _deed(offer: Offer) -> str:
    told = _short(sentence(offer.description))
    first = told.split(" ", 1)[0].lower()
    if first in ACTING_VERBS | LOOKING_VERBS and len(told) < _LONGEST_PURPOSE:
        return f"{told[0].lower()}{told[1:]}"
    return f"use {spoken(offer.name)}"


def subject(tool_name: str) -> str:
    """What a tool is about: its name without the verb."""
    parts = [part for part in name_parts(tool_name) if part not in LOOKING_VERBS | ACTING_VERBS | _SMALL]
    return " ".join(parts) or spoken(tool_name)


def _why_not(outcome: Outcome) -> str:
    fields = (
        cast("dict[str, object]", outcome.data) if isinstance(outcome.data, dict) else dict[str, object]()
    )
    told = (fields.get(key) for key in ("message", "detail", "error", "title", "reason"))
    return (
        next((text for text in told if isinstance(text, str)), shown(outcome.content, 500))
        or "no reason given"
    )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
