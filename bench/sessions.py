"""Measure long conversations, memory and the token estimate, and write results-sessions.md with its plots.

Ends with 1 where a bound is missed.
"""

from __future__ import annotations

import os
import sys
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE, PLOTS = ROOT / "bench" / "results-sessions.md", ROOT / "docs"
# World and the fakes are those of the test suites.
sys.path[:0] = [str(ROOT), *(str(ROOT / "tests" / suite) for suite in (".", "integration", "stack"))]

if __name__ == "__main__":
    # Nothing here reaches AWS: moto answers.
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_DEFAULT_REGION": "us-east-1",
        "POWERTOOLS_TRACE_DISABLED": "true",
    }
    from bench.report import table
    from bench.session_figures import Sessions, bounded
    from bench.session_report import markdown, plots

    with ProcessPoolExecutor(2) as pool:
        made = Sessions.measure(pool)
    figures = bounded(made)
    day = f"{datetime.now(UTC):%Y-%m-%d}"
    PAGE.write_text(markdown(figures, made, day=day), encoding="utf-8")
    for name, plot in plots(made).items():
        (PLOTS / name).write_text(plot.svg(), encoding="utf-8")
    print(table(figures))
    sys.exit(0 if all(figure.reached for figure in figures) else 1)
