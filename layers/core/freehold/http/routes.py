"""Every call of the API, and what it does. `openapi.yaml` describes them."""

from __future__ import annotations

from collections.abc import Callable

from .. import wiring
from ..erasing import ErasingCollaborators
from ..value import Value, replace
from . import (
    agents,
    approvals,
    auth,
    dead_letters,
    decisions,
    erasures,
    keys,
    memories,
    models,
    replays,
    runs,
    schedules,
    sessions,
    uploads,
)
from .call import Answer, Call
from .caller import asker
from .idempotency import once
from .shapes import Json

CHOSEN_BY_USERS = ("session_id", "memory_id")


class Route(Value):
    """`path` names its ids in angle brackets. An answer that is no `Answer` is one's body, with status 200."""

    method: str
    path: str
    does: Callable[[Call], Answer | Json]

    def answer(self, call: Call) -> Answer:
        done = self.does(call)
        answer = done if isinstance(done, Answer) else Answer(done)
        if self.method == "GET" or answer.noted:
            return answer
        return replace(answer, noted={"request done": self._told(call, answer)})

    def _told(self, call: Call, answer: Answer) -> dict[str, object]:
        """Who may have changed what. Of the ids in the path, users' own may name a person, whom logs do not forget."""
        ids = {name: value for name, value in call.ids.items() if name not in CHOSEN_BY_USERS}
        did: dict[str, object] = {
            "method": self.method,
            "route": self.path,
            "status": answer.status,
            "ids": ids,
        }
        return asker(call.context) | did


def _delete_agent(call: Call) -> Answer:
    agents.delete(call.caller, call["name"], call.precondition)
    return Answer(status=204)


def _freeze_agent(call: Call) -> Answer:
    return once(
        call.caller.needs("admin"),
        call,
        "POST /agents/{agent}/versions",
        lambda claim: Answer(agents.freeze(call.caller, call["name"], claim), 201),
    )


def _start_run(call: Call) -> Answer:
    receiving = wiring.receiving(call.ends())
    return Answer(*runs.start(call.caller, call["name"], call.body, call.idempotency_key, receiving))


def _begin_upload(call: Call) -> Answer:
    def create(upload_id: str) -> Json:
        return uploads.create(call.caller, call["run_id"], call.body, upload_id)

    return once(
        call.caller.needs("run", "approve"),
        call,
        "POST /runs/{run}/uploads",
        lambda claim: Answer(create(claim.id), 201),
        keep=uploads.only_id,
        retell=lambda kept: create(kept["uploadId"]),
    )


def _erasing(call: Call) -> ErasingCollaborators:
    return wiring.erasing(call.ends(), by=call.caller.principal.name)


def _erase(call: Call) -> Answer:
    return once(
        call.caller.needs("admin"),
        call,
        "POST /erasures",
        lambda _: Answer(erasures.create(call.caller, call.body, _erasing(call))),
        keep=erasures.once_complete,
    )


def _create_key(call: Call) -> Answer:
    return once(
        call.caller.needs("admin"),
        call,
        "POST /keys",
        lambda claim: Answer(keys.create(call.caller, call.body, claim), 201),
        keep=keys.without_text,
    )


def _add_schedule(call: Call) -> Answer:
    return once(
        call.caller.needs("admin"),
        call,
        "POST /schedules",
        lambda claim: Answer(schedules.create(call.caller, call.body, claim), 201),
        keep=schedules.without_input,
        retell=lambda told: schedules.with_input(told, call.body),
    )


def _remove_schedule(call: Call) -> Answer:
    schedules.delete(call.caller, call["schedule_id"])
    return Answer(status=204)


def _revoke_key(call: Call) -> Answer:
    keys.revoke(call.caller, call["key_id"])
    return Answer(status=204)


def _redrive(call: Call) -> Answer:
    return once(
        call.caller.needs("admin"),
        call,
        "POST /dead-letters/redrive",
        lambda _: Answer(dead_letters.redrive(call.caller, call.body)),
        keep=dead_letters.once_complete,
    )


ROUTES = (
    Route(
        "PUT",
        "/agents/<name>",
        lambda call: agents.apply(call.caller, call["name"], call.body, call.precondition),
    ),
    Route("GET", "/agents", lambda call: agents.listed(call.caller, call.query)),
    Route("GET", "/agents/<name>", lambda call: agents.get(call.caller, call["name"])),
    Route("DELETE", "/agents/<name>", _delete_agent),
    Route("POST", "/agents/<name>/versions", _freeze_agent),
    Route(
        "GET",
        "/agents/<name>/versions",
        lambda call: agents.versions(call.caller, call["name"], call.query),
    ),
    Route(
        "GET",
        "/agents/<name>/versions/<version>",
        lambda call: agents.version(call.caller, call["name"], call["version"]),
    ),
    Route(
        "PUT",
        "/agents/<name>/aliases/<alias>",
        lambda call: agents.put_alias(call.caller, call["name"], call["alias"], call.body, call.precondition),
    ),
    Route(
        "GET",
        "/agents/<name>/aliases",
        lambda call: agents.aliases(call.caller, call["name"], call.query),
    ),
    Route(
        "GET",
        "/agents/<name>/aliases/<alias>",
        lambda call: agents.alias(call.caller, call["name"], call["alias"]),
    ),
    Route("POST", "/agents/<name>/runs", _start_run),
    Route("GET", "/runs", lambda call: runs.listed(call.caller, call.query)),
    Route("GET", "/runs/<run_id>", lambda call: runs.get(call.caller, call["run_id"])),
    Route(
        "POST",
        "/runs/<run_id>/cancel",
        lambda call: Answer(runs.cancel(call.caller, call["run_id"], call.ends()), 202),
    ),
    Route(
        "POST",
        "/runs/<run_id>/replays",
        lambda call: Answer(*replays.start(call)),
    ),
    Route(
        "POST",
        "/runs/<run_id>/decisions",
        lambda call: decisions.take(call.caller, call["run_id"], call.body, wiring.parking(call.ends())),
    ),
    Route("POST", "/runs/<run_id>/uploads", _begin_upload),
    Route("GET", "/approvals", lambda call: approvals.listed(call.caller, call.query)),
    Route("GET", "/sessions", lambda call: sessions.listed(call.caller, call.query)),
    Route("GET", "/sessions/<session_id>", lambda call: sessions.get(call.caller, call["session_id"])),
    Route(
        "GET",
        "/sessions/<session_id>/items",
        lambda call: sessions.items(call.caller, call["session_id"], call.query),
    ),
    Route(
        "POST",
        "/sessions/<session_id>/hand-back",
        lambda call: sessions.hand_back(call, wiring.parking(call.ends())),
    ),
    Route(
        "POST",
        "/sessions/<session_id>/end",
        lambda call: sessions.end(call.caller, call["session_id"], call.ends()),
    ),
    Route(
        "DELETE",
        "/sessions/<session_id>",
        lambda call: sessions.delete(call.caller, call["session_id"], _erasing(call)),
    ),
    Route(
        "GET",
        "/agents/<name>/memories",
        lambda call: memories.listed(call.caller, call["name"], call.query),
    ),
    Route(
        "GET",
        "/agents/<name>/memories/<memory_id>",
        lambda call: memories.get(call.caller, call["name"], call["memory_id"]),
    ),
    Route(
        "DELETE",
        "/agents/<name>/memories/<memory_id>",
        lambda call: memories.delete(call.caller, call["name"], call["memory_id"], call.query),
    ),
    Route("POST", "/erasures", _erase),
    Route("POST", "/schedules", _add_schedule),
    Route("GET", "/dead-letters", lambda call: dead_letters.listed(call.caller, call.query)),
    Route("GET", "/dead-letters/<letter_id>", lambda call: dead_letters.get(call.caller, call["letter_id"])),
    Route("POST", "/dead-letters/redrive", _redrive),
    Route("GET", "/schedules", lambda call: schedules.listed(call.caller, call.query)),
    Route("GET", "/schedules/<schedule_id>", lambda call: schedules.get(call.caller, call["schedule_id"])),
    Route("DELETE", "/schedules/<schedule_id>", _remove_schedule),
    Route("GET", "/models", lambda call: models.listed(call.caller)),
    Route("POST", "/keys", _create_key),
    Route("GET", "/keys", lambda call: keys.listed(call.caller, call.query)),
    Route("DELETE", "/keys/<key_id>", _revoke_key),
    Route("POST", "/auth/token", auth.token),
)
