"""Results that are too large for a request, over HTTP: put into the bucket first, then named in a decision."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from .. import wiring
from ..adapters.records import folder
from ..errors import Conflict, Invalid, Problem
from ..values.run import Run
from . import requests, runs, shapes
from .caller import Caller
from .shapes import Json

MOST_BYTES = 20_000_000
URL_SECONDS = 900
OPEN = ("RUNNING", "AWAITING")


class UploadBody(requests.Body):
    """`POST /runs/{run}/uploads`."""

    bytes: Annotated[int, Field(ge=1, le=MOST_BYTES)]


def create(caller: Caller, run_id: str, body: str | None, upload_id: str) -> Json:
    """A URL at which exactly so many bytes can be put for 15 minutes. Raises `Conflict` where the run is not open."""
    caller.needs("run", "approve")
    asked = requests.read(UploadBody, requests.document(body))
    run = runs.find(caller, run_id)
    if run.status not in OPEN:
        raise Conflict(f"run {run_id} is {run.status}; results are taken while it is RUNNING or AWAITING")
    url = wiring.contents().upload_url(_key(run, upload_id), size=asked.bytes, seconds=URL_SECONDS)
    return {
        "uploadId": upload_id,
        "url": url,
        "method": "PUT",
        "headers": {"Content-Length": str(asked.bytes)},
        "expiresAt": shapes.iso(wiring.now() + URL_SECONDS * 1000),
    }


def only_id(shape: Json) -> Json:
    """What is kept of an answer: its URL opens the place for 15 minutes, and is signed anew."""
    return {"uploadId": shape["uploadId"]}


def _key(run: Run, upload_id: str) -> str:
    """Beside what else belongs to the conversation, so that it is erased with it."""
    return f"{folder(run.key)}/uploads/{run.turn}-{upload_id}"


def texts(run: Run, wanted: dict[str, str]) -> dict[str, str]:
    """What was uploaded, by id. `wanted` has the place in the request of each; raises `Invalid` with every problem.

    It is copied from there, since the URL still lets its holder put something else.
    """
    sizes = {each: wiring.contents().size(_key(run, each)) for each in wanted}
    missing = [Problem(wanted[each], NOT_THERE) for each, size in sizes.items() if size is None]
    if missing:
        raise Invalid(missing)
    total = sum(size or 0 for size in sizes.values())
    if total > MOST_BYTES:
        raise Invalid(
            f"{total:,} bytes were uploaded for these decisions; at most {MOST_BYTES:,} are allowed"
        )
    return {each: _text(run, each, path) for each, path in wanted.items()}


NOT_THERE = "names nothing that was uploaded for this run: put it at the URL first"


def _text(run: Run, upload_id: str, path: str) -> str:
    try:
        return wiring.contents().get_bytes(_key(run, upload_id)).decode()
    except UnicodeDecodeError as error:
        raise Invalid(f"is no UTF-8 text from byte {error.start:,} on", path=path) from error
