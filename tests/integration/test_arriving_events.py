"""Events of rules and triggers: each begins one run at most, however often it comes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from arrivals import RULE, Door, event, incoming, message, refusals, trigger
from driven import QuickWorld, all_runs, asking_agent, children, go_on, laps, message_to, named
from freehold.values.arrival import Arrival
from freehold.values.run import Principal, Run
from freehold.ways_in import MOST_HOPS
from world import TENANT


@pytest.fixture
def door() -> Door:
    world = QuickWorld()
    world.apply(named("helper"))
    return Door(world)


# -- by a rule


def test_an_event_of_a_rule_asks_for_a_run_with_its_detail(door: Door):
    run = door.run_of(incoming({"rule": RULE, "event": event()}))

    assert (run.tenant, run.input, run.trigger, run.request_id) == (TENANT, "hi", "event", "e1")
    assert run.principal.name == "event:shop/run-requested"


def test_an_event_that_comes_again_in_another_message_finds_its_run(door: Door):
    first = door.run_of(incoming({"rule": RULE, "event": event()}))

    again = door.run_of(incoming({"rule": RULE, "event": event()}, id="m2", deduplication="m2"))

    assert again.key == first.key


def test_each_event_begins_a_run_by_each_rule_that_it_came_by(door: Door):
    door.access.entries["rule", f"{RULE}-too"] = TENANT
    came = [(rule, name) for rule in (RULE, f"{RULE}-too") for name in ("e1", "e2")]

    runs = [door.run_of(incoming({"rule": rule, "event": event(id=name)})) for rule, name in came]

    assert len({run.key for run in runs}) == 4


def test_a_rule_that_leads_to_nobody_begins_nothing(door: Door):
    door.take(incoming({"rule": f"{RULE}-of-others", "event": event()}))

    assert [(error, tenant) for error, _, tenant in refusals(door)] == [("Denied", None)]


def test_a_queue_of_others_is_not_believed_what_rule_or_trigger_it_names(door: Door):
    door.triggers.triggers.append(trigger(input="Go on."))
    by_rule = {"rule": RULE, "event": event()}
    by_trigger = {"trigger": {"tenant": TENANT, "id": "t1"}, "event": event()}

    for told in (by_rule, by_trigger):
        assert door.take(message(json.dumps(told))).kind == "refused"

    assert [error for error, *_ in refusals(door)] == ["Invalid", "Invalid"]
    assert all_runs(door.world) == []


def test_a_source_that_is_too_long_takes_no_rule_or_trigger_out_of_who_asked(door: Door):
    door.triggers.triggers.append(trigger(input="Go on."))
    long = "ö" * 256

    by_rule = door.run_of(incoming({"rule": RULE, "event": event(source=long)}))
    told = {"trigger": {"tenant": TENANT, "id": "t1"}, "event": event(source=long)}
    by_trigger = door.run_of(incoming(told))

    for run, by in ((by_rule, "/run-requested"), (by_trigger, "/t1")):
        assert run.principal.id.startswith("%C3%B6%C3%B6")
        assert run.principal.id.endswith(by)
        assert len(run.principal.id) == 256


# -- by a trigger


def test_an_event_of_a_trigger_becomes_what_its_template_makes_of_it(door: Door):
    door.triggers.triggers.append(trigger(session_id="order-{{detail.orderId}}"))
    told = {"trigger": {"tenant": TENANT, "id": "t1"}, "event": event(detail={"orderId": "7"})}

    run = door.run_of(incoming(told))

    assert (run.input, run.session_id, run.trigger) == ("Order 7 came.", "order-7", "event")
    assert run.principal.name == "event:shop/t1"


def test_a_schedule_begins_one_run_for_each_of_its_times(door: Door):
    door.triggers.triggers.append(trigger(input="Report as of {{scheduledTime}}.", schedule="rate(1 day)"))

    def at(time: str, execution: str) -> Run:
        told = {
            "trigger": {"tenant": TENANT, "id": "t1"},
            "scheduledTime": time,
            "execution": execution,
        }
        return door.run_of(incoming(told))

    first, again = at("2026-01-01T00:00:00Z", "x1"), at("2026-01-01T00:00:00Z", "x2")
    second = at("2026-01-02T00:00:00Z", "x3")

    assert first.key == again.key != second.key
    assert first.input == "Report as of 2026-01-01T00:00:00Z."
    assert (first.principal.name, first.trigger) == ("schedule:t1", "schedule")


@pytest.mark.parametrize(
    "by", [{"event": event()}, {"scheduledTime": "2026-01-01T00:00:00Z"}], ids=["an event", "a time"]
)
def test_triggers_that_go_off_together_begin_a_run_each(by: dict[str, Any], door: Door):
    named = ("t1", "t2")
    door.triggers.triggers.extend(trigger(input="Go on.", trigger_id=name) for name in named)

    runs = [door.run_of(incoming({"trigger": {"tenant": TENANT, "id": name}} | by)) for name in named]

    assert len({run.key for run in runs}) == 2


def test_a_repeat_after_the_trigger_has_changed_begins_no_second_run(door: Door):
    told = incoming({"trigger": {"tenant": TENANT, "id": "t1"}, "event": event(detail={"orderId": "7"})})
    door.triggers.triggers.append(trigger())
    door.take(told)
    door.triggers.triggers[:] = [trigger(input="Look at order {{detail.orderId}}.")]

    assert door.take(told).kind == "dropped"
    assert len(all_runs(door.world)) == 1
    assert door.dead.letters == []


def test_a_source_that_is_granted_no_more_begins_nothing(door: Door):
    door.triggers.triggers.append(trigger())
    told = incoming({"trigger": {"tenant": TENANT, "id": "t1"}, "event": event(detail={"orderId": "7"})})

    door.access.entries = {("source", "shop.*"): TENANT, ("source", "shop"): "globex"}
    assert door.take(told).kind == "dropped"
    door.access.entries = {("source", "sho*"): TENANT}
    assert door.take(told).kind == "taken"


def test_a_trigger_that_is_gone_begins_nothing_and_leaves_nothing(door: Door):
    outcome = door.take(incoming({"trigger": {"tenant": TENANT, "id": "t1"}, "event": event()}))

    assert (outcome.kind, outcome.tenant, door.dead.letters) == ("dropped", TENANT, [])
    assert outcome.principal == Principal("event", "shop/t1")


@pytest.mark.parametrize("detail", [{"tenant": "globex", "orderId": "7"}, {"orderId": "7"}])
def test_an_event_of_another_tenants_run_is_for_nobody(detail: dict[str, str], door: Door):
    door.triggers.triggers.append(trigger())

    told = {
        "trigger": {"tenant": TENANT, "id": "t1"},
        "event": event(source="freehold", detail=detail),
    }

    assert door.take(incoming(told)).kind == "dropped"
    assert all_runs(door.world) == []


def test_an_event_of_the_tenants_own_run_may_begin_another_one(door: Door):
    door.triggers.triggers.append(trigger())
    own = event(source="freehold", detail={"tenant": TENANT, "orderId": "7"})

    run = door.run_of(incoming({"trigger": {"tenant": TENANT, "id": "t1"}, "event": own}))

    assert run.input == "Order 7 came."


def of_run(**detail: Any) -> Arrival:
    """An event of the stack's own comes to the trigger of `helper`."""
    told = event(source="freehold", detail={"tenant": TENANT, "orderId": "7"} | detail)
    return incoming({"trigger": {"tenant": TENANT, "id": "t1"}, "event": told})


def test_an_agents_own_runs_begin_none_of_its_runs(door: Door):
    door.triggers.triggers.append(trigger())

    outcome = door.take(of_run(agent="helper"))

    assert outcome.kind == "dropped"
    assert outcome.why is not None
    assert "helper" in outcome.why
    assert all_runs(door.world) == []


def test_agents_that_wait_for_one_anothers_runs_come_to_an_end(door: Door):
    door.world.apply(named("other"))
    one, other = trigger(input="Go on."), trigger(input="Go on.", trigger_id="t2", agent="other")
    door.triggers.triggers.extend((one, other))
    run, taken = door.run_of(message()), 0

    for number in range(20):
        door.world.finish(run)
        _, detail = door.world.events.published[-1]
        told = event(id=f"e{number}", source="freehold", detail=detail)
        waiting = other if run.agent == "helper" else one
        named_by = {"tenant": TENANT, "id": waiting.trigger_id}
        outcome = door.take(incoming({"trigger": named_by, "event": told}))
        if outcome.run is None:
            break
        run, taken = door.world.run(outcome.run), taken + 1

    assert (taken, run.hops) == (MOST_HOPS, MOST_HOPS)


@pytest.mark.parametrize("hops", [-1_000, True, 1.5, "1", None])
def test_an_event_whose_hops_count_no_runs_begins_nothing(hops: object, door: Door):
    door.triggers.triggers.append(trigger())

    outcome = door.take(of_run(agent="other", hops=hops))

    assert (outcome.kind, outcome.why) == ("dropped", "its `hops` count no runs")
    assert all_runs(door.world) == []


def test_an_agent_that_another_one_asks_is_as_far_from_whoever_asked_first(door: Door):
    door.world.apply(named("specialist"))
    door.world.apply(named("helper", asking_agent("specialist")))
    door.triggers.triggers.append(trigger(input=laps([message_to("specialist", "Look at it.")])))

    run = go_on(door.world, door.run_of(of_run(agent="other", hops=2)))

    (child,) = children(door.world, run)
    assert (run.hops, child.hops) == (3, 3)


@pytest.mark.parametrize("detail", [{}, {"orderId": "x" * 200_001}])
def test_an_event_that_a_template_can_make_nothing_of_is_a_dead_letter(detail: dict[str, str], door: Door):
    door.triggers.triggers.append(trigger())

    door.take(incoming({"trigger": {"tenant": TENANT, "id": "t1"}, "event": event(detail=detail)}))

    ((error, reason, tenant),) = refusals(door)
    assert (error, tenant) == ("Invalid", TENANT)
    assert "input" in reason


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"rule": RULE},
        {"rule": 1, "event": event()},
        {"rule": RULE, "event": {"detail": {}}},
        {"trigger": "t1"},
        {"trigger": {"tenant": TENANT}},
        [],
        "hi",
    ],
)
def test_an_incoming_event_of_another_form_is_a_dead_letter(body: Any, door: Door):
    door.triggers.triggers.append(trigger())

    door.take(incoming(body))

    assert [error for error, *_ in refusals(door)] == ["Invalid"]
