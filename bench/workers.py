"""The processes that ran the functions on the local stack: what memory they held at most, and what they are given."""

from __future__ import annotations

import re
from pathlib import Path

from product_stack import Product

FUNCTION = re.compile(rb"\bAWS_LAMBDA_FUNCTION_NAME=freehold-(\w+?)Function\b")
PEAK = re.compile(r"^VmHWM:\s+(\d+) kB$", re.MULTILINE)


def peak_megabytes() -> dict[str, float]:
    """By function, of all its workers; whatever they were asked to do since they were started is in it."""
    found: dict[str, float] = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            named = FUNCTION.search((process / "environ").read_bytes())
            peak = PEAK.search((process / "status").read_text())
        except OSError:
            # It has ended, or is somebody else's.
            continue
        if named and peak:
            name = _folder(named[1].decode())
            found[name] = max(found.get(name, 0.0), int(peak[1]) / 1024)
    return found


def memory_of(product: Product) -> dict[str, int]:
    """Megabytes that each function is given, by the template."""
    pages = product.aws("lambda").get_paginator("list_functions").paginate()
    functions = [each for page in pages for each in page["Functions"]]
    ours = {each["FunctionName"]: each["MemorySize"] for each in functions}
    return {
        _folder(found[1]): megabytes
        for name, megabytes in ours.items()
        if (found := re.match(r"freehold-(\w+?)Function\b", name))
    }


def _folder(logical: str) -> str:
    """`InvokeModel` to `invoke_model`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", logical).lower()
