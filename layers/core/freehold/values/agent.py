"""An agent as the loop sees it: already validated, every schema read, every tool named."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

Place = Literal["path", "query", "header", "cookie", "body", "wholeBody", "function"]
BuiltIn = Literal["read_more", "current_time"]
# The alias that always means the draft.
DRAFT = "DRAFT"


@dataclass(frozen=True, slots=True)
class Argument:
    """Where one key of the model's arguments goes in the tool's event.

    `key` is what the model fills in; `name` is what the tool calls it. They differ only where a parameter and a
    body property share a name. `wholeBody` marks a body that is no object: its value stands for the body itself.
    """

    key: str
    name: str
    type: str
    place: Place


@dataclass(frozen=True, slots=True)
class Tool:
    """One operation of an action group, as offered to the model.

    `input_schema` is a JSON Schema of type object. `api_path` and `http_method` (upper case) are set for OpenAPI
    operations, `function` for function schemas. `lambda_arn` is the executor, or `built_in` names the tool that
    Freehold runs itself.
    """

    name: str
    description: str
    input_schema: dict[str, Any]
    action_group: str
    arguments: tuple[Argument, ...]
    lambda_arn: str
    idempotent: bool
    enabled: bool = True
    api_path: str | None = None
    http_method: str | None = None
    body_content_type: str | None = None
    function: str | None = None
    timeout_seconds: int = 60
    max_attempts: int = 3
    built_in: BuiltIn | None = None


@dataclass(frozen=True, slots=True)
class Inference:
    """Sampling settings; None leaves the model's own default."""

    temperature: float | None = None
    top_p: float | None = None
    maximum_length: int | None = None
    stop_sequences: tuple[str, ...] = ()
    reasoning_effort: str | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one run. A run that meets one ends as STOPPED, with what it reached so far."""

    max_laps: int = 25
    max_tokens: int | None = None
    max_cost_usd: Decimal | None = None
    timeout_seconds: int = 900
    max_concurrent_tools: int = 10
    same_call_repeats: int = 3


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """The model as the agent names it. `api` is given only for models that the catalog does not know."""

    model: str
    api: str | None = None


@dataclass(frozen=True, slots=True)
class Memory:
    """Sessions are summed up, and the newest `max_recent_sessions` are told to later ones for `storage_days`."""

    storage_days: int = 30
    max_recent_sessions: int = 20


@dataclass(frozen=True, slots=True)
class Context:
    """How much of a conversation a model is sent: within `window_tokens` (None: the model's own window).

    The oldest part is compacted once the conversation fills `compact_at` of the window.
    """

    window_tokens: int | None = None
    compact_at: float = 0.6


@dataclass(frozen=True, slots=True)
class Agent:
    """A compiled agent: the unit that is frozen by digest, pinned by a session and read by every step."""

    name: str
    model: ModelChoice
    instruction: str
    tools: tuple[Tool, ...] = ()
    description: str = ""
    inference: Inference = Inference()
    limits: Limits = Limits()
    idle_session_ttl_seconds: int = 86_400
    mode: Literal["durable", "fast"] = "durable"
    tags: dict[str, str] = field(default_factory=dict[str, str])
    fallback_models: tuple[ModelChoice, ...] = ()
    memory: Memory | None = None
    context: Context = Context()

    @property
    def models(self) -> tuple[ModelChoice, ...]:
        """The models in the order in which they are asked."""
        return (self.model, *self.fallback_models)

    def tool(self, name: str) -> Tool | None:
        """The tool of that name, also where its action group is disabled."""
        return next((tool for tool in self.tools if tool.name == name), None)


@dataclass(frozen=True, slots=True)
class PinnedAgent:
    """The agent version that an alias stands for at this moment."""

    agent: Agent
    version: str
    alias: str
    digest: str
