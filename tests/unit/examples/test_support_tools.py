"""Every operation of the customer-support example, called as Freehold calls it."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml
from boto3.dynamodb.conditions import Key
from jsonschema_rs import validator_for

from .conftest import EXAMPLE, Desk

ORDER, STOCK = "/orders/{orderId}", "/products/{productId}/stock"
CUSTOMER = "/customers/{customer}/orders"


def test_an_order_on_its_way_says_when_it_arrives(desk: Desk) -> None:
    status, order = desk.get(ORDER, orderId="ORD-10042")

    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date().isoformat()
    assert (status, order["status"], order["expectedOn"]) == (200, "shipped", tomorrow)
    assert f"expected to arrive tomorrow ({tomorrow})" in order["statusText"]
    assert [item["productId"] for item in order["items"]] == ["PRD-201", "PRD-232"]


@pytest.mark.parametrize(
    ("order", "says"),
    [
        ("ORD-10031", "Delayed on the way"),
        ("ORD-10044", "out of stock"),
        ("ORD-10040", "Out for delivery"),
        ("ORD-10037", "Cancelled"),
        ("ORD-10036", "Delivered yesterday"),
    ],
)
def test_each_told_order_has_its_story(desk: Desk, order: str, says: str) -> None:
    _, found = desk.get(ORDER, orderId=order)

    assert says in found["statusText"]


def test_an_unknown_order_is_a_404_that_says_what_to_ask(desk: Desk) -> None:
    status, answer = desk.get(ORDER, orderId="ORD-55555")

    assert status == 404
    assert answer["message"].startswith("There is no order ORD-55555. Ask the customer")


def test_a_malformed_order_number_is_a_422(desk: Desk) -> None:
    status, answer = desk.get(ORDER, orderId="banana")

    assert status == 422
    assert answer["detail"][0]["loc"] == ["path", "orderId"]


def test_an_operation_that_is_not_there_is_a_404(desk: Desk) -> None:
    assert desk.get("/nowhere")[0] == 404


@pytest.mark.parametrize(
    "customer", ["CUS-1007", "cus-1007", "chiara.sato@example.com", "Chiara.Sato@Example.com"]
)
def test_a_customer_is_found_by_number_or_email(desk: Desk, customer: str) -> None:
    status, found = desk.get(CUSTOMER, customer=customer)

    numbers = [order["orderId"] for order in found["orders"]]
    assert (status, found["customer"]["name"]) == (200, "Chiara Sato")
    assert numbers == sorted(numbers, reverse=True)
    assert {"ORD-10042", "ORD-10018", "ORD-09921"} <= set(numbers)
    assert found["count"] == len(numbers)


def test_an_unknown_customer_is_a_404(desk: Desk) -> None:
    assert desk.get(CUSTOMER, customer="nobody@example.com")[0] == 404


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("wireless headphones", {"PRD-201", "PRD-202", "PRD-204"}),
        ("Do you have wireless headphones?", {"PRD-201", "PRD-202", "PRD-204"}),
        ("kettles", {"PRD-241"}),
        ("zeppelin", set[str]()),
        ("do you have", set[str]()),
    ],
)
def test_products_are_found_by_their_words(desk: Desk, query: str, numbers: set[str]) -> None:
    status, found = desk.get("/products", query=query)

    assert (status, found["count"]) == (200, len(numbers))
    assert {product["productId"] for product in found["products"]} == numbers


def test_a_price_limit_leaves_out_what_is_dearer(desk: Desk) -> None:
    _, found = desk.get("/products", query="wireless headphones", maxPrice=60)

    assert [product["productId"] for product in found["products"]] == ["PRD-202"]


def test_stock_tells_how_many_there_are_or_when_more_come(desk: Desk) -> None:
    _, plenty = desk.get(STOCK, productId="PRD-201")
    _, few = desk.get(STOCK, productId="PRD-214")
    _, sold_out = desk.get(STOCK, productId="PRD-202")
    _, gone = desk.get(STOCK, productId="PRD-216")

    assert plenty["inStock"]
    assert "only 3 left" in few["stockText"]
    assert (sold_out["inStock"], sold_out["available"]) == (False, 0)
    assert "next delivery is due" in sold_out["stockText"]
    assert "no delivery is planned" in gone["stockText"]


def test_the_stock_of_an_unknown_product_is_a_404(desk: Desk) -> None:
    assert desk.get(STOCK, productId="PRD-999")[0] == 404


def test_a_return_is_opened_and_shows_in_the_order(desk: Desk) -> None:
    status, opened = _return(desk, comment="the lid is cracked")

    _, order = desk.get(ORDER, orderId="ORD-10018")
    assert (status, opened["returnId"], opened["status"]) == (201, "RET-10018-241", "label_sent")
    assert (opened["refundAmount"], opened["returnShipping"]) == ("64.00", "free")
    assert [kept["returnId"] for kept in order["returns"]] == ["RET-10018-241"]
    assert order["returns"][0]["comment"] == "the lid is cracked"


def test_the_same_call_again_gives_the_same_return(desk: Desk) -> None:
    first, again = (_return(desk, key="run-7-2-0") for _ in range(2))

    assert again == first


@pytest.mark.parametrize("key", ["run-8-1-0", None])
def test_another_call_for_the_same_product_is_a_409(desk: Desk, key: str | None) -> None:
    _return(desk, key=key if key is None else "run-7-2-0")

    status, answer = _return(desk, key=key)

    assert status == 409
    assert "RET-10018-241" in answer["message"]


@pytest.mark.parametrize(
    ("order", "product", "status", "says"),
    [
        ("ORD-77777", "PRD-241", 404, "There is no order"),
        ("ORD-10018", "PRD-204", 422, "It has: PRD-241 (Calder electric kettle), PRD-248"),
        ("ORD-10042", "PRD-201", 422, "not been delivered"),
        ("ORD-09921", "PRD-211", 422, "30 days for returns ended"),
        ("ORD-10036", "PRD-270", 422, "cannot be returned"),
        ("ORD-10022", "PRD-204", 409, "already being returned"),
    ],
)
def test_a_return_against_the_terms_is_refused_with_the_reason(
    desk: Desk, filled: Any, order: str, product: str, status: int, says: str
) -> None:
    before = _rows_of(filled, order)

    got, answer = _return(desk, orderId=order, productId=product)

    assert (got, says in answer["message"]) == (status, True), answer
    assert _rows_of(filled, order) == before


@pytest.mark.parametrize("wrong", [{"reason": "bored"}, {"productId": "kettle"}, {"comment": "x" * 501}])
def test_a_return_with_a_wrong_value_is_a_422_that_names_it(desk: Desk, wrong: dict[str, str]) -> None:
    status, answer = _return(desk, **wrong)

    assert status == 422
    assert answer["detail"][0]["loc"][-1] in wrong


@pytest.mark.usefixtures("filled")
def test_of_two_returns_at_once_one_is_opened(desk: Desk) -> None:
    start, answers = threading.Barrier(2), list[int]()

    def ask(key: str) -> None:
        start.wait()
        answers.append(_return(desk, key=key)[0])

    threads = [threading.Thread(target=ask, args=(key,)) for key in ("run-1-1-0", "run-2-1-0")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(answers) == [201, 409]


def test_what_the_tools_answer_is_what_the_document_promises(desk: Desk) -> None:
    document = yaml.safe_load((EXAMPLE / "orders-api.yaml").read_text())
    answers = {
        "Order": [
            desk.get(ORDER, orderId=f"ORD-{number}") for number in ("10042", "10018", "10022", "10037")
        ],
        "CustomerOrders": [desk.get(CUSTOMER, customer="CUS-1007")],
        "ProductSearch": [desk.get("/products", query="headphones")],
        "Stock": [desk.get(STOCK, productId="PRD-202")],
        "Return": [_return(desk)],
    }

    for name, given in answers.items():
        schema = _closed({"$ref": f"#/components/schemas/{name}", "components": document["components"]})
        for _, body in given:
            validator_for(schema).validate(body)


def _return(desk: Desk, **given: Any) -> tuple[int, Any]:
    usual = {"orderId": "ORD-10018", "productId": "PRD-241", "reason": "damaged"}
    return desk.post("/returns", **(usual | given))


def _rows_of(table: Any, order: str) -> list[dict[str, Any]]:
    return table.query(KeyConditionExpression=Key("pk").eq(f"ORDER#{order}"))["Items"]


def _closed(schema: Any) -> Any:
    """The schema with every object closed, so that an undocumented field fails too."""
    if isinstance(schema, list):
        return [_closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: _closed(part) for name, part in schema.items()}
    return closed | ({"additionalProperties": False} if isinstance(schema.get("properties"), dict) else {})
