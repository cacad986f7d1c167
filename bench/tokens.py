"""The estimate of `freehold.tokens` against real tokenizers, by kind of text."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import yaml

from bench.tokenizer import Tokenizer
from freehold.tokens import tokens

TEXTS = Path(__file__).parent / "texts.yaml"
LEAST, MOST = 0.85, 1.6
# Kinds that no letter tells from cheaper or dearer ones. They are shown, and held against no bound.
UNUSUAL = {
    "all capitals",
    "long numbers",
    "white space",
    "lines of dashes",
    "random small letters",
    "rare characters",
}


@dataclass(frozen=True, slots=True)
class Compared:
    """One kind: what the tokenizers count, and what is estimated."""

    kind: str
    characters: int
    o200k: int
    cl100k: int
    estimate: int

    @property
    def ratio(self) -> float:
        """Of the estimate, to what newer models count."""
        return self.estimate / self.o200k

    @property
    def bounded(self) -> bool:
        return self.kind not in UNUSUAL

    @property
    def reached(self) -> bool:
        return not self.bounded or LEAST <= self.ratio <= MOST


def compare() -> tuple[Compared, ...]:
    """Every kind of text."""
    newer, older = Tokenizer.of("o200k_base"), Tokenizer.of("cl100k_base")
    return tuple(
        Compared(kind, len(text), newer.count(text), older.count(text), tokens(text))
        for kind, text in texts().items()
    )


def texts() -> dict[str, str]:
    """By kind: those that were written, and those that are drawn with a fixed seed."""
    written: dict[str, str] = yaml.safe_load(TEXTS.read_text(encoding="utf-8"))
    return written | dict(_drawn(Random(4), written["English"]))


def _drawn(random: Random, prose: str) -> Iterator[tuple[str, str]]:
    rows = [_order(random) for _ in range(20)]
    yield "JSON rows", json.dumps(rows)
    yield "JSON rows, compact", json.dumps(rows, separators=(",", ":"))
    yield "JSON rows, indented", json.dumps(rows, indent=2)
    yield "JSON in JSON", json.dumps(json.dumps(rows))
    yield "CSV of numbers", _lines(lambda: ",".join(str(random.randrange(9**7)) for _ in range(6)))
    yield "decimals", " ".join(f"{random.uniform(-1000, 1000):.4f}" for _ in range(200))
    yield "UUIDs", _lines(lambda: str(uuid.UUID(int=random.getrandbits(128))))
    yield "hexadecimal", random.randbytes(1000).hex()
    yield "Base64", base64.b64encode(random.randbytes(1500)).decode()
    yield "Base64 of text", base64.b64encode(prose.encode() * 3).decode()
    yield (
        "URLs",
        _lines(lambda: f"https://shop.example/orders/{random.randrange(9**6)}?ref={random.random()}"),
    )
    yield "all printable ASCII", "".join(chr(random.randrange(32, 127)) for _ in range(1000))
    yield "all capitals", prose.upper()
    yield "long numbers", "".join(random.choice("0123456789") for _ in range(1000))
    yield "white space", " " * 1000 + "\n" * 200 + "\t" * 200
    yield "lines of dashes", ("-" * 80 + "\n") * 5
    yield "random small letters", "".join(chr(random.randrange(97, 123)) for _ in range(1000))
    yield "rare characters", "".join(chr(random.randrange(0x4E00, 0x9FA5)) for _ in range(500))


def _lines(line: Callable[[], str]) -> str:
    return "\n".join(line() for _ in range(30))


def _order(random: Random) -> dict[str, object]:
    return {
        "orderId": str(random.randrange(10**5)),
        "status": random.choice(["shipped", "delivered", "open"]),
        "total": round(random.random() * 200, 2),
        "placedAt": f"2026-03-{random.randrange(10, 29)}T08:15:00Z",
        "items": [{"sku": f"BOOT-{random.randrange(99)}", "quantity": random.randrange(1, 5)}],
    }
