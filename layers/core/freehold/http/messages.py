"""What a message asks for: the body of a new run, with the agent that HTTP has in the path."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NoReturn, cast

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from ..errors import Invalid
from ..ways_in import Asked
from . import images, paths, requests


def _refused(_: object) -> NoReturn:
    raise PydanticCustomError("waitSeconds", "is not for messages, for which nobody waits")


class MessageBody(requests.RunBody):
    """The detail of an `Agent Run Requested`, or a message of SQS."""

    agent: Annotated[str, Field(pattern=requests.ID)]
    whenBusy: Literal["reject", "enqueue"] = "enqueue"  # noqa: N815
    replyTo: Annotated[str, Field(pattern=requests.TARGET)] | None = None  # noqa: N815
    waitSeconds: Annotated[int, BeforeValidator(_refused)] = 0  # noqa: N815


def read(given: object, group: str | None = None) -> Asked:
    """Raises `Invalid` with every problem. `group` names the session where the message does not."""
    if not isinstance(given, dict):
        raise Invalid("must be a JSON object")
    told = cast("dict[str, Any]", given)
    asked = requests.read(MessageBody, told)
    if asked.sessionId is None and group is not None and not paths.PATH_PART.fullmatch(group):
        raise Invalid(
            f"is not there, and the message group {group!a} {requests.IN_WORDS[requests.ID]}",
            path="sessionId",
        )
    return Asked(
        agent=asked.agent,
        input=asked.input,
        session_id=asked.sessionId or group,
        memory_id=asked.memoryId,
        alias=asked.alias,
        images=images.read([image.data for image in asked.images]),
        session_attributes=asked.sessionAttributes,
        prompt_session_attributes=asked.promptSessionAttributes,
        when_busy=asked.whenBusy,
        reply_to=asked.replyTo,
    )
