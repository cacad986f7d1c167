"""An agent as the loop sees it: already validated, every schema read, every tool named."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

from ..value import Value, field

Place = Literal["path", "query", "header", "cookie", "body", "wholeBody", "function"]
BuiltIn = Literal["read_more", "current_time", "ask_user", "escalate_to_human"]
# What a call may wait for: that somebody agrees (guards), or that its result comes from elsewhere. `outcome`: somebody
# says what came of a call whose outcome is unknown.
Wait = Literal["confirmation", "approval", "result", "answer", "handback", "agent", "outcome"]
# What runs a tool.
Executor = Literal["lambda", "http", "mcp", "returnControl", "agent", "builtIn"]
# Who has to agree before a call is made: the session's own user, or an approver.
Guard = Literal["confirmation", "approval"]
# The alias that always means the draft.
DRAFT = "DRAFT"


class Argument(Value):
    """Where one key of the model's arguments goes in the tool's event.

    `key` is what the model fills in; `name` is what the tool calls it. They differ only where a parameter and a
    body property share a name. `wholeBody` marks a body that is no object: its value stands for the body itself.
    `style` and `explode` say how OpenAPI has the value written in a request, where that is not what its place does
    anyway; the style `json` is ours, for a parameter that is JSON.
    """

    key: str
    name: str
    type: str
    place: Place
    style: str = ""
    explode: bool | None = None


class Auth(Value):
    """How a server is told who asks. The credentials lie in the tenant's own secret of the name `secret`.

    `name` and `place` say where an API key goes; `service` and `region` are what a request is signed for (sigv4),
    `token_url` and `scopes` where and for what a token is asked (oauth2, by client credentials).
    """

    type: Literal["apiKey", "basic", "bearer", "oauth2", "sigv4"]
    secret: str = ""
    name: str = ""
    place: Literal["header", "query"] = "header"
    token_url: str = ""
    scopes: tuple[str, ...] = ()
    service: str = ""
    region: str = ""


class Server(Value):
    """An HTTP or MCP server. Requests go to `url` and what lies under it; `hosts` are others that it may name."""

    url: str
    auth: Auth | None = None
    hosts: tuple[str, ...] = ()


class Collaborator(Value):
    """Another agent that a tool stands for. `relays`: it is told what was said in this conversation before."""

    agent: str
    alias: str | None = None
    relays: bool = False


class Tool(Value):
    """One operation of an action group, as offered to the model.

    `input_schema` is a JSON Schema of type object. `api_path` and `http_method` (upper case) are set for OpenAPI
    operations, `function` for function schemas and for tools of MCP servers, which know it by that name.

    One of these is set and runs it: `lambda_arn`; `built_in` (Freehold itself); `http` or `mcp`, a server;
    `collaborator`, another agent; `returns_control`: whoever asked runs it. `pin` is the digest of the definition that
    an MCP server gave. `guards` must agree first, in that order. `guarded_lambda` is the function of a tool with
    guards: the release before this one knows `lambda_arn` alone, and would call it unasked.
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
    guards: tuple[Guard, ...] = ()
    guarded_lambda: str = ""
    http: Server | None = None
    mcp: Server | None = None
    pin: str = ""
    collaborator: Collaborator | None = None
    returns_control: bool = False

    @property
    def executor(self) -> Executor:
        """What runs it, whether somebody must agree first or not."""
        if self.built_in is not None:
            return "builtIn"
        if self.collaborator is not None:
            return "agent"
        if self.http is not None:
            return "http"
        if self.mcp is not None:
            return "mcp"
        return "returnControl" if self.returns_control else "lambda"

    @property
    def waits(self) -> tuple[Wait, ...]:
        """What a call of it waits for, one after the other, beside the tool itself."""
        if self.collaborator is not None:
            return (*self.guards, "agent")
        if self.returns_control:
            return (*self.guards, "result")
        asked: dict[BuiltIn | None, Wait] = {"ask_user": "answer", "escalate_to_human": "handback"}
        return (*self.guards, *((asked[self.built_in],) if self.built_in in asked else ()))


class Inference(Value):
    """Sampling settings; None leaves the model's own default."""

    temperature: float | None = None
    top_p: float | None = None
    maximum_length: int | None = None
    stop_sequences: tuple[str, ...] = ()
    reasoning_effort: str | None = None


class Limits(Value):
    """Bounds of one run. A run that meets one ends as STOPPED, with what it reached so far."""

    max_laps: int = 25
    max_tokens: int | None = None
    max_cost_usd: Decimal | None = None
    timeout_seconds: int = 900
    max_concurrent_tools: int = 10
    same_call_repeats: int = 3


class ModelChoice(Value):
    """The model as the agent names it. `api` is given only for models that the catalog does not know."""

    model: str
    api: str | None = None


class Memory(Value):
    """Sessions are summed up, and the newest `max_recent_sessions` are told to later ones for `storage_days`."""

    storage_days: int = 30
    max_recent_sessions: int = 20


class Context(Value):
    """How much of a conversation a model is sent: within `window_tokens` (None: the model's own window).

    The oldest part is compacted once the conversation fills `compact_at` of the window.
    """

    window_tokens: int | None = None
    compact_at: float = 0.6


class Approvals(Value):
    """How long a parked run waits, and who approves: principals (`key:…`) and scopes (`scope:approve`).

    `not_requester`: whoever asked for the run may not, whatever else they are.
    """

    expire_after_seconds: int = 259_200
    approvers: tuple[str, ...] = ("scope:approve",)
    not_requester: bool = True


class Agent(Value):
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
    approvals: Approvals = Approvals()
    on_unknown_outcome: Literal["report", "ask"] = "report"
    # Where an escalation is told, beside the event: the ARN of a queue or a topic.
    escalation_target: str = ""

    @property
    def models(self) -> tuple[ModelChoice, ...]:
        """The models in the order in which they are asked."""
        return (self.model, *self.fallback_models)

    def tool(self, name: str) -> Tool | None:
        """The tool of that name, also where its action group is disabled."""
        return next((tool for tool in self.tools if tool.name == name), None)


class PinnedAgent(Value):
    """The agent version that an alias stands for at this moment."""

    agent: Agent
    version: str
    alias: str
    digest: str
