"""Text from strangers."""

from __future__ import annotations

import re

_ARN = re.compile(r"arn:aws[a-z-]*:\S+")


def without_arns(text: str) -> str:
    """The text without the names of roles and accounts, which AWS's refusals quote."""
    return _ARN.sub("arn:…", text)


def well_formed(text: str) -> str:
    """The text with a mark in place of every lone surrogate, which JSON may hold and UTF-8 cannot."""
    return text.encode("utf-8", "replace").decode()
