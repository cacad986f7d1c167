"""Which adapter answers for a model: the catalog's own API, or one stand-in for all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..errors import ModelRejected
from ..ports import Model
from ..values.agent import ModelChoice
from ..values.model import ModelEntry
from .catalog import Catalog
from .openai_compatible import OpenAICompatible
from .rehearsal import Rehearsal

REHEARSAL = "rehearsal"


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """`source` is `catalog` (each model by its own API), or `rehearsal` or `openai_compatible` for every model.

    `name` replaces the model's id in requests to `url`, for servers that know it by another name.
    """

    source: str
    url: str = ""
    name: str = ""


class ModelChooser:
    """`Models`. The key is asked for at each call, so that a new one needs no deployment."""

    def __init__(self, settings: ModelSettings, catalog: Catalog, key: Callable[[], str | None]) -> None:
        self._settings, self._catalog, self._key = settings, catalog, key
        self._server: tuple[str | None, OpenAICompatible] | None = None

    def choose(self, choice: ModelChoice) -> tuple[Model, ModelEntry]:
        entry = self._catalog.find(choice.model)
        api = self._settings.source
        if api == "catalog":
            api = choice.api or (entry.api if entry else "")
        if api == REHEARSAL:
            row = self._catalog.find(REHEARSAL)
            if row is None:
                raise ModelRejected("the catalog has no rehearsal model")
            return Rehearsal(stands_in_for=choice.model if choice.model != REHEARSAL else None), row
        if api == "openai_compatible":
            name = self._settings.name or (entry.id if entry else choice.model)
            # Who serves it sets the price, and the server's is not known.
            return self._openai_compatible(), ModelEntry(name, api, entry.window if entry else None)
        raise ModelRejected(
            f"model {choice.model} needs the API {api or '(unknown)'}, which this release lacks"
        )

    def _openai_compatible(self) -> OpenAICompatible:
        if not self._settings.url:
            raise ModelRejected("an OpenAI-compatible model needs its server's URL: set ModelUrl")
        key = self._key()
        if self._server is None or self._server[0] != key:
            self._server = key, OpenAICompatible(self._settings.url, key)
        return self._server[1]
