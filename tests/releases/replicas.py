"""Many runs as a release left them: its samples, each under a name of its own and as old as asked for."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import samples

MILLISECONDS = {
    "at",
    "created_at",
    "started_at",
    "deadline_at",
    "until",
    "cancel_requested_at",
    "finished_at",
    "summary_tried_at",
    "ended_at",
    "due_at",
    "erased_at",
}
SHARDS = 16
Wire = dict[str, Any]


@dataclass(frozen=True)
class Surroundings:
    """What the samples are fitted to. Calls of `look_up` become calls of `echo`, which the suite's tools have."""

    tenant: str
    tools_arn: str

    def fit(self, items: list[Wire]) -> list[Wire]:
        text = json.dumps(items).replace("acme", self.tenant)
        text = re.sub(r"arn:aws:lambda:[\w:-]+:function:\w+", self.tools_arn, text)
        return json.loads(text.replace("look_up", "echo"))


@dataclass(frozen=True)
class Left:
    """One session as it was left, under a name of its own. `runs` are the ids of its turns."""

    scene: str
    session_id: str
    conversation: str
    items: list[Wire]

    @property
    def runs(self) -> list[str]:
        turns = sum(item["kind"]["S"] == "run" for item in self.items)
        return [f"{self.conversation}-{turn}" for turn in range(1, turns + 1)]


def agents(version: str, surroundings: Surroundings) -> list[Wire]:
    """The agents table, without its API keys."""
    found = samples.read(samples.HERE / version / "agents.json")
    return surroundings.fit([item for item in found if item["kind"]["S"] != "api_key"])


def left(version: str, scene: str, number: int, surroundings: Surroundings, *, now: int) -> Left:
    """The session of that scene, written as long before `now` (epoch ms) as the release wrote it before it ended."""
    about = samples.read(samples.HERE / version / "about.json")
    found = samples.read(samples.HERE / version / "sessions.json")
    (session,) = [item for item in found if item["pk"]["S"] == f"SESSION#acme#{scene}"]
    before, name = session["conversation"]["S"], f"{scene}-{number}"
    after = f"C{number:06d}{before[7:]}"
    own = [item for item in found if item["pk"]["S"] == f"CONV#acme#{before}"]
    fitted = surroundings.fit(json.loads(json.dumps([session, *own]).replace(before, after)))
    return Left(scene, name, after, [_moved(item, name, now - about["clock"]) for item in fitted])


def _moved(item: Wire, session_id: str, milliseconds: int) -> Wire:
    moved = dict(item)
    for name in MILLISECONDS & set(item):
        moved[name] = {"N": str(int(item[name]["N"]) + milliseconds)}
    if "expires_at" in item:
        moved["expires_at"] = {"N": str(int(item["expires_at"]["N"]) + milliseconds // 1000)}
    if item["kind"]["S"] == "lease":
        moved["listed_at"] = {"S": f"{int(moved['due_at']['N']):015d}#{item['conversation']['S']}"}
        shard = crc32(f"{item['conversation']['S']}-0".encode()) % SHARDS
        moved["open_shard"] = {"S": f"ENDS#{shard}"}
    if item["kind"]["S"] == "link":
        # By the time at which its session began.
        moved["listed_at"] = {"S": f"{int(moved['at']['N']):015d}#{item['conversation']['S']}"}
    if item["kind"]["S"] == "session":
        if "listed_at" in item:
            place = f"{int(moved['created_at']['N']):015d}#{item['conversation']['S']}"
            moved["listed_at"] = {"S": place}
        scene = item["session_id"]["S"]
        moved["pk"] = {"S": item["pk"]["S"].removesuffix(scene) + session_id}
    if "session_id" in item:
        moved["session_id"] = {"S": session_id}
    if item["kind"]["S"] == "run":
        run_id = f"{item['conversation']['S']}-{item['turn']['N']}"
        moved["listed_at"] = {"S": f"{int(moved['created_at']['N']):015d}#{run_id}"}
        moved["body"] = {"M": item["body"]["M"] | {"input": {"S": f"{session_id}, turn {item['turn']['N']}"}}}
        if "open_shard" in item:
            moved["open_shard"] = {"S": f"OPEN#{crc32(run_id.encode()) % SHARDS}"}
    return moved
