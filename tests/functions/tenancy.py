"""Ten tenants who ask for anything under any id, and what each of them has."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from random import Random
from typing import Any
from urllib.parse import quote, unquote

from freehold import wiring
from freehold.adapters.api_keys import SCOPES
from freehold.values.access import AccessEntry
from freehold.values.ids import ID

from . import queues
from .caller import Answer
from .calls import SCHEDULE
from .deployed import remembering
from .gateway import Request, send
from .in_memory import deployed_in_memory
from .watched_table import WatchedTable

# Each is part of another, or is a word of the tables' keys.
TENANTS = ("a", "ab", "a-b", "a--b", "b", "-", "0", "agent", "session", "a" * 40)
# The last two come in by no queue.
WITH_QUEUES = TENANTS[:8]
# As they are sent: each is an id, or is refused, or is one of these in other letters.
NAMES = (
    *("a", "ab", "a-b", "a:b", "b", "-", "_", ":", "..a", "A", "AGENT", "SESSION", "RUN", "DRAFT", "x" * 100),
    *("%61", "a%2Db", "a%23b", "a%2523b", "a%2Fb", "%2e%2e", "..%2Fa", "a%00", "a%20b", "x" * 101),
    *map(quote, ("ü", "а", "ａ", "a\u200b", "a#SESSION", "😀")),
)
# Parts of the table that name no tenant, and say whose something is.
OF_NOBODY = {"ACCESS"}
MADE = re.compile(r"\b[0-9A-Z]{26}-\d+\b|\b[0-9a-f]{24}\b|\b[0-9a-f]{12}\b")

Json = dict[str, Any]
Asked = tuple[str, str, Any]


def mark(tenant: str) -> str:
    """What stands in all texts of a tenant, and in nobody else's."""
    return f"zaffre{TENANTS.index(tenant)}z"


def agent_of(tenant: str, name: str) -> Json:
    given = remembering(unquote(name), description=mark(tenant))
    return given | {"instruction": f"Say {mark(tenant)}."}


# Each as `(method, path, body)`; `a` and `b` are names, `one` gives an id that was made for anybody.
ACTIONS: Mapping[str, Callable[[str, str, str, Callable[[str], str]], Asked]] = {
    "put_agent": lambda who, a, b, one: ("PUT", f"/agents/{a}", agent_of(who, a)),
    "get_agent": lambda who, a, b, one: ("GET", f"/agents/{a}", None),
    "delete_agent": lambda who, a, b, one: ("DELETE", f"/agents/{a}", None),
    "list_agents": lambda who, a, b, one: ("GET", "/agents", None),
    "freeze": lambda who, a, b, one: ("POST", f"/agents/{a}/versions", None),
    "list_versions": lambda who, a, b, one: ("GET", f"/agents/{a}/versions", None),
    "get_version": lambda who, a, b, one: ("GET", f"/agents/{a}/versions/1", None),
    "put_alias": lambda who, a, b, one: (
        "PUT",
        f"/agents/{a}/aliases/{b}",
        {"routes": [{"version": "1"}]},
    ),
    "get_alias": lambda who, a, b, one: ("GET", f"/agents/{a}/aliases/{b}", None),
    "list_aliases": lambda who, a, b, one: ("GET", f"/agents/{a}/aliases", None),
    "start": lambda who, a, b, one: (
        "POST",
        f"/agents/{a}/runs",
        {"input": mark(who), "sessionId": unquote(b), "memoryId": unquote(b), "whenBusy": "enqueue"},
    ),
    "start_anew": lambda who, a, b, one: ("POST", f"/agents/{a}/runs", {"input": mark(who)}),
    "get_run": lambda who, a, b, one: ("GET", f"/runs/{one('run')}", None),
    "list_runs": lambda who, a, b, one: ("GET", "/runs", None),
    "list_runs_of": lambda who, a, b, one: ("GET", f"/runs?sessionId={b}&agent={a}", None),
    "follow": lambda who, a, b, one: ("GET", f"/runs/{one('run')}/events", None),
    "cancel": lambda who, a, b, one: ("POST", f"/runs/{one('run')}/cancel", None),
    "replay": lambda who, a, b, one: ("POST", f"/runs/{one('run')}/replays", {"model": "rehearsal"}),
    "upload": lambda who, a, b, one: ("POST", f"/runs/{one('run')}/uploads", {"bytes": 7}),
    "list_approvals": lambda who, a, b, one: ("GET", "/approvals", None),
    "get_session": lambda who, a, b, one: ("GET", f"/sessions/{b}", None),
    "list_sessions": lambda who, a, b, one: ("GET", "/sessions", None),
    "list_items": lambda who, a, b, one: ("GET", f"/sessions/{b}/items", None),
    "list_items_of": lambda who, a, b, one: ("GET", f"/sessions/{b}/items?runId={one('run')}", None),
    "end": lambda who, a, b, one: ("POST", f"/sessions/{b}/end", None),
    "hand_back": lambda who, a, b, one: ("POST", f"/sessions/{b}/hand-back", {"note": mark(who)}),
    "delete_session": lambda who, a, b, one: ("DELETE", f"/sessions/{b}", None),
    "list_memories": lambda who, a, b, one: ("GET", f"/agents/{a}/memories", None),
    "get_memory": lambda who, a, b, one: ("GET", f"/agents/{a}/memories/{b}", None),
    "delete_memory": lambda who, a, b, one: ("DELETE", f"/agents/{a}/memories/{b}", None),
    "erase_memory": lambda who, a, b, one: (
        "POST",
        "/erasures",
        {"agent": unquote(a), "memoryId": unquote(b)},
    ),
    "erase_principal": lambda who, a, b, one: ("POST", "/erasures", {"principal": f"key:{one('key')}"}),
    "create_key": lambda who, a, b, one: ("POST", "/keys", {"name": mark(who), "scopes": ["read"]}),
    "list_keys": lambda who, a, b, one: ("GET", "/keys", None),
    "delete_key": lambda who, a, b, one: ("DELETE", f"/keys/{one('key')}", None),
    "create_schedule": lambda who, a, b, one: (
        "POST",
        "/schedules",
        SCHEDULE | {"agent": unquote(a), "input": mark(who)},
    ),
    "list_schedules": lambda who, a, b, one: ("GET", "/schedules", None),
    "get_schedule": lambda who, a, b, one: ("GET", f"/schedules/{one('schedule')}", None),
    "delete_schedule": lambda who, a, b, one: ("DELETE", f"/schedules/{one('schedule')}", None),
    "list_letters": lambda who, a, b, one: ("GET", "/dead-letters", None),
    "redrive": lambda who, a, b, one: ("POST", "/dead-letters/redrive", {"all": True}),
}
SHARED = ("a",)
OFTEN_ENDS = 0.3
MAKING = (
    "put_agent",
    "freeze",
    "put_alias",
    "start",
    "start_anew",
    "replay",
    "create_key",
    "create_schedule",
)
# What takes runs away: which of them, the tenant's own list says.
ERASES = ("delete_session", "erase_memory", "erase_principal")
LISTS = {"agent": ("agents", "agentName"), "run": ("runs", "runId"), "key": ("keys", "keyId")} | {
    "schedule": ("schedules", "scheduleId")
}


@dataclass
class Has:
    """What there is of a tenant, by kind."""

    agent: set[str] = field(default_factory=set)
    run: set[str] = field(default_factory=set)
    key: set[str] = field(default_factory=set)
    schedule: set[str] = field(default_factory=set)

    def of(self, kind: str) -> set[str]:
        return getattr(self, kind)


class Tenancy:
    """Whoever learns of another tenant, or comes to its things, fails. `came_to` counts answers by action."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self.table = WatchedTable()
        self.product, self.aws = self._stack.enter_context(deployed_in_memory(table=self.table))
        self.has = {tenant: Has() for tenant in TENANTS}
        self.owners: dict[str, str] = {}
        self.made: dict[str, list[str]] = {"run": [], "key": [], "schedule": []}
        self.credentials: dict[str, str] = {}
        self.operations, self.came_to = 0, Counter[tuple[str, int]]()
        for tenant in TENANTS:
            key = self.product.keys().create(tenant=tenant, name=mark(tenant), scopes=SCOPES, now=1)
            self.credentials[tenant] = f"Bearer {key.text}"
            self._add(tenant, "key", key.key_id)
            # All have something under the same names.
            for does in ("put_agent", "freeze", "put_alias", "start", "create_schedule"):
                self.ask(tenant, does, "a", "a", 0)
        for tenant in WITH_QUEUES:
            wiring.access().grant(AccessEntry("queue", queue(tenant), tenant, 0))

    def close(self) -> None:
        self._stack.close()

    # -- what happens

    def ask(self, who: str, does: str, a: str, b: str, n: int) -> None:
        """One call of the API. `n` chooses among what was made for the tenant, or for all of them."""
        self.operations += 1
        chosen: list[str] = []

        def one(kind: str) -> str:
            own = sorted(self.has[who].of(kind))
            known = (own if n % 2 else self.made[kind]) or ["none"]
            chosen.append(known[n % len(known)])
            return chosen[-1]

        method, path, body = ACTIONS[does](who, a, b, one)
        if does == "delete_key" and chosen[0] in self.credentials[who]:
            # Who has no key can ask for nothing more.
            return
        answer = self._sent(who, method, path, body)
        self.came_to[does, answer.status] += 1
        said = json.dumps([unquote(path), body])
        self._check_leaks(who, answer.text, said)
        self._check_status(who, does, answer, unquote(a), chosen)
        self._learn(who, does, answer, unquote(a), chosen)

    def ask_much(self, draw: Random, number: int) -> None:
        """So many operations of anybody, mostly under names that there are."""
        for _ in range(number):
            a, b = (draw.choice((*NAMES, *SHARED * len(NAMES))) for _ in range(2))
            does, n = draw.choice((*ACTIONS, *MAKING)), draw.randrange(10_000)
            self.ask(draw.choice(TENANTS), does, a, b, n)
            if draw.random() < OFTEN_ENDS:
                self.finish(draw.randrange(10_000))

    def finish(self, n: int) -> None:
        """The loop ends a run."""
        running = self.made["run"]
        if running:
            run_id = running[n % len(running)]
            tenant = self.owners[run_id]
            if run_id in self.has[tenant].run:
                self.product.finish(run_id, tenant=tenant)

    def message(self, who: str, a: str, b: str, body: Mapping[str, Any]) -> None:
        """By the queue of a tenant, which may have none. What `body` says besides is not believed."""
        self.operations += 1
        given = {"agent": unquote(a), "input": mark(who)} | dict(body)
        self.table.touched.clear()
        assert queues.deliver(queues.record(given, queue=queue(who), group=unquote(b)[:100])) == []
        self._check_touched(who if who in WITH_QUEUES else None)
        begun = self._listed(who, "run") - self.has[who].run
        self.came_to["message", 202 if begun else 404] += 1
        for run_id in begun:
            assert who in WITH_QUEUES, f"a message of a queue that leads to nobody has a run of {who}"
            self._add(who, "run", run_id)

    def look(self) -> None:
        """Each tenant has what it has, and sees that alone."""
        for tenant, has in self.has.items():
            for kind in LISTS:
                assert self._listed(tenant, kind) == has.of(kind), f"{tenant} has other {kind}s"

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

    def _listed(self, who: str, kind: str) -> set[str]:
        field_name, id_name = LISTS[kind]
        answer = self._sent(who, "GET", f"/{field_name}?limit=100")
        assert "nextToken" not in answer.body or len(answer.body[field_name]) == 100
        self._check_leaks(who, answer.text, "")
        return {each[id_name] for each in answer.body[field_name]}

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
        if verb not in ("get", "delete") or not hasattr(self.has[who], kind):
            return
        asked = a if kind == "agent" else chosen[0]
        there = asked in self.has[who].of(kind)
        expected = {200, 204} if there else {404} if re.fullmatch(ID, asked) else {400, 404}
        assert answer.status in expected, f"{who} {does} {asked}: {answer.status}, there: {there}"

    def _learn(self, who: str, does: str, answer: Answer, a: str, chosen: list[str]) -> None:
        has = self.has[who]
        if does in ERASES:
            left = self._listed(who, "run")
            assert left <= has.run
            has.run = left
        if answer.status >= 300:
            return
        if does == "put_agent":
            assert re.fullmatch(ID, a)
            has.agent.add(a)
        elif does == "delete_agent":
            has.agent.discard(a)
            has.schedule = has.schedule & self._listed(who, "schedule")
        elif does in ("delete_key", "delete_schedule"):
            has.of(does.partition("_")[2]).discard(chosen[0])
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
