"""docs/python-client.md does what it says, from top to bottom."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time

import pytest

from freehold.adapters.api_keys import ApiKeys
from freehold.adapters.table import Table
from model_server import ask, say
from product_stack import ROOT, Product

pytestmark = pytest.mark.stack

FENCE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_examples_run_in_their_order(product: Product):
    program = "\n".join(FENCE.findall((ROOT / "docs" / "python-client.md").read_text()))
    look_up = ask(("getOrder", {"orderId": "ORD-10042"}))
    product.model.script([say("Good morning!"), say("Good evening!"), look_up, say("It was shipped.")])
    keys = ApiKeys(Table(product.aws("dynamodb"), product.outputs["AgentsTable"]))
    key = keys.create(tenant="page", name="test", scopes=("admin",), now=int(time.time()))
    environment = {"PATH": os.environ["PATH"], "FREEHOLD_URL": product.url, "FREEHOLD_KEY": key.text}

    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "somebody else has changed it meanwhile" in done.stdout
    assert "COMPLETED Good morning!" in done.stdout
    assert "COMPLETED Good evening!" in done.stdout
    assert "It was shipped." in done.stdout
