from __future__ import annotations

from freehold.values.model import AssistantMessage, ToolMessage, ToolOutcome, ToolUse, UserMessage
from freehold.window import Turn, budget, fit, length


def turn(text: str, *results: str) -> Turn:
    uses = tuple(ToolUse(f"{text}-{i}", "t", "{}") for i in range(len(results)))
    outcomes = tuple(ToolOutcome(use.id, content) for use, content in zip(uses, results, strict=True))
    asked = (AssistantMessage("", uses), ToolMessage(outcomes)) if results else ()
    return (UserMessage(text), *asked, AssistantMessage("done"))


def test_what_fits_is_left_as_it_is():
    past, current = [turn("one", "r1"), turn("two")], turn("three", "r3")

    assert fit(past, current, characters=1_000) == (*past[0], *past[1], *current)


def test_the_oldest_turns_go_first_and_go_whole():
    past = [turn("a" * 400), turn("b" * 400), turn("c" * 400)]

    assert fit(past, turn("now"), characters=900) == (*past[1], *past[2], *turn("now"))


def test_no_turn_is_kept_beyond_one_that_did_not_fit():
    past = [turn("a"), turn("b" * 900), turn("c")]

    assert fit(past, turn("now"), characters=500) == (*past[2], *turn("now"))


def test_a_long_result_is_cut_at_a_mark_that_says_how_much_is_missing():
    told = fit([], turn("now", "x" * 1_000), characters=2_000)

    outcome = told[2].outcomes[0]  # pyright: ignore[reportAttributeAccessIssue]
    assert outcome.content == "x" * 500 + "\n[… cut here: 500 of 1000 characters are not shown …]"


def test_a_turn_that_is_too_long_by_itself_keeps_its_newest_results():
    laps = tuple(message for i in range(8) for message in turn(f"lap {i}", "y" * 240)[1:3])
    current = (UserMessage("now"), *laps)

    told = fit([turn("before")], current, characters=1_000)

    shown = [message.outcomes[0].content for message in told if isinstance(message, ToolMessage)]
    assert shown[0] == "[not shown any more: 240 characters]"
    assert shown[-1] == "y" * 240
    assert length(told) <= 1_000
    assert len(shown) == 8, "every call keeps an answer"


def test_an_unknown_window_counts_as_a_common_one():
    assert budget(None) == budget(128_000) < 128_000 * 4
