"""Saving MiniStack's state while it runs; by itself it saves on a clean stop only."""

from __future__ import annotations

import hashlib
import json
import logging
import threading
import time
from importlib import import_module
from pathlib import Path
from typing import Any

from freehold_cli.local.patches.upstream import wrap

# Saving a large state must not slow the stack down: it gets at most this share of the time.
_SHARE_OF_TIME = 1 / 20
# A state is copied while requests change it; a copy that was disturbed is made again.
_ATTEMPTS = 5
_log = logging.getLogger("freehold.saving")


def write_only_what_changed() -> None:
    """A service's state is encoded in one go and its file is left alone when it would stay the same.

    MiniStack writes every file on every save, piece by piece, which takes ten times as long.
    """
    persistence = import_module("ministack.core.persistence")
    written: dict[str, bytes] = {}

    def save(original: Any, service: str, payload: Any) -> None:
        document = {"__ministack_format__": persistence._state_format_version(service), "payload": payload}
        content = json.dumps(document, default=persistence._json_default).encode()
        digest = hashlib.sha256(content).digest()
        if written.get(service) != digest:
            folder = Path(persistence.STATE_DIR)
            folder.mkdir(parents=True, exist_ok=True)
            partial = folder / f"{service}.json.partial"
            partial.write_bytes(content)
            partial.replace(folder / f"{service}.json")
            written[service] = digest

    reads = ('"__ministack_format__": _state_format_version(service)', "os.replace(tmp, path)")
    wrap(persistence, "save_state", save, reads=reads)


def save_regularly(seconds: float) -> None:
    """Save every `seconds` while requests come in, and once more after the last one.

    A save is no transaction over services: after a crash one of them may be some requests ahead of another.
    """
    persistence = import_module("ministack.core.persistence")
    if persistence.PERSIST_STATE:
        server = import_module("ministack.app")
        activity = _watch_requests(server)
        saver = threading.Thread(target=_save_for_ever, args=(server, activity, seconds), daemon=True)
        saver.start()


def _watch_requests(server: Any) -> threading.Event:
    seen = threading.Event()

    def dispatch(original: Any, *args: Any, **options: Any) -> Any:
        seen.set()
        return original(*args, **options)

    wrap(server, "_dispatch_service_request", dispatch, reads=("async def _dispatch_service_request(",))
    return seen


def _save_for_ever(server: Any, activity: threading.Event, seconds: float) -> None:
    pause = seconds
    while True:
        activity.wait()
        # A request may start what goes on after it: the last save begins a full pause after the last request.
        while activity.is_set():
            activity.clear()
            time.sleep(pause)
            began = time.monotonic()
            _save(server)
            pause = max(seconds, (time.monotonic() - began) / _SHARE_OF_TIME)


def _save(server: Any) -> None:
    for service, get_state in server._build_persistence_save_dict().items():
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                state = get_state()
            except RuntimeError as disturbed:  # "dictionary changed size during iteration"
                if attempt == _ATTEMPTS:
                    _log.warning("not saved this time: %s (%s)", service, disturbed)
                continue
            if state is not None:
                import_module("ministack.core.persistence").save_state(service, state)
            break
