"""The tools of the customer-support agent: a Lambda behind the Bedrock Agents contract.

The routes are those of `orders-api.yaml`, served by Powertools. A refusal is an answer with a 4xx
status: the model reads it and acts on it. An exception would be a failed call.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import BedrockAgentResolver, Response, content_types
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query
from product_search import search
from refusals import ShopError
from return_rules import Reason, last_return_day
from shop import Request, Shop
from wording import day, order_status, stock_status

logger = Logger(service="support-tools")
app = BedrockAgentResolver()
shop = Shop(boto3.resource("dynamodb").Table(os.environ["TABLE_NAME"]))

OrderId = Annotated[str, Path(alias="orderId", pattern=r"^ORD-\d{5}$")]
ProductId = Annotated[str, Path(alias="productId", pattern=r"^PRD-\d{3}$")]


@app.get("/orders/<orderId>", description="Look up an order")
def get_order(order_id: OrderId) -> dict[str, Any]:
    order, returns = shop.order(order_id)
    # The sentence comes first: whoever cuts a long answer keeps what matters.
    answer = {"statusText": order_status(order, _today())} | order | {"returns": returns}
    answer.pop("note", None)  # is part of the sentence
    if order["status"] == "delivered":
        answer["returnableUntil"] = last_return_day(order).isoformat()
    return answer


@app.get("/customers/<customer>/orders", description="List the orders of a customer")
def list_orders(customer: Annotated[str, Path()]) -> dict[str, Any]:
    found = shop.customer(customer)
    orders = [_summary(order) for order in shop.orders_of(found["customerId"])]
    return {"customer": found, "count": len(orders), "orders": orders}


@app.get("/products", description="Search the products")
def search_products(
    query: Annotated[str, Query()], max_price: Annotated[Decimal | None, Query(alias="maxPrice")] = None
) -> dict[str, Any]:
    found = search(shop.products(), query, max_price)
    products = [product | {"stockText": stock_status(product, _today())} for product in found[:8]]
    return {"query": query, "count": len(found), "products": products}


@app.get("/products/<productId>/stock", description="Read the stock of a product")
def get_stock(product_id: ProductId) -> dict[str, Any]:
    product = shop.product(product_id)
    kept = {
        name: product[name] for name in ("productId", "name", "available", "restockOn") if name in product
    }
    return kept | {"inStock": product["available"] > 0, "stockText": stock_status(product, _today())}


@app.post("/returns", description="Open a return", status_code=201)
def open_return(
    order_id: Annotated[str, Body(alias="orderId", embed=True, pattern=r"^ORD-\d{5}$")],
    product_id: Annotated[str, Body(alias="productId", embed=True, pattern=r"^PRD-\d{3}$")],
    reason: Annotated[Reason, Body(embed=True)],
    comment: Annotated[str, Body(embed=True, max_length=500)] = "",
) -> dict[str, Any]:
    # Freehold sends the same key when it repeats a call; Bedrock Agents sends none.
    key = (app.current_event.get("freehold") or {}).get("idempotencyKey", "")
    opened = shop.open_return(Request(order_id, product_id, reason, comment, key), _today())
    by = day(opened["sendBackBy"], _today())
    return opened | {
        "nextStep": f"A return label was sent by e-mail; the parcel has to be handed in by {by}."
    }


@app.exception_handler(ShopError)
def refuse(refusal: ShopError) -> Response[str]:
    return Response(refusal.status, content_types.APPLICATION_JSON, json.dumps({"message": str(refusal)}))


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one call of the agent: a Bedrock Agents event in, a Bedrock Agents response out."""
    shop.fill(_today())
    return app.resolve(event, context)


def _summary(order: dict[str, Any]) -> dict[str, Any]:
    items = [f"{item['quantity']} x {item['name']} ({item['productId']})" for item in order["items"]]
    kept = {name: order[name] for name in ("orderId", "placedOn", "status", "total", "currency")}
    return kept | {"items": items, "statusText": order_status(order, _today())}


def _today() -> date:
    return datetime.now(UTC).date()
