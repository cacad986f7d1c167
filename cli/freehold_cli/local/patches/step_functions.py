"""The interpreter of state machines."""

from __future__ import annotations

import copy
from importlib import import_module
from typing import Any

from freehold_cli.local.patches.upstream import wrap


def keep_variables_inside_parallel_branches() -> None:
    """Each branch of a Parallel works on its own copy of the variables and the context, as on AWS.

    MiniStack hands all branches the same dictionary. Map items get copies already; a second does no harm.
    """

    def run_branch(
        original: Any, states: Any, start_at: Any, given: Any, execution: Any, context: Any
    ) -> Any:
        return original(states, start_at, given, execution, copy.deepcopy(context))

    machine = import_module("ministack.services.stepfunctions")
    wrap(machine, "_run_sub_machine", run_branch, reads=('ctx["State"] = {"Name": current_name',))


def evaluate_task_timeouts() -> None:
    """A task's `TimeoutSeconds` may be a JSONata expression, which MiniStack takes for a number and fails."""

    def execute(original: Any, state: dict[str, Any], given: Any, execution: Any, context: Any) -> Any:
        if isinstance(state.get("TimeoutSeconds"), str):
            seconds = machine._jsonata_state_field(state, "TimeoutSeconds", "number", given, context)
            state = {**state, "TimeoutSeconds": seconds}
        return original(state, given, execution, context)

    machine = import_module("ministack.services.stepfunctions")
    wrap(machine, "_execute_task", execute, reads=('resource, effective, state_def["TimeoutSeconds"])',))
