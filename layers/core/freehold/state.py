"""What the state machine carries from step to step: `{run: {tenant, id, execution}}` and counters.

`run.summary` is there in an execution that sums a run up.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .errors import Invalid
from .values.run import RunKey


def run_of(event: Mapping[str, Any]) -> tuple[RunKey, int]:
    """The run and the number of the execution that asks. Raises `Invalid`."""
    told = event["run"]
    key = RunKey.parse(told["tenant"], told["id"])
    if key is None:
        raise Invalid(f"{told['id']!r} is no run id", path="run.id")
    return key, told["execution"]
