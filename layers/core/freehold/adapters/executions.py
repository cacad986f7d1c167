"""The agent loop's executions in Step Functions, Standard and Express."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from botocore.exceptions import BotoCoreError, ClientError

from ..errors import StoreUnavailable
from ..values.run import Run

if TYPE_CHECKING:
    from types_boto3_stepfunctions import SFNClient

STATES: dict[str, Literal["alive", "aborted", "dead"]] = {
    "RUNNING": "alive",
    "PENDING_REDRIVE": "alive",
    "ABORTED": "aborted",
    # An execution that succeeded while its run is still open has lost its last write: as good as dead.
    "SUCCEEDED": "dead",
    "FAILED": "dead",
    "TIMED_OUT": "dead",
}


@dataclass(frozen=True, slots=True)
class StateMachines:
    """Names, not ARNs: a function that knew its state machine's ARN from the template would be circular."""

    region: str
    account: str
    partition: str
    durable: str
    fast: str

    def arn(self, run: Run) -> str:
        return self._arn("stateMachine", self.durable if run.mode == "durable" else self.fast)

    def execution_arn(self, run: Run) -> str:
        return f"{self._arn('execution', self.durable)}:{name(run)}"

    def _arn(self, kind: str, machine: str) -> str:
        return f"arn:{self.partition}:states:{self.region}:{self.account}:{kind}:{machine}"


def name(run: Run) -> str:
    """`{run_id}-{n}`: the same start twice has the same name."""
    return f"{run.key.run_id}-{run.execution}"


class StepFunctions:
    """`Executions`."""

    def __init__(self, client: SFNClient, machines: StateMachines) -> None:
        self._client, self._machines = client, machines

    def start(self, run: Run) -> None:
        state = {"run": {"tenant": run.tenant, "id": run.key.run_id, "execution": run.execution}}
        try:
            self._client.start_execution(
                stateMachineArn=self._machines.arn(run), name=name(run), input=json.dumps(state)
            )
        except self._client.exceptions.ExecutionAlreadyExists:
            return
        except (ClientError, BotoCoreError) as error:
            raise StoreUnavailable(f"could not start {name(run)}: {error}") from error

    def state(self, run: Run) -> Literal["alive", "aborted", "dead", "unknown"]:
        if run.mode != "durable":
            return "unknown"
        try:
            found = self._client.describe_execution(executionArn=self._machines.execution_arn(run))
        except self._client.exceptions.ExecutionDoesNotExist:
            return "unknown"
        except (ClientError, BotoCoreError) as error:
            raise StoreUnavailable(f"could not describe {name(run)}: {error}") from error
        return STATES.get(found["status"], "unknown")
