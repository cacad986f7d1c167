"""Replacing parts of MiniStack only where they still read as they did when the patch was written."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from importlib import import_module
from typing import Any


class UpstreamChanged(AssertionError):
    """MiniStack no longer reads as a patch expects. Compare the two, then change or delete the patch."""


def expect(condition: bool, what: str) -> None:
    """Hold MiniStack to what a patch relies on."""
    if not condition:
        raise UpstreamChanged(what)


def wrap(owner: Any, name: str, wrapper: Callable[..., Any], *, reads: tuple[str, ...]) -> None:
    """Make `owner.name(…)` call `wrapper(original, …)`; the original's source must hold all of `reads`."""
    original = getattr(owner, name)
    source = inspect.getsource(original)
    for text in reads:
        expect(text in source, f"{owner.__name__}.{name} no longer reads {text!r}")

    @functools.wraps(original)
    def replacement(*args: Any, **kwargs: Any) -> Any:
        return wrapper(original, *args, **kwargs)

    setattr(owner, name, replacement)


def edit_worker_script(old: str, new: str) -> None:
    """Replace the one occurrence of `old` in the script that runs Python handlers."""
    runtime: Any = import_module("ministack.core.lambda_runtime")
    script: str = runtime._PYTHON_WORKER_SCRIPT
    expect(script.count(old) == 1, f"MiniStack's Python worker no longer reads {old!r} exactly once")
    runtime._PYTHON_WORKER_SCRIPT = script.replace(old, new)
