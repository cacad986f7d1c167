"""The process that is AWS on this machine: `python -m freehold_cli.local.ministack_server`.

Configured by MiniStack's own variables (`GATEWAY_PORT`, `STATE_DIR`, …), `FREEHOLD_SAVE_SECONDS` and
`FREEHOLD_LAYER_CACHE`. Ends, with its state saved, on SIGTERM and when the pipe of `--end-with` closes.
"""

from __future__ import annotations

import argparse
import os
import sys
from importlib import import_module

from freehold_cli.local import patches
from freehold_cli.local.patches.saving import save_regularly
from freehold_cli.local.watching import end_with

_LOOPBACK = "127.0.0.1"


def main() -> None:
    """Serve until told to stop."""
    arguments = argparse.ArgumentParser(prog="python -m freehold_cli.local.ministack_server")
    arguments.add_argument("--instance", help="marks the process in a process list")
    arguments.add_argument("--end-with", type=int, metavar="FD", help="end when this pipe closes")
    options = arguments.parse_args()
    os.environ["BIND_HOST"] = _LOOPBACK
    if options.end_with is not None:
        end_with(options.end_with)
    patches.apply_all()
    save_regularly(float(os.environ.get("FREEHOLD_SAVE_SECONDS", "5")))
    sys.argv = ["ministack"]
    import_module("ministack.app").main()


if __name__ == "__main__":
    main()
