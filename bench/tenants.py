"""Ten tenants do whatever they like under hostile ids; write how often one meets another: results-tenants.md.

Ends with 1 where any does.
"""

from __future__ import annotations

import logging
import os
import sys
from contextlib import redirect_stdout
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "bench" / "results-tenants.md"
OPERATIONS, WORLDS = 10_000, 130
HOW = """\
## How it was counted
Each world has ten tenants, whose names are parts of one another, and everything is in memory: tables, bucket, queues.
What is asked goes through the document that API Gateway deploys, the authorizer, and the functions `api`, `live` and
`ingest` as Lambda runs them. hypothesis draws who asks what, under ids that all tenants use, ids that others were
given, and ids that are none (`%2F`, `..`, `#`, other letters that look the same). All texts of a tenant bear its mark.
Each call that the document describes is drawn, but for `POST /auth/token`. Meanwhile runs end or wait for people, and
messages begin runs or become dead letters. What a world begins with is not counted.

A tenant meets another where an answer holds a mark or an id of another that it did not send itself, where a request
reads or writes a partition of another, where something is found that is not the tenant's or is not found although it
is, and where a list shows anything else than what its tenant has. The bench ends at the first that does.
"""

if __name__ == "__main__":
    # Nothing here reaches AWS.
    sys.path[:0] = [str(ROOT), *(str(ROOT / "tests" / suite) for suite in (".", "integration", "stack"))]
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
        "POWERTOOLS_TRACE_DISABLED": "true",
        "POWERTOOLS_METRICS_NAMESPACE": "bench",
        "POWERTOOLS_LOG_LEVEL": "CRITICAL",
    }
    from bench.figures import Figure
    from bench.report import markdown_table, table
    from functions.meeting import meet
    from functions.tenant_calls import ACTIONS

    logging.disable(logging.CRITICAL)
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        met = meet(WORLDS)
    asked = f"{met.operations:,} operations of 10 tenants in {WORLDS} worlds"
    rows = (
        Figure(f"{asked}: answers and effects that reach another tenant", "0", "0", True),
        Figure("operations", f"{met.operations:,}", f"{OPERATIONS:,}", met.operations >= OPERATIONS),
        Figure(
            "actions that succeeded",
            f"{len(met.taken & ACTIONS.keys())}",
            f"{len(ACTIONS)}",
            met.taken >= ACTIONS.keys(),
        ),
    )
    held = [(row.name, row.bound, row.measured, "yes" if row.reached else "NO") for row in rows]
    came_to = [(does, str(status), f"{number:,}") for (does, status), number in sorted(met.came_to.items())]
    parts = (
        f"# Tenants apart\n\nWritten by `make bench` on {datetime.now(UTC):%Y-%m-%d}. All are counts.\n",
        markdown_table(("figure", "bound", "measured", "reached"), held),
        f"## What it came to\n\n{markdown_table(('action', 'status', 'times'), came_to)}",
        HOW,
    )
    PAGE.write_text("\n".join(parts), encoding="utf-8")
    print(table(rows))
    sys.exit(0 if all(row.reached for row in rows) else 1)
