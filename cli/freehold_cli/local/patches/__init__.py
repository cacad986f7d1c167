"""What MiniStack does otherwise than AWS and Freehold cannot live with, mended in the server's own process.

Each patch is one function that refuses to work on a MiniStack it does not know. For each of them
`tests/stack/test_local_aws.py` or `test_local_tables.py` shows that MiniStack needs it: delete a patch when its test
says otherwise.
"""

from __future__ import annotations

from importlib.metadata import version

from freehold_cli.local.patches import (
    api_gateway,
    cloudformation,
    event_sources,
    forgetting,
    lambda_failures,
    lambda_layers,
    lambda_logs,
    lambda_workers,
    saving,
    schedules,
    step_functions,
    streams,
    tables,
)
from freehold_cli.local.patches.upstream import expect

MINISTACK = "1.5.33"

PATCHES = (
    lambda_failures.report_exceptions_by_class_name,
    lambda_failures.report_a_lost_process_as_exit_error,
    lambda_logs.end_each_log_with_a_mark,
    lambda_layers.share_extracted_layers,
    lambda_layers.save_layers_as_files,
    lambda_workers.bound_the_workers_of_a_function,
    lambda_workers.start_few_workers_at_once,
    step_functions.keep_variables_inside_parallel_branches,
    step_functions.evaluate_task_timeouts,
    streams.honour_partial_failures,
    streams.deliver_after_a_restart,
    event_sources.read_concurrency_as_a_number,
    event_sources.tell_what_a_schedule_is_at,
    schedules.take_a_time_in_its_zone,
    schedules.keep_the_pace_of_rates,
    cloudformation.keep_time_to_live,
    cloudformation.accept_alarms_over_several_metrics,
    api_gateway.import_any_methods,
    api_gateway.import_mock_integrations,
    api_gateway.import_gateway_responses,
    saving.write_only_what_changed,
    tables.read_expressions_once,
    tables.compare_keys_as_text,
    tables.save_items_without_copying_them,
    forgetting.forget_old_executions,
    forgetting.forget_old_logs,
    forgetting.forget_old_events,
    forgetting.forget_old_transactions,
)


def apply_all() -> None:
    """Patch the MiniStack of this process; `UpstreamChanged` if it is not the release that was studied."""
    found = version("ministack")
    expect(found == MINISTACK, f"the patches are written for ministack {MINISTACK}, this is {found}")
    for patch in PATCHES:
        patch()
