from __future__ import annotations

import io
import json
import logging
import traceback
from collections.abc import Iterator

import jsonschema_rs
import pytest

from freehold.errors import Invalid, ModelRejected
from freehold.observability.invocation import Telemetry
from freehold.observability.logs import LONGEST_TEXT, Formatter, content_is_logged, for_others, wordless

WORDS = "words of a model"


@pytest.fixture
def lines() -> Iterator[tuple[logging.Logger, io.StringIO]]:
    written, logger = io.StringIO(), logging.getLogger("a logger of the tests")
    watching = logging.StreamHandler(written)
    watching.setFormatter(Formatter(serialize_stacktrace=False))
    logger.addHandler(watching)
    yield logger, written
    logger.removeHandler(watching)


def refuse(words: str) -> None:
    """An error with words of its own, of its cause, of what happened before that, and in a note."""
    try:
        look_up({}, words)
    except ValueError as error:
        refused = ModelRejected("the server answered 400", words=words)
        refused.add_note(words)
        raise refused from error


def look_up(known: dict[str, str], words: str) -> str:
    try:
        return known[words]
    except KeyError:
        raise ValueError(words)  # noqa: B904 - what was raised before is part of the test


def test_an_error_is_logged_by_class_place_and_cause_without_its_words(
    lines: tuple[logging.Logger, io.StringIO],
):
    logger, written = lines

    try:
        refuse(WORDS)
    except ModelRejected:
        logger.exception("it failed")

    line = json.loads(written.getvalue())
    assert line["exception_name"] == "ModelRejected"
    for kind in ("KeyError", "ValueError", "freehold.errors.ModelRejected"):
        assert kind in line["exception"]
    assert "in look_up" in line["exception"]
    assert WORDS not in written.getvalue()


def test_an_error_is_logged_with_its_words_where_they_are_asked_for(
    lines: tuple[logging.Logger, io.StringIO], monkeypatch: pytest.MonkeyPatch
):
    logger, written = lines
    monkeypatch.setenv("LOG_CONTENT", "full")

    try:
        refuse(WORDS)
    except ModelRejected:
        logger.exception("it failed")

    line = json.loads(written.getvalue())
    assert f"ModelRejected: the server answered 400: {WORDS}" in line["exception"]
    assert line["exception_notes"] == [WORDS]


def test_our_own_words_stay_and_the_error_itself_keeps_all():
    error = ModelRejected("the server answered 400", words=WORDS)

    twin = wordless(error)

    assert str(error) == f"the server answered 400: {WORDS}"
    assert (str(twin), type(twin).__name__) == ("the server answered 400", "ModelRejected")


class Refuser(Exception):
    def __str__(self) -> str:
        return WORDS


@pytest.mark.parametrize(
    "error",
    [
        KeyError(WORDS),
        ModelRejected("refused", words=WORDS),
        ValueError("a", WORDS),
        Refuser(WORDS),
        OSError(2, WORDS, WORDS),
        UnicodeEncodeError("utf-8", WORDS, 0, 1, WORDS),
        next(iter(jsonschema_rs.validator_for({"type": "number"}).iter_errors(WORDS))),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_lambdas_runtime_may_log_has_the_class_and_at_most_our_own_words(error: Exception):
    shown = for_others(error)

    assert str(shown) == ("refused" if isinstance(error, ModelRejected) else "")
    assert type(shown).__name__ == type(error).__name__
    assert WORDS not in "".join(traceback.format_exception(shown))


def test_a_long_chain_of_causes_is_copied_once():
    error: Exception = ValueError(WORDS)
    for _ in range(200):
        later = KeyError(WORDS)
        later.__cause__ = later.__context__ = error
        error = later

    assert WORDS not in "".join(traceback.format_exception(wordless(error)))


@pytest.mark.parametrize(("setting", "logged"), [(None, False), ("none", False), ("full", True)])
def test_content_is_logged_only_where_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, setting: str | None, logged: bool
):
    monkeypatch.delenv("LOG_CONTENT", raising=False)
    if setting is not None:
        monkeypatch.setenv("LOG_CONTENT", setting)

    assert content_is_logged() is logged


@pytest.mark.parametrize("setting", ["", "FULL", "true"])
def test_another_setting_is_refused_when_the_function_starts(monkeypatch: pytest.MonkeyPatch, setting: str):
    monkeypatch.setenv("LOG_CONTENT", setting)

    with pytest.raises(Invalid, match=f"LOG_CONTENT: must be one of none, full, not '{setting}'"):
        Telemetry("a-stack")


def test_a_long_text_is_cut_and_says_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LOG_CONTENT", "full")
    telemetry, written = Telemetry("a stack of long texts"), io.StringIO()
    watching = logging.StreamHandler(written)
    watching.setFormatter(telemetry.logger.registered_formatter)
    telemetry.logger.addHandler(watching)

    telemetry.content("tool answer", answer=lambda: "x" * (LONGEST_TEXT + 1))

    told = json.loads(written.getvalue())
    assert (told["message"], told["answer"]) == ("tool answer", f"{'x' * LONGEST_TEXT}… (20,001 characters)")
