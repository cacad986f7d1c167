"""Measure every figure and write results.md. Ends with 1 where a bound is missed, or something could not be counted.

With `--loading` only what it costs to load the functions, which is printed and written nowhere.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
# The stack, the model and the tools are those of the test suites.
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "stack")]


def tell(doing: str) -> None:
    print(f"… {doing}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    from bench.figures import bounded, further, loading
    from bench.loading import loadings
    from bench.measurements import measure
    from bench.report import markdown, table

    if "--loading" in sys.argv:
        held = loading(loadings(tell))
        print(table(held))
    else:
        made = measure(progress=tell)
        held, told = bounded(made), further(made)
        (ROOT / "bench" / "results.md").write_text(markdown(held, told, made), encoding="utf-8")
        print(f"{table(held)}\n\n{table(told)}")
    sys.exit(0 if all(figure.reached for figure in held) else 1)
