"""The command line against a stack that it starts itself, with a model server and a key."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from model_server import ModelServer, ask, say
from product_stack import ROOT, eventually, share_build

pytestmark = pytest.mark.stack

MODEL_KEY = "sk-only-for-this-test"
Freehold = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def model() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server


@pytest.fixture
def home(tmp_path: Path) -> Path:
    share_build(tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture
def freehold(home: Path, model: ModelServer) -> Iterator[Freehold]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "FREEHOLD_HOME": str(home)}
    environment |= {"FREEHOLD_MODEL_URL": model.url, "FREEHOLD_MODEL_KEY": MODEL_KEY}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [ROOT / ".venv" / "bin" / "freehold", *arguments],
            env=environment,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    yield run
    run("down")


def test_a_real_model_server_answers_the_example(freehold: Freehold, model: ModelServer, home: Path):
    model.script(
        [ask(("getOrder", {"orderId": "ORD-10042"})), say("It arrives tomorrow."), say("You are welcome.")]
    )

    tried = freehold("up", "--detach")
    assert tried.returncode == 0, tried.stderr
    deployed = freehold("deploy", "examples/customer-support")
    assert deployed.returncode == 0, deployed.stderr
    asked = freehold("ask", "customer-support-agent", "Where is ORD-10042?", "--session", "s1")
    again = freehold("ask", "customer-support-agent", "Thanks!", "--session", "s1", "--json")

    assert asked.returncode == 0, asked.stderr
    assert "It arrives tomorrow." in asked.stdout
    run = json.loads(again.stdout)
    assert (run["output"], run["costUsd"]) == ("You are welcome.", None)
    assert [message["role"] for message in model.requests[-1]["messages"]] == [
        "system", "user", "assistant", "tool", "assistant", "user",
    ]  # fmt: skip
    assert all(headers["authorization"] == f"Bearer {MODEL_KEY}" for headers in model.headers)
    left = [path for path in (home / "logs").rglob("*") if path.is_file() and MODEL_KEY in path.read_text()]
    assert left == []


def test_the_example_hands_a_dispute_over_and_goes_on_once_it_is_handed_back(freehold: Freehold):
    dispute = "I dispute the refund for ORD-10018: you promised 120 dollars, and I got 40"
    assert freehold("up", "--detach", "--models", "rehearsal").returncode == 0
    assert freehold("deploy", "examples/customer-support").returncode == 0

    asked = freehold("ask", "customer-support-agent", dispute, "--session", "s1", "--json")
    assert asked.returncode == 4, asked.stderr
    run = json.loads(asked.stdout)
    meanwhile = freehold("ask", "customer-support-agent", "Is anybody there?", "--session", "s1", "--json")
    session = json.loads(freehold("sessions", "show", "s1", "--json").stdout)["session"]
    back = freehold("sessions", "hand-back", "s1", "--note", "We refund the other 80 dollars.")
    assert back.returncode == 0, back.stderr
    ended = eventually(lambda: _ended(freehold, run["runId"]))
    after = freehold("ask", "customer-support-agent", "Where is order ORD-10042?", "--session", "s1")

    assert (run["status"], [each["kind"] for each in run["awaiting"]]) == ("AWAITING", ["handback"])
    assert (meanwhile.returncode, json.loads(meanwhile.stdout)["runId"]) == (4, run["runId"])
    assert (session["escalation"]["reason"], session["escalation"]["runId"]) == (dispute, run["runId"])
    assert ended["status"] == "COMPLETED"
    assert "We refund the other 80 dollars." in ended["output"]
    assert "Is anybody there?" in ended["output"]
    assert after.returncode == 0, after.stderr
    assert "ORD-10042" in after.stdout


def _ended(freehold: Freehold, run_id: str) -> dict[str, Any] | None:
    run = json.loads(freehold("show", run_id, "--json").stdout)["run"]
    return run if run["status"] not in ("RUNNING", "AWAITING") else None


def test_a_stack_that_was_stopped_comes_back_with_its_agents_and_runs(freehold: Freehold, model: ModelServer):
    model.script([say("hi")])
    freehold("up", "--detach")
    freehold("deploy", "examples/customer-support")
    asked = json.loads(freehold("ask", "customer-support-agent", "hello", "--json").stdout)

    assert freehold("down").returncode == 0
    assert freehold("runs").returncode == 3
    freehold("up", "--detach")

    runs = json.loads(freehold("runs", "--json").stdout)["runs"]
    assert [run["runId"] for run in runs] == [asked["runId"]]
    assert freehold("show", asked["runId"]).returncode == 0
    agents = json.loads(freehold("agents", "--json").stdout)["agents"]
    assert [agent["agentName"] for agent in agents] == ["customer-support-agent"]
