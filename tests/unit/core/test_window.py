from __future__ import annotations

from freehold.values.model import AssistantMessage, Image, ToolMessage, ToolOutcome, ToolUse, UserMessage
from freehold.window import MOST_IMAGE_BYTES, MOST_IMAGES, Turn, budget, fit, length, with_newest_images


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
