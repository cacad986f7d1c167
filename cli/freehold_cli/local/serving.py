"""What the stack's own servers have in common: their options, and how they are served."""

from __future__ import annotations

import argparse
from pathlib import Path

from starlette.types import ASGIApp

from freehold_cli.local.watching import end_with


class Options(argparse.ArgumentParser):
    """Those of a server that one stack starts for itself, beside what else it is given."""

    def __init__(self, module: str) -> None:
        super().__init__(prog=f"python -m freehold_cli.local.{module}")
        self.add_argument("--port", type=int, required=True)
        self.add_argument("--instance", required=True, help="marks the process in a process list")
        self.add_argument("--end-with", type=int, metavar="FD", help="end when this pipe closes")

    def of_deployment(self) -> None:
        """For those that have to find what is deployed."""
        self.add_argument("--aws", required=True, help="the local AWS's URL")
        self.add_argument("--outputs", type=Path, required=True, help="the file with the stack's outputs")

    def given(self) -> argparse.Namespace:
        """The options; from now on the process ends with that pipe."""
        options = self.parse_args()
        if options.end_with is not None:
            end_with(options.end_with)
        return options


def serve(app: ASGIApp, port: int, *, date_header: bool = True, grace_seconds: int = 2) -> None:
    """Serve on this machine alone until told to stop. `date_header=False`: the answers carry one already."""
    import uvicorn

    uvicorn.run(
        app,
        host="127.0.0.1",
        port=port,
        access_log=False,  # it would write the relay's token
        timeout_graceful_shutdown=grace_seconds,
        server_header=False,
        date_header=date_header,
    )
