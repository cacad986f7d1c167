"""Decisions that come at once: one of them counts, whatever the order in which their requests arrive."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from driven import (
    PAY,
    Call,
    QuickWorld,
    client_tool,
    decisions,
    go_on,
    laps,
    named,
    parked,
    pay,
    results,
    starts,
)
from freehold.errors import Conflict
from freehold.sweeping import sweep
from freehold.value import replace
from freehold.values.agent import Approvals, Tool
from freehold.values.decision import EXPIRED
from freehold.values.run import Run
from steering import race
from world import World

RACES, FURTHER = 200, 60
EXPIRES = 3_600


class Racing:
    """A world in which runs wait for one more second, and a sweeper whose clock is two seconds ahead."""

    def __init__(self, *tools: Tool) -> None:
        self.world = QuickWorld()
        helper = named("helper", *tools)
        self.world.apply(replace(helper, approvals=Approvals(expire_after_seconds=EXPIRES)))

    def parked(self, *calls: Call) -> Run:
        run = parked(self.world, laps(calls))
        self.world.pass_time(EXPIRES - 1)
        return run

    def expire(self) -> Any:
        ahead = replace(self.world.endings(), now=lambda: self.world.clock + 2_000)
        # What follows the decision is not raced: one look at what is due and no more.
        looks = iter((False,))
        return sweep(
            replace(self.world.parking(), ends=ahead),
            self.world.erasing(),
            patience_ms=420_000,
            report=self.world.report,
            until=lambda: next(looks, True),
        )


def test_of_approval_denial_and_expiry_at_once_exactly_one_counts():
    counted: Counter[str] = Counter()
    for seed in range(RACES):
        racing = Racing(pay("approval"))
        world, run = racing.world, racing.parked(PAY)
        digest = run.pending[0].digest

        approved, denied, _ = race(
            world.helm,
            seed,
            lambda world=world, run=run, digest=digest: world.decide(run, "approve", by="ann", digest=digest),
            lambda world=world, run=run, digest=digest: world.decide(run, "deny", by="bob", digest=digest),
            racing.expire,
        )

        (decision,) = decisions(world, run)
        counted[decision.by] += 1
        for by, came_to in (("key:ann", approved), ("key:bob", denied)):
            assert isinstance(came_to, Run if by == decision.by else Conflict), (seed, came_to)
        _goes_on_once(world, run, approved=decision.by == "key:ann")
    assert set(counted) == {"key:ann", "key:bob", EXPIRED}


def _goes_on_once(world: World, run: Run, *, approved: bool) -> None:
    assert (world.run(run).status, starts(world, run), world.waits.listed()) == ("RUNNING", [1, 2], [])
    assert go_on(world, run).status == "COMPLETED"
    (result,) = results(world, run)
    assert result.outcome == ("success" if approved else "denied")
    assert len(world.tools.events) == approved


def test_of_a_cancel_and_two_decisions_at_once_the_run_ends_in_one_way():
    counted: Counter[str] = Counter()
    for seed in range(FURTHER):
        racing = Racing(pay("approval"))
        world, run = racing.world, racing.parked(PAY)
        digest = run.pending[0].digest

        cancelled, approved, _ = race(
            world.helm,
            seed,
            lambda world=world, run=run: world.cancel(run),
            lambda world=world, run=run, digest=digest: world.decide(run, "approve", digest=digest),
            racing.expire,
        )

        assert isinstance(cancelled, Run), cancelled
        by = [decision.by for decision in decisions(world, run)]
        assert isinstance(approved, Run) == (by == ["key:boss"]), (seed, approved)
        if world.run(run).status == "RUNNING":
            assert world.run(run).cancel_requested_at is not None
            go_on(world, run)
        (result,) = results(world, run)
        assert (world.run(run).status, world.tools.events, world.waits.listed()) == ("CANCELLED", [], [])
        assert result.outcome == ("denied" if by == [EXPIRED] else "cancelled")
        counted[by[0] if by else "nobody"] += 1
    assert set(counted) == {"nobody", "key:boss", EXPIRED}


def test_results_of_several_clients_at_once_are_taken_once_each():
    for seed in range(FURTHER):
        racing = Racing(client_tool())
        world, run = racing.world, racing.parked(("look_up", {"id": "1"}), ("look_up", {"id": "2"}))
        sent = [(0, "one"), (0, "another one"), (1, "two"), (1, "two")]

        came_to = race(world.helm, seed, *(_sending(world, run, *each) for each in sent))

        # A client that heard nothing asked for the second one again.
        assert [type(each) for each in came_to].count(Run) == 3, (seed, came_to)
        assert [type(each) for each in came_to[:2]].count(Conflict) == 1
        assert (len(decisions(world, run)), starts(world, run)) == (2, [1, 2])
        assert go_on(world, run).status == "COMPLETED"
        told = [result.content for result in sorted(results(world, run), key=lambda result: result.call)]
        assert told == ["one" if isinstance(came_to[0], Run) else "another one", "two"]


def _sending(world: World, run: Run, call: int, content: str) -> Callable[[], Run]:
    digest = run.pending[call].digest
    return lambda: world.decide(run, "result", call, digest=digest, content=content)
