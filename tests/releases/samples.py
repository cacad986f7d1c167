"""Samples of what a release wrote: written, loaded, and the values that are in them.

    python tests/releases/samples.py VERSION

writes those of the checkout whose `freehold` and `world` Python finds into `tests/releases/VERSION`.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

HERE = Path(__file__).parent
TABLES = ("sessions", "agents")
# A longer text is known by its digest.
LONGEST_TEXT = 1_000
# Any byte is one of its characters.
BYTES_AS_TEXT = "latin-1"


def releases() -> list[str]:
    """The versions that there are samples of, oldest first."""
    found = [path.name for path in HERE.iterdir() if (path / "about.json").is_file()]
    return sorted(found, key=lambda name: [int(part) for part in name.split(".")])


@contextmanager
def played() -> Iterator[tuple[Any, dict[str, str]]]:
    """A world in which everything has happened, and the API keys that were made in it."""
    from decimal import Decimal

    from moto import mock_aws
    from scenes import play

    from freehold.values.model import Price
    from world import World, clients

    with mock_aws():
        world = World(*clients(), Price(Decimal(1), Decimal(2), Decimal(0), "a test", "2026-01-01"))
        yield world, play(world)


@contextmanager
def restored(version: str) -> Iterator[tuple[Any, dict[str, Any]]]:
    """A world that finds what the release left behind, and what `about.json` says of it."""
    from moto import mock_aws

    from world import World, clients

    folder = HERE / version
    about = read(folder / "about.json")
    with mock_aws():
        client, s3 = clients()
        for table in TABLES:
            for item in read(folder / f"{table}.json"):
                client.put_item(TableName=table, Item=item)
        for key, text in read(folder / "content.json").items():
            s3.put_object(Bucket="content", Key=key, Body=text.encode(BYTES_AS_TEXT))
        world = World(client, s3, None)
        world.clock = about["clock"]
        yield world, about


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def items(client: Any, table: str) -> list[dict[str, Any]]:
    """Every item of a table in DynamoDB's JSON, in key order."""
    pages = client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    found = [item for page in pages for item in page["Items"]]
    return sorted(found, key=lambda item: (item["pk"]["S"], item["sk"]["S"]))


def values(world: Any) -> dict[str, Any]:
    """What the code in use makes of each item that it decodes as a whole, by key."""
    from freehold.adapters.table import from_wire

    found: dict[str, Any] = {}
    for wire in (*items(world.client, "sessions"), *items(world.client, "agents")):
        item = from_wire(wire)
        if item["pk"].startswith(("SESSION#", "CONV#", "MEMORY#")):
            value = world.sessions._records.read(item)
        elif item["kind"] == "snapshot":
            tenant, name = item["pk"].split("#")[1:]
            value = world.agents.snapshot(tenant, name, item["sk"].removeprefix("SNAPSHOT#"))
        else:
            continue
        found[f"{item['pk']} {item['sk']}"] = shortened(msgspec.to_builtins(value))
    return found


def shortened(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: shortened(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [shortened(inner) for inner in value]
    if isinstance(value, str) and len(value) > LONGEST_TEXT:
        return f"{len(value)} characters, sha256 {hashlib.sha256(value.encode()).hexdigest()}"
    return value


def write(version: str) -> Path:
    """Write the samples of the code in use."""
    folder = HERE / version
    folder.mkdir()
    with played() as (world, keys):
        # In parts: what looks like a key has no place in a repository, even if it opens nothing.
        parts = {
            name: dict(zip(("tenant", "id", "secret"), text.split("_")[1:], strict=True))
            for name, text in keys.items()
        }
        told: dict[str, Any] = {table: items(world.client, table) for table in TABLES}
        told |= {
            "values": values(world),
            "about": {"clock": world.clock, "keys": parts},
            "content": _content(),
        }
        for name, content in told.items():
            (folder / f"{name}.json").write_text(_json(content))
    return folder


def _content() -> dict[str, str]:
    import boto3

    s3: Any = boto3.client("s3")
    found = s3.list_objects_v2(Bucket="content").get("Contents", [])
    return {
        each["Key"]: s3.get_object(Bucket="content", Key=each["Key"])["Body"].read().decode(BYTES_AS_TEXT)
        for each in found
    }


def _json(content: Any) -> str:
    """One entry a line."""
    entries = content.items() if isinstance(content, dict) else ((None, each) for each in content)
    lines = [
        (f"{json.dumps(name)}: " if name is not None else "")
        + json.dumps(each, ensure_ascii=False, sort_keys=True)
        for name, each in entries
    ]
    opening, closing = ("{", "}") if isinstance(content, dict) else ("[", "]")
    return f"{opening}\n" + ",\n".join(lines) + f"\n{closing}\n"


if __name__ == "__main__":
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
    }
    sys.stdout.write(f"{write(sys.argv[1])}\n")
