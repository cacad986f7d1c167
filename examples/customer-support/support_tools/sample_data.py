"""The rows that the table is filled with: customers, products, orders and returns, with dates around today.

Everything is drawn from one seed, so that ORD-10042 is the same order for everybody. Only `Random.random` is
used: it is the one method whose numbers never change between Python versions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Any, TypeVar, get_args

from return_rules import Reason
from sample_products import PRODUCTS, Product
from sample_stories import FIRST_ORDER, LAST_ORDER, STORIES, Story

Row = dict[str, Any]
Choice = TypeVar("Choice")

CURRENCY = "USD"
FIRST_NAMES = (
    "Amara", "Bruno", "Chiara", "Daniel", "Elif", "Farah", "Goran", "Hanna", "Imran", "Jonas",
    "Keiko", "Lucia", "Mara", "Nadia", "Oscar", "Priya", "Quentin", "Rosa", "Samir", "Tomasz",
)  # fmt: skip
LAST_NAMES = (
    "Abara", "Brandt", "Castell", "Doyle", "Eskelin", "Farouk", "Greaves", "Holm", "Ibarra", "Jansen",
    "Kowal", "Lindqvist", "Moreau", "Novak", "Okoye", "Petrov", "Quist", "Rinaldi", "Sato", "Tamm",
)  # fmt: skip
CITIES = ("Austin", "Boise", "Chicago", "Denver", "Madison", "Portland", "Raleigh", "Tucson")
CARRIERS = (("Northway Parcel", "NW"), ("Bluebird Express", "BB"), ("Kite Couriers", "KC"))
REASONS: tuple[Reason, ...] = get_args(Reason)
RETURN_STAGES = ("label_sent", "received", "refunded")


def rows(today: date) -> list[Row]:
    """Every row of the table as it should be on `today`."""
    draw = Random(20_417)
    customers = [_customer(draw, number) for number in range(1001, 1061)]
    orders = [_order(draw, number, customers, today) for number in range(FIRST_ORDER, LAST_ORDER + 1)]
    returns = list(_returns(draw, orders, today))
    return [*_customer_rows(customers), *(_product_row(p, today) for p in PRODUCTS), *orders, *returns]


def _pick(draw: Random, choices: Sequence[Choice]) -> Choice:
    return choices[int(draw.random() * len(choices))]


def _between(draw: Random, low: int, high: int) -> int:
    return low + int(draw.random() * (high - low + 1))


def _customer(draw: Random, number: int) -> Row:
    # Steps of 7 and 3 through the lists keep every pair of names, and so every e-mail address, unique.
    index = number - 1001
    first = FIRST_NAMES[(index * 7) % len(FIRST_NAMES)]
    last = LAST_NAMES[(index * 3 + index // len(FIRST_NAMES)) % len(LAST_NAMES)]
    return {
        "customerId": f"CUS-{number}",
        "name": f"{first} {last}",
        "email": f"{first}.{last}@example.com".lower(),
        "city": _pick(draw, CITIES),
    }


def _customer_rows(customers: Sequence[Row]) -> Iterator[Row]:
    """A customer stands in the table twice, under the number and under the e-mail address."""
    for customer in customers:
        for key in (customer["customerId"], customer["email"]):
            yield {"pk": f"CUSTOMER#{key}", "sk": "CUSTOMER", **customer}


def _product_row(product: Product, today: date) -> Row:
    row: Row = {
        "pk": "PRODUCT",
        "sk": f"PRD-{product.number}",
        "productId": f"PRD-{product.number}",
        "name": product.name,
        "category": product.category,
        "description": product.description,
        "price": product.price,
        "currency": CURRENCY,
        "available": product.available,
        "returnable": product.returnable,
    }
    if product.restock_in is not None:
        row["restockOn"] = (today + timedelta(days=product.restock_in)).isoformat()
    return row


def _order(draw: Random, number: int, customers: Sequence[Row], today: date) -> Row:
    # The draws are made for stories too, so that changing a story changes no other order.
    customer, basket, life = _pick(draw, customers), _basket(draw), _life(draw, LAST_ORDER - number)
    carrier, prefix = _pick(draw, CARRIERS)
    tracking = f"{prefix}-{_between(draw, 1000, 9999)}-{_between(draw, 1000, 9999)}-{_between(draw, 10, 99)}"
    story = STORIES.get(number)
    if story is not None:
        customer = customers[story.customer - 1001]
        basket = [(_product(wanted), quantity) for wanted, quantity in story.basket]
        life = story
    items = [_item(product, quantity) for product, quantity in basket]
    order: Row = {
        "pk": f"ORDER#ORD-{number:05}",
        "sk": "ORDER",
        "orderId": f"ORD-{number:05}",
        "customerId": customer["customerId"],
        "status": life.status,
        "items": items,
        "total": str(sum((Decimal(item["unitPrice"]) * item["quantity"] for item in items), Decimal())),
        "currency": CURRENCY,
        "shipTo": customer["city"],
        "placedOn": _day(today, life.placed),
    }
    if life.shipped is not None:
        order |= {"carrier": carrier, "trackingNumber": tracking, "shippedOn": _day(today, life.shipped)}
    if life.expected is not None:
        order["expectedOn"] = _day(today, life.expected)
    if life.delivered is not None:
        order["deliveredOn"] = _day(today, life.delivered)
    return order | ({"note": life.note} if life.note else {})


def _basket(draw: Random) -> list[tuple[Product, int]]:
    chosen = {_pick(draw, PRODUCTS).number for _ in range(_between(draw, 1, 4))}
    return [(product, 2 if draw.random() < 0.15 else 1) for product in PRODUCTS if product.number in chosen]


def _life(draw: Random, later_orders: int) -> Story:
    """What became of an ordinary order, by its age: five orders come in every four days."""
    placed = -(later_orders * 4 // 5)
    in_warehouse, on_the_road, chance = _between(draw, 1, 2), _between(draw, 2, 5), draw.random()
    shipped, arrives = placed + in_warehouse, placed + in_warehouse + on_the_road
    if chance < 0.05:
        return Story(
            "cancelled", placed, note="The customer called it off before shipping; the money was refunded."
        )
    if shipped > 0:
        return Story("processing", placed, expected=arrives)
    if arrives > 0:
        return Story("shipped", placed, shipped=shipped, expected=arrives)
    return Story("delivered", placed, shipped=shipped, expected=arrives, delivered=arrives)


def _returns(draw: Random, orders: Sequence[Row], today: date) -> Iterator[Row]:
    """About one return for every thirteen orders that arrived, at the stage that its age suggests."""
    for order in orders:
        wanted, stage_days, reason = draw.random() < 0.08, _between(draw, 2, 11), _pick(draw, REASONS)
        number = int(order["orderId"].removeprefix("ORD-"))
        told = STORIES.get(number)
        if order["status"] != "delivered" or not (told.returned if told else wanted):
            continue
        item = order["items"][0]
        if not _product(int(item["productId"].removeprefix("PRD-"))).returnable:
            continue
        opened = min(date.fromisoformat(order["deliveredOn"]) + timedelta(days=stage_days), today)
        stage = RETURN_STAGES[min((today - opened).days // 7, 2)]
        yield return_row(order, item, reason=reason, opened=opened, status=stage)


def return_row(order: Row, item: Row, *, reason: Reason, opened: date, status: str = "label_sent") -> Row:
    """The row of one return. One product of one order has one key: it can be returned once."""
    order_id, product_id = order["orderId"], item["productId"]
    return {
        "pk": f"ORDER#{order_id}",
        "sk": f"RETURN#{product_id}",
        "returnId": f"RET-{order_id.removeprefix('ORD-')}-{product_id.removeprefix('PRD-')}",
        "productId": product_id,
        "productName": item["name"],
        "reason": reason,
        "status": status,
        "openedOn": opened.isoformat(),
        "sendBackBy": (opened + timedelta(days=14)).isoformat(),
        "refundAmount": str(Decimal(item["unitPrice"]) * item["quantity"]),
        "currency": CURRENCY,
        "returnShipping": "paid by the customer" if reason == "changed_mind" else "free",
    }


def _item(product: Product, quantity: int) -> Row:
    return {
        "productId": f"PRD-{product.number}",
        "name": product.name,
        "quantity": quantity,
        "unitPrice": product.price,
    }


def _product(number: int) -> Product:
    return next(product for product in PRODUCTS if product.number == number)


def _day(today: date, offset: int) -> str:
    return (today + timedelta(days=offset)).isoformat()
