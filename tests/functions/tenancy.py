"""Ten tenants who ask for anything under any id, and what each of them has."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from random import Random
from typing import Any
from urllib.parse import unquote

from freehold import wiring
from freehold.adapters.api_keys import SCOPES
from freehold.values.access import AccessEntry
from freehold.values.ids import ID
from freehold.values.run import RunKey

from . import queues
from .caller import Answer
from .gateway import Request, send
from .in_memory import deployed_in_memory
from .tenant_calls import ACTIONS, MAKING, NAMES, TENANTS, WITH_QUEUES, Json, mark
from .watched_table import WatchedTable

# Under these names all tenants have something from the start: an agent, and sessions of it.
AGENTS, SESSIONS = ("a",), ("a", "b")
# Whose the letters of queues are that lead to no tenant.
NOBODY = ""
# Parts of the table that name no tenant, and say whose something is.
OF_NOBODY = {"ACCESS"}
MADE = re.compile(r"\b[0-9A-Z]{26}-\d+\b|\b[0-9a-f]{24}\b|\b[0-9a-f]{12}\b|\bid-\d+\b")
OFTEN = 0.3
# Calls of a model that make a run wait.
WAITED_FOR = ("return", "escalate_to_human")
# What takes runs away: which of them, the tenant's own list says.
ERASES = ("delete_session", "erase_memory", "erase_principal")
OF_ONE_RUN = ("follow", "cancel", "replay", "upload", "decide")
# Path, and names in the answer.
LISTS = {
    "agent": ("agents", "agents", "agentName"),
    "run": ("runs", "runs", "runId"),
    "key": ("keys", "keys", "keyId"),
    "schedule": ("schedules", "schedules", "scheduleId"),
    "letter": ("dead-letters", "deadLetters", "id"),
}


@dataclass
class Has:
    """What there is of a tenant, by kind. Not all that is in `wait` waits still."""

    agent: set[str] = field(default_factory=set)
    run: set[str] = field(default_factory=set)
    key: set[str] = field(default_factory=set)
    schedule: set[str] = field(default_factory=set)
    letter: set[str] = field(default_factory=set)
    wait: set[str] = field(default_factory=set)

    def of(self, kind: str) -> set[str]:
        return getattr(self, kind)


class Tenancy:
    """Whoever learns of another tenant, or comes to its things, fails. `came_to` counts answers by action."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self.table = WatchedTable()
        self.product, self.aws = self._stack.enter_context(deployed_in_memory(table=self.table))
        self.has = {tenant: Has() for tenant in (*TENANTS, NOBODY)}
        self.owners: dict[str, str] = {}
        self.made: dict[str, list[str]] = defaultdict(list)
        self.credentials: dict[str, str] = {}
        self.operations, self.came_to = 0, Counter[tuple[str, int]]()
        for tenant in TENANTS:
            key = self.product.keys().create(tenant=tenant, name=mark(tenant), scopes=SCOPES, now=1)
            self.credentials[tenant] = f"Bearer {key.text}"
            self._add(tenant, "key", key.key_id)
            # All have something under the same names.
            for does in ("put_agent", "freeze", "put_alias", "start", "create_schedule", "create_key"):
                self.ask(tenant, does, "a", "a", 0)
            self.ask(tenant, "start", "a", "b", 0)
            self._park(self.made["run"][-1], "escalate_to_human")
        for tenant in WITH_QUEUES:
            wiring.access().grant(AccessEntry("queue", queue(tenant), tenant, 0))
            self.message(tenant, "nobody", "a", {})
        # What is drawn counts alone.
        self.operations = 0
        self.came_to.clear()

    def close(self) -> None:
        self._stack.close()

    # -- what happens

    def ask(self, who: str, does: str, a: str, b: str, n: int) -> None:
        """One call of the API. `n` chooses among what was made for the tenant, or for all of them."""
        self.operations += 1
        chosen: list[str] = []

        # Who has no key can ask for nothing more.
        spared = self.credentials[who] if does == "delete_key" else ""

        def one(kind: str) -> str:
            own = self.has[who].of(kind) if n % 2 else self.made[kind]
            known = [each for each in self.made[kind] if each in own and each not in spared] or ["none"]
            chosen.append(known[n // 2 % len(known)])
            return chosen[-1]

        method, path, body = ACTIONS[does](who, a, b, one)
        answer = self._sent(who, method, path, body)
        self.came_to[does, answer.status] += 1
        said = json.dumps([unquote(path), body])
        self._check_leaks(who, answer.text, said)
        self._check_status(who, does, answer, unquote(a), chosen)
        self._learn(who, does, answer, unquote(a), chosen)

    def ask_much(self, draw: Random, number: int) -> None:
        """So many operations of anybody, mostly under names that there are."""
        for _ in range(number):
            a, b = (draw.choice((*NAMES, *shared * len(NAMES))) for shared in (AGENTS, SESSIONS))
            does, n = draw.choice((*ACTIONS, *MAKING)), draw.randrange(10_000)
            self.ask(draw.choice(TENANTS), does, a, b, n)
            if draw.random() < OFTEN:
                self.go_on(draw.randrange(10_000))

    def go_on(self, n: int) -> None:
        """The loop ends a run, or parks it where its model calls what waits."""
        begun = self.made["run"]
        run_id, does = begun[n % len(begun)], n // len(begun) % 3
        tenant = self.owners[run_id]
        key = RunKey.parse(tenant, run_id)
        run = key and wiring.sessions().run(key)
        if run is None or run.status != "RUNNING":
            return
        waits = run.execution == 1 and run.replays is None and run.cancel_requested_at is None
        if waits and does < len(WAITED_FOR):
            self._park(run_id, WAITED_FOR[does])
        else:
            self.product.finish(run_id, tenant=tenant, execution=run.execution)

    def _park(self, run_id: str, call: str) -> None:
        tenant = self.owners[run_id]
        self.product.park_begun(run_id, call, text=mark(tenant), tenant=tenant)
        waiting = self._listed(tenant, "approvals")["approvals"]
        (digest,) = (each["awaiting"][0]["argumentsDigest"] for each in waiting if each["runId"] == run_id)
        self._add(tenant, "wait", f"{run_id} {digest}")

    def message(self, who: str, a: str, b: str, body: Mapping[str, Any]) -> None:
        """By the queue of a tenant, which may have none. What `body` says besides is not believed."""
        self.operations += 1
        given = {"agent": unquote(a), "input": mark(who)} | dict(body)
        self.table.touched.clear()
        assert queues.deliver(queues.record(given, queue=queue(who), group=unquote(b)[:100])) == []
        self._check_touched(who if who in WITH_QUEUES else None)
        refused = self._refused(who if who in WITH_QUEUES else NOBODY)
        self.came_to["message", 404 if refused else 202] += 1
        begun = self._ids(who, "run") - self.has[who].run
        for run_id in begun:
            assert who in WITH_QUEUES, f"a message of a queue that leads to nobody has a run of {who}"
            self._add(who, "run", run_id)

    def _refused(self, owner: str) -> set[str]:
        """New dead letters."""
        kept = self.aws.queues.queues.get(queues.DEAD_LETTERS, [])
        letters = {each.message["MessageId"] for each in kept} - self.owners.keys()
        for letter in letters:
            self._add(owner, "letter", letter)
        return letters

    def look(self) -> None:
        """Each tenant has what it has, and sees that alone."""
        for tenant in TENANTS:
            for kind in LISTS:
                assert self._ids(tenant, kind) == self.has[tenant].of(kind), f"{tenant} has other {kind}s"

    # -- what is seen

    def _sent(self, who: str, method: str, path: str, body: Any = None) -> Answer:
        plain, _, query = path.partition("?")
        pairs = [
            (name, unquote(value)) for name, _, value in (p.partition("=") for p in query.split("&") if p)
        ]
        headers = {"Authorization": self.credentials[who]}
        self.table.touched.clear()
        answer = send(Request(method, plain, pairs, headers, None if body is None else json.dumps(body)))
        assert answer.status < 500, f"{method} {path}: {answer.text}"
        self._check_touched(who)
        return answer

    def _ids(self, who: str, kind: str) -> set[str]:
        path, named, id_name = LISTS[kind]
        return {each[id_name] for each in self._listed(who, path)[named]}

    def _listed(self, who: str, path: str) -> Json:
        answer = self._sent(who, "GET", f"/{path}?limit=100")
        assert "nextToken" not in answer.body
        self._check_leaks(who, answer.text, "")
        return answer.body

    def _check_touched(self, who: str | None) -> None:
        for partition in self.table.touched:
            kind, *rest = partition.split("#")
            assert kind in OF_NOBODY or unquote(rest[0]) == who, f"{who} came to {partition}"

    def _check_leaks(self, who: str, text: str, said: str) -> None:
        for tenant in TENANTS:
            assert tenant == who or mark(tenant) not in text, f"{who} was told a text of {tenant}: {text}"
        for found in MADE.findall(text):
            owner = self.owners.get(found, who)
            assert owner == who or found in said, f"{who} was told {found}, which is {owner}'s: {text}"

    def _check_status(self, who: str, does: str, answer: Answer, a: str, chosen: list[str]) -> None:
        """What is there is found, and nothing else."""
        verb, _, kind = does.partition("_")
        if does in OF_ONE_RUN:
            named = chosen[0].partition(" ")[0]
            assert named in self.has[who].run or answer.status in (400, 404), f"{who} {does} {named}"
        if verb not in ("get", "delete") or not hasattr(self.has[who], kind):
            return
        asked = a if kind == "agent" else chosen[0]
        there = asked in self.has[who].of(kind)
        expected = {200, 204} if there else {404} if re.fullmatch(ID, asked) else {400, 404}
        assert answer.status in expected, f"{who} {does} {asked}: {answer.status}, there: {there}"

    def _learn(self, who: str, does: str, answer: Answer, a: str, chosen: list[str]) -> None:
        has = self.has[who]
        if does in ERASES:
            left = self._ids(who, "run")
            assert left <= has.run
            has.run = left
        if answer.status >= 300:
            return
        if does == "put_agent":
            assert re.fullmatch(ID, a)
            has.agent.add(a)
        elif does == "delete_agent":
            has.agent.discard(a)
            has.schedule = has.schedule & self._ids(who, "schedule")
        elif does in ("delete_key", "delete_schedule"):
            has.of(does.partition("_")[2]).discard(chosen[0])
        elif does == "decide":
            has.wait.discard(chosen[0])
        elif does.startswith("redrive"):
            back = {*answer.body["redriven"]}
            assert back <= has.letter, f"{who} put back {back - has.letter}"
            has.letter -= back
        elif does in ("start", "start_anew", "replay"):
            self._add(who, "run", answer.body["runId"])
        elif does in ("create_key", "create_schedule"):
            kind = does.partition("_")[2]
            self._add(who, kind, answer.body[f"{kind}Id"])

    def _add(self, tenant: str, kind: str, made: str) -> None:
        assert self.owners.setdefault(made, tenant) == tenant
        self.has[tenant].of(kind).add(made)
        if made not in self.made[kind]:
            self.made[kind].append(made)


def queue(tenant: str) -> str:
    return f"arn:aws:sqs:{queues.HERE}:{mark(tenant)}.fifo"
