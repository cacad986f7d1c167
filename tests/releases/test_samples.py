"""What earlier releases wrote is read by today's code as it was meant, and goes on from where it stands."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any, get_args

import pytest
import samples
from scenes import LARGE

from freehold.adapters import records
from freehold.adapters.api_keys import ApiKeys
from freehold.adapters.scripted import ScriptedModel, reply
from freehold.adapters.table import Table, from_wire
from freehold.ending import Ending
from freehold.errors import CallInProgress, NotFound
from freehold.run_event import ENDS
from freehold.sweeping import MAX_LOST_STARTS
from freehold.values.run import CallOutcome, Run, RunKey, Status
from world import TENANT, World, answer, tool


def run_of(world: World, session: str, turn: int = 1) -> Run:
    found = world.sessions.session(TENANT, session)
    assert found is not None
    return world.run(RunKey(TENANT, found.conversation, turn))


# -- reading


def test_every_item_is_read_as_its_release_meant_it(left: tuple[World, dict[str, Any]], release: str):
    """Fields that the release did not know have their defaults; all others are what they were."""
    world, _ = left
    meant: dict[str, Any] = samples.read(samples.HERE / release / "values.json")

    seen = samples.values(world)

    assert len(seen) > 40
    assert set(seen) == set(meant)
    assert [key for key in seen if not holds(seen[key], meant[key])] == []


def holds(seen: Any, meant: Any) -> bool:
    if isinstance(meant, dict) and isinstance(seen, dict):
        return all(name in seen and holds(seen[name], value) for name, value in meant.items())
    if isinstance(meant, list) and isinstance(seen, list):
        return len(seen) == len(meant) and all(map(holds, seen, meant))
    return bool(seen == meant)


def test_large_content_is_found_where_it_was_put(world: World):
    assert run_of(world, "large").input == LARGE


def test_runs_are_listed_by_tenant(left: tuple[World, dict[str, Any]], release: str):
    """In every status that the release knew."""
    world, _ = left
    written: list[Any] = samples.read(samples.HERE / release / "sessions.json")

    runs, _ = world.lists.runs(TENANT, wanted={}, limit=100, token=None)

    assert {run.status for run in runs} == {
        item["status"]["S"] for item in written if item["kind"]["S"] == "run"
    }
    assert len({run.status for run in runs}) > 5


def test_agents_are_there_with_their_versions_and_aliases(world: World):
    draft, (version, source) = (
        world.agents.draft(TENANT, "helper"),
        world.agents.version(TENANT, "helper", "1"),
    )

    assert (draft.source, draft.latest_version, draft.warnings) == ({"agentName": "helper"}, 1, ())
    assert (version.digest, source) == (draft.digest, {"agentName": "helper"})
    aliases, _ = world.agents.aliases(TENANT, "helper", limit=100)
    assert [(each.alias, each.routes) for each in aliases] == [("live", (("1", 100),))]
    names = [each["name"] for each in world.agents.drafts(TENANT, limit=100)[0]]
    assert "helper" in names
    assert "gone" not in names
    with pytest.raises(NotFound):
        world.agents.draft(TENANT, "gone")


def test_an_agent_that_was_deleted_comes_back_with_the_next_version_number(world: World):
    gone = world.agents.snapshot(TENANT, "gone", _digest_of_gone(world))

    world.agents.apply(TENANT, gone, {}, (), now=world.clock)

    assert world.agents.freeze(TENANT, "gone", now=world.clock).version == 2


def _digest_of_gone(world: World) -> str:
    keys = [item["sk"]["S"] for item in samples.items(world.client, "agents") if "gone" in item["pk"]["S"]]
    (digest,) = [sk.removeprefix("SNAPSHOT#") for sk in keys if sk.startswith("SNAPSHOT#")]
    return digest


def test_api_keys_open_until_they_end(left: tuple[World, dict[str, Any]]):
    world, about = left
    keys, now = ApiKeys(Table(world.client, "agents")), about["clock"] // 1000
    texts = {name: "fh_{tenant}_{id}_{secret}".format(**parts) for name, parts in about["keys"].items()}

    opened = {
        name: [keys.verify(text, now=now + days * 86_400) is not None for days in (0, 2)]
        for name, text in texts.items()
    }

    assert opened == {"everlasting": [True, True], "one-day": [True, False]}
    assert {key.scopes for key in keys.list(TENANT, limit=100)[0]} == {("run", "read")}


# -- going on


def test_a_run_that_was_begun_is_answered_and_the_message_that_waits_gets_its_turn(world: World):
    world.model = ScriptedModel([reply("Here."), reply("There.")])
    first, second = run_of(world, "begun"), run_of(world, "begun", 2)

    assert world.invoke_model(first).status == "COMPLETED"
    world.finish(first)

    assert world.executions.started == [f"{second.key.run_id}-1"]
    assert world.run(second).session_attributes == {"customer": "C1", "order": "O2"}
    assert world.invoke_model(world.run(second)).status == "COMPLETED"
    said = [message.text for message in world.model.requests[-1].messages]
    assert said == ["Where is it?", "Here.", "And the other?"]


def test_a_repeated_message_is_the_run_that_its_first_one_began(world: World):
    given = {"idempotency_key": "begun-1", "session_attributes": {"customer": "C1"}}

    again = world.ask("Where is it?", "begun", **given)

    assert again.key == run_of(world, "begun").key
    assert world.executions.started == [f"{again.key.run_id}-1"]


def test_a_lap_goes_on_with_the_call_that_is_open(world: World):
    run, world.model = run_of(world, "asked"), ScriptedModel([reply("Paid.")])
    world.tools.answers["pay"] = answer("paid")

    step = world.invoke_model(run)
    assert (step.step, step.calls) == ("tools", (1,))
    world.run_tool(run, call=1)
    assert world.invoke_model(run).status == "COMPLETED"

    (request,) = world.model.requests
    _, asked, told = request.messages
    assert [use.name for use in asked.calls] == ["look_up", "pay", "pay", "nothing"]
    assert [outcome.content for outcome in told.outcomes[:2]] == ["found it", "paid"]
    assert world.history(run).session_attributes["seen"] == "7"


def test_a_marked_call_is_never_made_again(world: World):
    run = run_of(world, "marked")

    with pytest.raises(CallInProgress):
        world.run_tool(run)
    world.pass_time(330 + 60)
    world.run_tool(run)

    assert world.tools.events == []
    assert world.history(run).results[1, 0].outcome == "unknown"


def test_late_results_and_discarded_replies_count_as_before(world: World):
    late, discarded = (world.history(run_of(world, name)) for name in ("late", "discarded"))

    assert (late.results[1, 0].outcome, late.late[1, 0].content) == ("unknown", "paid after all")
    assert (discarded.last and discarded.last.text, discarded.totals.usage.total) == ("quick", 30)


def test_a_cancel_that_was_asked_for_is_carried_out(world: World):
    run = run_of(world, "cancelling")

    step = world.invoke_model(run)
    world.finish(run, Ending("CANCELLED", step.reason))

    assert (step.status, world.run(run).status) == ("CANCELLED", "CANCELLED")
    assert world.history(run).results[1, 0].outcome == "cancelled"


def test_the_sweeper_delivers_what_was_not_and_starts_what_is_lost(world: World):
    lost, undelivered = run_of(world, "lost"), run_of(world, "undelivered")
    assert (lost.lost_starts, undelivered.undelivered) == (1, True)

    world.pass_time(3_600)
    world.sweep()

    assert ENDS["COMPLETED"] in [name for name, _ in world.events.published]
    assert not world.run(undelivered).undelivered
    assert f"{lost.key.run_id}-3" in world.executions.started
    for _ in range(MAX_LOST_STARTS):
        world.pass_time(3_600)
        world.sweep()
    assert world.run(lost).status == "FAILED"
    assert world.reported == []


@pytest.mark.parametrize("session", ["answered", "undelivered", "failed", "stopped"])
def test_a_session_whose_last_turn_has_ended_takes_the_next(world: World, session: str):
    world.model = ScriptedModel([reply("Gladly.")])
    before = run_of(world, session)

    run = world.ask("One more thing.", session)

    assert (run.key.conversation, run.key.turn) == (before.key.conversation, before.key.turn + 1)
    assert (run.alias, run.agent_version) == (before.alias, before.agent_version)
    assert world.invoke_model(run).status == "COMPLETED"
    (request,) = world.model.requests
    assert request.messages[0].text == before.input
    asked = [use.id for message in request.messages for use in getattr(message, "calls", ())]
    told = [outcome.id for message in request.messages for outcome in getattr(message, "outcomes", ())]
    assert asked == told


def test_a_tool_of_an_old_snapshot_still_gets_its_event(world: World):
    run = run_of(world, "lost")

    world.run_tool(run)

    (event,) = world.tools.events
    assert event["function"] == tool().name
    assert event["parameters"] == [{"name": "id", "type": "string", "value": "1"}]
    assert event["freehold"]["idempotencyKey"] == f"{run.key.run_id}-1-0"


# -- the release in the making


@pytest.fixture(scope="module")
def written() -> Iterator[list[dict[str, Any]]]:
    """What today's code writes in the scenes."""
    with samples.played() as (world, _):
        yield [from_wire(item) for table in samples.TABLES for item in samples.items(world.client, table)]


def test_the_scenes_bring_about_every_kind_of_item(written: list[dict[str, Any]]):
    """Where this fails a kind is new: give it a scene in `scenes.py`, so that the next release finds a sample of it."""
    named = set(re.findall(r"\"kind\": \"(\w+)\"", "".join(map(inspect.getsource, _adapters()))))
    known = set(records.KINDS.values()) | named

    assert {"api_key", "draft", "idempotency", "lap", "marker"} < known
    assert known - {item["kind"] for item in written} == set()


def test_the_scenes_bring_about_every_status_and_outcome(written: list[dict[str, Any]]):
    assert {item["status"] for item in written if item["kind"] == "run"} == set(get_args(Status))
    assert {item["outcome"] for item in written if item["kind"] == "result"} == set(get_args(CallOutcome))


def test_the_scenes_set_every_field_of_every_record(written: list[dict[str, Any]]):
    """Where this fails a field is new: let a scene set it."""
    unset: set[str] = set()
    for record, kind in records.KINDS.items():
        stored = [item for item in written if item["kind"] == kind]
        names = {name for item in stored for name in (*item, *item.get("body", {}))}
        # What a newer release wrote is carried under its own names.
        own = {*record.__struct_fields__} - {"carried"}
        unset |= {f"{kind}.{name}" for name in own - names}

    assert unset == set()


def test_the_release_before_meets_no_kind_that_it_does_not_know(written: list[dict[str, Any]]):
    """While both are deployed, it reads whatever lies where its own items lie."""
    before = samples.HERE / samples.releases()[-1]
    known = [from_wire(item) for table in samples.TABLES for item in samples.read(before / f"{table}.json")]
    kinds = {(place, item["kind"]) for item in known for place in _places(item)}
    places = {place for place, _ in kinds}

    met = {(place, item["kind"]) for item in written for place in _places(item) if place in places}

    assert {"CONV RUN", "SESSION", "OPEN", "RUNS"} <= places
    assert met - kinds == set()


def _places(item: dict[str, Any]) -> set[str]:
    """Where readers find an item: in its table, of a conversation by what its sort key begins with, and in indexes."""
    partition = item["pk"].split("#")[0]
    found = {f"{partition} {item['sk'].split('#')[0]}" if partition == "CONV" else partition}
    return found | {item[index].split("#")[0] for index in ("open_shard", "runs_of") if index in item}


def _adapters() -> list[Any]:
    from freehold.adapters import access, agents, api_keys, aws_tokens, claims, drafts, items, sessions

    return [access, agents, api_keys, aws_tokens, claims, drafts, items, sessions]
