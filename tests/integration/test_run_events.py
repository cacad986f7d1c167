"""What the stack's bus is told of runs is what docs/queues.md says, and no more."""

from __future__ import annotations

import re
from pathlib import Path

from driven import ESCALATE, QuickWorld, escalating, laps, named, parked
from freehold.ending import Ending
from freehold.run_event import of_end
from freehold.value import replace
from freehold.values.run import Run, Status

PAGE = (Path(__file__).parents[2] / "docs" / "queues.md").read_text()
TABLE = PAGE.partition("| detail type | its `detail` holds |")[2].partition("\n\n")[0]
OF_ALL, *ROWS = [re.findall("`(\\w[\\w ]*)`", row) for row in TABLE.splitlines()[2:]]


def described() -> dict[str, set[str]]:
    """The fields of each detail type. Its types are in words, and fields are one word each."""
    told: dict[str, set[str]] = {}
    for row in ROWS:
        fields = {name for name in row if " " not in name}
        told |= {name: fields | set(OF_ALL) for name in row if " " in name}
    return told


def published(world: QuickWorld) -> dict[str, set[str]]:
    return {name: set(detail) for name, detail in world.events.published}


def ended(world: QuickWorld, status: Status) -> Run:
    run = world.ask(session=status)
    world.finish(run, Ending(status))
    return world.run(run)


def test_the_page_has_every_event_of_a_run_and_its_fields():
    world = QuickWorld()
    world.apply(named("helper", escalating()))

    runs = [ended(world, status) for status in ("COMPLETED", "FAILED", "STOPPED", "CANCELLED")]
    parked(world, laps([ESCALATE]))

    told = published(world)
    ends = {
        name: fields | {"replays", "cancelledBy"} for name, fields in told.items() if "stopReason" in fields
    }
    assert told | ends == described()
    assert len(ends) == len(runs)
    assert "replays" in of_end(replace(runs[0], replays="another"))


def test_only_the_end_of_a_run_that_was_cancelled_names_who_asked_for_it():
    world = QuickWorld()
    world.apply(named("helper"))
    quick, late = world.ask(session="s1"), world.ask(session="s2")

    for run in (quick, late):
        world.cancel(run, by="key:k9")
    world.finish(quick, Ending("CANCELLED", "cancelRequested"))
    world.finish(late, Ending("COMPLETED"))

    told = {name: detail.get("cancelledBy") for name, detail in world.events.published}
    assert told == {"Agent Run Cancelled": "key:k9", "Agent Run Completed": None}


def test_no_event_holds_what_was_said_nor_more_than_the_name_of_who_asked():
    world = QuickWorld()
    world.apply(named("helper", escalating()))
    attributes = {"session_attributes": {"who": "canary-1"}, "prompt_session_attributes": {"how": "canary-2"}}

    run = parked(world, laps([ESCALATE]), **attributes)
    world.cancel(run)

    assert len(world.events.published) == 3
    assert "canary" not in str(world.events.published)
    assert "a dispute" not in str(world.events.published)
    assert {(told["principal"], told["trigger"]) for _, told in world.events.published} == {
        ("key:k1", "test")
    }


def test_the_page_names_every_way_that_a_run_is_asked_for():
    (line,) = [line for line in PAGE.splitlines() if line.startswith("`trigger` is ")]
    code = "".join(path.read_text() for path in (Path(__file__).parents[2] / "layers").rglob("*.py"))

    set_somewhere = set(re.findall('(?:trigger=|TRIGGER = )"(\\w+)"', code))
    assert set(re.findall("`(\\w+)`", line)) - {"trigger"} == set_somewhere
