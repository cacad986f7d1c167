"""Decisions about calls that a run waits for, over HTTP."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Literal

from pydantic import Field, RootModel

from ..approving import Asked
from ..deciding import DecideCollaborators, check_call, decide_call, refuse
from ..errors import Conflict, Denied, FreeholdError, Invalid, NotFound, Problem
from ..parking import ParkCollaborators, announce
from ..values.run import Run
from . import requests, runs, uploads
from .caller import Caller
from .shapes import Json

MOST_DECISIONS = 90
MOST_COMMENT = 2_000
# Of all results of a request. It travels as JSON text through a Lambda event of 6 MB.
MOST_BYTES = 4_000_000


class ResultBody(requests.Body):
    """What a call came to: text, or any JSON, which is kept as text. A null is a body, too."""

    body: Any = None
    uploadId: Annotated[str, Field(pattern=requests.UPLOAD_ID)] | None = None  # noqa: N815
    state: Literal["success", "failure"] = "success"
    sessionAttributes: requests.Attributes | None = None  # noqa: N815
    promptSessionAttributes: requests.Attributes | None = None  # noqa: N815


class DecisionBody(requests.Body):
    """One of the decisions of `POST /runs/{run}/decisions`."""

    callId: Annotated[str, Field(pattern=requests.CALL_ID)]  # noqa: N815
    decision: Literal["approve", "deny", "result"]
    argumentsDigest: Annotated[str, Field(pattern=requests.DIGEST)]  # noqa: N815
    result: ResultBody | None = None
    comment: Annotated[str, Field(max_length=MOST_COMMENT)] = ""

    @property
    def place(self) -> tuple[int, int, int]:
        """Turn, lap and call."""
        turn, lap, call = map(int, re.findall("[0-9]+", self.callId))
        return turn, lap, call


class DecisionsBody(RootModel[list[DecisionBody]]):
    """`POST /runs/{run}/decisions`."""

    root: Annotated[list[DecisionBody], Field(min_length=1, max_length=MOST_DECISIONS)]


def take(caller: Caller, run_id: str, body: str | None, using: ParkCollaborators) -> Json:
    """Take every decision, each in a transaction of its own, or none: the run after them.

    Where one would be refused, the answer names each that would be.
    """
    caller.needs("run", "approve")
    given = requests.read(DecisionsBody, requests.document(body)).root
    texts = _results(given)
    run = runs.find(caller, run_id)
    texts |= _uploaded(run, given)
    asked = [_asked(each, texts.get(i, "")) for i, each in enumerate(given)]
    deciding = using.ends.deciding
    _check_all(run, given, asked, caller, deciding)
    for each in asked:
        run = decide_call(run.key, each, caller.decider, deciding)
    return runs.whole(announce(run, using))


def _results(given: list[DecisionBody]) -> dict[int, str]:
    """The texts that came with the decisions, by their index. Raises `Invalid` where they do not fit them."""
    problems, texts, seen = list[Problem](), dict[int, str](), set[str]()
    for i, each in enumerate(given):
        if each.callId in seen:
            problems.append(Problem(f"[{i}].callId", f"{each.callId} is decided about twice"))
        seen.add(each.callId)
        if (each.result is not None) != (each.decision == "result"):
            allowed = "is required where decision is result, and allowed nowhere else"
            problems.append(Problem(f"[{i}].result", allowed))
        if each.result is None:
            continue
        inline = "body" in each.result.model_fields_set
        if inline == (each.result.uploadId is not None):
            problems.append(Problem(f"[{i}].result", "has one of body and uploadId"))
        elif inline:
            text = _text(each.result.body)
            texts[i] = text or ""
            if text is None:
                problems.append(Problem(f"[{i}].result.body", "is nothing that can be kept as UTF-8 text"))
    size = sum(len(text.encode()) for text in texts.values())
    if size > MOST_BYTES:
        told = f"have {size:,} bytes; at most {MOST_BYTES:,} are allowed, and what is larger can be uploaded"
        problems.append(Problem("result", told))
    if problems:
        raise Invalid(problems)
    return texts


def _text(body: Any) -> str | None:
    """None for half a character, and for a number that is too large."""
    try:
        text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False, allow_nan=False)
        text.encode()
    except (ValueError, RecursionError):
        return None
    return text


def _uploaded(run: Run, given: list[DecisionBody]) -> dict[int, str]:
    ids = {i: each.result.uploadId for i, each in enumerate(given) if each.result and each.result.uploadId}
    if not ids:
        return {}
    found = uploads.texts(run, {upload: f"[{i}].result.uploadId" for i, upload in ids.items()})
    return {i: found[upload] for i, upload in ids.items()}


def _asked(given: DecisionBody, text: str) -> Asked:
    _, lap, call = given.place
    result = given.result or ResultBody()
    return Asked(
        lap,
        call,
        given.decision,
        given.argumentsDigest,
        given.comment,
        text,
        result.state == "success",
        result.sessionAttributes,
        result.promptSessionAttributes,
    )


def _check_all(
    run: Run, given: list[DecisionBody], asked: list[Asked], caller: Caller, using: DecideCollaborators
) -> None:
    """Raises the first refusal, with the others among its problems."""
    refused: dict[int, FreeholdError] = {}
    for i, (body, each) in enumerate(zip(given, asked, strict=True)):
        try:
            _check_turn(run, body, caller, using)
            check_call(run.key, each, caller.decider, using)
        except (Conflict, Denied, NotFound) as error:
            refused[i] = error
    if refused:
        first = next(iter(refused.values()))
        first.problems = tuple(Problem(f"[{i}]", str(error)) for i, error in refused.items())
        raise first


def _check_turn(run: Run, given: DecisionBody, caller: Caller, using: DecideCollaborators) -> None:
    """A call of another run has another turn."""
    if given.place[0] != run.turn:
        error = NotFound(f"run {run.key.run_id} waits for no decision about a call {given.callId}")
        refuse(run.key, given.callId, given.decision, caller.decider, error, using)
        raise error
