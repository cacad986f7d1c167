"""Ten tenants do whatever they like, and none learns of another or does anything to it."""

from __future__ import annotations

from .description import find, operations
from .meeting import meet
from .tenant_calls import ACTIONS

# Of the actions: bench/tenants.py leaves none.
FEW = 1
# Only a signature opens it, and it names nothing of anybody.
SIGNED = "createToken"


def test_ten_tenants_never_meet():
    """bench/tenants.py does the same, longer."""
    met = meet(10)

    assert met.operations > 1_500
    # Where nothing succeeds, nothing is proved.
    assert len(ACTIONS.keys() - met.taken) <= FEW


def test_tenants_ask_for_all_that_the_document_describes():
    made = [action("a", "a", "a", lambda _: "1") for action in ACTIONS.values()]

    found = [find(method, path.partition("?")[0]) for method, path, _ in made]

    asked = {each.described["operationId"] for each in found if each}
    assert asked == {each.described["operationId"] for each in operations()} - {SIGNED}
