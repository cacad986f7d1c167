"""Models, tools and the other parts of AWS that the loop reaches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from ..values.agent import Agent, ModelChoice, Server
    from ..values.live import Piece
    from ..values.model import ModelEntry, ModelReply, ModelRequest
    from ..values.run import Run, RunKey
    from ..values.tool import Answer, HttpAnswer, HttpRequest


Tell = Callable[[str], None]


class Model(Protocol):
    """One attempt at one model call."""

    def reply(self, request: ModelRequest, tell: Tell | None = None) -> ModelReply:
        """Raises `ModelThrottled` or `ModelUnavailable` (try again), `ModelRejected` (never will work).

        `tell` gets the reply's text as it comes: what it was told, one behind the other, is the reply's `text`. It may
        be told nothing, too, where the reply comes without a text for a while.
        """
        ...


class Models(Protocol):
    """The models that this deployment can reach."""

    def choose(self, choice: ModelChoice) -> tuple[Model, ModelEntry]:
        """The model to call and the catalog row that prices it. Raises `ModelRejected` for an unknown one."""
        ...


class Agents(Protocol):
    """Compiled agents, immutable by digest."""

    def snapshot(self, tenant: str, name: str, digest: str) -> Agent:
        """Raises `NotFound`."""
        ...


class Executions(Protocol):
    """The agent loop's executions."""

    def start(self, run: Run) -> None:
        """Start execution `run.execution` of `run`; one that was started already is success."""
        ...

    def summarize(self, run: Run) -> None:
        """Start attempt `run.summary_attempts` at summing up a run that has ended; one that was started is success."""
        ...

    def state(self, run: Run) -> Literal["alive", "aborted", "dead", "unknown"]:
        """What became of `run.execution`. `aborted`: an operator stopped it. Express answers `unknown`."""
        ...


class Tools(Protocol):
    """Tools that are Lambda functions."""

    def invoke(self, arn: str, event: Mapping[str, Any], *, timeout_seconds: int) -> Any:
        """One attempt; the function's own JSON answer.

        Raises `ToolThrottled` where it surely did not run, `ToolUnavailable` where it could not be reached,
        `OutcomeUnknown` where it may have run, `ToolFailed` where it ran and raised.
        """
        ...


class HttpTools(Protocol):
    """Tools that are operations of an HTTP API."""

    def call(
        self,
        server: Server,
        request: HttpRequest,
        *,
        tenant: str,
        idempotency_key: str,
        idempotent: bool,
        timeout_seconds: float,
    ) -> HttpAnswer:
        """One attempt. Raises as `Tools.invoke`; a server that answers, whatever it says, has an answer."""
        ...


class McpTools(Protocol):
    """Tools of MCP servers."""

    def call(
        self,
        server: Server,
        name: str,
        pin: str,
        arguments: Mapping[str, Any],
        *,
        tenant: str,
        idempotency_key: str,
        timeout_seconds: float,
    ) -> Answer:
        """One attempt, where the tool's definition still has the digest `pin`. Raises as `Tools.invoke`."""
        ...


class Events(Protocol):
    """The stack's event bus."""

    def publish(self, detail_type: str, detail: Mapping[str, Any]) -> None: ...


class Notices(Protocol):
    """Queues and topics of people who take conversations over."""

    def send(self, target: str, notice: Mapping[str, Any], *, group: str, notice_id: str) -> None:
        """To the queue or topic of that ARN, in order within a `group`; a repeat bears the same `notice_id`.

        Raises `StoreUnavailable`.
        """
        ...


class LiveTexts(Protocol):
    """Texts of replies while models write them, for those who watch. Nothing else rests on them."""

    def watch(self, key: RunKey, *, until: int) -> None:
        """Somebody watches the run, until then (epoch ms) at least. Raises `StoreUnavailable`, as all here do."""
        ...

    def watched(self, key: RunKey, *, now: int) -> bool: ...

    def write(self, key: RunKey, piece: Piece, *, now: int) -> None:
        """A repeat changes nothing."""
        ...

    def pieces(
        self, key: RunKey, lap: int, began_at: int = 0, attempt: str = "", offset: int = 0
    ) -> Sequence[Piece]:
        """From that place on: by attempt in the order in which they began, and each from its beginning."""
        ...
