"""Kill the processes that make calls, at every boundary of a call, and count what came of it: write results-kills.md.

Ends with 1 where an effect came twice, or where one was lost or made up without being reported.
"""

from __future__ import annotations

import os
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "bench" / "results-kills.md"
KILLS = 500

if __name__ == "__main__":
    # World and the fakes are those of the test suites; nothing here reaches AWS.
    sys.path[:0] = [str(ROOT), *(str(ROOT / "tests" / suite) for suite in (".", "integration", "stack"))]
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_DEFAULT_REGION": "us-east-1",
        "POWERTOOLS_TRACE_DISABLED": "true",
    }
    from bench.kill_report import figures, markdown
    from bench.killing import killed
    from bench.report import table

    with tempfile.TemporaryDirectory() as folder:
        made = killed(KILLS, Path(folder))
    rows = figures(made)
    PAGE.write_text(markdown(rows, made, day=f"{datetime.now(UTC):%Y-%m-%d}"), encoding="utf-8")
    print(table(rows))
    sys.exit(0 if all(row.reached for row in rows) else 1)
