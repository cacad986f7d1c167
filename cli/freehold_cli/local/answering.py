"""Whether what a stack is made of answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import httpx

if TYPE_CHECKING:
    from freehold_cli.local.stack_info import StackInfo

_OK = 200


def aws_answers(info: StackInfo) -> bool:
    return _get(f"{info.aws_endpoint}/_ministack/health") is not None


def front_door_answers(info: StackInfo) -> bool:
    return _healthy(info.url, info.instance)


def live_answers(info: StackInfo, deployed_at: int | None = None) -> bool:
    """Whether live events are served, as they were deployed then."""
    if info.live_url is None:
        return True
    told = _get(f"{info.live_url}/healthz") or {}
    return told.get("instance") == info.instance and deployed_at in (None, told.get("deployedAt"))


def relay_answers(info: StackInfo) -> bool:
    return info.relay_url is None or _healthy(info.relay_url, info.instance)


def _healthy(url: str, instance: str) -> bool:
    """Whether a process of this very stack answers there."""
    return (_get(f"{url}/healthz") or {}).get("instance") == instance


def _get(url: str) -> dict[str, Any] | None:
    try:
        answer = httpx.get(url, timeout=5.0, trust_env=False)
        return cast("dict[str, Any]", answer.json()) if answer.status_code == _OK else None
    except (httpx.HTTPError, ValueError):
        return None
