"""Pages about who asks and how do what they say, from top to bottom, on a stack as `freehold up` leaves it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from freehold.adapters.access import AccessEntries
from freehold.adapters.api_keys import SCOPES, ApiKeys
from freehold.adapters.table import Table
from freehold.values.access import AccessEntry, EntryKind
from freehold_cli.local_start import KEY_NAME, let_in
from freehold_cli.settings import LOCAL_TENANT, Home
from model_server import say
from pages import blocks, missing_line
from product_stack import ROOT, Product

pytestmark = pytest.mark.stack

SETTINGS = next(block.body for block in blocks("docs/local-run.md") if "AWS_ENDPOINT_URL" in block.body)
SECONDS = 120
# And how often each asks the model.
PAGES = {"docs/identity.md": 0, "docs/live-events.md": 2, "docs/queues.md": 4, "docs/triggers.md": 1}
# Sources of events may lead to several tenants.
DOORS: tuple[EntryKind, ...] = ("iam", "queue", "rule")


@pytest.fixture(scope="module")
def home(product: Product) -> Iterator[Path]:
    """The stack's folder with the local tenant's key. That tenant comes in by every door meanwhile."""
    entries = AccessEntries(Table(product.aws("dynamodb"), product.outputs["AgentsTable"]))
    before = _shut(entries)
    let_in(entries, product.outputs)
    keys = ApiKeys(Table(product.aws("dynamodb"), product.outputs["AgentsTable"]))
    key = keys.create(tenant=LOCAL_TENANT, name=KEY_NAME, scopes=SCOPES, now=int(time.time()))
    Home(product.home, ROOT).keep_key(key.text)
    yield product.home
    _shut(entries)
    for entry in before:
        entries.grant(entry)


def _shut(entries: AccessEntries) -> list[AccessEntry]:
    found = [entry for door in DOORS for entry in entries.list(door)]
    for entry in found:
        entries.revoke(entry.kind, entry.name)
    return found


def program(page: str) -> str:
    """The page as Python: its files are written and its commands run, each at its place."""
    steps = ["import pathlib, subprocess"]
    for block in blocks(page):
        if block.path:
            steps.append(f"pathlib.Path({block.path!r}).write_text({block.body!r})")
        elif block.kind == "python":
            steps.append(block.body)
        elif block.kind == "bash":
            steps.append(f"subprocess.run(['bash', '-euo', 'pipefail', '-c', {block.body!r}], check=True)")
    return "\n".join(steps)


def carried_out(page: str, folder: Path, home: Path) -> tuple[int, str]:
    """The exit code, and all that was printed. What waits in vain is ended."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    printed = folder / "printed"
    with printed.open("w") as output:
        reader = subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", f'{SETTINGS}exec python -u -c "$0"', program(page)],
            cwd=folder,
            env={"PATH": path, "HOME": str(folder), "FREEHOLD_HOME": str(home)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = reader.wait(SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(reader.pid, signal.SIGKILL)
            code = reader.wait()
    return code, printed.read_text()


@pytest.mark.parametrize("page", PAGES)
def test_the_examples_of_a_page_run_in_their_order(page: str, product: Product, home: Path, tmp_path: Path):
    product.model.script([say("Noted.")] * PAGES[page])

    code, printed = carried_out(page, tmp_path, home)

    assert code == 0, printed
    shown = "".join(block.body for block in blocks(page) if block.kind == "text")
    assert shown
    assert missing_line(shown, printed) is None, printed
