"""Every call of the API, with what makes it succeed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from . import queues
from .caller import Answer, Caller
from .deployed import Deployed, agent, remembering, waiting
from .lambdas import function

READERS = ("read", "admin")
RUNNERS = ("run", "admin")
DECIDERS = ("run", "approve", "admin")
FOLLOWERS = ("read", "run", "admin")
ADMINS = ("admin",)


@dataclass(frozen=True)
class Call:
    """`{…}` stands for an id of `make_one_of_each`, in the path and in the body's texts; one of `scopes` suffices."""

    method: str
    path: str
    scopes: tuple[str, ...]
    body: Any = None
    status: int = 200

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    def by(self, caller: Caller, ids: dict[str, str]) -> Answer:
        return caller.call(self.method, self.path.format(**ids), _filled(self.body, ids))


def _filled(body: Any, ids: dict[str, str]) -> Any:
    match body:
        case dict():
            return {name: _filled(value, ids) for name, value in body.items()}
        case list():
            return [_filled(each, ids) for each in body]
        case str():
            return body.format(**ids)
        case _:
            return body


DECISION = {
    "callId": "t1-l1-c0",
    "decision": "result",
    "argumentsDigest": "{digest}",
    "result": {"body": "done"},
}

SCHEDULE = {"agent": "helper", "schedule": "rate(1 day)", "input": "Report."}

CALLS = (
    Call("PUT", "/agents/{agent}", ADMINS, agent()),
    Call("GET", "/agents", READERS),
    Call("GET", "/agents/{agent}", READERS),
    Call("POST", "/agents/{agent}/versions", ADMINS, status=201),
    Call("GET", "/agents/{agent}/versions", READERS),
    Call("GET", "/agents/{agent}/versions/{version}", READERS),
    Call("PUT", "/agents/{agent}/aliases/{alias}", ADMINS, {"routes": [{"version": "1"}]}),
    Call("GET", "/agents/{agent}/aliases", READERS),
    Call("GET", "/agents/{agent}/aliases/{alias}", READERS),
    Call("POST", "/agents/{agent}/runs", RUNNERS, {"input": "hi"}, status=202),
    Call("GET", "/runs", READERS),
    Call("GET", "/runs/{run}", ("read", "run", "approve", "admin")),
    Call("POST", "/runs/{run}/cancel", RUNNERS, status=202),
    Call("POST", "/runs/{run}/replays", RUNNERS, {"model": "rehearsal"}, status=202),
    Call("POST", "/runs/{parked}/uploads", DECIDERS, {"bytes": 7}, status=201),
    Call("POST", "/runs/{parked}/decisions", DECIDERS, [DECISION]),
    Call("GET", "/approvals", ("approve", "read", "admin")),
    Call("GET", "/sessions", READERS),
    Call("GET", "/sessions/{session}", FOLLOWERS),
    Call("GET", "/sessions/{session}/items", FOLLOWERS),
    Call("POST", "/sessions/{escalated}/hand-back", DECIDERS, {"note": "Refunded."}),
    Call("POST", "/sessions/{session}/end", RUNNERS),
    Call("GET", "/agents/{agent}/memories", READERS),
    Call("GET", "/agents/{agent}/memories/{memory}", READERS),
    Call("DELETE", "/agents/{agent}/memories/{memory}", ADMINS),
    Call("DELETE", "/sessions/{session}", ADMINS),
    Call("POST", "/erasures", ADMINS, {"agent": "helper", "memoryId": "m1"}),
    Call("POST", "/schedules", ADMINS, SCHEDULE, status=201),
    Call("GET", "/schedules", READERS),
    Call("GET", "/schedules/{schedule}", READERS),
    Call("DELETE", "/schedules/{schedule}", ADMINS, status=204),
    Call("GET", "/models", READERS),
    Call("GET", "/dead-letters", ADMINS),
    Call("GET", "/dead-letters/{letter}", ADMINS),
    Call("POST", "/dead-letters/redrive", ADMINS, {"ids": ["{letter}"]}),
    Call("POST", "/keys", ADMINS, {"name": "k", "scopes": ["run"]}, status=201),
    Call("GET", "/keys", ADMINS),
    Call("DELETE", "/keys/{key}", ADMINS, status=204),
    Call("DELETE", "/agents/{agent}", ADMINS, status=204),
)

# Let in by a signature of AWS: no scope opens it, and none is needed.
SIGNED = "POST /auth/token"


def routes() -> set[str]:
    """The calls that `functions/api/app.py` serves, as its resolver knows them."""
    app = function("api").app
    found: set[str] = set()
    for route in app._static_routes + app._dynamic_routes:
        for method in [route.method] if isinstance(route.method, str) else route.method:
            found.add(f"{method} {route.path}")
    return found


def shape(name: str) -> str:
    """A route or a call without the names of its ids."""
    import re

    return re.sub(r"<\w+>|\{\w+\}", "{}", name)


def make_one_of_each(product: Deployed, call: Call | None = None) -> dict[str, str]:
    """Ids of one agent, version, alias, run, session, memory and key of the tenant; the run has ended.

    Another run is parked, with the digest of its call, and another session escalated, where the `call` is of one.
    """
    admin = product.admin
    admin.call("PUT", "/agents/helper", remembering())
    version = admin.call("POST", "/agents/helper/versions").body["version"]
    admin.call("PUT", "/agents/helper/aliases/live", {"routes": [{"version": version}]})
    run = product.start(sessionId="s1", memoryId="m1")
    product.finish(run["runId"], text="A secret of acme.")
    key = admin.call("POST", "/keys", {"name": "k", "scopes": ["run"]}).body["keyId"]
    schedule = admin.call("POST", "/schedules", SCHEDULE).body["scheduleId"]
    return {
        "agent": "helper",
        "schedule": schedule,
        "version": version,
        "alias": "live",
        "run": run["runId"],
        "session": "s1",
        "memory": "m1",
        "key": key,
        "letter": queues.refused(),
        **_waiting(product, call.path if call else "{parked} {escalated}"),
    }


def _waiting(product: Deployed, wanted: str) -> dict[str, str]:
    """Whoever may start runs or approve may decide there."""
    ids: dict[str, str] = {}
    if "{parked}" in wanted or "{escalated}" in wanted:
        approvals = {"approvers": ["scope:run", "scope:approve"]}
        product.admin.call("PUT", "/agents/waiting", waiting(agentName="waiting", approvals=approvals))
    if "{parked}" in wanted:
        run = product.park("return", agent="waiting")
        ids |= {"parked": run["runId"], "digest": run["awaiting"][0]["argumentsDigest"]}
    if "{escalated}" in wanted:
        product.park("escalate_to_human", agent="waiting", sessionId="s2")
        ids |= {"escalated": "s2"}
    return ids
