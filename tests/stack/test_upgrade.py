"""A deploy over runs: what the release before left is picked up, and what is under way goes on."""

from __future__ import annotations

import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from chaos import Machinery, Plays, outcomes
from freehold.adapters.api_keys import SCOPES, ApiKeys
from freehold.adapters.table import Table
from freehold.ports import SHARDS
from freehold.values.history import History
from freehold_cli.local.stack import LocalStack
from freehold_client import Freehold
from model_server import ModelServer, ask, say
from product_stack import ROOT, TENANT, Product, eventually, function, share_build

sys.path.insert(0, str(ROOT / "tests" / "releases"))

import samples
from replicas import Left, Surroundings, agents, left

pytestmark = pytest.mark.stack

# How many sessions of each scene: 100 runs, and a second message that waits in each of the ten that were begun.
SESSIONS = {"begun": 10, "asked": 30, "marked": 10, "failing": 15, "lost": 15, "late": 10, "discarded": 10}
RUNNING, QUEUED = 100, 10
# A release is deployed at least this long after a run was last seen at work, or the sweeper would not take it up.
SILENT_MS = 1_000_000
SECONDS = 120.0
# As many processes as serve a function at most, and one more for each five seconds of waiting.
WORKERS = 6


@dataclass(frozen=True)
class Upgrade:
    """A stack on which another state of the product can be deployed: `before` differs from today's in all its code."""

    product: Product
    before: LocalStack
    today: LocalStack
    parameters: dict[str, str]

    def deploy(self, stack: LocalStack) -> None:
        stack.start(parameters=self.parameters, progress=lambda _: None)

    def code(self) -> dict[str, str]:
        """A digest of each function's code and layers."""
        found = self.product.aws("lambda").list_functions()["Functions"]
        mine = [each for each in found if each["FunctionName"].startswith("freehold-")]
        return {
            each["FunctionName"]: f"{each['CodeSha256']} {[layer['Arn'] for layer in each.get('Layers', [])]}"
            for each in mine
        }

    def all_ended(self) -> None:
        sessions = Machinery(self.product).sessions
        eventually(lambda: not any(sessions.open_runs(shard) for shard in range(SHARDS)), SECONDS)


def changed(root: Path) -> Path:
    """The product with other bytes in each function and in the package."""
    root.mkdir()
    for entry in ROOT.iterdir():
        if entry.name in ("functions", "layers"):
            shutil.copytree(entry, root / entry.name, ignore=shutil.ignore_patterns("__pycache__"))
        elif not entry.name.startswith("."):
            (root / entry.name).symlink_to(entry)
    for file in (*root.glob("functions/*/app.py"), root / "layers" / "core" / "freehold" / "__init__.py"):
        file.write_text(file.read_text() + "\n# As it was before.\n")
    return root


@pytest.fixture(scope="module")
def upgrade(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Upgrade]:
    home = tmp_path_factory.mktemp("upgrade") / "home"
    share_build(home)
    before, today = LocalStack(home, changed(home.parent / "before")), LocalStack(home, ROOT)
    with ModelServer() as model:
        # A mark runs out soon: here a deploy ends the processes of calls, which on AWS it does not.
        parameters = {"ModelSource": "openai_compatible", "ModelUrl": model.url}
        parameters |= {"RunToolLambdaSeconds": "15", "RunToolStateSeconds": "20"}
        try:
            info = before.start(parameters=parameters, progress=lambda _: None)
            tools = before.deploy(Path(__file__).parent / "tools", "suite-tools")
            keys = ApiKeys(Table(before.aws.client("dynamodb"), info.outputs["AgentsTable"]))
            key = keys.create(tenant=TENANT, name="suite", scopes=SCOPES, now=int(time.time()))
            with Freehold(info.url, key.text) as api:
                made = Product(
                    today, info.outputs, api, info.url, model, tools["ToolsArn"], tools["Effects"], home
                )
                no_sweeps_but_ours(made.aws("events"))
                yield Upgrade(made, before, today, parameters)
        finally:
            before.stop()


def no_sweeps_but_ours(events: Any) -> None:
    """The one that comes each minute would take up some of the runs before the deploy."""
    (rule,) = [rule["Name"] for rule in events.list_rules()["Rules"] if "SweepFunction" in rule["Name"]]
    events.disable_rule(Name=rule)
    assert events.describe_rule(Name=rule)["State"] == "DISABLED"


def histories(machinery: Machinery, runs: list[str]) -> dict[str, History]:
    with ThreadPoolExecutor(4) as pool:
        return dict(zip(runs, pool.map(machinery.run, runs), strict=True))


# -- what the release before left behind


def leave(product: Product, release: str) -> list[Left]:
    surroundings, now = Surroundings(TENANT, product.tools), int(time.time() * 1000) - SILENT_MS
    scenes = [scene for scene, times in SESSIONS.items() for _ in range(times)]
    made = [left(release, scene, number, surroundings, now=now) for number, scene in enumerate(scenes)]
    tables = {
        product.outputs["AgentsTable"]: agents(release, surroundings),
        product.outputs["SessionsTable"]: [item for each in made for item in each.items],
    }
    for table, items in tables.items():
        for item in items:
            product.aws("dynamodb").put_item(TableName=table, Item=item)
    return made


@pytest.mark.parametrize("release", samples.releases())
def test_every_run_that_the_release_before_left_ends_once(upgrade: Upgrade, release: str):
    product, machinery = upgrade.product, Machinery(upgrade.product)
    asked: Counter[str] = Counter()

    def answer(request: dict[str, Any]) -> Any:
        asked[[each["content"] for each in request["messages"] if each["role"] == "user"][-1]] += 1
        return say("Done.")

    product.model.script([], then=answer)
    found = leave(product, release)
    runs = [run for each in found for run in each.runs]
    statuses = Counter(machinery.run(run).run.status for run in runs)
    assert statuses == {"RUNNING": RUNNING, "QUEUED": QUEUED}

    upgrade.deploy(upgrade.today)
    # A waiting run that gets its turn meanwhile looks as old as the others until it is started.
    assert RUNNING <= machinery.sweep()["restarted"] <= RUNNING + QUEUED
    upgrade.all_ended()

    ended = histories(machinery, runs)
    effects = Counter((each["function"], each["key"]) for each in product.effects())
    assert Counter(history.run.status for history in ended.values()) == {"COMPLETED": RUNNING + QUEUED}
    for each in found:
        goes_on(each, [ended[run] for run in each.runs], effects, asked)
    assert machinery.sweep()["seen"] == 0


def goes_on(each: Left, turns: list[History], effects: Counter[tuple[str, str]], asked: Counter[str]) -> None:
    """What must have become of the session, by the scene in which it was left."""
    history = turns[0]
    run, laps = history.run.key.run_id, 1 if each.scene in ("begun", "discarded") else 2
    assert [lap.lap for lap in history.laps] == list(range(1, laps + 1))
    assert not history.run.undelivered
    assert not history.markers
    # Only what had not been answered is asked for.
    assert [asked[turn.run.input] for turn in turns] == [0 if each.scene == "discarded" else 1] * len(turns)
    made = {key: times for (_, key), times in effects.items() if key.startswith(f"{run}-")}
    match each.scene:
        case "asked":
            assert outcomes(history) == {(1, 0): "success", (1, 1): "success"}
            assert made == {f"{run}-1-1": 1}
        case "marked" | "late":
            assert outcomes(history) == {(1, 0): "unknown"}
            assert made == {}
        case "failing":
            assert outcomes(history) == {(1, 0): "error"}
            assert made == {}
        case "lost":
            assert outcomes(history) == {(1, 0): "success"}
            assert made == {f"{run}-1-0": 1}
        case _:
            assert made == {}


# -- what is under way


def test_runs_that_are_under_way_go_on_across_a_deploy(upgrade: Upgrade):
    """And across the way back, which is a deploy too."""
    product, machinery, plays = upgrade.product, Machinery(upgrade.product), Plays(upgrade.product.model)
    upgrade.deploy(upgrade.today)
    agent, gate = product.agent(function("echo", idempotent=True), function("pay", timeoutSeconds=5)), Event()
    # The first runs get to their second lap and keep the function busy, so that the others wait in their first.
    first, second = (
        ask(("pay", {"note": "1"}), ("echo", {"note": "2"})),
        ask(("pay", {"note": "3"}), hold=gate),
    )
    texts = [plays.new(first, second, say("done")) for _ in range(RUNNING)]
    with ThreadPoolExecutor(4) as pool:
        running = list(pool.map(lambda text: product.api.runs.start(agent, text), texts))
    queued = [
        product.api.runs.start(agent, plays.new(say("done")), session_id=run.session_id, when_busy="enqueue")
        for run in running[-QUEUED:]
    ]
    runs = [run.run_id for run in (*running, *queued)]
    today = upgrade.code()

    upgrade.deploy(upgrade.before)
    between, during = upgrade.code(), histories(machinery, runs).values()
    gate.set()
    upgrade.deploy(upgrade.today)
    upgrade.all_ended()

    assert {name for name in today if today[name] == between[name]} == set()
    assert Counter(history.run.status for history in during) == {"RUNNING": RUNNING, "QUEUED": QUEUED}
    assert {len(history.laps) for history in during} == {0, 1}
    ended = histories(machinery, runs)
    assert Counter(history.run.status for history in ended.values()) == {"COMPLETED": RUNNING + QUEUED}
    paid = Counter(each["key"] for each in product.effects() if each["function"] == "pay")
    unknown = 0
    for run in (each.run_id for each in running):
        assert [lap.lap for lap in ended[run].laps] == [1, 2, 3]
        made = outcomes(ended[run])
        assert made[1, 1] == "success"
        for lap in (1, 2):
            assert made[lap, 0] in ("success", "unknown")
            unknown += made[lap, 0] == "unknown"
            assert paid[f"{run}-{lap}-0"] == 1 if made[lap, 0] == "success" else paid[f"{run}-{lap}-0"] <= 1
    # Of the two deploys only the second meets payments, and ends the processes that make them.
    assert unknown <= WORKERS
