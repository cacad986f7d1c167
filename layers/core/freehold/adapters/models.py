"""Which adapter answers for a model: the catalog's own API, or one stand-in for all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..errors import ModelRejected
from ..ports import Model
from ..value import Value, replace
from ..values.agent import ModelChoice
from ..values.model import ModelEntry
from .catalog import Catalog

if TYPE_CHECKING:
    from types_boto3_bedrock_runtime import BedrockRuntimeClient

    from .bedrock_http import BedrockHttp
    from .openai_compatible import OpenAICompatible

REHEARSAL = "rehearsal"


class ModelSettings(Value):
    """`source` is `catalog` (each model by its own API), or `rehearsal` or `openai_compatible` for every model.

    `name` replaces the model's id in requests to `url`, for servers that know it by another name.
    """

    source: str
    url: str = ""
    name: str = ""


class Bedrock(Value):
    """How to reach Bedrock: `client` gives one whose reads wait for so many seconds, `http` signs and sends."""

    client: Callable[[int], BedrockRuntimeClient]
    http: Callable[[], BedrockHttp]


class ModelChooser:
    """`Models`. Adapters are loaded when they are first chosen: one deployment rarely needs them all."""

    def __init__(
        self, settings: ModelSettings, catalog: Catalog, key: Callable[[], str | None], bedrock: Bedrock
    ) -> None:
        self._settings, self._catalog, self._key, self._bedrock = settings, catalog, key, bedrock
        self._server: tuple[str | None, OpenAICompatible] | None = None

    def choose(self, choice: ModelChoice) -> tuple[Model, ModelEntry]:
        entry = self._entry(choice)
        match entry.api:
            case "rehearsal":
                from .rehearsal import Rehearsal

                return Rehearsal(stands_in_for=choice.model if choice.model != REHEARSAL else None), entry
            case "openai_compatible":
                return self._openai_compatible(), entry
            case "converse":
                from .converse import Converse

                return Converse(self._bedrock.client, entry), entry
            case "responses":
                from .responses import Responses

                return Responses(self._bedrock.http(), entry), entry
            case _:
                raise ModelRejected(f"the catalog does not know {choice.model}, and the agent names no API")

    def _entry(self, choice: ModelChoice) -> ModelEntry:
        """The catalog's row of the model, as this deployment reaches it."""
        known, source = self._catalog.find(choice.model), self._settings.source
        api = choice.api or (known.api if known else "") if source == "catalog" else source
        if api == REHEARSAL:
            known = self._catalog.find(REHEARSAL)
        if api == "openai_compatible":
            name = self._settings.name or (known.id if known else choice.model)
            # Who serves it sets the price, and the server's is not known.
            return ModelEntry(name, api, known.window if known else None)
        return replace(known, api=api) if known else ModelEntry(choice.model, api)

    def _openai_compatible(self) -> OpenAICompatible:
        from .openai_compatible import OpenAICompatible

        if not self._settings.url:
            raise ModelRejected("an OpenAI-compatible model needs its server's URL: set ModelUrl")
        # Asked for at each call, so that a new key needs no deployment; the same one keeps its connections.
        key = self._key()
        if self._server is None or self._server[0] != key:
            self._server = key, OpenAICompatible(self._settings.url, key)
        return self._server[1]
