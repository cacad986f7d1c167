"""Images in a request: base64 in, what a model is sent out."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence

from ..errors import Invalid, Problem
from ..values.content import Image, ImageFormat

MOST_IMAGES = 20
# A request travels base64 and JSON through a Lambda event of 6 MB; Bedrock takes 3.75 MB an image.
MOST_BYTES = 3_750_000
_BEGINNINGS: dict[ImageFormat, bytes] = {
    "png": b"\x89PNG\r\n\x1a\n",
    "jpeg": b"\xff\xd8\xff",
    "gif": b"GIF8",
    "webp": b"RIFF",
}


def read(given: Sequence[str]) -> tuple[Image, ...]:
    """The images, their format told by their first bytes; raises `Invalid`.

    What a provider would refuse is refused here: it would stand in the conversation for good.
    """
    problems: list[Problem] = []
    images: list[Image] = []
    left = MOST_BYTES
    for index, data in enumerate(given):
        path = f"images[{index}].data"
        try:
            content = base64.b64decode(data, validate=True)
        except (binascii.Error, ValueError):
            problems.append(Problem(path, "is no base64"))
            continue
        left -= len(content)
        kind = _format(content)
        if kind is None:
            problems.append(Problem(path, f"is none of {', '.join(_BEGINNINGS)}, judged by its first bytes"))
        else:
            images.append(Image(kind, data, size=len(content)))
    if left < 0:
        problems.append(
            Problem("images", f"have {MOST_BYTES - left:,} bytes; at most {MOST_BYTES:,} are allowed")
        )
    if problems:
        raise Invalid(problems)
    return tuple(images)


def _format(content: bytes) -> ImageFormat | None:
    for kind, beginning in _BEGINNINGS.items():
        if content.startswith(beginning):
            return kind if kind != "webp" or content[8:12] == b"WEBP" else None
    return None
