"""Ten tenants do whatever they like, and none learns of another or does anything to it."""

from __future__ import annotations

from .meeting import meet
from .tenancy import ACTIONS

FEW = 4


def test_ten_tenants_never_meet():
    """bench/tenants.py does the same, longer."""
    met = meet(14)

    assert met.operations > 1_500
    # Where nothing succeeds, nothing is proved.
    assert len(ACTIONS.keys() - met.taken) <= FEW
