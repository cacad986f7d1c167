"""A table that knows what it was asked for."""

from __future__ import annotations

from typing import Any

from memory_table import MemoryTable

Json = dict[str, Any]


class WatchedTable(MemoryTable):
    """`touched` are the partitions that were read or written, or looked for in an index."""

    def __init__(self) -> None:
        super().__init__()
        self.touched: set[str] = set()

    def get_item(self, **given: Any) -> Json:
        self.touched.add(given["Key"]["pk"]["S"])
        return super().get_item(**given)

    def batch_get_item(self, **given: Any) -> Json:
        ((_, wanted),) = given["RequestItems"].items()
        self.touched |= {key["pk"]["S"] for key in wanted["Keys"]}
        return super().batch_get_item(**given)

    def query(self, **given: Any) -> Json:
        name = given["KeyConditionExpression"].split(" ")[2]
        self.touched.add(given["ExpressionAttributeValues"][name]["S"])
        return super().query(**given)

    def batch_write_item(self, **given: Any) -> Json:
        ((_, writes),) = given["RequestItems"].items()
        self.touched |= {write["DeleteRequest"]["Key"]["pk"]["S"] for write in writes}
        return super().batch_write_item(**given)

    def transact_write_items(self, **given: Any) -> None:
        asked = [each for operation in given["TransactItems"] for each in operation.values()]
        self.touched |= {(each.get("Item") or each["Key"])["pk"]["S"] for each in asked}
        super().transact_write_items(**given)

    def _put(self, given: Json, item: Json | None) -> None:
        self.touched.add((given.get("Item") or given["Key"])["pk"]["S"])
        super()._put(given, item)
