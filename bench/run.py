"""Measure every figure and write results.md. Ends with 1 where a bound is missed, or something could not be counted."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
# The stack, the model and the tools are those of the test suites.
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "stack")]

if __name__ == "__main__":
    from bench.figures import bounded, further
    from bench.measurements import measure
    from bench.report import markdown, table

    made = measure(progress=lambda doing: print(f"… {doing}", file=sys.stderr, flush=True))
    held, told = bounded(made.counted), further(made)
    (ROOT / "bench" / "results.md").write_text(markdown(held, told, made.counted), encoding="utf-8")
    print(f"{table(held)}\n\n{table(told)}")
    sys.exit(0 if all(figure.reached for figure in held) else 1)
