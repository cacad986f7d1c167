"""The addresses of calls: ids in their paths, and what stands behind."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ..errors import Invalid, Problem
from ..values.ids import ID, ID_IN_WORDS

PATH_PART = re.compile(ID)


def check_path(path: str) -> None:
    """Raises `Invalid` where a part of the path could be nobody's id: some would be too long for a key."""
    for part in path.split("/"):
        if part and not PATH_PART.fullmatch(part):
            # As ASCII: a letter that looks like another one is told from it.
            raise Invalid(f"{part[:40]!a} {ID_IN_WORDS}", path="path")


def check_named_once(query: Mapping[str, Sequence[str]]) -> None:
    """Raises `Invalid` where a parameter is given more than once: one of its values alone would count."""
    twice = [name for name, values in query.items() if len(values) > 1]
    if twice:
        raise Invalid([Problem(name, "is given more than once") for name in twice])
