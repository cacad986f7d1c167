"""The model in the box: offline and deterministic. `docs/models.md` says what it can and cannot do."""

from __future__ import annotations

from .model import Rehearsal

__all__ = ["Rehearsal"]
