"""The agent loop's executions in Step Functions, Standard and Express."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

from botocore.exceptions import BotoCoreError, ClientError

from ..errors import StoreUnavailable
from ..value import Value
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


class StateMachines(Value):
    """Names, not ARNs: a function that knew its state machine's ARN from the template would be circular."""

    region: str
    account: str
    partition: str
    durable: str
    fast: str

    def arn(self, run: Run) -> str:
        return self._arn("stateMachine", self.durable if run.mode == "durable" else self.fast)

    @property
    def durable_arn(self) -> str:
        return self._arn("stateMachine", self.durable)

    def execution_arn(self, run: Run) -> str:
        return f"{self._arn('execution', self.durable)}:{name(run)}"

    def _arn(self, kind: str, machine: str) -> str:
        return f"arn:{self.partition}:states:{self.region}:{self.account}:{kind}:{machine}"


def name(run: Run) -> str:
    """`{run_id}-{n}`: the same start twice has the same name."""
    return f"{run.key.run_id}-{run.execution}"


def summary_name(run: Run) -> str:
    """`{run_id}-s{n}`: no execution of a run that goes on is called so."""
    return f"{run.key.run_id}-s{run.summary_attempts}"


def _named(run: Run) -> dict[str, Any]:
    """The run as the state carries it."""
    return {"tenant": run.tenant, "id": run.key.run_id, "execution": run.execution}


class StepFunctions:
    """`Executions`."""

    def __init__(self, client: SFNClient, machines: StateMachines) -> None:
        self._client, self._machines = client, machines

    def start(self, run: Run) -> None:
        self._start(self._machines.arn(run), name(run), _named(run))

    def summarize(self, run: Run) -> None:
        # In Standard whatever the run's mode is: nobody waits, and five minutes may be too few.
        state = _named(run) | {"summary": run.summary_attempts}
        self._start(self._machines.durable_arn, summary_name(run), state)

    def _start(self, machine: str, called: str, run: dict[str, Any]) -> None:
        try:
            self._client.start_execution(stateMachineArn=machine, name=called, input=json.dumps({"run": run}))
        except self._client.exceptions.ExecutionAlreadyExists:
            return
        except (ClientError, BotoCoreError) as error:
            raise StoreUnavailable(f"could not start {called}: {error}") from error

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
