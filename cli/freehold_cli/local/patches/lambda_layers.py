"""Layers: one extracted copy for all workers, and one file for each in the saved state."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import shutil
import tempfile
import threading
import zipfile
from importlib import import_module
from pathlib import Path
from typing import Any

from freehold_cli.local.patches.upstream import wrap

CACHE_VARIABLE = "FREEHOLD_LAYER_CACHE"
_REFERENCE = "freehold:layer"


def share_extracted_layers() -> None:
    """Workers of Python functions read their layers from one extracted copy of each, named by its digest.

    MiniStack unpacks every layer for every worker, which costs seconds for a layer with an SDK in it, and the
    byte code that Python compiled for it is lost with the worker.
    """
    service = import_module("ministack.services.lambda_svc")
    layers = SharedLayers(Path(os.environ.get(CACHE_VARIABLE) or tempfile.mkdtemp(prefix="freehold-layers-")))

    def spawn(original: Any, worker: Any) -> None:
        config: dict[str, Any] = worker.config
        attached: list[Any] = config.get("Layers") or []
        if not attached or not str(config.get("Runtime", "")).startswith("python"):
            original(worker)
            return
        contents = [service._resolve_layer_zip(layer) for layer in attached]
        folders = [str(layers.folder(content)) for content in contents if content]
        variables: dict[str, str] = config.get("Environment", {}).get("Variables") or {}
        worker.config = {
            **config,
            "Layers": [],
            "Environment": {"Variables": {**variables, "_LAMBDA_LAYERS_DIRS": os.pathsep.join(folders)}},
        }
        try:
            original(worker)
        finally:
            worker.config = config

    runtime = import_module("ministack.core.lambda_runtime")
    reads = ('layer_refs = self.config.get("Layers", [])', "_LAMBDA_LAYERS_DIRS", "**os.environ, **env_vars")
    wrap(runtime.Worker, "_spawn", spawn, reads=reads)


class SharedLayers:
    """Extracts a layer's zip once; the folder appears under its name only when it is whole."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._lock = threading.Lock()
        self._known: dict[int, tuple[bytes, Path]] = {}

    def folder(self, content: bytes) -> Path:
        """Where the layer with this zip is extracted. Nothing may write there but Python's byte code."""
        with self._lock:
            # The identity of an object that is kept alive is as good as its digest, and a layer is large.
            kept, folder = self._known.get(id(content), (None, Path()))
            if kept is not content:
                folder = self._home / digest(content)
                self._known[id(content)] = (content, folder)
            if not folder.is_dir():
                self._extract(content, folder)
            return folder

    def _extract(self, content: bytes, folder: Path) -> None:
        self._home.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(dir=self._home, prefix="partial-"))
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                archive.extractall(partial)  # extractall keeps every member inside its target
            partial.rename(folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]


def save_layers_as_files() -> None:
    """A layer's zip is saved as one file that is written once.

    MiniStack writes it into `lambda.json` with every save, which is slow for a layer with an SDK in it.
    """
    service = import_module("ministack.services.lambda_svc")
    folder = Path(service.STATE_DIR) / "layer-blobs"

    def get_state(original: Any) -> dict[str, Any]:
        state: dict[str, Any] = original()
        for version in _versions(state["layers"]):
            content = version.get("_zip_data")
            if isinstance(content, bytes):
                version["_zip_data"] = {_REFERENCE: _store(content, version, folder)}
        return state

    def restore(original: Any, state: dict[str, Any] | None) -> None:
        for version in _versions((state or {}).get("layers") or {}):
            saved: bytes | dict[str, str] | None = version.get("_zip_data")
            if isinstance(saved, dict):
                version["_zip_data"] = (folder / saved[_REFERENCE]).read_bytes()
        original(state)

    wrap(service, "get_state", get_state, reads=('"layers": copy.deepcopy(_layers)',))
    wrap(service, "_restore_state", restore, reads=('_layers.update(data.get("layers", {}))',))


def _versions(layers: Any) -> list[dict[str, Any]]:
    named: dict[Any, dict[str, list[dict[str, Any]]]] = getattr(layers, "_data", {})
    return [version for layer in named.values() for version in layer.get("versions") or []]


def _store(content: bytes, version: dict[str, Any], folder: Path) -> str:
    name = base64.b64decode(version["Content"]["CodeSha256"]).hex() + ".zip"
    path = folder / name
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        partial.write_bytes(content)
        partial.rename(path)
    return name
