"""What a trigger's run is asked, and which triggers an agent is left with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from freehold.errors import Conflict, Invalid, StoreUnavailable
from freehold.triggering import (
    TriggerCollaborators,
    add,
    filled,
    is_granted,
    next_of_rate,
    remove,
    settle,
    sources_of,
)
from freehold.value import replace
from freehold.values.run import Principal
from freehold.values.trigger import Trigger

EVENT = {
    "id": "e1",
    "detail-type": "Order Paid",
    "resources": ["arn:first", "arn:second"],
    "detail": {"orderId": "1042", "total": 12.5, "gift": False, "lines": [{"sku": "tea"}], "note": None},
}
NOW = 1_000


def trigger(text: str = "hello", **more: Any) -> Trigger:
    """A schedule unless `event_pattern` is given."""
    made = Trigger("acme", "t1", "desk", text, "agent", Principal("key", "k1"), 0)
    return replace(made, **({"schedule": "rate(1 day)"} | more))


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("Order {{detail.orderId}}!", "Order 1042!"),
        ("{{ detail-type }}", "Order Paid"),
        ("{{detail.total}} {{detail.gift}} {{detail.note}}", "12.5 false null"),
        ("{{detail.lines}} {{detail.lines.0.sku}} {{resources.1}}", '[{"sku": "tea"}] tea arn:second'),
        ("{not} {{}} } one {{detail.orderId}}{{detail.orderId}}", "{not} {{}} } one 10421042"),
    ],
)
def test_a_placeholder_stands_for_what_the_event_has_there(template: str, text: str):
    assert filled(trigger(template), EVENT).input == text


def test_a_template_that_an_event_makes_too_long_is_refused_as_soon_as_it_is():
    looked_at: list[str] = []

    class Detail(dict[str, str]):
        def get(self, key: str, default: Any = None) -> Any:
            looked_at.append(key)
            return super().get(key, default)

    detail = Detail(first="x" * 200_000, second="x", third="x")

    with pytest.raises(Invalid, match="input: has more than 200000 characters once it is filled"):
        filled(trigger("{{detail.first}}{{detail.second}}{{detail.third}}"), {"detail": detail})

    assert looked_at == ["first", "second"]


def test_ids_are_filled_as_the_input_is():
    made = filled(trigger(session_id="order-{{detail.orderId}}", memory_id="m"), EVENT)

    assert (made.session_id, made.memory_id) == ("order-1042", "m")


def test_everything_that_an_event_lacks_is_named():
    asked = trigger("{{detail.customer}} {{resources.7}} {{detail.orderId.first}}", session_id="{{account}}")

    with pytest.raises(Invalid) as refused:
        filled(asked, EVENT)

    assert [problem.path for problem in refused.value.problems] == ["sessionId", "input", "input", "input"]
    assert "{{detail.customer}}" in str(refused.value)


@given(st.text())
@example("{{detail.secret}}")
def test_what_an_event_holds_is_no_template(text: str):
    event = {"detail": {"text": text, "secret": "hunter2"}}

    assert filled(trigger("{{detail.text}}"), event).input == text


@pytest.mark.parametrize(
    ("source", "grants", "granted"),
    [
        ("shop.orders", ["shop.orders"], True),
        ("shop.orders", ["shop.*"], True),
        ("shop.orders", ["*"], True),
        ("shop.orders", ["shop", "shop.order", "other.*"], False),
        ({"prefix": "shop.o"}, ["shop.*"], True),
        ({"prefix": "shop.orders"}, ["shop.orders"], False),
        ({"prefix": "sh"}, ["shop.*"], False),
        ({"prefix": ""}, ["*"], True),
    ],
)
def test_a_grant_covers_all_that_is_named(source: Any, grants: list[str], granted: bool):
    ((text, prefix),) = sources_of({"source": [source]})

    assert is_granted(text, prefix=prefix, grants=grants) is granted


@dataclass
class World:
    """Triggers and what goes off, in memory; dies at the `dies_at`th write."""

    records: dict[str, Trigger] = field(default_factory=dict[str, Trigger])
    armed: set[str] = field(default_factory=set[str])
    dies_at: int | None = None
    refuses: Exception | None = None
    vanishes: bool = False
    terms: str = "terms"
    writes: int = 0
    arms: int = 0

    def collaborators(self) -> TriggerCollaborators:
        return TriggerCollaborators(self, self, self, lambda: NOW)

    def of_agent(self, tenant: str, agent: str) -> list[Trigger]:
        return [each for each in self.records.values() if (each.tenant, each.agent) == (tenant, agent)]

    def put(self, trigger: Trigger) -> None:
        self._write()
        self.records[trigger.trigger_id] = trigger

    def put_again(self, trigger: Trigger) -> bool:
        self._write()
        if trigger.trigger_id not in self.records:
            return False
        self.records[trigger.trigger_id] = trigger
        return True

    def delete(self, trigger: Trigger) -> Trigger | None:
        self._write()
        there = self.records.get(trigger.trigger_id)
        if there is not None and there.armed != trigger.armed:
            return there
        self.records.pop(trigger.trigger_id, None)
        return None

    def mark(self, trigger: Trigger) -> str:
        return f"{self.terms} {trigger.trigger_id}"

    def arm(self, trigger: Trigger) -> None:
        self._write()
        self.arms += 1
        self.armed.add(trigger.trigger_id)
        if self.refuses:
            # What it needs more than one request for may be half done.
            raise self.refuses
        if self.vanishes:
            del self.records[trigger.trigger_id]

    def disarm(self, trigger: Trigger) -> None:
        self._write()
        self.armed.discard(trigger.trigger_id)

    def _write(self) -> None:
        # What goes off has a record at any moment.
        assert self.vanishes or self.armed <= self.records.keys()
        self.writes += 1
        if self.writes == self.dies_at:
            raise StoreUnavailable("died")


def named(*names: str, **more: Any) -> list[Trigger]:
    return [trigger(trigger_id=name, **more) for name in names]


BEFORE, AFTER = ("kept", "gone", "also gone"), ("kept", "new", "newer")


@pytest.mark.parametrize("dies_at", range(1, 14))
def test_the_same_again_mends_whatever_died(dies_at: int):
    world = World()
    settle("acme", "desk", named(*BEFORE), world.collaborators())
    world.writes, world.dies_at = 0, dies_at

    for _ in range(2):
        try:
            settle("acme", "desk", named(*AFTER), world.collaborators())
        except StoreUnavailable:
            assert world.armed <= world.records.keys()

    assert world.records.keys() == world.armed == {*AFTER}
    assert all(world.collaborators().is_armed(each) for each in world.records.values())


def test_what_others_added_stays_until_the_agent_goes():
    world = World()
    settle("acme", "desk", named("added", set_by="api"), world.collaborators())

    settle("acme", "desk", named("own"), world.collaborators())
    assert world.armed == {"added", "own"}
    assert settle("acme", "desk", None, world.collaborators())
    assert (world.records, world.armed) == ({}, set())


def test_who_set_a_trigger_first_is_kept_while_it_stays_the_same():
    world = World()
    settle("acme", "desk", named("t"), world.collaborators())

    settle("acme", "desk", named("t", created_by=Principal("key", "k2")), world.collaborators())
    assert world.records["t"].created_by.id == "k1"
    settle("acme", "desk", named("t", input="new", created_by=Principal("key", "k2")), world.collaborators())
    assert world.records["t"].created_by.id == "k2"


def test_a_time_that_has_passed_is_neither_set_nor_removed():
    world = World()
    late = named("late", once_at=NOW)
    world.records = {"late": late[0]}

    assert not settle("acme", "desk", late, world.collaborators())
    assert (world.records.keys(), world.armed) == ({"late"}, set())


@pytest.mark.parametrize("error", [Invalid("is not taken"), Conflict("a quota is used up")])
def test_what_aws_refuses_leaves_nothing(error: Exception):
    world = World(refuses=error)

    with pytest.raises(type(error)):
        settle("acme", "desk", named("t"), world.collaborators())

    assert (world.records, world.armed) == ({}, set())


def test_what_has_not_changed_is_left_alone():
    """A rate would begin anew."""
    world = World()
    for _ in range(3):
        settle("acme", "desk", named("t"), world.collaborators())
    assert world.arms == 1

    assert settle("acme", "desk", named("t", input="new", created_at=NOW), world.collaborators())
    assert (world.arms, world.records["t"].input, world.records["t"].created_at) == (1, "new", 0)


def test_what_was_armed_on_other_terms_is_armed_again():
    """As where a stack is made anew over the tables that it left, and its schedules are gone."""
    world = World()
    settle("acme", "desk", named("t"), world.collaborators())
    settle("acme", "desk", [*named("t"), *named("added", set_by="api")], world.collaborators())

    world.terms, world.arms, world.armed = "other terms", 0, set()
    assert settle("acme", "desk", named("t"), world.collaborators())

    assert (world.armed, world.arms) == ({"t", "added"}, 2)
    assert not settle("acme", "desk", named("t"), world.collaborators())


def test_what_was_added_is_not_lost_where_it_cannot_be_armed_now():
    world = World()
    settle("acme", "desk", named("added", set_by="api"), world.collaborators())
    world.terms, world.refuses = "other terms", Conflict("a quota is used up")

    with pytest.raises(Conflict):
        settle("acme", "desk", [], world.collaborators())

    assert world.records.keys() == {"added"}


def test_a_schedule_that_is_removed_while_it_is_added_does_not_stay():
    world = World(vanishes=True)

    assert add(named("t")[0], world.collaborators()) is None
    assert (world.records, world.armed) == ({}, set())


def test_a_schedule_that_is_armed_while_it_is_removed_does_not_stay():
    class Crowded(World):
        def disarm(self, trigger: Trigger) -> None:
            super().disarm(trigger)
            if not self.arms:
                settle("acme", "desk", [], self.collaborators())

    world = Crowded()
    (unarmed,) = named("t", set_by="api")
    world.records = {"t": unarmed}

    remove(unarmed, world.collaborators())

    assert world.arms == 1
    assert (world.records, world.armed) == ({}, set())


def test_what_is_not_armed_says_so():
    world = World(dies_at=2)
    using = world.collaborators()

    with pytest.raises(StoreUnavailable):
        add(named("t")[0], using)

    assert not using.is_armed(world.records["t"])
    added = add(named("t")[0], using)
    assert added is not None
    assert using.is_armed(added)
    assert not using.is_armed(replace(added, once_at=NOW))


@given(st.integers(1, 1_000), st.sampled_from(["minute", "hour", "day"]), st.integers(0, 10**13))
def test_a_rate_is_counted_from_when_it_was_added(number: int, unit: str, now: int):
    period = number * {"minute": 60, "hour": 3_600, "day": 86_400}[unit] * 1_000
    added = 1_800_000_000_000

    due = next_of_rate(trigger(schedule=f"rate({number} {unit}s)", created_at=added), now)

    assert due is not None
    assert (due - added) % period == 0
    assert now < due <= now + period


def test_only_a_rate_is_counted():
    assert next_of_rate(trigger(schedule="rate(1 hour)"), NOW) == 3_600_000
    assert next_of_rate(trigger(schedule="cron(0 8 ? * MON *)"), NOW) is None
    assert next_of_rate(trigger(schedule=None, event_pattern={}), NOW) is None


def test_an_agent_without_triggers_costs_no_write():
    world = World()

    assert not settle("acme", "desk", [], world.collaborators())
    assert world.writes == 0
