"""Text from strangers."""

from __future__ import annotations


def well_formed(text: str) -> str:
    """The text with a mark in place of every lone surrogate, which JSON may hold and UTF-8 cannot."""
    return text.encode("utf-8", "replace").decode()
