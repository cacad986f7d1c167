"""Agent configurations in local files: JSON or YAML, with OpenAPI documents in files beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from freehold.configuration.paths import at, show
from freehold.configuration.reading import MAX_BYTES, decode, read_text
from freehold.errors import Invalid, Problem


def load_file(path: Path) -> dict[str, Any]:
    """The configuration in `path`, each `{"file": …}` replaced by that file's text; raises `Invalid`.

    Files are named relative to the configuration.
    """
    document = read_text(_text(path, str(path)), str(path))
    if not isinstance(document, dict):
        raise Invalid(f"is {show(document)}; an agent configuration is an object", path=str(path))
    made = cast("dict[str, Any]", document)
    groups = made.get("actionGroups")
    if not isinstance(groups, list):
        return made
    problems: list[Problem] = []
    for index, group in enumerate(cast("list[Any]", groups)):
        schema = cast("dict[str, Any]", group).get("apiSchema") if isinstance(group, dict) else None
        if isinstance(schema, dict) and "file" in schema:
            where = at("actionGroups", index, "apiSchema")
            try:
                group["apiSchema"] = _with_text(cast("dict[str, Any]", schema), path.parent, where)
            except Invalid as error:
                problems += error.problems
    if problems:
        raise Invalid(problems)
    return made


def _with_text(schema: dict[str, Any], folder: Path, where: str) -> dict[str, Any]:
    """`schema` with the text of its file or, where operations are chosen, with what they need of it."""
    name, chosen = schema["file"], schema.get("operations")
    if schema.keys() - {"file", "operations"}:
        raise Invalid("has other fields beside file and operations; file stands for the document", path=where)
    if not isinstance(name, str) or not name:
        raise Invalid(f"is {show(name)}; must be the name of a file", path=at(where, "file"))
    text = _text(folder / name, at(where, "file"))
    if "operations" not in schema:
        return {"payload": text}
    names = cast("list[Any]", chosen) if isinstance(chosen, list) else []
    if names and all(isinstance(one, str) for one in names):
        from freehold.configuration.selection import excerpt_text

        text = excerpt_text(text, names, where)
    return {"payload": text, "operations": chosen}


def _text(file: Path, where: str) -> str:
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise Invalid(f"cannot read {file}: {reason}", path=where) from None
    if len(content) > MAX_BYTES:
        raise Invalid(f"{file} is larger than {MAX_BYTES:,} bytes (8 MB)", path=where)
    return decode(content, where)
