"""The protocol's values as items with their keys and index entries, and what their writes depend on."""

from __future__ import annotations

from ..values.agent import Wait
from ..values.conversation import Compaction, Lease, Link
from ..values.decision import Decision, Message, Parked
from ..values.memory import Summary
from ..values.run import Marker, Principal, Result, Run, RunKey, Session
from . import keys
from .records import Records, folder
from .table import Item, Put, Values

IDEMPOTENCY_SECONDS = 86_400
# A message that lay among the dead letters for all of their 14 days is still known when it is put back.
IDEMPOTENCY_SECONDS_OF_MESSAGES = 15 * 86_400
# Longer than notes are kept after the last run of their session; each of its runs puts the link again.
LINK_SECONDS = 400 * 86_400
NEW = "attribute_not_exists(pk)"
THERE = "attribute_exists(pk)"
MARKED = "marked_by = :marker"
# Also of one that is not there.
NOT_ERASED = "attribute_not_exists(erased_at)"


class Items:
    """Encodes what more than one access pattern writes."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def run(self, run: Run) -> Item:
        # One that waits is kept as long as what it waits for, which is written as it is parked.
        at = max(run.created_at, run.parked_at or 0, run.resumed_at)
        item = self._records.encode(run, keys.run(run.key), folder=folder(run.key), at=at)
        # ULIDs sort by time, so equal milliseconds still have one order.
        item |= _listed(keys.runs_of(run.tenant), run.created_at, run.key.run_id)
        # One that is parked needs nobody until its time is over, and is listed by that.
        if run.undelivered or run.summary_due or not (run.ended or run.status == "AWAITING"):
            item["open_shard"] = keys.open_shard(run.key)
        return item

    def session(self, session: Session) -> Item:
        key, at = RunKey(session.tenant, session.conversation, 0), session.created_at
        where = keys.session(session.tenant, session.session_id)
        item = self._records.encode(session, where, folder=folder(key), at=at)
        return item | _listed(keys.sessions_of(session.tenant), at, session.conversation)

    def call(self, key: RunKey, record: Marker | Result) -> Item:
        where = keys.call(key, record.lap, record.call)
        return self._records.encode(record, where, folder=folder(key), at=record.at)

    def parked(self, run: Run) -> Item:
        """What lists an AWAITING run."""
        kinds: tuple[Wait, ...] = tuple({each.kind: None for each in run.pending})
        parked = Parked(
            run.tenant, run.conversation, run.turn, run.agent, run.session_id, run.waits_until, kinds
        )
        item = self._records.encode(parked, keys.parked(run.key), folder=None, at=run.waits_until)
        listed = _listed(keys.approvals_of(run.tenant), run.waits_until, run.key.run_id)
        return item | listed | {"open_shard": keys.WAITS}

    def decision(self, key: RunKey, decision: Decision) -> Item:
        where = keys.decision(key, decision.lap, decision.call, decision.wait)
        return self._records.encode(decision, where, folder=folder(key), at=decision.at)

    def message(self, key: RunKey, message: Message) -> Item:
        where = keys.message(key, message.at, message.id)
        return self._records.encode(message, where, folder=folder(key), at=message.at)

    def compaction(self, key: RunKey, compaction: Compaction) -> Item:
        where = keys.compaction(key, compaction.lap)
        return self._records.encode(compaction, where, folder=folder(key), at=compaction.at)

    def lease(self, lease: Lease) -> Item:
        item = self._records.encode(lease, keys.lease(lease.key), folder=folder(lease.key), at=lease.due_at)
        listed_at = keys.listed_at(lease.due_at, lease.conversation)
        item |= {"open_shard": keys.due_shard(lease.key), "listed_at": listed_at}
        # A replay is not remembered, so that one entry of the index is enough.
        if lease.replays is not None:
            item["runs_of"] = keys.replays_of(lease.tenant, lease.replays)
        elif lease.memory_id is not None:
            item["runs_of"] = keys.remembered_in(lease.tenant, lease.agent, lease.memory_id)
        return item

    def link(self, link: Link) -> Item:
        key, name = RunKey(link.tenant, link.conversation, 0), link.conversation
        where = keys.link(key, link.principal, decided=link.decided)
        # Each has a place of its own, or the next page of the index would begin behind both.
        if link.decided:
            name = f"{name}#DECIDED"
        if link.memory_id is not None:
            memory, name = (link.tenant, link.agent, link.memory_id), f"{name}#MEMORY"
            where = keys.link_to_summary(*memory, link.conversation, link.principal)
        item = self._records.encode(link, where, folder=folder(key), at=link.at)
        return item | _listed(keys.links_of(link.tenant, link.principal), link.at, name)

    def links(
        self,
        session: Session,
        writer: Principal,
        before: Session | None,
        *,
        at: int,
        decided: bool = False,
    ) -> list[Put]:
        """What leads from the writer to the conversation, and to what will be remembered of it.

        `before` is the session as it is stored, where it goes on with its conversation.
        """
        where = (session.tenant, session.conversation, session.session_id, writer, session.created_at)
        links: list[Link] = []
        if decided:
            links.append(Link(*where, decided=True))
        elif before is None or writer.name not in before.principals:
            links.append(Link(*where))
        if session.memory_id is not None:
            links.append(Link(*where, session.agent, session.memory_id, at // 1000 + LINK_SECONDS))
        return [(self.link(link), *kind_or_new("link")) for link in links]

    def summary(self, summary: Summary) -> Item:
        where = keys.summary(summary.tenant, summary.agent, summary.memory_id, summary.conversation)
        # Notes are short: nothing of them lies anywhere else, so that they go in one transaction.
        item = self._records.encode(summary, where, folder=None, at=summary.updated_at)
        listing = keys.memories_of(summary.tenant, summary.agent)
        return item | _listed(listing, summary.started_at, summary.conversation)


def _listed(listing: str, at: int, name: str) -> Item:
    return {"runs_of": listing, "listed_at": keys.listed_at(at, name)}


def unchanged(run: Run) -> tuple[str, Values]:
    """Every write raises `rev`, so an equal one means that nothing else changed either."""
    return "rev = :rev", {":rev": run.rev}


def unchanged_session(before: Session | None) -> tuple[str, Values]:
    if before is None:
        return NEW, None
    # A session that was removed and made anew starts at another conversation, whatever its rev.
    values = {":rev": before.rev, ":conversation": before.conversation}
    return "rev = :rev AND conversation = :conversation", values


def used(run: Run, idempotency: tuple[str, str], *, at: int) -> Put:
    """What makes a repeat of a request with that key and digest find the run."""
    key, digest = idempotency
    item = keys.idempotency(run.tenant, key) | {"run_id": run.key.run_id, "request_digest": digest}
    # No key that came by HTTP has a blank.
    seconds = IDEMPOTENCY_SECONDS_OF_MESSAGES if " " in key else IDEMPOTENCY_SECONDS
    expires = {"expires_at": at // 1000 + seconds}
    return item | expires | {"schema": 1, "kind": "idempotency"}, *new_or_expired(at)


def new_or_expired(now: int) -> tuple[str, Values]:
    """DynamoDB removes what has expired within some days, and not at once."""
    return f"{NEW} OR expires_at < :now", {":now": now // 1000}


def has_expired(item: Item, now: int) -> bool:
    return item["expires_at"] < now // 1000


def kind_or_new(kind: str) -> tuple[str, Values]:
    """For what may be there already, and may as well be gone."""
    return f"{NEW} OR kind = :kind", {":kind": kind}


def marked(marker: Marker | None) -> tuple[str, Values]:
    return (MARKED, {":marker": marker.marked_by}) if marker else (NEW, None)


def written_at(item: Item) -> int:
    """Epoch ms."""
    return item.get("at", item.get("created_at", 0))
