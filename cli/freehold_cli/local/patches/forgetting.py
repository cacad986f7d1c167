"""What MiniStack would keep for ever, and copies with every save."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

from freehold_cli.local.patches.upstream import expect, wrap

# AWS keeps executions for 90 days; nobody looks at so many here.
_KEPT = int(os.environ.get("FREEHOLD_KEPT", "1000"))
# AWS knows a transaction again for ten minutes. Who repeats one by itself does so within seconds.
_TRANSACTION_SECONDS = 60


def forget_old_executions() -> None:
    """Of the executions that have ended, the last ones are kept."""
    machines = import_module("ministack.services.stepfunctions")

    def run(original: Any, arn: str) -> None:
        original(arn)
        executions: dict[Any, dict[str, Any]] = machines._executions._data
        ended = [key for key, each in list(executions.items()) if each["status"] != "RUNNING"]
        for key in ended[: max(0, len(ended) - _KEPT)]:
            executions.pop(key, None)

    wrap(machines, "_run_execution", run, reads=("execution = _executions.get(exec_arn)",))


def forget_old_logs() -> None:
    """Of each function's log, the streams of the last invocations are kept; each invocation has one of its own."""
    service = import_module("ministack.services.lambda_svc")
    logs = import_module("ministack.services.cloudwatch_logs")

    def emit(original: Any, *args: Any, **options: Any) -> None:
        original(*args, **options)
        for group in list(logs._log_groups._data.values()):
            streams: dict[str, Any] = group["streams"]
            for name in list(streams)[: max(0, len(streams) - _KEPT)]:
                streams.pop(name, None)

    wrap(service, "_emit_lambda_logs", emit, reads=("group = _cwl._log_groups[group_name]",))


def forget_old_events() -> None:
    """MiniStack writes down every event of every bus, and reads them nowhere."""
    bus = import_module("ministack.services.eventbridge")

    def put(original: Any, *args: Any, **options: Any) -> Any:
        answer = original(*args, **options)
        del bus._events_log_list()[:-_KEPT]
        return answer

    wrap(bus, "_put_events", put, reads=("_events_log_list().append(event_record)",))


def forget_old_transactions() -> None:
    """With each transaction its request and its answer are kept, so that a repeat gets the same one."""
    tables: Any = import_module("ministack.services.dynamodb")
    expect(hasattr(tables, "_TXN_TOKEN_TTL"), "dynamodb no longer has _TXN_TOKEN_TTL")
    tables._TXN_TOKEN_TTL = _TRANSACTION_SECONDS
