"""Which stack a command speaks to, and where a local one keeps its things.

FREEHOLD_URL, FREEHOLD_KEY   a stack anywhere, with a key for it
FREEHOLD_AUTH=aws            in place of a key, a token for your AWS credentials
FREEHOLD_HOME                the local stack's folder; default `.freehold` in the repository

The local stack writes `stack.json` into its folder while it runs, and `freehold up` the `key` for it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# Whose the local stack's own key is.
LOCAL_TENANT = "local"


class WrongUse(Exception):
    """The command cannot be done as it was given. Nothing was changed."""

    def __init__(self, message: str, hint: str = "") -> None:
        self.hint = hint
        super().__init__(message)


class Down(Exception):
    """The local stack is needed and does not run, or failed to start."""

    def __init__(self, message: str, hint: str = "Start it with `freehold up`.") -> None:
        self.hint = hint
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Target:
    """The stack to speak to. `local` says that its key and address come from the local stack's folder.

    Without a `key`, AWS credentials open it.
    """

    url: str
    key: str | None
    local: bool


@dataclass(frozen=True, slots=True)
class Home:
    """The local stack's folder, and the repository that it was made for."""

    path: Path
    root: Path

    @property
    def key_file(self) -> Path:
        return self.path / "key"

    def key(self) -> str | None:
        return _text(self.key_file)

    def url(self) -> str | None:
        """Where the stack answers; None where none was started, or it was stopped."""
        try:
            return str(json.loads(_text(self.path / "stack.json") or "{}").get("url") or "") or None
        except ValueError:
            return None

    def keep_key(self, text: str) -> None:
        """Write the key so that only its owner can read it, whatever the file was before."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = self.key_file.with_name("key.partial")
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(f"{text}\n")
        fresh.replace(self.key_file)


def home(environ: Mapping[str, str], folder: Path, package: Path) -> Home:
    """The repository that `package` (a module of ours) lies in, else `folder` where it holds a `template.yaml`."""
    repository = package.resolve().parents[2]
    root = next((each for each in (repository, folder) if (each / "template.yaml").is_file()), None)
    if root is None:
        raise WrongUse(
            f"no template.yaml in {repository} or {folder}, so there is no local stack",
            "Go to a checkout of Freehold, or set FREEHOLD_URL and FREEHOLD_KEY to use a stack elsewhere.",
        )
    given = environ.get("FREEHOLD_HOME")
    return Home(Path(given).expanduser().resolve() if given else root / ".freehold", root)


def target(environ: Mapping[str, str], folder: Path, package: Path) -> Target:
    """The stack of FREEHOLD_URL and FREEHOLD_KEY, else the local one."""
    # What a file held may end a line.
    url, key = environ.get("FREEHOLD_URL", "").strip(), environ.get("FREEHOLD_KEY") or None
    by_aws = key is None and _by_aws(environ)
    if url:
        if not key and not by_aws:
            raise WrongUse(
                "FREEHOLD_URL is set and FREEHOLD_KEY is not",
                "Set both, or neither for the local stack; FREEHOLD_AUTH=aws uses your AWS credentials.",
            )
        if not url.startswith(("http://", "https://")):
            raise WrongUse(f"FREEHOLD_URL is {url!r}; it must begin with http:// or https://")
        return Target(url, key, local=False)
    place = home(environ, folder, package)
    url, key = place.url(), None if by_aws else key or place.key()
    if url is None or (key is None and not by_aws):
        raise Down("the local stack is not running")
    return Target(url, key, local=True)


def _by_aws(environ: Mapping[str, str]) -> bool:
    chosen = environ.get("FREEHOLD_AUTH")
    if chosen not in (None, "", "aws"):
        raise WrongUse(f"FREEHOLD_AUTH is {chosen!r}; it must be aws, or not be set")
    return chosen == "aws"


def _text(path: Path) -> str | None:
    try:
        return path.read_text("utf-8").strip() or None
    except FileNotFoundError:
        return None
