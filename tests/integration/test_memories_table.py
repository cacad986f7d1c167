"""What agents remember, as it lies in the table."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, cast

import boto3
import pytest

from freehold.adapters.items import NEW, Items
from freehold.adapters.lists import MOST_OF_MEMORY, PAGE_BYTES, Lists
from freehold.adapters.table import BATCH_READS, Table
from freehold.beginning import MOST_NAMED
from freehold.errors import Invalid, StaleWrite
from freehold.value import replace
from freehold.values.agent import Memory
from freehold.values.content import Usage
from freehold.values.conversation import Erased, Link
from freehold.values.memory import Notes, Summary
from freehold.values.run import Principal, Run, Session, Spent
from world import START, TENANT, World, agent

DAYS = 30
NOTES = Notes(("an order",), ("whether it came",), ("no calls",))


def summary(number: int, notes: Notes = NOTES, **changes: Any) -> Summary:
    """Of the session that began as the one of that number."""
    plain = Summary(
        TENANT,
        "helper",
        "ana",
        f"s{number}",
        f"S{number:025d}",
        "1",
        started_at=START + number,
        updated_at=START + number,
        expires_at=START // 1000 + DAYS * 86_400,
        through_turn=1,
        notes=notes,
        spent=Spent(Usage(10, 5), Decimal("0.5")),
    )
    return replace(plain, **changes)


def begin(world: World, there: Summary) -> Run:
    """A session that is remembered as `there` from its beginning."""
    run = Run(
        there.tenant,
        there.conversation,
        1,
        there.session_id,
        there.agent,
        "1",
        "d",
        "live",
        "durable",
        "RUNNING",
        Principal("key", "k1"),
        "test",
        "hello",
        there.started_at,
        900,
        memory_id=there.memory_id,
    )
    session = Session(
        run.tenant,
        run.session_id,
        run.conversation,
        run.agent,
        "1",
        "d",
        "live",
        2,
        0,
        there.started_at,
        there.expires_at,
        memory_id=there.memory_id,
    )
    world.sessions.begin(session, None, run, summary=there, idempotency=None)
    return run


def recent(world: World, run: Run, most: int = 20, now: int = START) -> list[str]:
    return [each.session_id for each in world.memories.recent(run, most=most, now=now)]


# -- one session's


@pytest.mark.parametrize(
    "there",
    [
        summary(1, Notes(), through_turn=0, spent=Spent()),
        summary(2),
        summary(3, Notes(("x" * 40_000,))),
        summary(4, tenant="a#b", agent="h#1", memory_id="ana#1/ünï ~", session_id="s#4"),
    ],
    ids=["empty", "small", "large", "odd names"],
)
def test_a_summary_is_read_as_it_was_written(world: World, there: Summary):
    run = begin(world, there)

    assert world.memories.summary(run) == there
    assert list(world.memories.all(there.tenant, there.agent, there.memory_id)) == [there]


def test_a_run_without_a_memory_has_no_summary(world: World):
    run = world.ask()

    assert world.memories.summary(run) is None
    assert world.memories.recent(run, most=20, now=START) == ()


# -- folding


def test_notes_are_folded_on_what_was_read(world: World):
    before = summary(1, Notes(), through_turn=0)
    run = begin(world, before)
    folded = replace(before, through_turn=3, notes=NOTES, updated_at=START + 9)

    world.memories.fold(folded, before=before)

    assert world.memories.summary(run) == folded
    with pytest.raises(StaleWrite):
        world.memories.fold(replace(folded, through_turn=2), before=before)
    assert world.memories.summary(run) == folded


def test_a_fold_whose_response_was_lost_is_no_other_s(world: World):
    before = summary(1)
    run = begin(world, before)
    folded = replace(before, through_turn=3)

    world.memories.fold(folded, before=before)
    world.memories.fold(folded, before=before)

    assert world.memories.summary(run) == folded


def test_what_was_forgotten_is_never_written_again(world: World):
    before = summary(1)
    run = begin(world, before)
    world.memories.forget(before)

    with pytest.raises(StaleWrite):
        world.memories.fold(replace(before, through_turn=2), before=before)

    assert world.memories.summary(run) is None


# -- of several sessions


def test_the_newest_of_other_sessions_are_told_oldest_first(world: World):
    runs = [begin(world, summary(number)) for number in (3, 1, 4, 2, 5)]

    assert recent(world, runs[2]) == ["s1", "s2", "s3", "s5"]
    assert recent(world, runs[2], most=2) == ["s3", "s5"]
    assert recent(world, runs[2], most=0) == []


def test_what_is_empty_or_has_expired_takes_no_place(world: World):
    for number in range(1, 31):
        notes = NOTES if number % 10 == 1 else Notes()
        begin(world, summary(number, notes))
    gone = begin(world, summary(31, expires_at=START // 1000))

    other = replace(gone, conversation=f"S{99:025d}")
    assert recent(world, other, most=3) == ["s1", "s11", "s21"]
    assert recent(world, other, most=3, now=START - 1_000) == ["s11", "s21", "s31"]


def test_sessions_without_notes_are_not_looked_through_without_end(world: World):
    begin(world, summary(0))
    for number in range(1, 40):
        begin(world, summary(number, Notes()))
    last = begin(world, summary(40))
    queries: list[Any] = []
    world.client.meta.events.register("before-send.dynamodb.Query", lambda **_: queries.append(1))

    assert recent(world, last, most=3) == []
    assert len(queries) == 9


def test_memories_of_other_ids_agents_and_tenants_are_others(world: World):
    run = begin(world, summary(1))
    begin(world, summary(2, memory_id="ana2"))
    begin(world, summary(3, agent="other"))
    begin(world, summary(4, tenant="globex"))
    # Without its parts escaped, this would be the first one's partition.
    begin(world, summary(5, agent="helper#ana", memory_id=""))

    assert recent(world, replace(run, conversation="C9")) == ["s1"]
    assert [each.session_id for each in world.memories.all(TENANT, "helper", "ana")] == ["s1"]


def keep(world: World, summaries: Iterable[Summary]) -> list[Summary]:
    """As they lie in the table, without their sessions."""
    kept, items = list(summaries), Items(world.sessions._records)
    for each in kept:
        world.table.put(items.summary(each), condition=NEW)
    return kept


def test_a_memory_is_read_as_it_is_taken(world: World):
    keep(world, (summary(number) for number in range(BATCH_READS + 1)))
    queries: list[Any] = []
    world.client.meta.events.register("before-send.dynamodb.Query", lambda **_: queries.append(1))

    found = world.memories.all(TENANT, "helper", "ana")

    assert (next(found).session_id, len(queries)) == ("s0", 1)
    assert (len(list(found)), len(queries)) == (BATCH_READS, 2)


def test_of_a_memory_that_no_answer_holds_the_newest_sessions_are_shown(world: World):
    kept = keep(world, (summary(number) for number in range(MOST_OF_MEMORY + 1)))
    assert world.lists.memory(TENANT, "helper", "ana") == kept[1:]

    large = keep(world, (summary(n, Notes(("x" * 300_000,))) for n in range(1_000, 1_020)))

    assert world.lists.memory(TENANT, "helper", "ana") == large[-(PAGE_BYTES // 300_400) :]


# -- forgetting


def test_what_is_forgotten_takes_the_links_to_it_along(world: World):
    there, other = summary(1), summary(2)
    run = begin(world, there)
    begin(world, other)

    assert world.memories.forget(there) == Erased(summaries=1, items=2)
    assert world.memories.forget(there) == Erased()

    assert world.memories.summary(run) is None
    assert list(world.memories.all(TENANT, "helper", "ana")) == [other]
    left = [item["sk"]["S"] for item in world.everything() if item["pk"]["S"].startswith("MEMORY#")]
    assert left == [f"SUMMARY#{other.conversation}", f"WHO#{other.conversation}#key:k1"]


def test_what_no_memory_has_cannot_be_forgotten(world: World):
    run = world.ask()
    session = world.sessions.session(TENANT, run.session_id)
    assert session is not None

    assert world.memories.forget(session) == Erased()


def test_notes_lie_in_their_item_alone_however_large_they_are(world: World):
    begin(world, summary(1, Notes(("x" * 40_000,))))

    s3: Any = boto3.client("s3")
    assert "Contents" not in s3.list_objects_v2(Bucket="content")


# -- lists


def test_an_agent_s_memories_are_listed_newest_session_first(world: World):
    for number in (2, 1, 3):
        begin(world, summary(number, memory_id=f"m{number % 2}"))
    begin(world, summary(4, agent="other"))

    pages = [world.lists.summaries(TENANT, "helper", limit=2, token=None)]
    pages.append(world.lists.summaries(TENANT, "helper", limit=2, token=pages[0][1]))

    assert [[each.session_id for each in found] for found, _ in pages] == [["s3", "s2"], ["s1"]]
    assert pages[-1][1] is None


def test_sessions_are_listed_newest_first_and_by_what_is_wanted(world: World):
    world.apply(replace(agent(), name="other"))
    for number, name in enumerate(("helper", "other", "helper")):
        world.ask(session=f"plain {number}", agent=name)
        world.pass_time(1)
    begin(world, summary(0, started_at=START - 1))

    def found(**wanted: str) -> list[str]:
        ids: list[str] = []
        token: str | None = None
        while True:
            page, token = world.lists.sessions(TENANT, wanted=wanted, limit=1, token=token)
            ids += [session.session_id for session in page]
            if token is None:
                return ids

    assert found() == ["plain 2", "plain 1", "plain 0", "s0"]
    assert found(agent="other") == ["plain 1"]
    assert found(memory_id="ana") == ["s0"]


class Behind:
    """A table's client whose index answers as it did when it was first asked."""

    def __init__(self, client: Any) -> None:
        self._client, self._known = client, dict[str, Any]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def query(self, **given: Any) -> Any:
        asked = str(given)
        if asked not in self._known:
            self._known[asked] = self._client.query(**given)
        return self._known[asked]


def test_a_session_that_has_begun_anew_is_not_listed_where_it_began_before(world: World):
    table = Table(cast(Any, Behind(world.client)), "sessions")
    lists = Lists(table, world.sessions._records)
    for number in range(3):
        world.finish(world.ask(session=f"s{number}"))
        world.pass_time(1)

    def listed() -> list[str]:
        found, token = lists.sessions(TENANT, wanted={}, limit=10, token=None)
        assert token is None
        return [session.session_id for session in found]

    assert listed() == ["s2", "s1", "s0"]
    world.pass_time(90_000)
    world.ask(session="s1")

    assert listed() == ["s2", "s0"]


def test_a_token_opens_no_other_agent_s_memories(world: World):
    for number in (1, 2):
        begin(world, summary(number))
    _, token = world.lists.summaries(TENANT, "helper", limit=1, token=None)
    assert token

    with pytest.raises(Invalid):
        world.lists.summaries(TENANT, "other", limit=1, token=token)
    with pytest.raises(Invalid):
        world.lists.sessions(TENANT, wanted={}, limit=1, token=token)


# -- who wrote


def links(world: World, principal: Principal, tenant: str = TENANT) -> list[Link]:
    return [link for page in world.conversations.links(tenant, principal) for link in page]


def test_who_wrote_to_a_conversation_is_found_newest_session_first(world: World):
    runs = list[Run]()
    for number in range(3):
        runs.append(world.ask(session=f"s{number}"))
        world.finish(runs[-1])
        world.pass_time(1)
    theirs = world.ask(session="s1", principal=Principal("oidc", "a#b/c: d"))

    mine = [(link.session_id, link.conversation) for link in links(world, Principal("key", "k1"))]
    assert mine == [(run.session_id, run.conversation) for run in runs[::-1]]
    (link,) = links(world, theirs.principal)
    assert link == Link(TENANT, runs[1].conversation, "s1", theirs.principal, runs[1].created_at)
    assert links(world, Principal("key", "k1"), "globex") == []


def test_a_principal_that_writes_again_has_one_link(world: World):
    for _ in range(3):
        world.finish(world.ask())
        world.pass_time(60)

    assert len(links(world, Principal("key", "k1"))) == 1


def test_a_principal_that_a_session_has_no_room_for_has_a_link_all_the_same(world: World):
    for number in range(MOST_NAMED + 2):
        world.finish(world.ask(principal=Principal("key", f"k{number}")))
    last = Principal("key", f"k{MOST_NAMED + 1}")
    world.finish(world.ask(principal=last))

    session = world.sessions.session(TENANT, "s1")
    assert session is not None
    assert session.principals == tuple(f"key:k{number}" for number in range(MOST_NAMED))
    assert len(links(world, last)) == 1


def test_links_come_page_by_page_and_none_is_left_out(world: World):
    """Those to a conversation and to its notes have the same time."""
    for number in range(60):
        begin(world, summary(number, started_at=START))
    world.pass_time(60)
    # The end of a page falls between two that belong together.
    world.ask(session="plain")

    pages = list(world.conversations.links(TENANT, Principal("key", "k1")))

    assert [len(page) for page in pages] == [100, 21]
    assert len({(link.conversation, link.memory_id) for page in pages for link in page}) == 121


def test_a_link_to_notes_outlasts_them_and_each_run_keeps_it(world: World):
    world.apply(replace(agent(), memory=Memory(storage_days=365)))
    for _ in range(2):
        world.finish(world.ask(memory_id="ana"))
        world.pass_time(3_600)
    run = world.ask()

    of_conversation, of_notes = sorted(
        links(world, run.principal), key=lambda link: link.memory_id is not None
    )
    there = world.memories.summary(run)

    assert (of_notes.memory_id, of_conversation.expires_at) == ("ana", None)
    assert of_notes.expires_at == run.created_at // 1000 + 400 * 86_400
    assert there is not None
    assert of_notes.expires_at > there.expires_at + 7 * 86_400


def test_a_conversation_of_an_earlier_release_gets_its_link_and_its_lease_with_the_next_message(world: World):
    first = world.ask()
    world.finish(first)
    for item in world.everything():
        key = {name: item[name] for name in ("pk", "sk")}
        if item["kind"]["S"] in ("lease", "link"):
            world.client.delete_item(TableName="sessions", Key=key)
        if item["kind"]["S"] == "session":
            old = {name: value for name, value in item.items() if name != "principals"}
            world.client.put_item(TableName="sessions", Item=old)

    second = world.ask()

    session = world.sessions.session(TENANT, "s1")
    lease = world.conversations.lease(TENANT, first.conversation)
    assert second.conversation == first.conversation
    assert len(links(world, second.principal)) == 1
    assert session is not None
    assert lease is not None
    assert lease.due_at == session.expires_at * 1000
