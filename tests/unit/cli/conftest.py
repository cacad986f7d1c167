"""The command line in surroundings of our own: a fake API, a fake local stack, a fake AWS, no terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from freehold.adapters.access import AccessEntries
from freehold.adapters.dead_letters import SqsDeadLetters
from freehold.adapters.table import Table
from freehold.values.run import Principal
from freehold_cli.main import app
from freehold_cli.world import World
from memory_queues import MemoryQueues
from memory_table import MemoryTable

from .fake_api import KEY, FakeApi

URL = "http://127.0.0.1:8080"
ANN = Principal("iam", "arn:aws:sts::123456789012:assumed-role/admin/ann")


@dataclass
class FakeInfo:
    url: str = URL
    aws_endpoint: str = "http://127.0.0.1:4566"
    outputs: Mapping[str, str] = field(
        default_factory=lambda: {"AgentsTable": "agents", "ModelKeySecret": "secret"}
    )
    tools_on_loopback: bool = False


class FakeAws:
    """Stack outputs, keys and secrets in memory."""

    def __init__(self) -> None:
        self.stacks: dict[str, dict[str, str]] = {}
        self.secrets: dict[str, str] = {}
        self.objects: dict[tuple[str, str], str] = {}
        self.keys_made: list[tuple[str, str]] = []
        self.keys_given: list[dict[str, Any]] = []
        self.tables = MemoryTable()
        self.queues = MemoryQueues()
        self.signed: list[tuple[str, bytes]] = []

    def environment(self) -> dict[str, str]:
        return {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"}

    def outputs(self, stack_name: str) -> dict[str, str]:
        return self.stacks[stack_name]

    def make_key(self, table: str, name: str, **given: Any) -> str:
        self.keys_made.append((table, name))
        self.keys_given.append(given)
        return KEY

    def caller(self) -> Principal:
        return ANN

    def access(self, table: str) -> AccessEntries:
        return AccessEntries(Table(self.tables, table))  # pyright: ignore[reportArgumentType]

    def sign(self, url: str, body: bytes) -> dict[str, str]:
        self.signed.append((url, body))
        return {"authorization": "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE"}

    def dead_letters(self, queue_urls: Sequence[str]) -> SqsDeadLetters:
        return SqsDeadLetters(self.queues, queue_urls, clock=self.queues.now)

    def put_secret(self, secret: str, text: str) -> None:
        self.secrets[secret] = text

    def read(self, bucket: str, key: str) -> str:
        return self.objects[bucket, key]


class FakeStack:
    """A local stack that starts at once. `trouble` is raised by the call of that name."""

    def __init__(self, aws: FakeAws) -> None:
        self.aws = aws
        self.info: FakeInfo | None = None
        self.started: list[dict[str, Any]] = []
        self.stopped = 0
        self.deployed: list[str] = []
        self.trouble: dict[str, BaseException] = {}
        self.quiet: list[str] = []

    def silent(self) -> list[str]:
        return self.quiet

    def running(self) -> FakeInfo | None:
        return self.info

    def start(
        self,
        *,
        parameters: Mapping[str, str],
        progress: Callable[[str], None],
        port: int | None = None,
        detached: bool = False,
        bedrock_region: str | None = None,
        tools_on_loopback: bool = False,
    ) -> FakeInfo:
        self.started.append(
            {
                "parameters": dict(parameters),
                "port": port,
                "detached": detached,
                "bedrock_region": bedrock_region,
                "tools_on_loopback": tools_on_loopback,
            }
        )
        progress("starting the local AWS")
        self._raise("start")
        self.info = self.info or FakeInfo(tools_on_loopback=tools_on_loopback)
        return self.info

    def stop(self, progress: Callable[[str], None]) -> bool:
        self.stopped += 1
        was, self.info = self.info, None
        self._raise("stop")
        return was is not None

    def deploy(
        self, directory: Path, stack_name: str, parameters: Mapping[str, str] | None = None
    ) -> dict[str, str]:
        self._raise("deploy")
        self.deployed.append(stack_name)
        return {"ToolsArn": "arn:aws:lambda:us-east-1:000000000000:function:tools"}

    def _raise(self, name: str) -> None:
        if name in self.trouble:
            raise self.trouble[name]


class Terminal:
    """Runs commands as a shell would. `typed` are the lines of a person; None of them means no terminal at all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.api = FakeApi()
        self.aws = FakeAws()
        self.stack = FakeStack(self.aws)
        self.environ = {"FREEHOLD_URL": URL, "FREEHOLD_KEY": KEY}
        self.typed: list[str | BaseException] | None = None
        self.piped: list[str] = []
        self.on_sleep: Callable[[], None] = lambda: None
        self.region_with_access: Callable[[], str | None] = lambda: None
        self.accounts: list[Mapping[str, str]] = []

    def run(self, *arguments: str, stdin: str | None = None) -> Result:
        return CliRunner().invoke(app, arguments, stdin, obj=self._world(), catch_exceptions=False)

    def locally(self) -> Terminal:
        """Without FREEHOLD_URL, in a checkout whose local stack is not running."""
        self.environ = {}
        (self.folder / "template.yaml").write_text("Resources: {}\n")
        return self

    def home(self, name: str) -> Path:
        path = self.folder / ".freehold" / name
        path.parent.mkdir(exist_ok=True)
        return path

    def _world(self) -> World:
        return World(
            environ=self.environ,
            folder=self.folder,
            package=self.folder / "nowhere" / "in" / "particular" / "settings.py",
            transport=self.api.transport(),
            stack_at=lambda _: self.stack,
            account=self._account,
            region_with_access=lambda: self.region_with_access(),
            interactive=lambda: self.typed is not None,
            read_line=self._read_line,
            sleep=lambda _: self.on_sleep(),
        )

    def _account(self, environment: Mapping[str, str]) -> FakeAws:
        self.accounts.append(environment)
        return self.aws

    def _read_line(self, _: str) -> str:
        lines = self.piped if self.typed is None else self.typed
        if not lines:
            raise EOFError
        line = lines.pop(0)
        if isinstance(line, BaseException):
            raise line
        return line


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return Terminal(tmp_path)
