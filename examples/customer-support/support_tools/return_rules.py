"""When the shop takes a product back. Values in, values out: no table, no clock."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, Literal

from refusals import Refused

RETURN_DAYS = 30
Reason = Literal["damaged", "defective", "wrong_item", "not_as_described", "changed_mind"]


def last_return_day(order: dict[str, Any]) -> date:
    """The last day on which a return of this delivered order can be opened."""
    return date.fromisoformat(order["deliveredOn"]) + timedelta(days=RETURN_DAYS)


def returned_item(order: dict[str, Any], product_id: str) -> dict[str, Any]:
    """The order's line with that product. Raises `Refused`, and names what was ordered instead."""
    for item in order["items"]:
        if item["productId"] == product_id:
            return item
    ordered = ", ".join(f"{item['productId']} ({item['name']})" for item in order["items"])
    raise Refused(f"Order {order['orderId']} has no product {product_id}. It has: {ordered}.")


def check_return(order: dict[str, Any], product: dict[str, Any], today: date) -> None:
    """Raise `Refused` where the shop's terms rule the return out."""
    order_id = order["orderId"]
    if order["status"] != "delivered":
        raise Refused(
            f"Order {order_id} has not been delivered (status: {order['status']}): it cannot be returned yet."
        )
    if not product["returnable"]:
        raise Refused(
            f"{product['name']} ({product['productId']}) cannot be returned: it is excluded by our terms."
        )
    last_day = last_return_day(order)
    if today > last_day:
        raise Refused(
            f"Order {order_id} was delivered on {order['deliveredOn']}; its {RETURN_DAYS} days for returns "
            f"ended on {last_day}. A human agent can decide on an exception."
        )
