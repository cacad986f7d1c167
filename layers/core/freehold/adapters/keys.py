"""Every key of the tables, in one place. Each begins with its tenant; ids from users are escaped."""

from __future__ import annotations

from urllib.parse import quote, unquote
from zlib import crc32

from ..ports import SHARDS
from ..values.run import RunKey

Key = dict[str, str]


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
    return int(sk[len("RUN#") : len("RUN#000000")])


def lap(key: RunKey, number: int) -> Key:
    return {"pk": conversation(key), "sk": f"{turn(key.turn)}#LAP#{number:04d}#0"}


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


def open_shard(key: RunKey) -> str:
    """Spreads the sweeper's index; the same run always lies in the same shard."""
    return f"OPEN#{crc32(key.run_id.encode()) % SHARDS}"


def runs_of(tenant: str) -> str:
    """Hash key of the index that lists a tenant's runs."""
    return f"RUNS#{quoted(tenant)}"


def agents_of(tenant: str) -> str:
    return f"AGENTS#{quoted(tenant)}"


def agent(tenant: str, name: str) -> str:
    return f"AGENT#{quoted(tenant)}#{quoted(name)}"


def api_keys_of(tenant: str) -> str:
    return f"KEYS#{quoted(tenant)}"
