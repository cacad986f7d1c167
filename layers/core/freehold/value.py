"""What every noun of the core is: fields that do not change, compared by what they hold."""

from __future__ import annotations

from typing import dataclass_transform

from msgspec import Struct, field
from msgspec.structs import asdict, astuple, replace

__all__ = ["Value", "asdict", "astuple", "field", "replace"]


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
class Value(Struct, frozen=True):
    """Subclasses are frozen too. To define one costs a fortieth of a dataclass, and a cold start defines dozens."""
