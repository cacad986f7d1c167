from __future__ import annotations

import itertools

import pytest

from freehold.tokens import tokens
from freehold.values.agent import Context
from freehold.values.model import (
    AssistantMessage,
    Image,
    Message,
    ToolMessage,
    ToolOutcome,
    ToolUse,
    UserMessage,
)
from freehold.window import (
    MOST_IMAGE_BYTES,
    MOST_IMAGES,
    RESULT_SHARE,
    RESULTS_SHARE,
    Budget,
    Turn,
    count,
    fit,
    shortened,
    with_newest_images,
)


def step(name: str, *results: str) -> Turn:
    uses = tuple(ToolUse(f"{name}-{i}", "t", "{}") for i in range(len(results)))
    outcomes = tuple(ToolOutcome(use.id, content) for use, content in zip(uses, results, strict=True))
    return (AssistantMessage("", uses), ToolMessage(outcomes))


def turn(text: str, *results: str) -> Turn:
    return (UserMessage(text), *(step(text, *results) if results else ()), AssistantMessage("done"))


def text_of(message: Message) -> str:
    assert isinstance(message, UserMessage)
    return message.text


def results_of(message: Message) -> list[str]:
    assert isinstance(message, ToolMessage)
    return [outcome.content for outcome in message.outcomes]


# -- how much there is room for


def test_an_unknown_window_counts_as_a_common_one():
    unknown, common = (Budget.of(window, Context(), fixed=0, answer=None) for window in (None, 128_000))

    assert unknown == common


def test_an_agent_may_use_less_of_the_window_and_never_more():
    own, less, more = (
        Budget.of(32_000, Context(window_tokens=window), fixed=0, answer=None)
        for window in (None, 8_000, 99_000)
    )

    assert (own.window, less.window, more.window) == (32_000, 8_000, 32_000)


@pytest.mark.parametrize("window", [2_000, 8_192, 128_000, 1_000_000])
@pytest.mark.parametrize("fixed", [0, 300, 1_000])
def test_instruction_history_and_answer_fit_the_window_together(window: int, fixed: int):
    budget = Budget.of(window, Context(), fixed=fixed, answer=400)

    assert budget.history + fixed + 400 < window
    assert 0 < budget.full <= budget.history


def test_a_model_that_counts_more_tokens_is_sent_less():
    plain, dense = (
        Budget.of(32_000, Context(), fixed=1_000, answer=1_000, ratio=ratio) for ratio in (1.0, 1.5)
    )

    assert (dense.history + 1_000) * 1.5 == pytest.approx(plain.history + 1_000, abs=3)
    assert dense.full * 1.5 == pytest.approx(plain.full, abs=3)


def test_the_oldest_part_is_compacted_at_the_share_that_the_agent_names():
    budget = Budget.of(100_000, Context(compact_at=0.4), fixed=0, answer=1_000)

    assert budget.full == 40_000


# -- which messages


def test_what_fits_is_left_as_it_is():
    past, current = [turn("one", "r1"), turn("two")], turn("three", "r3")

    assert fit(past, current, 1_000) == (*past[0], *past[1], *current)


def test_the_oldest_turns_go_first():
    past = [turn("a" * 400), turn("b" * 400), turn("c" * 400)]
    newest = (*past[1], *past[2], *turn("now"))

    assert fit(past, turn("now"), count(newest) + 5) == newest


def test_no_turn_is_kept_beyond_one_that_did_not_fit():
    past = [turn("a"), turn("b" * 3_000), turn("c")]

    assert fit(past, turn("now"), 200) == (*past[2], *turn("now"))


def long_turn(steps: int) -> Turn:
    parts = (step(f"s{i}", "y" * 240) for i in range(steps))
    return (UserMessage("now"), *itertools.chain.from_iterable(parts))


def test_of_a_long_turn_the_newest_steps_stay_with_its_question():
    most = count((UserMessage("now"), *long_turn(8)[-6:])) + 30

    told = fit([turn("before")], long_turn(8), most)

    assert text_of(told[0]) == "now\n\n[5 steps that followed this message are not shown]"
    assert told[1:] == long_turn(8)[-6:]
    assert count(told) <= most


def test_a_past_turn_that_fits_in_part_is_shown_in_part():
    told = fit([turn("first"), long_turn(8)], turn("and now"), 300)

    assert text_of(told[0]).startswith("now\n\n[")
    assert told[-2:] == turn("and now")
    assert count(told) <= 300


def test_what_is_asked_now_and_its_last_step_stay_however_long_they_are():
    current = (UserMessage("now"), *step("a", "x" * 50), *step("b", "y" * 9_000))

    told = fit([turn("before")], current, 100)

    assert told[1:] == current[-2:]


@pytest.mark.parametrize("most", range(20, 900, 40))
def test_no_call_is_ever_parted_from_its_result(most: int):
    told = fit([long_turn(3), turn("then", "r" * 90, "q" * 200), long_turn(4)], long_turn(5), most)

    for before, after in itertools.pairwise((*told, UserMessage(""))):
        calls = before.calls if isinstance(before, AssistantMessage) else ()
        answers = after.outcomes if isinstance(after, ToolMessage) else ()
        assert [use.id for use in calls] == [outcome.id for outcome in answers]
    assert isinstance(told[0], UserMessage)


# -- long results


def test_a_long_result_is_cut_at_a_mark_that_says_how_much_is_missing():
    told = shortened(turn("now", "x" * 10_000), 2_000)

    (content,) = results_of(told[2])
    shown = content.index("\n")
    assert tokens("x" * shown) == pytest.approx(2_000 * RESULT_SHARE, abs=2)
    assert content[shown:] == f"\n[… cut here: {10_000 - shown:,} of 10,000 characters are not shown …]"


def test_the_mark_says_how_to_read_on_where_a_tool_can():
    told = shortened(turn("now", "x" * 10_000), 2_000, reads_on=True)

    (content,) = results_of(told[2])
    shown = content.index("\n")
    assert f'read_more {{"call": "now-0", "from": {shown}}} reads on' in content


def test_many_results_of_one_step_share_the_room_and_small_ones_stay_whole():
    told = shortened(turn("now", "small", *["x" * 20_000] * 4), 10_000)

    sizes = [tokens(content) for content in results_of(told[2])]
    assert sizes[0] == tokens("small")
    assert len(set(sizes[1:])) == 1
    assert sum(sizes) == pytest.approx(10_000 * RESULTS_SHARE, abs=100)


def test_what_was_shown_once_is_shown_again_to_the_letter():
    """A provider's cache holds as long as nothing that was sent changes."""
    first = turn("one", "x" * 9_000)

    assert shortened((*first, *turn("two", "y" * 9_000)), 2_000)[: len(first)] == shortened(first, 2_000)


# -- images


def shown(*sizes: tuple[int, ...], share: float = 1.0) -> list[int]:
    """How many images each message still has, of messages with images of these sizes."""
    told = tuple(UserMessage("look", tuple(Image("png", "x", size=size) for size in each)) for each in sizes)
    return [len(message.images) for message in with_newest_images(told, share=share)]  # pyright: ignore


def test_only_the_newest_images_are_shown():
    assert shown((1,), *[(1,)] * MOST_IMAGES) == [0, *[1] * MOST_IMAGES]
    assert shown((1,) * 3, (1,) * (MOST_IMAGES - 2)) == [0, MOST_IMAGES - 2]


def test_images_are_bounded_by_their_bytes_as_well():
    half = MOST_IMAGE_BYTES // 2

    assert shown((half,), (half,), (half,)) == [0, 1, 1]
    assert shown((half,), (half,), (half,), share=0.5) == [0, 0, 1]


def test_a_message_whose_images_are_not_shown_says_that_there_were_some():
    (message,) = with_newest_images((UserMessage("look", (Image("png", "x", size=MOST_IMAGE_BYTES + 1),)),))

    assert message == UserMessage("look\n\n[1 image(s) came with this message and cannot be shown to you]")
