"""What the sweeper does where there is more than it has time for: nobody keeps anybody else from being looked at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from driven import PAY, QuickWorld, laps, named, parked, pay
from freehold.errors import StoreUnavailable
from freehold.ports import SHARDS
from freehold.sweeping import MOST_OPEN
from freehold.value import replace
from freehold.values.conversation import Lease
from freehold.values.run import Run, RunKey
from steering import refused
from world import TENANT

OTHER = "globex"
DAY = 86_400


@pytest.fixture
def world() -> QuickWorld:
    made = QuickWorld()
    for tenant in (TENANT, OTHER):
        made.agents.apply(tenant, named("helper", pay("approval")), {}, (), now=made.clock)
    return made


def room_for(looks: int) -> Callable[[], bool]:
    """A sweep that has time for so many looks; one that finds nothing more is one of them."""
    left = iter(range(looks))
    return lambda: next(left, None) is None


def park(world: QuickWorld, number: int) -> list[Run]:
    return [parked(world, laps([PAY]), f"s{each}", tenant=OTHER) for each in range(number)]


def enqueue(world: QuickWorld, number: int) -> list[Run]:
    """So many runs behind one that waits for an approval."""
    park(world, 1)
    return [world.ask("more", "s0", tenant=OTHER, when_busy="enqueue") for _ in range(number)]


def expire(world: QuickWorld) -> None:
    world.pass_time(9 * DAY)


class Counting:
    """Counts queries, and the items that they read."""

    def __init__(self) -> None:
        self.queries, self.items = 0, 0

    def __call__(self, operation: str, request: Callable[[], Any]) -> Any:
        answer = request()
        if operation == "query":
            self.queries += 1
            self.items += len(answer["Items"])
        return answer


# -- the three of them


def test_waits_whose_time_is_over_leave_time_for_a_lost_run(world: QuickWorld):
    park(world, 20)
    expire(world)
    lost = world.ask()
    world.pass_time(DAY)

    swept = world.sweep(until=room_for(6))

    assert swept.awaiting == 20
    assert swept.expired > 1
    assert world.run(lost).execution == 2


def test_open_runs_leave_time_for_conversations_that_have_expired(world: QuickWorld):
    ended = world.ask()
    world.finish(ended)
    expire(world)
    enqueue(world, 40)

    for _ in range(SHARDS):
        world.pass_time(60)
        world.sweep(until=room_for(6))

    assert world.sessions.run(ended.key) is None


def test_what_takes_long_has_no_more_time_than_what_is_quick(world: QuickWorld):
    """Each decision takes ten seconds, since it starts an execution."""
    park(world, 10)
    expire(world)
    for number in range(20):
        world.ask(session=f"new{number}")

    def slow(operation: str, request: Callable[[], Any]) -> Any:
        if operation == "start":
            world.pass_time(10)
        return request()

    with world.helm.held(slow):
        swept = world.sweep(until=room_for(20))

    assert swept.expired == 1
    assert swept.seen == 19


# -- tenants


def test_a_tenant_with_many_open_runs_keeps_no_other_from_its_turn(world: QuickWorld):
    enqueue(world, 100)
    lost = world.ask()
    world.pass_time(600)

    world.sweep(until=room_for(5))

    assert world.run(lost).execution == 2


def test_a_tenant_with_many_expired_conversations_keeps_no_other_from_its_turn(world: QuickWorld):
    for number in range(20 * SHARDS):
        lease = Lease(OTHER, f"C{number}", "s", world.clock)
        world.conversations.extend(lease, due_at=lease.due_at)
    mine = Lease(TENANT, "mine", "s", world.clock + 1)
    world.conversations.extend(mine, due_at=mine.due_at)

    for _ in range(SHARDS):
        world.pass_time(60)
        world.sweep(until=room_for(5))

    lease = world.conversations.lease(TENANT, "mine")
    assert lease is not None
    assert lease.erased_at is not None


class Flooded:
    """Sessions whose every shard is full of runs that are gone. Keeps which ones were listed."""

    def __init__(self, sessions: Any, number: int) -> None:
        self._sessions, self._number = sessions, number
        self.listed: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sessions, name)

    def open_runs(self, shard: int) -> list[RunKey]:
        self.listed.append(shard)
        return [RunKey(OTHER, f"C{shard}", turn) for turn in range(self._number)]


def test_no_more_is_listed_than_a_sweep_has_time_for_and_each_begins_elsewhere(world: QuickWorld):
    flooded: Any = Flooded(world.sessions, MOST_OPEN // 2)
    world.sessions = flooded

    for _ in range(SHARDS):
        world.pass_time(60)
        world.sweep(until=room_for(4))

    assert sorted(flooded.listed) == sorted([*range(SHARDS)] * 2)


def test_what_can_never_be_done_is_not_tried_first_each_time(world: QuickWorld):
    waiting = park(world, 12)
    expire(world)

    def out_of_order(operation: str, request: Callable[[], Any]) -> Any:
        return refused(request) if operation == "transact_write_items" else request()

    with world.helm.held(out_of_order):
        for _ in range(30):
            world.pass_time(60)
            world.sweep(until=room_for(6))

    assert {key for key, _ in world.reported} == {run.key for run in waiting}


# -- queues


def test_nothing_is_read_of_what_lies_before_a_run_that_rightly_waits(world: QuickWorld):
    enqueue(world, 30)
    counting = Counting()

    with world.helm.held(counting):
        swept = world.sweep()

    assert swept.seen == 30
    assert counting.queries == SHARDS + 2, "the lists, and no conversation"


def test_one_that_is_open_is_found_from_the_end_of_the_queue(world: QuickWorld):
    *_, last = enqueue(world, 40)
    counting = Counting()

    with world.helm.held(counting):
        assert world.sessions.has_open_turn_before(last.key)

    assert counting.items == 10


def test_one_that_is_open_is_found_behind_many_that_are_not(world: QuickWorld):
    *between, last = enqueue(world, 40)
    for run in between:
        world.cancel(run)

    assert world.sessions.has_open_turn_before(last.key)

    first = world.run(replace(last.key, turn=1))
    world.cancel(first)
    assert not world.sessions.has_open_turn_before(last.key)


class Unread:
    """Collaborators of which one list cannot be read."""

    def __init__(self, there: Any, name: str, shard: int | None = None) -> None:
        self._there, self._name, self._shard = there, name, shard

    def __getattr__(self, name: str) -> Any:
        def read(*shard: int, **more: Any) -> Any:
            if self._shard in (None, *shard):
                raise StoreUnavailable("throttled")
            return getattr(self._there, name)(*shard, **more)

        return read if name == self._name else getattr(self._there, name)


@pytest.mark.parametrize("unread", ["waits", "one shard of the open runs", "leases"])
def test_a_list_that_cannot_be_read_keeps_no_other_from_its_turn(world: QuickWorld, unread: str):
    waits = park(world, 20)
    expire(world)
    lost = [world.ask(session=f"l{number}") for number in range(20)]
    world.pass_time(DAY)
    if unread == "waits":
        world.waits = Unread(world.waits, "listed")
    elif unread == "leases":
        world.conversations = Unread(world.conversations, "due")
    else:
        (shard,) = {number for number in range(SHARDS) if lost[0].key in world.sessions.open_runs(number)}
        world.sessions = Unread(world.sessions, "open_runs", shard)

    with pytest.raises(StoreUnavailable):
        world.sweep()

    restarted = [run for run in lost if world.run(run).execution == 2]
    decided = [run for run in waits if world.run(run).status == "RUNNING"]
    assert (len(decided) == 20) is (unread != "waits")
    assert 10 < len(restarted) <= 20
    assert (lost[0] in restarted) is (unread != "one shard of the open runs")
