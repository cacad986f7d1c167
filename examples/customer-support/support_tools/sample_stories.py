"""Orders with something to tell, for trying the agent out. Days count from today: -3 is three days ago."""

from __future__ import annotations

from typing import NamedTuple

FIRST_ORDER, LAST_ORDER = 9848, 10047


class Story(NamedTuple):
    """What became of an order; `customer` 1007 is CUS-1007, `basket` pairs of product number and count."""

    status: str
    placed: int
    shipped: int | None = None
    expected: int | None = None
    delivered: int | None = None
    note: str = ""
    customer: int = 0
    basket: tuple[tuple[int, int], ...] = ()
    returned: bool = False


STORIES = {
    # Arrives tomorrow.
    10042: Story("shipped", -4, shipped=-2, expected=1, customer=1007, basket=((201, 1), (232, 1))),
    # The same customer: one order to return from, one that is too old.
    10018: Story("delivered", -23, shipped=-21, expected=-17, delivered=-17,
                 customer=1007, basket=((241, 1), (248, 2))),
    9921: Story("delivered", -100, shipped=-98, expected=-95, delivered=-94,
                customer=1007, basket=((211, 1),)),
    # Late, with a new date.
    10031: Story("delayed", -12, shipped=-10, expected=2, customer=1023, basket=((261, 1),),
                 note="Held up at the carrier's hub by a storm; it was expected three days ago."),
    # Waits for stock: one of its products is sold out.
    10044: Story("processing", -2, expected=9, customer=1015, basket=((202, 1), (234, 2)),
                 note="Waiting for PRD-202, which is out of stock; the order ships complete."),
    # On the van.
    10040: Story("out_for_delivery", -5, shipped=-3, expected=0, customer=1031, basket=((215, 1), (217, 1))),
    # Cancelled.
    10037: Story("cancelled", -8, customer=1042, basket=((252, 1),),
                 note="The customer called it off before shipping; the money was refunded."),
    # Delivered, the first product is already on its way back.
    10022: Story("delivered", -20, shipped=-18, expected=-14, delivered=-14,
                 customer=1050, basket=((204, 1), (205, 1)), returned=True),
    # Delivered yesterday, with a product that cannot be returned.
    10036: Story("delivered", -8, shipped=-6, expected=-1, delivered=-1,
                 customer=1012, basket=((270, 1), (242, 1))),
}  # fmt: skip
