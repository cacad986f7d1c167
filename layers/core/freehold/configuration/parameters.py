"""What one OpenAPI operation asks of the model: its parameters and its body, as flat arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from freehold.configuration.arguments import Arguments
from freehold.configuration.bodies import NoTool, body_of
from freehold.configuration.notes import LONGEST_EXAMPLE
from freehold.configuration.paths import at
from freehold.configuration.schemas import check_schema
from freehold.configuration.styles import style_of
from freehold.configuration.wording import for_field
from freehold.errors import Invalid

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from freehold.configuration.inlining import Inliner
    from freehold.configuration.references import Schema
    from freehold.configuration.selection import Operation

PLACES = ("path", "query", "header", "cookie")

# For these HTTP defines no body; OpenAPI says that one is to be passed over.
_WITHOUT_BODY = {"get", "head", "delete", "options", "trace"}
# OpenAPI itself says that header parameters of these names are ignored.
_NOT_ARGUMENTS = {("header", name) for name in ("accept", "content-type", "authorization")}


class OperationArguments:
    """Collects `arguments`; `mended` names path parameters that the document forgot, or declares for no place.

    `keys` are the API keys, by place and lower-case name; `sendable` says which media types a body may have.
    Raises `Invalid`, `NoTool` and `TooLarge`.
    """

    def __init__(
        self,
        operation: Operation,
        inliner: Inliner,
        keys: Collection[tuple[str, str]],
        sendable: Callable[[str], bool] | None = None,
    ) -> None:
        self.arguments = Arguments()
        self.mended: list[str] = []
        self.media_type: str | None = None
        self._operation, self._inliner, self._keys = operation, inliner, keys
        self._sendable = sendable
        self._add_parameters()
        self._add_body()

    def _add_parameters(self) -> None:
        # An operation's own parameter replaces the path's of the same name and place.
        chosen: dict[tuple[str, str], tuple[Schema, str]] = {}
        for node, path in self._declared():
            parameter, where = self._inliner.references.follow(node, path)
            given = cast("Schema", parameter) if isinstance(parameter, dict) else {}
            name, place = given.get("name"), given.get("in")
            if not isinstance(name, str) or place not in PLACES:
                raise Invalid("refers to no parameter", path=where)
            chosen[name, place] = given, where
        self._mend(chosen)
        for (name, place), (parameter, where) in chosen.items():
            hidden = (place, name.lower())
            if hidden in _NOT_ARGUMENTS or hidden in self._keys:
                continue
            schema = self._inlined(*_schema_of(parameter, where))
            if isinstance(schema, dict):
                schema = _with_notes(cast("Schema", schema), parameter)
            required = parameter.get("required") is True or place == "path"
            style = style_of(parameter, place)
            self.arguments.add(name, schema, cast("Any", place), required=required, style=style)

    def _declared(self) -> Iterator[tuple[Any, str]]:
        operation = self._operation
        for node, path in ((operation.item, operation.item_path), (operation.node, operation.path)):
            for index, one in enumerate(node.get("parameters", [])):
                yield one, at(path, "parameters", index)

    def _mend(self, chosen: dict[tuple[str, str], tuple[Schema, str]]) -> None:
        """Path parameters are exactly those that the path names: no call can be made without, or with others."""
        url, _, query = self._operation.url.partition("?")
        named = dict.fromkeys(part.partition("}")[0] for part in url.split("{")[1:])
        for name in named:
            if (name, "path") not in chosen:
                chosen[name, "path"] = {"schema": {"type": "string"}}, self._operation.path
                self.mended.append(name)
        for name, place in [*chosen]:
            if place == "path" and name not in named and f"{{{name}}}" not in query:
                del chosen[name, place]
                self.mended.append(name)

    def _add_body(self) -> None:
        operation = self._operation
        if "requestBody" not in operation.node:
            return
        given = operation.node["requestBody"]
        body, path = self._inliner.references.follow(given, at(operation.path, "requestBody"))
        content = cast("Schema", body).get("content") if isinstance(body, dict) else None
        if not isinstance(content, dict):
            raise Invalid("refers to no request body", path=path)
        if not content:
            return
        try:
            found = body_of(cast("Schema", content), at(path, "content"), self._inlined, self._sendable)
        except NoTool:
            if operation.method not in _WITHOUT_BODY:
                raise
            found = None
        if found is None:
            return
        self.media_type = found.media_type
        required = cast("Schema", body).get("required") is True
        self.arguments.add_body(found.schema, required=required, styles=found.styles)

    def _inlined(self, schema: Any, path: str) -> Any:
        made = self._inliner.inline(schema, path)
        check_schema(made, path)
        return made


def _schema_of(parameter: Schema, path: str) -> tuple[Any, str]:
    for kind, media in parameter.get("content", {}).items():
        return media.get("schema", {}), at(path, "content", kind, "schema")
    return parameter.get("schema", {}), at(path, "schema")


def _with_notes(schema: Schema, parameter: Schema) -> Schema:
    """`schema` with what the parameter itself says, which is nearer to the point."""
    if isinstance(said := parameter.get("description"), str) and (said := for_field(said)):
        schema = {**schema, "description": said}
    shown = parameter.get("example")
    if isinstance(shown, str | int | float) and len(str(shown)) <= LONGEST_EXAMPLE:
        schema = {"examples": [shown], **schema}
    return schema
