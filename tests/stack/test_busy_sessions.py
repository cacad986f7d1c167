from __future__ import annotations

from crowds import crowd, echo
from product_stack import Product


def test_thirty_messages_at_once_are_each_answered_once_one_after_the_other(product: Product):
    product.model.script([], then=echo)
    agent = product.agent(limits={"timeoutSeconds": 900})

    made = crowd(product, agent, 30)

    assert made.problems == ()
    assert len(made.runs) == 30
