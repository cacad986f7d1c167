"""What one tenant has, no other can see, change, or find out about: over every call that `openapi.yaml` describes."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from freehold import wiring
from freehold.adapters.api_keys import SCOPES
from freehold.values.access import AccessEntry

from .asks import Ask, asks
from .caller import Answer
from .calls import SCHEDULE
from .deployed import Deployed, remembering, waiting
from .description import Operation, operations
from .gateway import SIGNED, Request, send
from .in_memory import MemoryAws, deployed_in_memory
from .queues import REQUESTS
from .test_schemathesis import dead_letter

OWNER, STRANGER = "acme", "globex"
# Part of all that the owner wrote; no stranger ever wrote it.
MARK = "zaffre"
EVERY = operations()
SIGNED_CALL = "createToken"

KNOWN = (400, 412, 422)


def is_owners(partition: str) -> bool:
    return partition.split("#")[1] == OWNER


@dataclass
class Two:
    """Two tenants; `ids` are of the owner's things, and `nobody` of none. `restore` undoes all since `keep`."""

    product: Deployed
    aws: MemoryAws
    owner: str
    stranger: str
    ids: dict[str, str]
    nobody: dict[str, str]

    def __post_init__(self) -> None:
        self.kept = self.copied()

    def copied(self) -> Any:
        return copy.deepcopy((self.aws.table._tables, self.aws.bucket.objects, self.aws.queues.queues))

    def restore(self, *, without_owner: bool = False) -> None:
        """Once more as it was, or as if the owner had never been there."""
        tables, objects, queued = copy.deepcopy(self.kept)
        if without_owner:
            objects, queued = {}, {}
            for found in tables.values():
                for place in [place for place in found if is_owners(place[0])]:
                    del found[place]
        self.aws.table._tables, self.aws.bucket.objects, self.aws.queues.queues = tables, objects, queued
        self.aws.others.asked.clear()

    def owners(self) -> Any:
        """All that is the owner's, to the letter; and what others were asked to do about it."""
        tables, objects, queued = self.copied()
        items = {
            (table, place): item
            for table, found in tables.items()
            for place, item in found.items()
            if is_owners(place[0])
        }
        asked = [each for each in self.aws.asked if OWNER in json.dumps(each, default=str)]
        return items, {key: value for key, value in objects.items() if OWNER in key}, queued, asked


@pytest.fixture(scope="module")
def two() -> Iterator[Two]:
    with deployed_in_memory() as (product, aws):
        credentials = {name: credential(product, name) for name in (OWNER, STRANGER)}
        ids = everything(product, aws, credentials[OWNER])
        product.admin = product.other_tenant()
        # The stranger has things of its own: an answer about them would be another one.
        product.admin.call("PUT", "/agents/their-own", remembering("their-own"))
        yield Two(product, aws, credentials[OWNER], credentials[STRANGER], ids, like_nobodys(ids))


def credential(product: Deployed, tenant: str, key_id: str | None = None) -> str:
    made = product.keys().create(tenant=tenant, name="k", scopes=SCOPES, now=1, key_id=key_id)
    return f"Bearer {made.text}"


def everything(product: Deployed, aws: MemoryAws, key: str) -> dict[str, str]:
    """Ids of what the owner has; each thing that can hold text bears the mark."""
    admin = product.admin
    admin.call("PUT", f"/agents/{MARK}", remembering(MARK, description=MARK))
    admin.call("POST", f"/agents/{MARK}/versions")
    admin.call("PUT", f"/agents/{MARK}/aliases/{MARK}-live", {"routes": [{"version": "1"}]})
    approvals = {"approvers": ["scope:run", "scope:approve"]}
    waits = f"{MARK}-waiting"
    admin.call("PUT", f"/agents/{waits}", waiting(agentName=waits, approvals=approvals))
    run = product.start(MARK, agent=MARK, sessionId=f"{MARK}-1", memoryId=f"{MARK}-m")["runId"]
    product.finish(run, text=MARK)
    parked = product.park("return", agent=waits, sessionId=f"{MARK}-2", text=MARK)
    product.park("escalate_to_human", agent=waits, sessionId=f"{MARK}-3")
    admin.call("POST", f"/agents/{MARK}/versions", headers={"Idempotency-Key": f"{MARK}-key"})
    listed = admin.call("GET", "/runs", query={"limit": "1"}).body
    key_id = admin.call("POST", "/keys", {"name": MARK, "scopes": ["run"]}).body["keyId"]
    schedule = admin.call("POST", "/schedules", SCHEDULE | {"agent": MARK, "input": MARK}).body
    followed = send(Request("GET", f"/runs/{run}/events", (), {"Authorization": key}))
    found = re.findall("^id: (.*)$", followed.text, re.MULTILINE)
    return {
        "agent": MARK,
        "version": "2",
        "alias": f"{MARK}-live",
        "run": run,
        "session": f"{MARK}-1",
        "memory": f"{MARK}-m",
        "parked": parked["runId"],
        "digest": parked["awaiting"][0]["argumentsDigest"],
        "escalated": f"{MARK}-3",
        "idempotency": f"{MARK}-key",
        "etag": admin.call("GET", f"/agents/{MARK}").headers["ETag"],
        "event": found[0],
        "token": listed["nextToken"],
        "caller": "0123456789ab",
        "key": key_id,
        "schedule": schedule["scheduleId"],
        "deadLetter": dead_letter(aws, REQUESTS),
    }


def like_nobodys(ids: Mapping[str, str]) -> dict[str, str]:
    """Ids of the same form, under which nobody has anything."""
    digits = str.maketrans("0123456789", "9876543210")
    made = {name: value.replace(MARK, "cobalt").translate(digits) for name, value in ids.items()}
    # The place in a stream is no name; and whoever has read a draft that is the same has its ETag.
    return made | {"version": "2"} | {name: ids[name] for name in ("event", "etag")}


@pytest.mark.parametrize("operation", EVERY, ids=lambda each: each.described["operationId"])
def test_a_strangers_answer_is_the_same_whether_a_thing_is_there_or_not(two: Two, operation: Operation):
    if operation.described["operationId"] == SIGNED_CALL:
        pytest.skip("it names nothing of anybody; what it gives is tested below")
    for ask in asks(operation):
        two.restore()
        before = two.owners()
        there = ask.by(two.stranger, two.ids)
        assert two.owners() == before, ask
        two.restore(without_owner=True)
        gone = ask.by(two.stranger, two.ids)
        two.restore()
        nobodys = ask.by(two.stranger, two.nobody)

        assert there.status < 500, there.text
        assert told(there, two.ids) == told(gone, two.ids), ask
        # The id of an event fits one run alone, whether that is there or not.
        if "{event}" not in str(ask.headers):
            assert told(there, two.ids) == told(nobodys, two.nobody), ask
        assert MARK not in echoless(there, two.ids), ask
        two.restore()
        own = ask.by(two.owner, two.ids)
        # Else nothing was proved. What the owner has used for another request, or read elsewhere, is known to be so.
        assert own.status < 300 or (own.status in KNOWN and (ask.query or ask.headers)), f"{ask}: {own.text}"


def test_a_list_shows_the_owner_what_it_hides_from_strangers(two: Two):
    """Each call without ids of its own that has something to show."""
    two.restore()
    lists = {
        operation.described["operationId"]
        for operation in EVERY
        if operation.method == "GET"
        and "{" not in operation.path
        and two.ids["agent"] in Ask("GET", operation.path).by(two.owner, two.ids).text
    }

    assert lists >= {"listAgents", "listRuns", "listSessions", "listApprovals", "listKeys", "listSchedules"}


@pytest.mark.parametrize("part", ["tenant", "id", "both"])
def test_a_key_with_parts_of_anothers_key_opens_nothing(two: Two, part: str):
    two.restore()
    owners, theirs = (text.removeprefix("Bearer ").split("_") for text in (two.owner, two.stranger))
    mixed = {"tenant": (1,), "id": (2,), "both": (1, 2)}[part]
    made = "_".join(owners[place] if place in mixed else theirs[place] for place in range(4))

    assert Ask("GET", "/agents").by(f"Bearer {made}", {}).status == 401
    assert Ask("GET", "/agents").by(two.stranger, {}).status == 200


def test_a_key_with_the_id_of_another_tenants_key_opens_its_own_tenant(two: Two):
    two.restore()
    key_id = two.owner.split("_")[2]
    same = credential(two.product, STRANGER, key_id)

    assert MARK in Ask("GET", "/agents").by(two.owner, {}).text
    assert MARK not in Ask("GET", "/agents").by(same, {}).text
    assert Ask("DELETE", f"/keys/{key_id}").by(same, {}).status == 204
    assert Ask("GET", "/agents").by(two.owner, {}).status == 200


def test_a_token_opens_the_tenant_that_the_access_entry_names_and_no_other(two: Two):
    two.restore()
    roles = {tenant: f"arn:aws:iam::123456789012:role/{tenant}" for tenant in (OWNER, STRANGER)}
    for tenant, role in roles.items():
        wiring.access().grant(AccessEntry("iam", role, tenant, 0, ("read",)))

    found = {tenant: Ask("POST", "/auth/token").by(f"{SIGNED}{role}", {}) for tenant, role in roles.items()}
    nobody = Ask("POST", "/auth/token").by(f"{SIGNED}{roles[OWNER]}-2", {})

    shown = {
        tenant: MARK in Ask("GET", "/agents").by(f"Bearer {answer.body['token']}", {}).text
        for tenant, answer in found.items()
    }
    assert shown == {OWNER: True, STRANGER: False}
    assert (nobody.status, OWNER in nobody.text.replace(roles[OWNER], "")) == (403, False)


def told(answer: Answer, ids: Mapping[str, str]) -> Any:
    """An answer with its ids, times and whatever is made anew each time alike."""
    text = echoless(answer, ids)
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "<time>", text)
    text = re.sub(
        r"01[0-9A-Z]{24}(-\d+)?|[0-9a-f]{8}-[0-9a-f-]{27}|\b[0-9a-f]{12,64}\b|fh_\S+", "<made>", text
    )
    headers = {name: value for name, value in answer.headers.items() if name not in ("x-request-id", "ETag")}
    return answer.status, headers, text


def echoless(answer: Answer, ids: Mapping[str, str]) -> str:
    """The text without what the caller has said itself."""
    text = answer.text
    for name, value in sorted(ids.items(), key=lambda pair: -len(pair[1])):
        if name not in ("version", "caller"):
            text = text.replace(value, f"<{name}>")
    return text
