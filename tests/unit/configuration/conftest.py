"""An agent configuration that holds, and what it takes to compile it."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from freehold.configuration import Compiled, compile_agent
from freehold.errors import Invalid, NotFound, Problem
from freehold.values.model import ModelEntry, Price

DOCUMENTS = Path(__file__).parent / "documents"
LAMBDA = "arn:aws:lambda:us-east-1:123456789012:function:order-lookup"
PRICE = Price(Decimal(1), Decimal(2), Decimal(0), "a list", "2026-11-01")
CATALOG = {
    "openai.gpt-5.5-v1": ModelEntry("openai.gpt-5.5", "responses", price=PRICE),
    "unpriced": ModelEntry("unpriced", "converse"),
}


class Bucket:
    """Schemas by bucket and key."""

    def __init__(self, objects: dict[tuple[str, str], str]) -> None:
        self.objects = objects

    def read(self, bucket: str, key: str) -> str:
        if (bucket, key) not in self.objects:
            raise NotFound(f"s3://{bucket}/{key} does not exist")
        return self.objects[bucket, key]


class Workbench:
    """Compiles configurations that differ a little from one that holds."""

    def __init__(self) -> None:
        self.pet_hotel = (DOCUMENTS / "pet-hotel-3.0.yaml").read_text()
        self.library = (DOCUMENTS / "library-3.1.json").read_text()
        self.bucket = Bucket({("my-bucket", "order-api-schema.json"): self.library})

    def document(self, **changed: Any) -> dict[str, Any]:
        """The smallest agent, with `changed` fields."""
        return {
            "agentName": "helper",
            "foundationModel": "openai.gpt-5.5-v1",
            "instruction": "Help.",
        } | changed

    def with_api(self, payload: str, **changed: Any) -> dict[str, Any]:
        """An agent with one action group whose OpenAPI document is `payload`."""
        return self.document(actionGroups=[self.group(apiSchema={"payload": payload}, **changed)])

    def with_functions(self, *functions: dict[str, Any]) -> dict[str, Any]:
        """An agent with one action group of `functions`."""
        return self.document(actionGroups=[self.group(functionSchema={"functions": list(functions)})])

    def group(self, **changed: Any) -> dict[str, Any]:
        return {"actionGroupName": "orders", "actionGroupExecutor": {"lambda": LAMBDA}} | changed

    def compile(self, document: object, *, name: str | None = None) -> Compiled:
        return compile_agent(document, name=name, schemas=self.bucket, known_model=CATALOG.get)

    def problems(self, document: object, *, name: str | None = None) -> list[Problem]:
        """What is wrong with `document`; fails where nothing is."""
        with pytest.raises(Invalid) as refused:
            self.compile(document, name=name)
        return list(refused.value.problems)


@pytest.fixture(name="bench")
def _bench() -> Workbench:
    return Workbench()
