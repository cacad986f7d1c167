"""CPU and memory of a local stack's processes, by whose they are."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from freehold_cli.local.stack import StackInfo

FUNCTION = re.compile(rb"\bAWS_LAMBDA_FUNCTION_NAME=freehold-\w+?Function\b")
RESIDENT = re.compile(r"^VmRSS:\s+(\d+) kB$", re.MULTILINE)
EVERY_SECONDS = 5.0
FUNCTIONS, DOORS, EMULATOR = "functions", "front doors", "local AWS"


@dataclass(frozen=True, slots=True)
class Sample:
    """Megabytes and seconds of CPU so far, by whose they are; `busy_seconds` are those of the whole machine."""

    at: float
    megabytes: Mapping[str, float]
    cpu_seconds: Mapping[str, float]
    busy_seconds: float


@dataclass
class Watch:
    """Samples while it is open. Processes of functions that have ended keep the CPU that they were last seen with."""

    info: StackInfo
    samples: list[Sample] = field(default_factory=list[Sample])
    _spent: dict[tuple[str, int], float] = field(default_factory=dict[tuple[str, int], float])
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Watch:
        self._sample()
        self._thread = threading.Thread(target=self._keep_sampling, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()
        self._sample()

    def cores(self) -> tuple[float, float]:
        """How many of them the stack kept busy, and how many the machine."""
        first, last = self.samples[0], self.samples[-1]
        spent = sum(last.cpu_seconds.values()) - sum(first.cpu_seconds.values())
        took = last.at - first.at
        return spent / took, (last.busy_seconds - first.busy_seconds) / took

    def shares(self) -> dict[str, float]:
        """Of the CPU that the stack took, by whose it was."""
        first, last = self.samples[0].cpu_seconds, self.samples[-1].cpu_seconds
        spent = {name: last[name] - first.get(name, 0.0) for name in last}
        whole = sum(spent.values()) or 1.0
        return {name: seconds / whole for name, seconds in spent.items()}

    def growth(self, name: str) -> tuple[float, float]:
        """Megabytes at the median of the second and of the last fifth: the first one still warms up."""
        held = [each.megabytes[name] for each in self.samples]
        fifth = max(1, len(held) // 5)
        return _median(held[fifth : 2 * fifth]), _median(held[-fifth:])

    def _keep_sampling(self) -> None:
        while not self._over.wait(EVERY_SECONDS):
            self._sample()

    def _sample(self) -> None:
        megabytes: dict[str, float] = {FUNCTIONS: 0.0, DOORS: 0.0, EMULATOR: 0.0}
        for pid, name in self._processes():
            try:
                status = Path(f"/proc/{pid}/status").read_text()
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            resident = RESIDENT.search(status)
            megabytes[name] += int(resident[1]) / 1024 if resident else 0.0
            self._spent[name, pid] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        cpu: dict[str, float] = dict.fromkeys(megabytes, 0.0)
        for (name, _), seconds in self._spent.items():
            cpu[name] += seconds
        self.samples.append(Sample(time.monotonic(), megabytes, cpu, _busy_seconds()))

    def _processes(self) -> list[tuple[int, str]]:
        own = {process.pid for process in self.info.processes}
        found = [(pid, EMULATOR if pid == self.info.aws_pid else DOORS) for pid in own]
        for process in Path("/proc").glob("[0-9]*"):
            try:
                environment = (process / "environ").read_bytes()
            except OSError:
                continue
            address = f"AWS_ENDPOINT_URL={self.info.aws_endpoint}".encode()
            if int(process.name) not in own and FUNCTION.search(environment) and address in environment:
                found.append((int(process.name), FUNCTIONS))
        return found


def _busy_seconds() -> float:
    """Since the machine started: all that it was not idle or waiting for disks."""
    user, nice, system, _, _, *others = map(int, Path("/proc/stat").read_text().splitlines()[0].split()[1:9])
    return (user + nice + system + sum(others)) / os.sysconf("SC_CLK_TCK")


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2] if values else 0.0
