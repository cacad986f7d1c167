"""What tools are asked and what they answer."""

from __future__ import annotations

from ..value import Value


class Answer(Value):
    """A tool's answer, read: what the model is told, and the attributes that the tool changed."""

    ok: bool
    content: str
    session_attributes: dict[str, str] | None = None
    prompt_session_attributes: dict[str, str] | None = None


class HttpRequest(Value):
    """One request to an operation. `path` is under the server's URL and percent-encoded; `query` is not yet."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    content_type: str | None = None


class HttpAnswer(Value):
    status: int
    text: str
