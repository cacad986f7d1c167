"""What is asked of a model and what it answers, the same for every API."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

from ..value import Value
from .agent import Inference
from .content import Image, Usage

Stop = Literal["end", "tools", "length", "filtered"]
Host = Literal["bedrock-runtime", "bedrock-mantle"]
Where = Literal["region", "geography", "global"]
Sampling = Literal["any", "one", "none"]
Effort = Literal["reasoning_effort", "anthropic", "nova"]
Purpose = Literal["answer", "compaction", "memory"]
Cache = Literal["tools", "messages"]


class ToolSpec(Value):
    """A tool as the model is shown it; `input_schema` is a JSON Schema of type object."""

    name: str
    description: str
    input_schema: dict[str, Any]


class ToolUse(Value):
    """A call that the model asks for. `arguments` is the model's own text, which may be no JSON at all."""

    id: str
    name: str
    arguments: str


class ToolOutcome(Value):
    """The answer to the `ToolUse` of the same id."""

    id: str
    content: str
    ok: bool = True


class UserMessage(Value):
    text: str
    images: tuple[Image, ...] = ()


class AssistantMessage(Value):
    """One reply of the model. `reasoning` is an adapter's own payload, replayed only to the model it came from."""

    text: str
    calls: tuple[ToolUse, ...] = ()
    reasoning: str | None = None


class ToolMessage(Value):
    """The outcomes of every call of the assistant message before it, in call order."""

    outcomes: tuple[ToolOutcome, ...]


Message = UserMessage | AssistantMessage | ToolMessage


class ModelRequest(Value):
    """One model call. `model` is the provider's own id; `timeout_seconds` bounds the single attempt.

    `purpose` is what the reply is for. `conversation` names what requests with the same beginning have in common, for
    providers that cache it.
    """

    model: str
    instruction: str
    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()
    inference: Inference = Inference()
    timeout_seconds: float = 120.0
    purpose: Purpose = "answer"
    conversation: str = ""


class ModelReply(Value):
    """What the model answered. `model` is the id that served it; `reasoning` is for the same adapter alone."""

    text: str
    calls: tuple[ToolUse, ...]
    usage: Usage
    stop: Stop
    model: str
    reasoning: str | None = None


class Price(Value):
    """US dollars per million tokens, with where and when they were read.

    `cache_write` is for tokens that the provider put into its cache; None where those cost what all others do.
    """

    input: Decimal
    output: Decimal
    cached: Decimal
    source: str
    date: str
    cache_write: Decimal | None = None

    def cost(self, usage: Usage) -> Decimal:
        """US dollars of one call."""
        write = self.input if self.cache_write is None else self.cache_write
        fresh = usage.input_tokens - usage.cached_tokens - usage.cache_written_tokens
        tokens = fresh * self.input + usage.cached_tokens * self.cached + usage.cache_written_tokens * write
        return (tokens + usage.output_tokens * self.output) / 1_000_000


class ModelEntry(Value):
    """One row of the catalog. A price of None means unknown, never free.

    `host` is the Bedrock endpoint that serves it. `inference` says where a request is answered: in the `region` it
    is sent to, in its `geography`, or anywhere (`global`). `effort` names the provider's way to say how much
    to think; None where the model cannot be told. `sampling`: which of temperature and topP it takes at once.
    `listed`: it stands in the catalog, and was not made of an agent's own words. `cache`: how far it takes marks of
    what is worth caching: after messages and instruction, or after `tools` as well; None where it takes none.
    """

    id: str
    api: str
    window: int | None = None
    price: Price | None = None
    aliases: tuple[str, ...] = ()
    host: Host = "bedrock-runtime"
    regions: tuple[str, ...] = ()
    inference: Where | None = None
    images: bool = True
    sampling: Sampling = "any"
    listed: bool = False
    effort: Effort | None = None
    cache: Cache | None = None

    @property
    def maker(self) -> str:
        """Whose reasoning this model can be given back: that of the same model over the same API."""
        return f"{self.api}:{self.id}"
