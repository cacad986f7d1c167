"""The shop's table in DynamoDB: one method for each access pattern.

pk                      sk                what
ORDER#ORD-10042         ORDER             the order; also under `ordersOfCustomer` (customerId, orderId)
ORDER#ORD-10042         RETURN#PRD-201    a return of one of its products
CUSTOMER#CUS-1007       CUSTOMER          the customer, once more under CUSTOMER#<e-mail>
PRODUCT                 PRD-201           the product and its stock
FILLED                  FILLED            digest of the sample rows that the table was last filled with
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from boto3.dynamodb.conditions import Key
from refusals import AlreadyDone, Unknown
from return_rules import Reason, check_return, returned_item
from sample_data import return_row, rows

Row = dict[str, Any]
HIDDEN = {"pk", "sk", "idempotencyKey"}


@dataclass(frozen=True)
class Request:
    """What a customer wants to send back; `key` is the same when the same request comes again, or empty."""

    order_id: str
    product_id: str
    reason: Reason
    comment: str
    key: str


class Shop:
    """Reads and writes one DynamoDB table (a boto3 `Table`)."""

    def __init__(self, table: Any) -> None:
        self._table = table
        self._filled_for: date | None = None

    def fill(self, today: date) -> None:
        """Bring the sample rows up to `today`. Returns that customers opened are left alone.

        Two of these at once write the same rows. The digest goes in last: who reads it finds all rows there.
        """
        if self._filled_for == today:
            return
        wanted = rows(today)
        digest = hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()
        marker = {"pk": "FILLED", "sk": "FILLED"}
        if self._table.get_item(Key=marker, ConsistentRead=True).get("Item", {}).get("digest") != digest:
            with self._table.batch_writer() as batch:
                for row in wanted:
                    batch.put_item(Item=row)
            self._table.put_item(Item=marker | {"digest": digest})
        self._filled_for = today

    def order(self, order_id: str) -> tuple[Row, list[Row]]:
        """The order and its returns. Raises `Unknown`."""
        found = self._table.query(
            KeyConditionExpression=Key("pk").eq(f"ORDER#{order_id}"), ConsistentRead=True
        )["Items"]
        order = [row for row in found if row["sk"] == "ORDER"]
        if not order:
            raise Unknown(
                f"There is no order {order_id}. Ask the customer to check the number (like ORD-10042)."
            )
        return _plain(order[0]), [_plain(row) for row in found if row["sk"] != "ORDER"]

    def customer(self, number_or_email: str) -> Row:
        """The customer with that number or e-mail address. Raises `Unknown`."""
        wanted = number_or_email.strip()
        key = wanted.lower() if "@" in wanted else wanted.upper()
        found = self._table.get_item(Key={"pk": f"CUSTOMER#{key}", "sk": "CUSTOMER"}).get("Item")
        if found is None:
            raise Unknown(
                f"There is no customer {wanted}. Ask for the number (like CUS-1007) or the e-mail address."
            )
        return _plain(found)

    def orders_of(self, customer_id: str) -> list[Row]:
        """All orders of the customer, the newest first."""
        found = self._table.query(
            IndexName="ordersOfCustomer",
            KeyConditionExpression=Key("customerId").eq(customer_id),
            ScanIndexForward=False,
        )["Items"]
        return [_plain(row) for row in found]

    def products(self) -> list[Row]:
        """The whole catalogue, which is small."""
        found = self._table.query(KeyConditionExpression=Key("pk").eq("PRODUCT"))["Items"]
        return [_plain(row) for row in found]

    def product(self, product_id: str) -> Row:
        """The product and its stock. Raises `Unknown`."""
        found = self._table.get_item(Key={"pk": "PRODUCT", "sk": product_id}).get("Item")
        if found is None:
            raise Unknown(
                f"There is no product {product_id}. Search the products by name to find its number."
            )
        return _plain(found)

    def open_return(self, request: Request, today: date) -> Row:
        """Open a return, or give the one that the same request opened before. Raises `Refused`."""
        order, returns = self.order(request.order_id)
        item = returned_item(order, request.product_id)
        if any(row["productId"] == request.product_id for row in returns):
            return self._opened_before(request)
        check_return(order, self.product(request.product_id), today)
        row = return_row(order, item, reason=request.reason, opened=today)
        row |= {"comment": request.comment, "idempotencyKey": request.key}
        try:
            self._table.put_item(Item=row, ConditionExpression="attribute_not_exists(pk)")
        except self._table.meta.client.exceptions.ConditionalCheckFailedException:
            return self._opened_before(request)
        return _plain(row)

    def _opened_before(self, request: Request) -> Row:
        key = {"pk": f"ORDER#{request.order_id}", "sk": f"RETURN#{request.product_id}"}
        row = self._table.get_item(Key=key, ConsistentRead=True)["Item"]
        if request.key and row.get("idempotencyKey") == request.key:
            return _plain(row)
        raise AlreadyDone(
            f"{row['productName']} of order {request.order_id} is already being returned: {row['returnId']}, "
            f"opened on {row['openedOn']}, status {row['status']}."
        )


def _plain(value: Any) -> Any:
    """The row as JSON can hold it: without its keys, and with whole numbers for DynamoDB's decimals."""
    match value:
        case dict():
            return {name: _plain(held) for name, held in value.items() if name not in HIDDEN}
        case list():
            return [_plain(held) for held in value]
        case Decimal():
            return int(value)
        case _:
            return value
