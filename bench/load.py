"""Measure what a local stack holds of short runs, and what it does with three times as many; write results-load.md.

Ends with 1 where a run is lost or doubled, a refusal does not say when to come again, or memory grows.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
# The stack is that of the test suites.
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "stack")]

if __name__ == "__main__":
    from bench.holding import measure
    from bench.load_report import bounded, markdown
    from bench.report import table

    made = measure(lambda doing: print(f"… {doing}", file=sys.stderr, flush=True))
    figures = bounded(made)
    (ROOT / "bench" / "results-load.md").write_text(markdown(figures), encoding="utf-8")
    print(table(figures))
    sys.exit(0 if all(figure.reached is not False for figure in figures) else 1)
