"""Where things stand, in a sentence: a model has no calendar, so `tomorrow` is worked out here."""

from __future__ import annotations

from datetime import date
from typing import Any


def day(written: str, today: date) -> str:
    """`tomorrow (2026-11-24)`, or the weekday and the date where it is further away."""
    then = date.fromisoformat(written)
    near = {-1: "yesterday", 0: "today", 1: "tomorrow"}.get((then - today).days)
    return f"{near} ({written})" if near else f"{then:%A} {written}"


def order_status(order: dict[str, Any], today: date) -> str:
    """One sentence on the order, and the shop's note on it where there is one."""
    sentence = _progress(order, today)
    return f"{sentence} {order['note']}" if order.get("note") else sentence


def _progress(order: dict[str, Any], today: date) -> str:
    def on(field: str) -> str:
        return day(order[field], today)

    match order["status"]:
        case "processing":
            return f"Being prepared in the warehouse; expected to arrive {on('expectedOn')}."
        case "shipped":
            return (
                f"Shipped {on('shippedOn')} with {order['carrier']}; expected to arrive {on('expectedOn')}."
            )
        case "out_for_delivery":
            return f"Out for delivery with {order['carrier']}; expected {on('expectedOn')}."
        case "delayed":
            return f"Delayed on the way with {order['carrier']}; now expected to arrive {on('expectedOn')}."
        case "delivered":
            return f"Delivered {on('deliveredOn')} by {order['carrier']}."
        case status:
            return f"{status.capitalize()}."


def stock_status(product: dict[str, Any], today: date) -> str:
    """One sentence on whether the product can be had, and when."""
    name, available = product["name"], product["available"]
    if available > 5:
        return f"{name}: in stock, ships within one working day."
    if available > 0:
        return f"{name}: only {available} left, ships within one working day."
    if "restockOn" in product:
        return f"{name}: out of stock; the next delivery is due {day(product['restockOn'], today)}."
    return f"{name}: out of stock, and no delivery is planned."
