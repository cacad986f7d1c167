"""Every way to ask for something by its id, over all calls that `openapi.yaml` describes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from .caller import Answer
from .calls import DECISION, SCHEDULE
from .deployed import remembering
from .description import Operation
from .gateway import Request, send

# Of ids in a query and in headers, by their names there; what is not listed names nothing of anybody.
QUERY = {"sessionId": "session", "agent": "agent", "memoryId": "memory", "runId": "run", "nextToken": "token"}
NAMELESS = {"limit", "status", "createdAfter", "createdBefore"}
HEADERS = {"Idempotency-Key": "idempotency", "If-Match": "etag", "Last-Event-ID": "event"}
# A stranger has these headers as well, and they say nothing of things.
PLAIN = {"If-None-Match"}
# Bodies that the owner succeeds with, by the id of the call; `{…}` stands for an id.
BODIES: dict[str, list[Any]] = {
    "putAgent": [remembering("{agent}")],
    "putAlias": [{"routes": [{"version": "1"}]}],
    "startRun": [
        {"input": "hi"},
        {"input": "hi", "sessionId": "{session}", "memoryId": "{memory}"},
        {"input": "hi", "alias": "{alias}"},
    ],
    "replayRun": [{"model": "rehearsal"}],
    "decide": [[DECISION]],
    "createUpload": [{"bytes": 7}],
    "handBack": [{"note": "Done."}],
    "erase": [{"agent": "{agent}", "memoryId": "{memory}"}, {"principal": "key:{caller}"}],
    "createKey": [{"name": "k", "scopes": ["run"]}],
    "createSchedule": [SCHEDULE | {"agent": "{agent}"}, SCHEDULE | {"agent": "{agent}", "alias": "{alias}"}],
    "redrive": [{"ids": ["{deadLetter}"]}, {"all": True}],
}
# Where the owner succeeds only with a run or session that waits.
WAITING = {"decide": "parked", "createUpload": "parked", "handBack": "escalated"}


@dataclass(frozen=True)
class Ask:
    """One request, with `{…}` where ids stand."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    body: Any = None

    def by(self, credential: str, ids: Mapping[str, str]) -> Answer:
        def filled(text: str) -> str:
            return re.sub(r"\{(\w+)\}", lambda found: ids.get(found[1], found[0]), text)

        headers = {name: filled(value) for name, value in self.headers}
        query = [(name, filled(value)) for name, value in self.query]
        body = None if self.body is None else filled(json.dumps(self.body))
        headers |= {"Authorization": credential, "Content-Type": "application/json"}
        return send(Request(self.method, filled(self.path), query, headers, body))


def asks(operation: Operation) -> Iterator[Ask]:
    """All ways to put ids into the call that the document has. What is not known here fails."""
    name = operation.described["operationId"]
    waits = WAITING.get(name)
    path = re.sub(r"\{(run|session)\}", f"{{{waits}}}", operation.path) if waits else operation.path
    plain = Ask(operation.method, path)
    if operation.body is not None:
        for body in BODIES[name]:
            yield replace(plain, body=body)
        plain = replace(plain, body=BODIES[name][0])
    else:
        yield plain
    for parameter in operation.takes("query") - NAMELESS:
        yield replace(plain, query=((parameter, f"{{{QUERY[parameter]}}}"),))
    for header in operation.takes("header") - PLAIN:
        yield replace(plain, headers=((header, f"{{{HEADERS[header]}}}"),))
