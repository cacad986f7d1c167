from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from freehold.tokens import first_tokens, tokens

ANY_TEXT = some.text(some.characters(categories=None))
# As o200k_base counts them; `bench/tokens.py` holds many more texts against it.
COUNTED = {
    "The parcel left your warehouse on the fourth, but nothing has moved since.": 15,
    "Können Sie bitte nachsehen, ob sich die Lieferanschrift noch ändern lässt?": 18,
    "Посылка покинула ваш склад, и с тех пор ничего не изменилось.": 18,
    "物流页面显示包裹四号就已经离开了你们的仓库。": 19,
    "追跡ページには、荷物は四日に倉庫を出たと書いてあります。": 22,
    "تقول صفحة التتبع إن الطرد غادر مستودعكم": 15,
    "क्या आप पता कर सकते हैं कि वह कहाँ है": 10,
    "🎉😍👌🏽😂🙏🥰✨🙈": 13,
    'def status(order_id: str) -> dict[str, Any]:\n    return ORDERS[order_id]["status"]\n': 23,
    '{"orderId": "30451", "status": "shipped", "total": 89.9}': 23,
    "0f8fad5b-d9cb-469f-a165-70867728950e": 20,
    "nNgPjGQsWkfvtUGW+Rk3mWIgS0xqE2zhX9DWqVd0Yw==": 35,
}


@pytest.mark.parametrize(("text", "counted"), COUNTED.items())
def test_the_estimate_is_near_what_a_tokenizer_counts(text: str, counted: int):
    assert 0.8 <= tokens(text) / counted <= 1.75


def test_nothing_has_no_tokens_and_a_letter_has_one():
    assert (tokens(""), tokens("a")) == (0, 1)


@given(ANY_TEXT, ANY_TEXT)
def test_a_longer_text_never_has_fewer_tokens(text: str, more: str):
    assert tokens(text) <= tokens(text + more) <= tokens(text) + tokens(more) + 1


@given(ANY_TEXT, some.integers(-5, 100))
def test_the_first_tokens_are_a_beginning_and_no_more_than_allowed(text: str, most: int):
    shown = first_tokens(text, most)

    assert text.startswith(shown)
    assert tokens(shown) <= max(0, most)
    assert shown == text or tokens(text) > most


@pytest.mark.parametrize("letter", ["x", "X", "ж", "語", "😀", " "])
def test_the_first_tokens_of_an_even_text_are_about_as_many_as_allowed(letter: str):
    assert tokens(first_tokens(letter * 100_000, 500)) == pytest.approx(500, abs=2)


def test_a_text_that_begins_denser_than_it_goes_on_is_cut_shorter():
    shown = first_tokens("語" * 1_000 + " " * 100_000, 500)

    assert 400 < tokens(shown) <= 500
