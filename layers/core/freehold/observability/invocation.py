"""What one invocation says of itself: the same facts on its log lines, its metrics and its trace."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager

from .logs import content_is_logged, cut, make_logger
from .metrics import Metrics
from .traces import Fact, Traces, make_traces


class Telemetry:
    """One for the process: Lambda runs one invocation at a time in it. `service` is the stack's name."""

    def __init__(self, service: str, traces: Traces | None = None) -> None:
        self.logger = make_logger(service)
        self.metrics = Metrics(service)
        self.traces = traces or make_traces(service)
        self.facts: dict[str, Fact] = {}

    def note(self, **facts: Fact) -> None:
        """Put these on every line from here on, and on the innermost open segment."""
        self.facts |= facts
        self.logger.append_keys(**facts)
        self.traces.annotate(**facts)

    def count(self, name: str, value: float = 1, *, model: str = "") -> None:
        self.metrics.count(name, value, model=model)

    def content(self, message: str, **texts: Callable[[], str]) -> None:
        """Log what was said, where that is asked for."""
        if content_is_logged():
            self.logger.info(message, extra={name: cut(text()) for name, text in texts.items()})

    @contextmanager
    def segment(self, name: str, *, remote: bool = False, **annotations: Fact) -> Generator[None]:
        with self.traces.segment(name, remote=remote):
            self.traces.annotate(**annotations)
            yield

    def flush(self) -> None:
        """At the end of an invocation: print what was counted, and know nothing of it any more."""
        self.metrics.flush(self.facts)
        self.facts = {}
