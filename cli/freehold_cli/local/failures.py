"""What can go wrong on this machine, each with what to do about it."""

from __future__ import annotations

from collections.abc import Sequence


class LocalStackError(Exception):
    """The local stack could not do what was asked; the message says why and what helps."""


class StartFailed(LocalStackError):
    """A process of the stack did not come up. `log` holds the last lines that it wrote."""

    def __init__(self, what: str, log: Sequence[str]) -> None:
        self.log = tuple(log)
        super().__init__("\n  ".join((what, *log)))


class PortTaken(LocalStackError):
    """Another program listens where the stack was asked to."""


class RunsAlready(LocalStackError):
    """The stack runs, and not as it is asked to. It must be stopped first."""


class StateLost(LocalStackError):
    """The local AWS had to be killed before it had saved all of its state. The stack has ended."""


class TemplateInvalid(LocalStackError):
    """The template, or a file that it names, cannot be deployed. Nothing was changed."""


class DeploymentFailed(LocalStackError):
    """CloudFormation refused or rolled back. `reasons` name each resource that failed and why."""

    def __init__(self, stack: str, status: str, reasons: Sequence[str]) -> None:
        self.reasons = tuple(reasons)
        super().__init__("\n  ".join((f"stack {stack} is {status}", *reasons)))
