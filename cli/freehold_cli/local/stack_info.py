"""What is known of a running local stack."""

from __future__ import annotations

from dataclasses import dataclass

from freehold_cli.local.processes import OwnProcess


@dataclass(frozen=True, slots=True)
class StackInfo:
    """A running local stack. `instance` marks its processes in a process list.

    `bedrock_region` is where its relay leads to; None where it has none. `tools_on_loopback`: its tools may ask servers
    of this machine.
    """

    url: str
    aws_endpoint: str
    outputs: dict[str, str]
    aws_pid: int
    front_door_pid: int
    instance: str
    relay_pid: int | None = None
    relay_url: str | None = None
    bedrock_region: str | None = None
    tools_on_loopback: bool = False
    live_pid: int | None = None
    live_url: str | None = None

    @property
    def named(self) -> dict[str, OwnProcess]:
        """The processes that there are by their names, in the order in which they are to end."""
        pids = {
            "front-door": self.front_door_pid,
            "live-events": self.live_pid,
            "aws": self.aws_pid,
            "bedrock-relay": self.relay_pid,
        }
        return {name: OwnProcess(pid, self.instance) for name, pid in pids.items() if pid is not None}

    @property
    def processes(self) -> tuple[OwnProcess, ...]:
        return tuple(self.named.values())

    def lives(self) -> bool:
        """Whether all of its processes run, answering or not."""
        return all(process.lives() for process in self.processes)
