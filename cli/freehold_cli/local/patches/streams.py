"""Triggers on DynamoDB streams."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from freehold_cli.local.patches.upstream import wrap

_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 10.0


def deliver_after_a_restart() -> None:
    """A trigger that was saved starts at the head of its stream, which a restart empties.

    MiniStack saves where each trigger had got to but not the records, and then waits for that many new ones.
    """

    def restore(original: Any, state: dict[str, Any] | None) -> None:
        original(state)
        for key in service._dynamodb_stream_positions._data:
            service._dynamodb_stream_positions._data[key] = 0

    service = import_module("ministack.services.lambda_svc")
    wrap(service, "_restore_state", restore, reads=("_restore_esm_positions(_dynamodb_stream_positions",))


def honour_partial_failures() -> None:
    """A trigger goes on from the first record that failed, and gives up after its `MaximumRetryAttempts`.

    MiniStack takes an answer with `batchItemFailures` for success and repeats a failed batch for ever.
    """
    service = import_module("ministack.services.lambda_svc")
    triggers = StreamTriggers(service, import_module("ministack.services.dynamodb"))

    def poll(original: Any) -> bool:
        return triggers.poll()

    reads = ('esm["LastProcessingResult"] = "FAILED"', "_dynamodb_stream_positions[esm_id] = pos + raw_len")
    wrap(service, "_poll_dynamodb_streams", poll, reads=reads)


@dataclass
class _Failing:
    """A batch that failed: where it starts, how often, and how much of it is tried at once."""

    position: int
    attempts: int
    size: int


@dataclass
class StreamTriggers:
    """Delivers stream records in order, one batch of a trigger at a time, as Lambda does."""

    service: Any
    tables: Any
    failing: dict[str, _Failing] = field(default_factory=dict[str, _Failing])

    def poll(self) -> bool:
        """Deliver one batch of each trigger; whether there may be more."""
        progress = [self._poll(*found) for found in self.service._iter_all_esms()]
        return any(progress)

    def _poll(self, account: str, region: str, trigger: dict[str, Any]) -> bool:
        with self._scope(account, region):
            source: str = trigger.get("EventSourceArn", "")
            if not trigger.get("Enabled", True) or ":dynamodb:" not in source or "/stream/" not in source:
                return False
            if self.service._esm_backoff_until.get(trigger["UUID"], 0) > time.time():
                return False
            function, _ = self.service._get_func_record_for_qualifier(
                trigger["FunctionName"], trigger.get("Qualifier")
            )
            table = source.split(":table/")[1].split("/stream/")[0]
            described = self.tables._tables.get(table)
            if not function or not described or described.get("LatestStreamArn") != source:
                return False
            return self._deliver(trigger, function, table)

    def _deliver(self, trigger: dict[str, Any], function: Any, table: str) -> bool:
        position = self._position(trigger, table)
        before = self.failing.get(trigger["UUID"])
        size = before.size if before else trigger.get("BatchSize", 100)
        batch: list[dict[str, Any]] = list(self.tables.stream_records_since(table, position, size))
        if not batch:
            return False
        wanted = self.service._apply_filter_criteria(batch, trigger)
        answer = self.service._execute_function(function, {"Records": wanted}) if wanted else {"body": None}
        failed = first_failure(answer, batch, trigger)
        if failed is None:
            self.failing.pop(trigger["UUID"], None)
            trigger["LastProcessingResult"] = f"OK - {len(wanted)} records"
            self._move(trigger, position + len(batch))
            return True
        trigger["LastProcessingResult"] = "FAILED"
        return self._after_failure(trigger, function, batch, position, failed, answer)

    def _after_failure(
        self,
        trigger: dict[str, Any],
        function: Any,
        batch: list[dict[str, Any]],
        position: int,
        failed: int,
        answer: Any,
    ) -> bool:
        """Plan the next attempt, or pass over what has failed too often or grown too old."""
        left = batch[failed:]
        start = position + failed
        before = self.failing.get(trigger["UUID"])
        attempts = before.attempts + 1 if before and before.position == start else 1
        halved = bool(trigger.get("BisectBatchOnFunctionError")) and len(left) > 1
        reason = None if halved else _spent(trigger, left, attempts)
        if reason:
            source = trigger["EventSourceArn"]
            self.service._send_ddb_stream_failure_record(trigger, function, left, source, answer, reason)
            self.failing.pop(trigger["UUID"], None)
            self._move(trigger, start + len(left))
            return True
        size = len(left) // 2 if halved else len(left)
        self.failing[trigger["UUID"]] = _Failing(start, 0 if halved else attempts, size)
        self._move(trigger, start)
        pause = min(_FIRST_PAUSE * 2**attempts, _LONGEST_PAUSE)
        self.service._esm_backoff_until[trigger["UUID"]] = time.time() + pause
        return False

    def _position(self, trigger: dict[str, Any], table: str) -> int:
        service, horizon = self.service, self.tables.stream_start_position(table)
        with service._dynamodb_stream_positions_lock:
            if trigger["UUID"] not in service._dynamodb_stream_positions:
                latest = trigger.get("StartingPosition", "LATEST") != "TRIM_HORIZON"
                start = self.tables.stream_end_position(table) if latest else horizon
                service._dynamodb_stream_positions[trigger["UUID"]] = start
            return max(service._dynamodb_stream_positions[trigger["UUID"]], horizon)

    def _move(self, trigger: dict[str, Any], position: int) -> None:
        with self.service._dynamodb_stream_positions_lock:
            self.service._dynamodb_stream_positions[trigger["UUID"]] = position

    @contextmanager
    def _scope(self, account: str, region: str) -> Generator[None]:
        accounts, regions = self.service._request_account_id, self.service._request_region
        tokens = accounts.set(account), regions.set(region)
        try:
            yield
        finally:
            accounts.reset(tokens[0])
            regions.reset(tokens[1])


def first_failure(answer: dict[str, Any], batch: list[dict[str, Any]], trigger: dict[str, Any]) -> int | None:
    """The index in `batch` from which records have to be delivered again; None if none has to be.

    As on AWS, an answer that names a record that is not in the batch fails all of it.
    """
    if answer.get("error"):
        return 0
    if "ReportBatchItemFailures" not in (trigger.get("FunctionResponseTypes") or ()):
        return None
    body: dict[str, list[dict[str, str]]] | str | None = answer.get("body")
    failures = body.get("batchItemFailures") if isinstance(body, dict) else None
    named = {failure.get("itemIdentifier") for failure in failures or ()}
    if not named:
        return None
    numbers: list[str | None] = [record["dynamodb"]["SequenceNumber"] for record in batch]
    return min(numbers.index(number) for number in named) if named <= set(numbers) else 0


def _spent(trigger: dict[str, Any], records: list[dict[str, Any]], attempts: int) -> str | None:
    limit = trigger.get("MaximumRetryAttempts")
    if limit is not None and 0 <= int(limit) < attempts:
        return "RetryAttemptsExhausted"
    oldest = trigger.get("MaximumRecordAgeInSeconds")
    born = float(records[0]["dynamodb"].get("ApproximateCreationDateTime", time.time()))
    if oldest and 0 < int(oldest) < time.time() - born:
        return "MaxRecordAgeExceeded"
    return None
