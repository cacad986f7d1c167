"""Five hundred decisions that nobody was allowed to make, over the real API function: none is taken."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from freehold import value, wiring

from .aws import REQUESTS
from .caller import TENANT, Answer, Caller
from .deployed import Deployed, waiting
from .pages import key_of
from .problems import is_problem

ATTEMPTS = 500
CALLS = ("confirm", "approve", "both", "return")
# Who asked for the runs is the deployment's own caller; these are others.
BOSS = Caller(key_id="b0b0b0b0b0b0", scopes=("approve",))
MEMBER = Caller(key_id="111111111111", scopes=("run", "read"))
ROOT = Caller(key_id="222222222222", scopes=("admin",))
Json = dict[str, Any]


@dataclass(frozen=True)
class Forged:
    """A request that is to be refused."""

    caller: Caller
    run: str
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    query: Mapping[str, str] | None = None


class Scene:
    """Runs in every state that a decision could be sent to."""

    def __init__(self, product: Deployed) -> None:
        self.owner = product.admin
        self.stranger = product.other_tenant()
        product.admin.call("PUT", "/agents/helper", waiting())
        self.open, self.other, self.expired = (product.park(*CALLS) for _ in range(3))
        self.ended, self.decided = product.park(*CALLS), product.park("approve")
        run = wiring.sessions().run(key_of(self.expired["runId"]))
        assert run is not None
        late = value.replace(run, rev=run.rev + 1, waits_until=wiring.now() - 1)
        wiring.endings().waits.put(late, before=run)
        product.admin.call("POST", f"/runs/{self.ended['runId']}/cancel")
        self.taken = decision(self.decided, 0, "approve", comment="go on")
        assert decide(BOSS, self.decided, [self.taken]).status == 200
        self.runs = (self.open, self.other, self.expired, self.ended, self.decided)


def decide(caller: Caller, run: Json, body: Any, **more: Any) -> Answer:
    return caller.call("POST", f"/runs/{run['runId']}/decisions", body, **more)


def decision(run: Json, call: int, verdict: str, **more: Any) -> Json:
    shown = run["awaiting"][call]
    named = {"callId": shown["callId"], "argumentsDigest": shown["argumentsDigest"]}
    result = {"result": {"body": "done"}} if verdict == "result" else {}
    return {**named, "decision": verdict, **result, **more}


def allowed(scene: Scene, rng: random.Random) -> tuple[Caller, int, Json]:
    """A decision about the open run that would be taken."""
    call = rng.randrange(len(CALLS))
    kind = scene.open["awaiting"][call]["kind"]
    verdict = rng.choice(["result", "deny"] if kind == "result" else ["approve", "deny"])
    caller = BOSS if kind == "approval" else scene.owner
    return caller, call, decision(scene.open, call, verdict)


# -- who


def by_another_tenant(scene: Scene, rng: random.Random) -> Forged:
    _, _, body = allowed(scene, rng)
    return Forged(
        rng.choice([scene.stranger, replace(scene.stranger, key_id="b0b0b0b0b0b0")]), "open", [body]
    )


def without_a_scope(scene: Scene, rng: random.Random) -> Forged:
    caller, _, body = allowed(scene, rng)
    scopes = rng.choice([(), ("read",), ("gateway",), ("read", "gateway"), ("Approve",), ("approve,run",)])
    return Forged(replace(caller, scopes=scopes), "open", [body])


def by_the_wrong_person(scene: Scene, rng: random.Random) -> Forged:
    wrong = [
        (0, rng.choice([BOSS, MEMBER, ROOT]), "approve"),
        (1, rng.choice([scene.owner, replace(scene.owner, scopes=("approve",)), MEMBER]), "approve"),
        (2, rng.choice([BOSS, MEMBER, ROOT]), "deny"),
        (3, MEMBER, "result"),
    ]
    call, caller, verdict = rng.choice(wrong)
    return Forged(caller, "open", [decision(scene.open, call, verdict)])


def by_a_name_in_the_request(scene: Scene, rng: random.Random) -> Forged:
    """Headers and parameters that elsewhere say who asks."""
    forged = by_the_wrong_person(scene, rng)
    names = [
        "X-Tenant",
        "X-User",
        "X-Forwarded-User",
        "X-Caller-Id",
        "callerId",
        "X-Amzn-Principal",
        "Scopes",
    ]
    said = {
        name: rng.choice(["key:b0b0b0b0b0b0", "b0b0b0b0b0b0", "admin", TENANT])
        for name in rng.sample(names, 3)
    }
    trick = {"X-HTTP-Method-Override": "PUT", "Idempotency-Key": "k", "Authorization": "Bearer fh_other"}
    return replace(forged, headers=said | trick, query=rng.choice([None, {"callerId": "b0b0b0b0b0b0"}]))


# -- about what


def with_another_digest(scene: Scene, rng: random.Random) -> Forged:
    caller, call, body = allowed(scene, rng)
    good: str = body["argumentsDigest"]
    place = rng.randrange(64)
    others = [each["argumentsDigest"] for i, each in enumerate(scene.open["awaiting"]) if i != call]
    wrong = [
        good[:place] + ("0" if good[place] != "0" else "1") + good[place + 1 :],
        rng.choice(others),
        scene.other["awaiting"][call]["argumentsDigest"],
        *("0" * 64, good.upper() + "!", good[:-1], good + "0", f" {good}", f"{good}\n", "", None, 0, [good]),
    ]
    return Forged(caller, "open", [body | {"argumentsDigest": rng.choice(wrong)}])


def about_another_call(scene: Scene, rng: random.Random) -> Forged:
    caller, call, body = allowed(scene, rng)
    other = rng.choice([i for i in range(12) if i != call])
    wrong = [f"t1-l1-c{other}", f"t1-l2-c{call}", f"t2-l1-c{call}", f"t01-l1-c{call}", f"t1-l1-c{call:02d}"]
    wrong += [
        f"t1-l1-c{call} ",
        f"T1-L1-C{call}",
        f"t1-l1-c-{call}",
        f"t\u0661-l1-c{call}",
        "",
        f"t1-l0-c{call}",
    ]
    wrong += [f"t1-l1-c{call}\n", "t1-l1-c90", f"t1-l99999-c{call}", f"t1-l1-c{call}#confirmation"]
    return Forged(caller, "open", [body | {"callId": rng.choice(wrong)}])


def about_another_run(scene: Scene, rng: random.Random) -> Forged:
    """A decision that one run would take, sent to another."""
    caller, _, body = allowed(scene, rng)
    return Forged(caller, rng.choice(["other", "expired", "ended", "unknown"]), [body])


def too_late(scene: Scene, rng: random.Random) -> Forged:
    caller, call, body = allowed(scene, rng)
    name = rng.choice(["expired", "ended"])
    run = scene.expired if name == "expired" else scene.ended
    return Forged(caller, name, [decision(run, call, body["decision"])])


def replayed(scene: Scene, rng: random.Random) -> Forged:
    """What was taken already: by somebody else, or as something else."""
    caller = rng.choice([scene.owner, ROOT, MEMBER, replace(BOSS, key_id="c0c0c0c0c0c0")])
    changed = rng.choice([{"decision": "deny"}, {"comment": "go back"}, {"comment": ""}])
    caller, body = rng.choice([(caller, scene.taken), (BOSS, scene.taken | changed)])
    return Forged(caller, "decided", [body])


# -- what


def another_verdict(scene: Scene, rng: random.Random) -> Forged:
    caller, call, body = allowed(scene, rng)
    fits_not = decision(
        scene.open, call, "approve" if body["decision"] == "result" or call == 3 else "result"
    )
    strange = rng.choice(
        ["APPROVE", "approve ", "approved", "yes", "", None, True, 1, ["approve"], "handback"]
    )
    return Forged(caller, "open", [rng.choice([fits_not, body | {"decision": strange}])])


def with_more_than_is_known(scene: Scene, rng: random.Random) -> Forged:
    caller, _, body = allowed(scene, rng)
    names = [
        "by",
        "principal",
        "tenant",
        "kind",
        "force",
        "scopes",
        "arguments",
        "runId",
        "expiresAt",
        "approver",
    ]
    return Forged(caller, "open", [body | {rng.choice(names): rng.choice(["key:b0b0b0b0b0b0", True, {}, 1])}])


def with_arguments_of_its_own(scene: Scene, rng: random.Random) -> Forged:
    """An approval brings no result, and a result one body."""
    caller, _, body = allowed(scene, rng)
    told = [
        {"body": "done", "uploadId": "0" * 32},
        {},
        {"body": "done", "arguments": "{}"},
        {"uploadId": "f" * 32},
    ]
    if body["decision"] == "result":
        return Forged(caller, "open", [body | {"result": rng.choice(told)}])
    return Forged(caller, "open", [body | {"result": {"body": rng.choice(["done", {}, None])}}])


def among_others(scene: Scene, rng: random.Random) -> Forged:
    """One that would be taken beside one that would not: neither is."""
    caller, _, good = allowed(scene, rng)
    bad = rng.choice([with_another_digest, about_another_call, another_verdict])(scene, rng).body
    beside = [each for each in bad if each.get("callId") != good["callId"]]
    return Forged(caller, "open", rng.sample([good, *(beside or [good])], 2))


def no_list_of_decisions(scene: Scene, rng: random.Random) -> Forged:
    caller, _, body = allowed(scene, rng)
    shapes = [
        body,
        [],
        {"decisions": [body]},
        [[body]],
        None,
        "[",
        [body] * 91,
        [None],
        [body, None],
        {"0": body},
    ]
    return Forged(caller, "open", rng.choice(shapes))


FORGERIES: tuple[Callable[[Scene, random.Random], Forged], ...] = (
    *(by_another_tenant, without_a_scope, by_the_wrong_person, by_a_name_in_the_request),
    *(with_another_digest, about_another_call, about_another_run, too_late, replayed),
    *(
        another_verdict,
        with_more_than_is_known,
        with_arguments_of_its_own,
        among_others,
        no_list_of_decisions,
    ),
)


@pytest.fixture
def scene(product: Deployed) -> Scene:
    return Scene(product)


def test_of_500_forged_decisions_none_is_taken(product: Deployed, scene: Scene):
    rng = random.Random(5)
    before = {run["runId"]: wiring.sessions().run(key_of(run["runId"])) for run in scene.runs}
    started, written = product.started(), decisions_and_results(product)
    unknown = {"runId": "01M84CY6FV8TPZ8VTAMGGSRG64-1"}

    for n in range(ATTEMPTS):
        forge = FORGERIES[n % len(FORGERIES)]
        forged = forge(scene, rng)
        run = unknown if forged.run == "unknown" else getattr(scene, forged.run)
        answer = decide(forged.caller, run, forged.body, headers=forged.headers, query=forged.query)

        assert answer.status in (400, 403, 404, 409), (forge.__name__, forged, answer.text)
        assert is_problem(answer)
        key = key_of(run["runId"])
        assert wiring.sessions().run(key) == before.get(run["runId"]), (forge.__name__, forged)

    assert {run_id: wiring.sessions().run(key_of(run_id)) for run_id in before} == before
    assert decisions_and_results(product) == written
    assert product.started() == started
    assert REQUESTS.tool_events == []


def decisions_and_results(product: Deployed) -> list[Json]:
    kinds = ("decision", "result")
    return [item for item in product.items("sessions") if item["kind"]["S"] in kinds]


@pytest.mark.parametrize("seed", range(3))
def test_what_they_were_forged_from_is_taken(scene: Scene, seed: int):
    """Or they would be refused for nothing."""
    caller, call, body = allowed(scene, random.Random(seed))

    answer = decide(caller, scene.open, [body])

    assert answer.status == 200, answer.text
    assert wiring.sessions().decisions(key_of(scene.open["runId"]), 1)[0].call == call


def test_what_a_person_was_refused_is_written_down(product: Deployed, scene: Scene):
    bad = decision(scene.open, 1, "approve") | {"argumentsDigest": "0" * 64}

    for _ in range(2):
        decide(BOSS, scene.open, [bad])
    decide(scene.owner, scene.open, [decision(scene.open, 1, "deny")])
    decide(BOSS, scene.open, [bad | {"callId": "t7-l1-c1"}])

    path = f"/sessions/{scene.open['sessionId']}/items"
    items = product.admin.call("GET", path, query={"runId": scene.open["runId"]}).body["items"]
    told = [(each["by"], each["callId"], each["decision"]) for each in items if each["kind"] == "refusal"]
    assert sorted(told) == [
        ("key:0123456789ab", "t1-l1-c1", "deny"),
        ("key:b0b0b0b0b0b0", "t1-l1-c1", "approve"),
        ("key:b0b0b0b0b0b0", "t7-l1-c1", "approve"),
    ]
