"""How conversations end: their leases, and everything under them gone."""

from __future__ import annotations

from base64 import b64encode
from typing import Any, cast

import boto3
import pytest

from freehold.adapters import keys
from freehold.adapters.contents import Contents
from freehold.adapters.conversations import DynamoConversations
from freehold.adapters.records import Records
from freehold.adapters.table import Table
from freehold.errors import StaleWrite, StoreUnavailable
from freehold.ports import SHARDS
from freehold.value import replace
from freehold.values.content import Image
from freehold.values.conversation import Lease
from freehold.values.run import LateResult, Run, Session
from world import START, TENANT, World

LARGE = "All of it. " * 4_000


def lease_of(world: World, run: Run) -> Lease:
    found = world.conversations.lease(run.tenant, run.conversation)
    assert found is not None
    return found


def session_of(world: World, run: Run) -> Session:
    found = world.sessions.session(run.tenant, run.session_id)
    assert found is not None
    return found


def due(world: World, now: int) -> list[Lease]:
    return [lease for shard in range(SHARDS) for lease in world.conversations.due(shard, now=now)]


def objects() -> list[str]:
    """The keys of everything in the bucket that belongs to conversations."""
    s3: Any = boto3.client("s3")
    found = s3.list_objects_v2(Bucket="content", Prefix="conversations/").get("Contents", [])
    return [each["Key"] for each in found]


# -- leases


def test_a_new_conversation_gets_a_lease_until_its_session_expires(world: World):
    run = world.ask()
    session = session_of(world, run)

    assert lease_of(world, run) == Lease(TENANT, run.conversation, "s1", session.expires_at * 1000)


def test_a_second_turn_leaves_the_lease_alone(world: World):
    run = world.ask()
    lease = lease_of(world, run)
    world.finish(run)
    world.pass_time(600)

    world.ask("more")

    assert lease_of(world, run) == lease


def test_a_session_id_that_begins_anew_gets_a_second_lease(world: World):
    first = world.ask()
    world.finish(first)
    world.pass_time(86_400 + 1_000)

    second = world.ask()

    assert first.conversation != second.conversation
    assert lease_of(world, first).due_at < lease_of(world, second).due_at


def test_a_lease_is_due_from_its_time_on_and_has_no_other_end(world: World):
    run = world.ask()
    lease = lease_of(world, run)

    assert due(world, lease.due_at - 1) == []
    assert due(world, lease.due_at) == [lease]
    (item,) = [item for item in world.everything() if item["kind"]["S"] == "lease"]
    # A session may live longer than content is kept.
    assert "expires_at" not in item


def test_leases_are_due_in_the_order_of_their_times_and_runs_are_not_among_them(world: World):
    leases = [Lease(TENANT, f"C{number}", "s", START + 60 - number) for number in range(40)]
    for lease in leases:
        world.conversations.extend(lease, due_at=lease.due_at)
    run = world.ask()

    for shard in range(SHARDS):
        times = [lease.due_at for lease in world.conversations.due(shard, now=START + 60)]
        assert times == sorted(times)
    assert sorted(due(world, START + 60), key=lambda lease: -lease.due_at) == leases
    assert [key for shard in range(SHARDS) for key in world.sessions.open_runs(shard)] == [run.key]


def test_an_extended_lease_is_due_at_its_new_time_alone(world: World):
    run = world.ask()
    lease = lease_of(world, run)

    world.conversations.extend(lease, due_at=lease.due_at + 1_000, erased_at=START)

    later = replace(lease, due_at=lease.due_at + 1_000, erased_at=START)
    assert due(world, lease.due_at) == []
    assert due(world, lease.due_at + 1_000) == [later]
    assert lease_of(world, run) == later


def test_a_lease_is_ended_once_and_for_all(world: World):
    run = world.ask()
    lease = lease_of(world, run)

    world.conversations.end(lease)
    world.conversations.end(lease)

    assert world.conversations.lease(TENANT, run.conversation) is None
    assert due(world, lease.due_at) == []


def test_a_lease_that_was_erased_is_not_taken_for_another(world: World):
    """The sweeper has read it before somebody asked for its session to be erased."""
    lease = lease_of(world, world.ask())
    erased = replace(lease, erased_at=START, on_request=True)
    world.conversations.close(erased, None)

    with pytest.raises(StaleWrite):
        world.conversations.extend(lease, due_at=START + 5)
    with pytest.raises(StaleWrite):
        world.conversations.close(replace(lease, erased_at=START + 5), None)

    assert world.conversations.lease(TENANT, lease.conversation) == erased
    world.conversations.extend(erased, due_at=START + 5, erased_at=START)
    assert due(world, START + 5) == [replace(erased, due_at=START + 5)]


# -- closing


def test_closing_takes_the_session_away_and_leaves_a_lease(world: World):
    run = world.ask()
    lease = Lease(TENANT, run.conversation, "s1", START + 5, START)

    world.conversations.close(lease, session_of(world, run))

    assert world.sessions.session(TENANT, "s1") is None
    assert due(world, START + 5) == [lease]


def test_a_conversation_of_an_earlier_release_has_no_lease_until_it_is_closed(world: World):
    run = world.ask()
    world.conversations.end(lease_of(world, run))
    lease = Lease(TENANT, run.conversation, "s1", START + 5)

    world.conversations.close(lease, session_of(world, run))

    assert lease_of(world, run) == lease


def test_closing_a_session_that_has_changed_changes_nothing(world: World):
    run = world.ask()
    read = session_of(world, run)
    world.ask("more", when_busy="enqueue")
    before = world.everything()

    with pytest.raises(StaleWrite):
        world.conversations.close(Lease(TENANT, run.conversation, "s1", START), read)

    assert world.everything() == before


def test_closing_does_not_take_a_session_that_was_begun_anew(world: World):
    run = world.ask()
    read = session_of(world, run)
    world.conversations.close(lease_of(world, run), read)
    anew = world.ask()

    with pytest.raises(StaleWrite):
        world.conversations.close(lease_of(world, run), read)

    assert session_of(world, anew).conversation == anew.conversation


def test_a_session_is_changed_on_what_was_read(world: World):
    run = world.ask()
    read = session_of(world, run)
    ended = replace(read, ended_at=START, rev=read.rev + 1, expires_at=read.expires_at + 60)

    world.sessions.change(ended, before=read)

    assert world.sessions.session(TENANT, "s1") == ended
    assert lease_of(world, run).due_at == ended.expires_at * 1000
    with pytest.raises(StaleWrite):
        world.sessions.change(ended, before=read)


# -- erasing


def test_a_conversation_is_erased_with_its_objects_and_no_other(world: World):
    picture = Image("png", b64encode(b"\x89PNG").decode())
    run = world.ask(LARGE, images=(picture,))
    waiting = world.ask("and?", when_busy="enqueue")
    # The id of its conversation is the beginning of the other's.
    other = replace(run, conversation=f"{run.conversation}0", session_id="s2")
    session = replace(session_of(world, run), conversation=other.conversation, session_id="s2")
    world.sessions.begin(session, None, other, summary=None, idempotency=None)
    kept = [item for item in world.everything() if run.conversation + "0" in item["pk"]["S"]]
    theirs = [key for key in objects() if other.conversation in key]
    mine = len(objects()) - len(theirs)

    erased = world.conversations.erase(lease_of(world, run))

    assert (erased.runs, erased.items, erased.objects) == (2, 2 + 1, mine), "two runs, and who wrote them"
    assert mine == 2
    assert world.sessions.run(run.key) is world.sessions.run(waiting.key) is None
    assert lease_of(world, run)
    assert objects() == theirs != []
    assert [item for item in world.everything() if run.conversation + "0" in item["pk"]["S"]] == kept


def test_a_replay_has_images_of_its_own(world: World):
    picture = Image("png", b64encode(b"\x89PNG").decode())
    run = world.ask(images=(picture,))
    replay = replace(run, conversation="R1", session_id="s2", replays=run.key.run_id)
    session = replace(session_of(world, run), conversation="R1", session_id="s2")
    begun = world.sessions.begin(session, None, replay, summary=None, idempotency=None)

    world.conversations.erase(lease_of(world, run))

    (image,) = world.run(begun).images
    assert world.sessions.image(image).data == picture.data


def test_erasing_twice_finds_nothing_the_second_time(world: World):
    lease = lease_of(world, world.ask(LARGE))
    world.conversations.erase(lease)

    erased = world.conversations.erase(lease)

    assert (erased.runs, erased.items, erased.objects) == (0, 0, 0)


def test_a_long_conversation_is_erased_whole(world: World):
    run = world.ask()
    late = [keys.late_result(run.key, number, 0) | {"kind": "late"} for number in range(1_100)]
    for start in range(0, len(late), 25):
        puts: list[Any] = [{"PutRequest": {"Item": bare(each)}} for each in late[start : start + 25]]
        world.client.batch_write_item(RequestItems={"sessions": puts})
    s3: Any = boto3.client("s3")
    for number in range(1_001):
        s3.put_object(
            Bucket="content", Key=f"conversations/acme/{run.conversation}/{number}.json", Body=b"{}"
        )

    erased = world.conversations.erase(lease_of(world, run))

    assert (erased.runs, erased.items, erased.objects) == (1, 1_102, 1_001)
    assert [item["kind"]["S"] for item in world.everything() if item["pk"]["S"].startswith("CONV#")] == [
        "lease"
    ]
    assert objects() == []


def test_an_erasure_that_stops_half_way_leaves_no_run_and_is_taken_up_again(world: World):
    run = world.ask(LARGE)
    for number in range(30):
        world.sessions.add_late_result(run.key, LateResult(1, number, "at last", START))
    world.ask("and?", when_busy="enqueue")
    lease, batches = lease_of(world, run), list[int]()

    def die(**_: object) -> None:
        batches.append(1)
        if len(batches) == 2:
            raise ConnectionResetError("the process was killed")

    world.client.meta.events.register("before-call.dynamodb.BatchWriteItem", die)
    with pytest.raises(ConnectionResetError):
        world.conversations.erase(lease)

    assert world.conversations.runs(lease) == []
    # No item that is left refers to an object that is not.
    assert len(objects()) == 1
    erased = world.conversations.erase(lease)
    assert (erased.runs, erased.items, erased.objects) == (0, 33 - 25, 1)


def bare(item: dict[str, Any]) -> dict[str, Any]:
    return {name: {"S": item[name]} for name in ("pk", "sk", "kind")}


class Throttled:
    """A table's client of which each batch of deletions takes all but one, and in the end takes none."""

    def __init__(self, client: Any, takes: int) -> None:
        self._client, self.takes = client, takes

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def batch_write_item(self, **given: Any) -> Any:
        ((table, asked),) = given["RequestItems"].items()
        count = max(0, min(self.takes, len(asked)))
        self.takes -= 1
        if count:
            self._client.batch_write_item(RequestItems={table: asked[:count]})
        return {"UnprocessedItems": {table: asked[count:]} if asked[count:] else {}}


def test_deletions_that_were_not_taken_are_tried_again_after_growing_pauses(world: World):
    for number in range(6):
        world.client.put_item(TableName="sessions", Item=bare({"pk": "P", "sk": str(number), "kind": "x"}))
    pauses: list[float] = []
    table = Table(Throttled(world.client, takes=4), "sessions", pause=pauses.append)

    table.delete_all([{"pk": "P", "sk": str(number)} for number in range(6)])

    assert world.everything() == []
    assert len(pauses) == 1


def test_a_table_that_takes_no_deletion_is_unavailable(world: World):
    pauses: list[float] = []
    table = Table(Throttled(world.client, takes=0), "sessions", pause=pauses.append)

    with pytest.raises(StoreUnavailable):
        table.delete_all([{"pk": "P", "sk": "1"}])

    assert pauses == sorted(pauses)
    assert sum(pauses) > 5


class Refusing:
    """A bucket's client that deletes nothing."""

    def __getattr__(self, name: str) -> Any:
        return getattr(boto3.client("s3"), name)

    def delete_objects(self, **given: Any) -> Any:
        return {"Errors": [{"Key": given["Delete"]["Objects"][0]["Key"], "Code": "InternalError"}]}


def test_an_object_that_cannot_be_deleted_is_told_and_found_again(world: World):
    lease = lease_of(world, world.ask(LARGE))
    contents: Any = Contents(cast(Any, Refusing()), "content")
    conversations = DynamoConversations(
        world.table, Records(contents, retention_seconds=1), contents, world.live
    )

    with pytest.raises(StoreUnavailable, match="InternalError"):
        conversations.erase(lease)

    assert world.conversations.erase(lease).objects == 1


# -- runs


def test_the_runs_of_a_conversation_are_found_without_what_lies_under_them(world: World):
    first = world.ask("one")
    for number in range(50):
        world.sessions.add_late_result(first.key, LateResult(1, number, "at last", START))
    world.finish(first)
    lease, operations = lease_of(world, world.ask("two")), list[tuple[str, int]]()

    def count(model: Any, parsed: dict[str, Any], **_: Any) -> None:
        operations.append(
            (model.name, parsed.get("Count", len(parsed.get("Responses", {}).get("sessions", []))))
        )

    world.client.meta.events.register("after-call.dynamodb", count)

    assert [(run.turn, run.ended) for run in world.conversations.runs(lease)] == [(1, True), (2, False)]
    assert operations == [("Query", 1), ("BatchGetItem", 2)]


def test_runs_are_found_without_what_was_said_in_them(world: World):
    """Whether they have ended shows without the bucket."""
    lease = lease_of(world, world.ask(LARGE))
    s3: Any = boto3.client("s3")
    for key in objects():
        s3.delete_object(Bucket="content", Key=key)

    (run,) = world.conversations.runs(lease)

    assert (run.ended, run.input) == (False, "")


def test_runs_that_are_gone_leave_no_gap(world: World):
    first = world.ask("one")
    world.finish(first)
    second = world.ask("two")
    world.client.delete_item(
        TableName="sessions", Key={name: {"S": key} for name, key in keys.run(first.key).items()}
    )

    assert [run.turn for run in world.conversations.runs(lease_of(world, second))] == [2]


def test_a_conversation_that_was_erased_has_no_runs(world: World):
    lease = lease_of(world, world.ask())
    world.conversations.erase(lease)

    assert world.conversations.runs(lease) == []
