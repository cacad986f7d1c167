"""What ten tenants ask for: each call of the API, under ids that are anybody's and that are none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, unquote

from .calls import SCHEDULE
from .deployed import remembering, waiting

# Each is part of another, or is a word of the tables' keys.
TENANTS = ("a", "ab", "a-b", "a--b", "b", "-", "0", "agent", "session", "a" * 40)
# Whom a queue leads to.
WITH_QUEUES = TENANTS[:8]
# As they are sent: each is an id, or is refused, or is one of these in other letters.
NAMES = (
    *("a", "ab", "a-b", "a:b", "b", "-", "_", ":", "..a", "A", "AGENT", "SESSION", "RUN", "DRAFT", "x" * 100),
    *("%61", "a%2Db", "a%23b", "a%2523b", "a%2Fb", "%2e%2e", "..%2Fa", "a%00", "a%20b", "x" * 101),
    *map(quote, ("ü", "а", "ａ", "a\u200b", "a#SESSION", "😀")),
)

Json = dict[str, Any]
Asked = tuple[str, str, Any]


def mark(tenant: str) -> str:
    """What stands in all texts of a tenant, and in nobody else's."""
    return f"zaffre{TENANTS.index(tenant)}z"


def agent_of(tenant: str, name: str) -> Json:
    """Each remembers, and may wait for people."""
    texts = {"description": mark(tenant), "instruction": f"Say {mark(tenant)}."}
    return remembering(unquote(name)) | waiting(agentName=unquote(name), **texts)


def decision(tenant: str, wait: str) -> Asked:
    """`wait` is the id of a run, and the digest of its call."""
    run, _, digest = wait.partition(" ")
    given = {"callId": f"t{run.rpartition('-')[2]}-l1-c0", "argumentsDigest": digest or "0" * 64}
    result = {"body": mark(tenant)}
    return "POST", f"/runs/{run}/decisions", [given | {"decision": "result", "result": result}]


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
    "decide": lambda who, a, b, one: decision(who, one("wait")),
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
    "list_models": lambda who, a, b, one: ("GET", "/models", None),
    "list_schedules": lambda who, a, b, one: ("GET", "/schedules", None),
    "get_schedule": lambda who, a, b, one: ("GET", f"/schedules/{one('schedule')}", None),
    "delete_schedule": lambda who, a, b, one: ("DELETE", f"/schedules/{one('schedule')}", None),
    "list_letters": lambda who, a, b, one: ("GET", "/dead-letters", None),
    "get_letter": lambda who, a, b, one: ("GET", f"/dead-letters/{one('letter')}", None),
    "redrive_one": lambda who, a, b, one: ("POST", "/dead-letters/redrive", {"ids": [one("letter")]}),
    "redrive": lambda who, a, b, one: ("POST", "/dead-letters/redrive", {"all": True}),
}

# Mostly asked for, so that there is something.
MAKING = (
    *("put_agent", "freeze", "put_alias", "start", "start_anew", "replay", "create_key", "create_schedule"),
    *("decide", "hand_back"),
)
