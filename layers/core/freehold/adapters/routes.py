"""Where an alias leads: to one version, or to several, each with its share of the new sessions."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from ..errors import Invalid

# Version and weight, in order of version.
Routes = tuple[tuple[str, int], ...]

WHOLE = 100


def checked(routes: Sequence[tuple[str, int]]) -> Routes:
    """In order of version. Raises `Invalid` unless each version stands once and the weights sum up to 100."""
    ordered = tuple(sorted(routes, key=lambda route: int(route[0])))
    versions = [version for version, _ in ordered]
    twice = next((version for version in versions if versions.count(version) > 1), None)
    if twice is not None:
        raise Invalid(f"name version {twice} twice; each is named once", path="routes")
    if any(weight < 1 for _, weight in ordered):
        raise Invalid(f"have a weight below 1; each is a whole number from 1 to {WHOLE}", path="routes")
    total = sum(weight for _, weight in ordered)
    if total != WHOLE:
        raise Invalid(f"have weights that sum up to {total}; the sum must be {WHOLE}", path="routes")
    return ordered


def attributes(routes: Routes) -> dict[str, Any]:
    """As an item keeps them. `version` alone is read by the release before, which sends every session to it."""
    heaviest, _ = max(routes, key=lambda route: route[1])
    weighted = [{"version": int(version), "weight": weight} for version, weight in routes]
    return {"version": int(heaviest)} | ({"routes": weighted} if len(routes) > 1 else {})


def of(item: dict[str, Any]) -> Routes:
    """The routes of an alias's item, also of one that the release before wrote."""
    routes = item.get("routes", [{"version": item["version"], "weight": WHOLE}])
    return tuple((str(route["version"]), route["weight"]) for route in routes)


def chosen(routes: Routes, *, name: str, alias: str, session_id: str) -> str:
    """The version of a new session. Its id decides, so that whoever begins it again gets the same one."""
    digest = hashlib.sha256(f"{name}#{alias}#{session_id}".encode()).digest()
    point = int.from_bytes(digest) % WHOLE
    bounds = accumulate(weight for _, weight in routes)
    return next(version for (version, _), bound in zip(routes, bounds, strict=True) if point < bound)
