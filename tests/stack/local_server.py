"""A local AWS of its own, without front door, and with or without the patches."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from freehold_cli.local.endpoint import AwsEndpoint
from freehold_cli.local.processes import free_port

PATIENCE = 30.0


@dataclass
class Server:
    """A local AWS. `settings` are environment variables of its own."""

    home: Path
    command: list[str]
    settings: Mapping[str, str] = field(default_factory=dict[str, str])
    port: int = field(default_factory=free_port)
    outputs: dict[str, str] = field(default_factory=dict[str, str])
    process: subprocess.Popen[bytes] | None = None

    @property
    def aws(self) -> AwsEndpoint:
        return AwsEndpoint(f"http://127.0.0.1:{self.port}")

    def start(self) -> None:
        temporary = self.home / "tmp"
        temporary.mkdir(parents=True, exist_ok=True)
        environment = {
            "PATH": os.environ["PATH"],
            **self.aws.environment(),
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self.port),
            "TMPDIR": str(temporary),
            "PERSIST_STATE": "1",
            "S3_PERSIST": "1",
            "STATE_DIR": str(self.home / "state"),
            "S3_DATA_DIR": str(self.home / "s3"),
            "FREEHOLD_LAYER_CACHE": str(self.home / "layers"),
            "FREEHOLD_SAVE_SECONDS": "0.2",
            "FREEHOLD_KEPT": "20",
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "DOCKER_HOST": f"unix://{temporary}/none.sock",
            **self.settings,
        }
        log = (self.home / "log").open("ab")
        self.process = subprocess.Popen(self.command, env=environment, stdout=log, stderr=subprocess.STDOUT)
        log.close()
        health = f"{self.aws.url}/_ministack/health"
        eventually(lambda: answers(health))

    def end(self, how: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(PATIENCE)
            self.process = None

    def call(self, function: str, event: dict[str, Any], **options: Any) -> dict[str, Any]:
        answer = self.aws.client("lambda").invoke(
            FunctionName=self.outputs[function], Payload=json.dumps(event), **options
        )
        return {**answer, "Payload": json.loads(answer["Payload"].read())}

    def call_at_once(self, function: str, event: dict[str, Any], times: int) -> list[dict[str, Any]]:
        with ThreadPoolExecutor(times) as pool:
            return [
                answer["Payload"] for answer in pool.map(lambda _: self.call(function, event), range(times))
            ]

    def run(self, machine: str, given: dict[str, Any]) -> dict[str, Any]:
        client = self.aws.client("stepfunctions")
        started = client.start_execution(stateMachineArn=self.outputs[machine], input=json.dumps(given))

        def ended() -> Any:
            found = client.describe_execution(executionArn=started["executionArn"])
            return found if found["status"] != "RUNNING" else None

        return eventually(ended)

    def request(self, method: str, path: str, **headers: str) -> httpx.Response:
        stage = f"{self.aws.url}/restapis/{self.outputs['ApiId']}/v1/_user_request_"
        return httpx.request(method, stage + path, headers=headers, trust_env=False, timeout=PATIENCE)

    def put(self, *keys: str) -> None:
        client = self.aws.client("dynamodb")
        requests = [{"PutRequest": {"Item": {"pk": {"S": key}}}} for key in keys]
        client.batch_write_item(RequestItems={self.outputs["Table"]: requests})

    def delivered(self) -> list[str]:
        """The keys of the stream records that the trigger's function has seen, in order."""
        found = self.aws.client("s3").list_objects_v2(Bucket=self.outputs["Deliveries"])
        return [entry["Key"].split("-", 2)[2] for entry in found.get("Contents", [])]


def answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False).is_success
    except httpx.TransportError:
        return False


def eventually(look: Callable[[], Any]) -> Any:
    end = time.monotonic() + PATIENCE
    while not (found := look()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)
    return found
