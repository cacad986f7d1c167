"""How OpenAPI has a parameter or a form's field written, where that is not what its place does anyway."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

# `style` and `explode` of an `Argument`.
Style = tuple[str, bool | None]

AS_PLACED: Style = ("", None)
_OF_PLACES = {"path": "simple", "header": "simple", "query": "form", "cookie": "form", "body": "form"}


def style_of(described: Mapping[str, Any], place: str) -> Style:
    """Of a parameter, or of what `encoding` says about a field of a form (place `body`)."""
    if "content" in described:
        return "json", None
    usual = _OF_PLACES[place]
    given, told = described.get("style"), described.get("explode")
    style = given if isinstance(given, str) else usual
    exploded = told if isinstance(told, bool) else style == "form"
    return "" if style == usual else style, None if exploded == (usual == "form") else exploded


def styles_of_form(media: Any) -> dict[str, Style]:
    """Of those fields of a form whose `encoding` says one."""
    encoding = cast("dict[str, Any]", media).get("encoding") if isinstance(media, dict) else None
    fields = cast("dict[str, Any]", encoding).items() if isinstance(encoding, dict) else ()
    return {
        name: style_of(cast("dict[str, Any]", described), "body")
        for name, described in fields
        if isinstance(described, dict) and {"style", "explode"} & cast("dict[str, Any]", described).keys()
    }
