"""Every key of the tables, in one place. Each begins with its tenant; ids from users are escaped."""

from __future__ import annotations

from urllib.parse import quote, unquote
from zlib import crc32

from ..ports import SHARDS
from ..values.run import Principal, RunKey

Key = dict[str, str]
RUNS = "RUN#"
LEASE = "SESSION"
SUMMARIES = "SUMMARY#"
LINKS = "WHO#"


def quoted(text: str) -> str:
    """`#` separates the parts of a key, so it must not come from a user."""
    return quote(text, safe="")


def session(tenant: str, session_id: str) -> Key:
    return {"pk": f"SESSION#{quoted(tenant)}#{quoted(session_id)}", "sk": "SESSION"}


def idempotency(tenant: str, key: str) -> Key:
    return {"pk": f"IDEMPOTENCY#{quoted(tenant)}#{quoted(key)}", "sk": "IDEMPOTENCY"}


def conversation(key: RunKey) -> str:
    return f"CONV#{quoted(key.tenant)}#{quoted(key.conversation)}"


def turn(number: int) -> str:
    return f"RUN#{number:06d}"


def run(key: RunKey) -> Key:
    return {"pk": conversation(key), "sk": turn(key.turn)}


def run_of(pk: str, sk: str) -> RunKey:
    """The run that an item of a conversation belongs to."""
    _, tenant, conversation_id = pk.split("#")
    return RunKey(unquote(tenant), unquote(conversation_id), turn_of(sk))


def turn_of(sk: str) -> int:
    return int(sk.split("#")[1])


def laps_from(number: int, lap: int) -> str:
    """Where a turn's laps from `lap` on begin."""
    return f"{turn(number)}#LAP#{lap:04d}"


def end_of(prefix: str) -> str:
    """Sorts after everything that begins with `prefix`."""
    return f"{prefix}~"


def lap(key: RunKey, number: int) -> Key:
    return {"pk": conversation(key), "sk": f"{laps_from(key.turn, number)}#0"}


def discarded(key: RunKey, number: int, reply_id: str) -> Key:
    return {
        "pk": conversation(key),
        "sk": f"{turn(key.turn)}#LAP#{number:04d}#0#DISCARDED#{quoted(reply_id)}",
    }


def call(key: RunKey, number: int, index: int) -> Key:
    return {"pk": conversation(key), "sk": f"{turn(key.turn)}#LAP#{number:04d}#1#CALL#{index:03d}"}


def late_result(key: RunKey, number: int, index: int) -> Key:
    key_of_call = call(key, number, index)
    return {"pk": key_of_call["pk"], "sk": f"{key_of_call['sk']}#LATE"}


# What follows sorts after every run, so that a reader of runs meets none of it.


def compactions(number: int | None = None) -> str:
    """Prefix of a turn's compactions, or of all."""
    return "TURN#" if number is None else f"TURN#{number:06d}"


def compaction(key: RunKey, number: int) -> Key:
    return {"pk": conversation(key), "sk": f"{compactions(key.turn)}#LAP#{number:04d}#COMPACTION"}


def waits(number: int | None = None) -> str:
    """Prefix of all that is written while a turn waits, or while any does.

    The turn's place in the list of parked runs lies there itself.
    """
    return "WAIT#" if number is None else f"WAIT#{number:06d}"


def parked(key: RunKey) -> Key:
    return {"pk": conversation(key), "sk": waits(key.turn)}


def decisions(number: int, lap: int | None = None) -> str:
    """Prefix of what was decided about a lap, or about all."""
    return f"{waits(number)}#LAP#" if lap is None else f"{waits(number)}#LAP#{lap:04d}#"


def decision(key: RunKey, lap: int, index: int, kind: str) -> Key:
    return {"pk": conversation(key), "sk": f"{decisions(key.turn, lap)}CALL#{index:03d}#{kind}"}


def refusal(key: RunKey, refusal_id: str) -> Key:
    return {"pk": conversation(key), "sk": f"{waits(key.turn)}#REFUSED#{quoted(refusal_id)}"}


def messages(number: int) -> str:
    """Prefix of what users wrote while a person had the conversation."""
    return f"{waits(number)}#MESSAGE#"


def message(key: RunKey, at: int, message_id: str) -> Key:
    return {"pk": conversation(key), "sk": f"{messages(key.turn)}{at:015d}#{quoted(message_id)}"}


def lease(key: RunKey) -> Key:
    return {"pk": conversation(key), "sk": LEASE}


def link(key: RunKey, principal: Principal, *, decided: bool = False) -> Key:
    return {"pk": conversation(key), "sk": f"{LINKS}{_who(principal)}{'#DECIDED' if decided else ''}"}


def _who(principal: Principal) -> str:
    return f"{quoted(principal.type)}:{quoted(principal.id)}"


def memory(tenant: str, agent_name: str, memory_id: str) -> str:
    return f"MEMORY#{quoted(tenant)}#{quoted(agent_name)}#{quoted(memory_id)}"


def summary(tenant: str, agent_name: str, memory_id: str, conversation_id: str) -> Key:
    pk = memory(tenant, agent_name, memory_id)
    return {"pk": pk, "sk": f"{SUMMARIES}{quoted(conversation_id)}"}


def links_to_summary(conversation_id: str) -> str:
    """Prefix of the links to a summary, in its memory."""
    return f"{LINKS}{quoted(conversation_id)}#"


def link_to_summary(
    tenant: str, agent_name: str, memory_id: str, conversation_id: str, principal: Principal
) -> Key:
    pk = memory(tenant, agent_name, memory_id)
    return {"pk": pk, "sk": f"{links_to_summary(conversation_id)}{_who(principal)}"}


def _shard(key: RunKey) -> int:
    return crc32(key.run_id.encode()) % SHARDS


def open_shard(key: RunKey) -> str:
    """Spreads the sweeper's index; the same run always lies in the same shard."""
    return open_runs(_shard(key))


def open_runs(shard: int) -> str:
    return f"OPEN#{shard}"


def due_shard(key: RunKey) -> str:
    """Hash key of the index in which the conversation's lease lies."""
    return leases(_shard(key))


def leases(shard: int) -> str:
    return f"ENDS#{shard}"


# Hash key of the index in which parked runs lie, by when they wait no longer. Few are parked in any second.
WAITS = "WAITS"


def approvals_of(tenant: str) -> str:
    """Hash key of the index that lists a tenant's parked runs."""
    return f"APPROVALS#{quoted(tenant)}"


def runs_of(tenant: str) -> str:
    """Hash key of the index that lists a tenant's runs."""
    return f"RUNS#{quoted(tenant)}"


def sessions_of(tenant: str) -> str:
    """Hash key of the same index for a tenant's sessions."""
    return f"SESSIONS#{quoted(tenant)}"


def memories_of(tenant: str, agent_name: str) -> str:
    """Hash key of the same index for what an agent remembers."""
    return f"MEMORIES#{quoted(tenant)}#{quoted(agent_name)}"


def links_of(tenant: str, principal: Principal) -> str:
    """Hash key of the same index for all that a principal wrote to."""
    return f"PRINCIPAL#{quoted(tenant)}#{quoted(principal.type)}#{quoted(principal.id)}"


def remembered_in(tenant: str, agent_name: str, memory_id: str) -> str:
    """Hash key of the same index for the leases of conversations that a memory remembers."""
    return f"REMEMBERS#{quoted(tenant)}#{quoted(agent_name)}#{quoted(memory_id)}"


def replays_of(tenant: str, conversation_id: str) -> str:
    """Hash key of the index that lists the replays of a conversation's runs."""
    return f"REPLAYS#{quoted(tenant)}#{quoted(conversation_id)}"


def listed_at(at: int, name: str) -> str:
    """A place in an index: by time, and among equal times by name."""
    return f"{at:015d}#{name}"


def time_of(listed: str) -> int:
    """The time of a place in an index."""
    return int(listed.split("#")[0])


# The events table: what is told of a run while it goes on, in one partition for the conversation.


def live(key: RunKey) -> str:
    return f"LIVE#{quoted(key.tenant)}#{quoted(key.conversation)}"


def watched(key: RunKey) -> Key:
    return {"pk": live(key), "sk": f"{turn(key.turn)}#WATCHED"}


def pieces(number: int, lap: int) -> str:
    """Prefix of what was told of the text of a turn's lap."""
    return f"{turn(number)}#LAP#{lap:04d}#"


def piece(key: RunKey, lap: int, began_at: int, attempt: str, offset: int) -> Key:
    """Attempts in the order in which they began, and each from its beginning."""
    place = f"{began_at:015d}#{quoted(attempt)}#{offset:09d}"
    return {"pk": live(key), "sk": f"{pieces(key.turn, lap)}{place}"}


# The agents table.


def agents_of(tenant: str) -> str:
    return f"AGENTS#{quoted(tenant)}"


def agent(tenant: str, name: str) -> str:
    return f"AGENT#{quoted(tenant)}#{quoted(name)}"


def api_keys_of(tenant: str) -> str:
    return f"KEYS#{quoted(tenant)}"


def triggers_of(tenant: str) -> str:
    """Where a tenant's schedules and patterns of events lie."""
    return f"TRIGGERS#{quoted(tenant)}"


def tokens_of(tenant: str) -> str:
    """Where the short-lived tokens of AWS principals lie."""
    return f"TOKENS#{quoted(tenant)}"


def access(kind: str) -> str:
    """The one kind of key without a tenant: what lies there says which tenant it is."""
    return f"ACCESS#{quoted(kind)}"
