"""The local stack: its processes, its state and its deployments."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

from freehold_cli.local import processes
from freehold_cli.local.answering import aws_answers, front_door_answers, live_answers, relay_answers
from freehold_cli.local.deployment import deploy
from freehold_cli.local.endpoint import RELAY_TOKEN, AwsEndpoint, BedrockRelay
from freehold_cli.local.failures import LocalStackError, RunsAlready, StateLost
from freehold_cli.local.home import Home, deployed_at
from freehold_cli.local.processes import OwnProcess
from freehold_cli.local.stack_info import StackInfo
from freehold_cli.local.watching import lifeline

STACK = "freehold"
_START_SECONDS = 40.0
_STOP_SECONDS = 20.0
# It saves its state first, which takes minutes after much load.
_SAVE_SECONDS = 120.0
ANSWERS = {
    "front-door": front_door_answers,
    "live-events": live_answers,
    "aws": aws_answers,
    "bedrock-relay": relay_answers,
}
# What the functions read: a local run alone may say so.
TOOLS_ON_LOOPBACK = "TOOLS_MAY_USE_LOOPBACK"
# What the stack's processes see of the caller's environment: no credentials, no settings of other tools.
_PASSED_ON = (
    *("HOME", "LANG", "LC_ALL", "LC_CTYPE", "PATH", "TZ"),
    *("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"),
    *("REQUESTS_CA_BUNDLE", "SSL_CERT_DIR", "SSL_CERT_FILE"),
)


class LocalStack:
    """One stack for each `home` folder, which holds all that it writes. `root` has the product's template."""

    def __init__(self, home: Path, root: Path) -> None:
        self._home = Home(home)
        self._root = root.resolve()

    def running(self) -> StackInfo | None:
        """The stack that runs from this home, if all of its processes are ours, live and answer."""
        info = self._recorded()
        return info if info and not self.silent() else None

    def silent(self) -> list[str]:
        """Those of its processes that do not answer; none of a stack that was not started."""
        info = self._recorded()
        processes = info.named.items() if info else ()
        return [name for name, each in processes if not (info and each.lives() and ANSWERS[name](info))]

    def start(
        self,
        *,
        parameters: Mapping[str, str],
        progress: Callable[[str], None],
        port: int | None = None,
        detached: bool = False,
        bedrock_region: str | None = None,
        tools_on_loopback: bool = False,
    ) -> StackInfo:
        """Start what does not run, deploy the product, and return when it answers.

        A port that is asked for is used or refused; otherwise it is the home's last one, else 8080 or the next free
        one. Unless `detached`, the processes end with this one, even if it is killed. What this call started ends if it
        fails. With a `bedrock_region` its Lambdas reach the models there, with the caller's AWS credentials, and with
        `tools_on_loopback` servers of this machine.
        """
        self._home.make()
        with self._home.locked():
            before = self._recorded()
            if before is not None and before.lives():
                _check_that_it_serves(before, port, bedrock_region, tools_on_loopback=tools_on_loopback)
                return self._with_product(before, parameters, progress)
            self._end_what_is_left(progress)
            try:
                info = self._start_processes(
                    port, bedrock_region, progress, detached=detached, tools_on_loopback=tools_on_loopback
                )
                return self._with_product(info, parameters, progress)
            except BaseException:
                self._end_what_is_left(progress)
                raise

    def stop(self, progress: Callable[[str], None] = lambda _: None) -> bool:
        """End the processes that `start` started and let them save their state. False if none ran.

        Raises `StateLost` where that took too long: they have ended even so.
        """
        if not self._home.exists():
            return False
        with self._home.locked():
            ended = self._end_what_is_left(progress)
        if ended.get("aws") == "killed":
            raise StateLost(
                f"the local AWS had not saved its state within {_SAVE_SECONDS:.0f} s and was killed; "
                f"{self._home.kept()}"
            )
        return any(how != "gone" for how in ended.values())

    def deploy(
        self, directory: Path, stack_name: str, parameters: Mapping[str, str] | None = None
    ) -> dict[str, str]:
        """Deploy another folder's `template.yaml` beside the product and return the stack's outputs."""
        if self.running() is None:
            raise LocalStackError("the local stack does not run; `freehold up` starts it")
        return self._deploy(directory, stack_name, parameters or {})

    @property
    def aws(self) -> AwsEndpoint:
        """Where this stack's AWS answers while it runs: clients and environment variables."""
        port = self._home.known_port()
        if port is None:
            raise LocalStackError(f"no stack was ever started in {self._home.path}; `freehold up` starts one")
        return AwsEndpoint(f"http://127.0.0.1:{port}")

    def _start_processes(
        self,
        port: int | None,
        bedrock_region: str | None,
        progress: Callable[[str], None],
        *,
        detached: bool,
        tools_on_loopback: bool,
    ) -> StackInfo:
        front_port, aws_port = self._home.choose_front_port(port), self._home.choose_port()
        url, aws_url = f"http://127.0.0.1:{front_port}", f"http://127.0.0.1:{aws_port}"
        relay = BedrockRelay.new(bedrock_region, processes.free_port()) if bedrock_region else None
        instance = f"freehold-{secrets.token_hex(8)}"
        with lifeline(detached=detached) as pipe:
            progress("starting the local AWS")
            own = relay.environment() if relay else {}
            own |= {TOOLS_ON_LOOPBACK: "true"} if tools_on_loopback else {}
            aws = self._start_aws(aws_url, aws_port, instance, pipe, own)
            # Recorded at once, so that what follows may fail.
            begun = StackInfo(url, aws_url, {}, aws.pid, aws.pid, instance)
            info = self._record(replace(begun, tools_on_loopback=tools_on_loopback))
            if relay is not None:
                progress(f"starting the relay to Bedrock in {relay.region}")
                pid = self._start_relay(relay, instance, pipe).pid
                found = replace(info, relay_pid=pid, relay_url=relay.url, bedrock_region=relay.region)
                info = self._record(found)
            progress(f"starting the front door on {url}")
            live_url = f"http://127.0.0.1:{processes.free_port()}"
            live = self._start_live(live_url, aws_url, instance, pipe)
            info = self._record(replace(info, live_pid=live.pid, live_url=live_url))
            door = processes.start(
                "freehold_cli.local.front_door",
                ("--port", str(front_port), "--live", live_url, *self._deployment(aws_url)),
                instance,
                environment=_environment(),
                log=self._home.log("front-door"),
                end_with=pipe,
            )
        return self._record(replace(info, front_door_pid=door.pid))

    def _deployment(self, aws_url: str) -> tuple[str, ...]:
        """Where what is deployed is found."""
        return "--aws", aws_url, "--outputs", str(self._home.outputs(STACK))

    def _start_live(self, url: str, aws_url: str, instance: str, pipe: int | None) -> OwnProcess:
        function = self._root / "functions" / "live" / "app.py"
        return processes.start(
            "freehold_cli.local.live_events",
            ("--port", url.rpartition(":")[2], "--function", str(function), *self._deployment(aws_url)),
            instance,
            environment=_environment() | AwsEndpoint(aws_url).environment(),
            log=self._home.log("live-events"),
            end_with=pipe,
        )

    def _start_relay(self, relay: BedrockRelay, instance: str, pipe: int | None) -> OwnProcess:
        return processes.start(
            "freehold_cli.local.bedrock_relay",
            ("--port", str(relay.port), "--region", relay.region),
            instance,
            # All of the caller's: what finds the credentials, a `credential_process` say, may need any of it.
            environment={**os.environ, RELAY_TOKEN: relay.token, "PYTHONUNBUFFERED": "1"},
            log=self._home.log("bedrock-relay"),
            end_with=pipe,
        )

    def _start_aws(
        self, url: str, port: int, instance: str, pipe: int | None, own: Mapping[str, str]
    ) -> OwnProcess:
        temporary = self._home.empty_temporary()
        environment = {
            **_environment(),
            **AwsEndpoint(url).environment(),
            **own,
            "GATEWAY_PORT": str(port),
            "TMPDIR": str(temporary),
            "PERSIST_STATE": "1",
            "STATE_DIR": str(self._home.state / "services"),
            "S3_PERSIST": "1",
            "S3_DATA_DIR": str(self._home.state / "s3"),
            "FREEHOLD_LAYER_CACHE": str(self._home.build / "layers"),
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            # Containers are none of its business: at start it removes those that it takes for its own.
            "DOCKER_HOST": f"unix://{temporary}/no-docker.sock",
        }
        return processes.start(
            "freehold_cli.local.ministack_server",
            (),
            instance,
            environment=environment,
            log=self._home.log("aws"),
            end_with=pipe,
        )

    def _with_product(
        self, info: StackInfo, parameters: Mapping[str, str], progress: Callable[[str], None]
    ) -> StackInfo:
        for name, process in info.named.items():
            processes.await_answer(
                process, partial(ANSWERS[name], info), self._home.log(name), _START_SECONDS
            )
        progress("deploying Freehold")
        info = self._record(replace(info, outputs=self._deploy(self._root, STACK, parameters)))
        if "live-events" in info.named:
            serves = partial(live_answers, info, deployed_at(self._home.outputs(STACK)))
            log = self._home.log("live-events")
            processes.await_answer(info.named["live-events"], serves, log, _START_SECONDS)
        return info

    def _deploy(self, directory: Path, stack_name: str, parameters: Mapping[str, str]) -> dict[str, str]:
        template = directory / "template.yaml"
        outputs = deploy(template, stack_name, self.aws, parameters, self._home.build)
        self._home.write(self._home.outputs(stack_name), outputs)
        return outputs

    def _record(self, info: StackInfo) -> StackInfo:
        self._home.write(self._home.path / "stack.json", asdict(info))
        return info

    def _recorded(self) -> StackInfo | None:
        try:
            return StackInfo(**json.loads((self._home.path / "stack.json").read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def _end_what_is_left(self, progress: Callable[[str], None]) -> dict[str, str]:
        """How each process ended."""
        info = self._recorded()
        if info is None:
            return {}
        ended = {name: _ended(name, process, progress) for name, process in info.named.items()}
        (self._home.path / "stack.json").unlink()
        return ended


def _check_that_it_serves(
    running: StackInfo, port: int | None, bedrock_region: str | None, *, tools_on_loopback: bool
) -> None:
    how = "`freehold down` stops it"
    if port is not None and not running.url.endswith(f":{port}"):
        raise RunsAlready(f"the stack runs at {running.url} already; {how}")
    if bedrock_region not in (None, running.bedrock_region):
        has = f"with Bedrock in {running.bedrock_region}" if running.bedrock_region else "without Bedrock"
        raise RunsAlready(f"the stack runs already, {has} and not with Bedrock in {bedrock_region}; {how}")
    if tools_on_loopback and not running.tools_on_loopback:
        raise RunsAlready(f"the stack runs already, and its tools may not ask this machine; {how}")


def _ended(name: str, process: OwnProcess, progress: Callable[[str], None]) -> str:
    if name != "aws":
        return process.end(_STOP_SECONDS)
    return process.end(
        _SAVE_SECONDS, lambda waited: progress(f"the local AWS saves its state, for {waited:.0f} s so far")
    )


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    here = "127.0.0.1,localhost"
    return {**kept, "NO_PROXY": here, "no_proxy": here, "PYTHONUNBUFFERED": "1"}
